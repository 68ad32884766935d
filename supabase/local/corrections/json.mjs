// Hosted: `auth.users.raw_user_meta_data` is an object, and `->>` on it works in a sign-up trigger.
// Lite: serialises values to text itself, and the driver serialises that text once more: the column holds a JSON string.
// Text is passed on as it is here. A JSON string value never reaches this place unserialised, as lite always sends text.
// Can go when a fresh sign-up has `jsonb_typeof(raw_user_meta_data) = 'object'` without it.
const JSON_OID = 114;
const JSONB_OID = 3802;

const asText = (value) => (typeof value === "string" ? value : JSON.stringify(value));

export const json = {
  name: "json",
  types: {
    json: { to: JSON_OID, from: [JSON_OID], serialize: asText, parse: JSON.parse },
    jsonb: { to: JSONB_OID, from: [JSONB_OID], serialize: asText, parse: JSON.parse },
  },
};
