// Hosted: PostgREST passes every SQLSTATE of the database through, with message, details and hint.
// Lite: answers a class that it does not know, `P0001` and our `NXnnn` among them, with code `SUP` and the bare message.
// The last database error of a request is kept beside it, and put in the place of a `SUP`.
// Can go when `raise exception … using errcode = 'NX210', hint = '…'` reaches the client without it.
import { AsyncLocalStorage } from "node:async_hooks";

const lastError = new AsyncLocalStorage();

export const errors = {
  name: "errors",
  connection(connection) {
    const run = connection.withContext.bind(connection);
    connection.withContext = async (...parameters) => {
      try {
        return await run(...parameters);
      } catch (error) {
        const kept = lastError.getStore();
        if (kept) kept.error = error;
        throw error;
      }
    };
  },
  handler: (next) => async (request, peer) => {
    const kept = {};
    const response = await lastError.run(kept, () => next(request, peer));
    if (response.status < 400 || !isDatabaseError(kept.error)) return response;
    const body = await response.clone().json().catch(() => null);
    return body?.code === "SUP" ? asPostgrest(kept.error, response.headers) : response;
  },
};

function isDatabaseError(error) {
  return typeof error?.code === "string" && /^[0-9A-Z]{5}$/.test(error.code);
}

function asPostgrest({ code, message, detail = null, hint = null }, headers) {
  const status = statusOf(code);
  const kept = new Headers(headers);
  kept.delete("content-length");
  return Response.json({ code, message, details: detail, hint }, { status, headers: kept });
}

// PostgREST docs, references/errors.rst, "HTTP status codes"; the rest is 400. Lite itself answers the codes left out.
const STATUS = [
  [/^08|^53(?!400)/, 503],
  [/^0[9F]|^2[5D]|^3[89B]|^40|^5[34578]|^F0|^HV|^XX|^P0(?!001)/, 500],
  [/^0[LP]|^28/, 403],
  [/^23505|^23503/, 409],
];

function statusOf(code) {
  return STATUS.find(([pattern]) => pattern.test(code))?.[1] ?? 400;
}
