// Hosted: timestamps are RFC 3339, `2026-01-31T12:00:00.5+00:00`.
// Lite: passes Postgres' own text through, `2026-01-31 12:00:00.5+00`, which the Python client refuses to read.
// Can go when lite's auth and REST answers carry a `T`.
const TIMESTAMPTZ = 1184;
const TIMESTAMP = 1114;

export function toRfc3339(text) {
  const withT = text.replace(" ", "T");
  return withT.replace(/([+-]\d{2})$/, "$1:00");
}

export const timestamps = {
  name: "timestamps",
  types: {
    timestamptz: { to: TIMESTAMPTZ, from: [TIMESTAMPTZ], serialize: (value) => toText(value), parse: toRfc3339 },
    timestamp: {
      to: TIMESTAMP,
      from: [TIMESTAMP],
      serialize: (value) => toText(value),
      parse: (text) => text.replace(" ", "T"),
    },
  },
};

function toText(value) {
  return value instanceof Date ? value.toISOString() : value;
}
