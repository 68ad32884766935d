// Hosted: the privileges of a table are what migrations granted, column by column.
// Lite: on the first request it grants ALL on every schema that has a table with row level security, which wipes column
// privileges and opens tables that were closed. Saying that it has already done so skips that step; the roles that the
// step would also create exist here from the start.
// Can go when `PostgresConnection.ensureRlsContext` no longer grants.
export const privileges = {
  name: "privileges",
  connection(connection) {
    connection.rlsState = "active";
  },
};
