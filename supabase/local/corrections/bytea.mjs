// Hosted: PostgREST sends a `bytea` as the text Postgres gives it, `\x00ff`, and takes the same.
// Lite: sends `{"type":"Buffer","data":[…]}`.
// Can go when a `bytea` column reads as `\x…` without it.
const BYTEA = 17;

export const bytea = {
  name: "bytea",
  types: {
    bytea: {
      to: BYTEA,
      from: [BYTEA],
      serialize: (value) => (typeof value === "string" ? value : `\\x${Buffer.from(value).toString("hex")}`),
      parse: (text) => text,
    },
  },
};
