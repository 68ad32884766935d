// Who calls: the role and claims of a request to the storage service.
import { jwtVerify } from "jose";
import { denied } from "./errors.mjs";

const ANONYMOUS = { role: "anon", owner: null, claims: { role: "anon" }, authenticated: false };

/**
 * Returns {role, owner, claims, authenticated}. A person's access token counts before the API key. Without either, or
 * with a token that does not verify, the call is refused unless `optional` (reading from public buckets).
 */
export async function identify(request, config, { optional }) {
  const token = request.headers.get("authorization")?.match(/^Bearer\s+(.+)$/i)?.[1];
  try {
    if (token && !token.startsWith("sb_")) return await fromToken(token, config);
    return fromKey(request, config);
  } catch (error) {
    if (optional) return ANONYMOUS;
    throw denied(error.message);
  }
}

async function fromToken(token, config) {
  const key = new TextEncoder().encode(config.jwtSecret);
  const { payload } = await jwtVerify(token, key, { algorithms: ["HS256"] });
  return { role: payload.role ?? "anon", owner: payload.sub ?? null, claims: payload, authenticated: true };
}

function fromKey(request, config) {
  const key = request.headers.get("apikey") ?? new URL(request.url).searchParams.get("apikey");
  const role = { [config.publishableKey]: "anon", [config.secretKey]: "service_role" }[key];
  if (!role) throw new Error("Invalid API key");
  // As the hosted gateway: a secret key in a browser is a leak.
  if (role === "service_role" && /^\s*Mozilla\/5\.0/.test(request.headers.get("user-agent") ?? "")) {
    throw new Error("Forbidden use of secret API key in browser");
  }
  return { role, owner: null, claims: { role }, authenticated: true };
}
