// Answers requests to /storage/v1.
import { identify } from "./caller.mjs";
import { StorageDatabase } from "./database.mjs";
import { StorageError, toStorageError } from "./errors.mjs";
import { ROUTES } from "./routes.mjs";

const PREFIX = "/storage/v1";

/** Wraps `next`, which keeps every other path, and the preflight requests of browsers. */
export function storageHandler(next, { config, sql, files }) {
  return async (request, peer) => {
    const url = new URL(request.url);
    if (!url.pathname.startsWith(`${PREFIX}/`) || request.method === "OPTIONS") return next(request, peer);
    const response = await answer(request, url, { config, sql, files });
    response.headers.set("access-control-allow-origin", "*");
    return response;
  };
}

async function answer(request, url, services) {
  try {
    const { route, parameters } = match(request.method, url.pathname.slice(PREFIX.length));
    const caller = await identify(request, services.config, { optional: route.optional });
    const result = await route.handle({
      ...services,
      ...parameters,
      request,
      caller,
      query: url.searchParams,
      upsert: request.headers.get("x-upsert") === "true",
      body: route.raw ? undefined : await readJson(request),
      db: new StorageDatabase(services.sql, caller, route.operation),
    });
    return result instanceof Response ? result : Response.json(result);
  } catch (error) {
    return toStorageError(error).toResponse();
  }
}

function match(method, path) {
  for (const route of ROUTES) {
    const found = route.method === method && route.path.exec(path);
    if (!found) continue;
    const names = Object.entries(found.groups ?? {}).map(([name, value]) => [name, decodeURIComponent(value)]);
    return { route, parameters: Object.fromEntries(names) };
  }
  throw new StorageError(404, "Not Found", "InvalidRequest", `Route ${method}:${path} not found`);
}

async function readJson(request) {
  const text = request.method === "GET" || request.method === "HEAD" ? "" : await request.text();
  return text ? JSON.parse(text) : {};
}
