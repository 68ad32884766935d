// Hosted: PostgREST applies the settings of the role that it takes on (`alter role anon set statement_timeout = '3s'`).
// Lite: takes on the role with SET ROLE, which in Postgres leaves that role's settings aside.
// Can go when lite applies `pg_roles.rolconfig`.
import { sql } from "kysely";

export const timeouts = {
  name: "timeouts",
  async connection(connection, context) {
    const settings = await roleSettings(context.sql);
    const apply = connection.applyJwtSessionContext.bind(connection);
    connection.applyJwtSessionContext = async (transaction, variables, setRole) => {
      await apply(transaction, variables, setRole);
      for (const [name, value] of settings.get(variables.auth?.role || "anon") ?? []) {
        await sql`select set_config(${name}, ${value}, true)`.execute(transaction);
      }
    };
  },
};

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
