// Hosted: PostgREST reloads its picture of the schema when the database says `notify pgrst, 'reload schema'`, and an
// event trigger says so after every change.
// Lite: looks once and never again. A migration applied while it serves stays unseen until a restart.
// And where the database could not be asked, lite answers from an empty picture: "not found". Hosted says 503.
// Can go when a table created after the first request is found without it, and a cut connection is no 404.
import postgres from "postgres";

const RETRY_MS = 100;

export const schemaCache = {
  name: "schema-cache",
  connection: (connection, { url, database }) => {
    refuseEmptyPictures(connection);
    return listen(connection, url, database);
  },
};

function refuseEmptyPictures(connection) {
  const introspect = connection.introspect.bind(connection);
  connection.introspect = async (...options) => {
    const picture = await introspect(...options);
    if (picture.timezones === undefined) throw new Error("the database could not be asked for its schema"); // asked last
    return picture;
  };
}

async function listen(connection, url, database) {
  let closed = false;
  let retry = null;
  const reload = () => connection.clearSchemaCache();
  const subscribe = async () => {
    retry = null;
    if (closed) return;
    try {
      await sql`listen pgrst`;
      await reload(); // what was said while nobody listened
    } catch {
      subscribeLater(); // the server is restarting, or the database is being copied
    }
  };
  // A lost connection is reported both by the query and by the pool: one attempt is enough.
  const subscribeLater = () => (retry ??= setTimeout(subscribe, RETRY_MS));
  const sql = postgres(url, {
    database,
    max: 1,
    idle_timeout: 0,
    onnotice: () => {},
    onnotify: reload,
    onclose: subscribeLater,
    connection: { application_name: "embedded-api-listener" },
  });
  const close = connection.close.bind(connection);
  connection.close = async () => {
    closed = true;
    clearTimeout(retry);
    await Promise.all([close(), sql.end({ timeout: 1 })]);
  };
  await subscribe();
}
