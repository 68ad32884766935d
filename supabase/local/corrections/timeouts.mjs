// Hosted: PostgREST applies the settings of the role that it takes on (`alter role anon set statement_timeout = '3s'`),
// together with the role and the claims, in one statement.
// Lite: takes on the role with SET ROLE, which in Postgres leaves that role's settings aside, and sets each claim in a
// statement of its own.
// Can go when lite applies `pg_roles.rolconfig`; it would cost a third of the speed.
import { sql } from "kysely";

export const timeouts = {
  name: "timeouts",
  async connection(connection, context) {
    const ofRole = await roleSettings(context.sql);
    connection.applyJwtSessionContext = (transaction, { auth, storage }) => {
      const role = auth?.role || "anon";
      return setLocal(transaction, [
        ["role", role],
        ["request.jwt.claim.role", role],
        ["request.jwt.claim.sub", String(auth?.uid ?? "")],
        ["request.jwt.claims", JSON.stringify(auth?.jwt ?? { role })],
        ["storage.operation", String(storage?.operation ?? "")],
        ...(ofRole.get(role) ?? []),
      ]);
    };
    connection.applyRpcRequestGucs = (transaction, { method, path, requestHeaders }) =>
      setLocal(transaction, [
        ["response.status", ""],
        ["response.headers", ""],
        ["request.method", method],
        ["request.path", path],
        ["request.headers", JSON.stringify(requestHeaders ?? {})],
      ]);
  },
};

async function setLocal(transaction, settings) {
  const calls = settings.map(([name, value]) => sql`set_config(${sql.lit(name)}, ${value}, true)`);
  await sql`select ${sql.join(calls)}`.execute(transaction);
}

/** Map of role name to its [setting, value] pairs, for the roles of the API. Read once, as PostgREST does. */
async function roleSettings(driver) {
  const rows = await driver`
    select rolname, rolconfig from pg_roles
    where rolname in ('anon', 'authenticated', 'service_role') and rolconfig is not null`;
  return new Map(rows.map((row) => [row.rolname, row.rolconfig.map(splitSetting)]));
}

function splitSetting(text) {
  const at = text.indexOf("=");
  return [text.slice(0, at), text.slice(at + 1)];
}
