// Puts `@supabase/lite` together as an API server for one database, with the corrections towards the hosted service.
import { serve } from "@hono/node-server";
import { App, SmtpEmailDriver } from "@supabase/lite";
import { createPostgresConnection } from "@supabase/lite/postgres";
import { FileAdapter } from "./files.mjs";

/**
 * Serves `database` on a free port of this machine.
 *
 * `config`: {publishableKey, secretKey, jwtSecret, jwtExpirySeconds, emailConfirmations, siteUrl, redirectUrls,
 * smtpPort, filesDirectory, schemas, beforeUserCreated}.
 * Returns {url, close}. Each correction may contribute `types` (for the Postgres driver), `connection(connection)`
 * (changes it in place, may be async) and `handler(next, context)` (wraps the request handler).
 */
export async function serveDatabase(database, url, config, corrections) {
  const connection = connect(url, corrections);
  const app = new App(appConfig(connection, config));
  const files = new FileAdapter(config.filesDirectory, database);
  app._storageAdapter = files;
  await app.init();
  const context = { connection, config, files, url, database: databaseOf(url), sql: connection.driver };
  for (const correction of corrections) await correction.connection?.(connection, context);
  let handler = (request, peer) => app.fetch(request, peer);
  for (const correction of corrections) handler = correction.handler?.(handler, context) ?? handler;
  const server = await listen(handler);
  return { url: `http://127.0.0.1:${server.address().port}`, close: () => close(server, connection) };
}

/** Creates the tables of lite's auth and storage in a database. `url` is the superuser's. */
export async function provision(url) {
  const options = { database: databaseOf(url), max: 1, onnotice: () => {} };
  const connection = createPostgresConnection({ url, postgresOptions: options });
  try {
    const app = new App(appConfig(connection, {}));
    app._storageAdapter = new FileAdapter("/nowhere", ""); // only with one does lite make the tables of storage
    await app.ensureSystemSchema();
  } finally {
    await connection.close();
  }
}

function connect(url, corrections) {
  const types = Object.assign({}, ...corrections.map((correction) => correction.types ?? {}));
  const connection = createPostgresConnection({
    url,
    postgresOptions: {
      database: databaseOf(url),
      types,
      max: 8,
      idle_timeout: 60,
      onnotice: () => {},
      // Seconds between attempts to reconnect: a restarted database is back at once.
      backoff: () => 0.1,
      connection: {
        application_name: "embedded-api",
        // As `authenticator` has it on hosted; `anon` and `authenticated` get their own, see corrections/timeouts.mjs.
        statement_timeout: 8000,
        lock_timeout: 8000,
        search_path: "public, extensions",
      },
    },
  });
  connection.close = () => connection.driver.end({ timeout: 1 }); // lite would wait for the slowest statement
  return connection;
}

/** The driver takes the name from the URL as it is written there. */
function databaseOf(url) {
  return decodeURIComponent(new URL(url).pathname.slice(1));
}

function appConfig(connection, config) {
  // Not through `auth.email.smtp`: that demands a user and a password, which the mail catcher has no use for.
  const from = { name: "Nexora OS", address: "auth@nexora.test" };
  const email = new SmtpEmailDriver({ host: "127.0.0.1", port: config.smtpPort, secure: false, from });
  return {
    connection,
    api: { schemas: config.schemas, max_rows: 1000, pg_safe_update: true },
    auth: {
      enabled: true,
      jwt_secret: config.jwtSecret,
      jwt_expiry: config.jwtExpirySeconds,
      publishable_key: config.publishableKey,
      secret_key: config.secretKey,
      site_url: config.siteUrl,
      additional_redirect_urls: config.redirectUrls,
      email: { enable_confirmations: config.emailConfirmations },
    },
    storage: { enabled: true },
    studio: { enabled: false },
    options: { server: { admin: false, disableStudio: true }, drivers: { email } },
  };
}

function listen(handler) {
  return new Promise((resolve, reject) => {
    const fetch = (request, { incoming }) => handler(request, { peerAddress: incoming.socket.remoteAddress ?? null });
    const server = serve({ fetch, hostname: "127.0.0.1", port: 0 }, () => resolve(server));
    server.on("error", reject);
  });
}

async function close(server, connection) {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await connection.close();
}
