// Signed URLs: whoever holds one may read, or write, one object until it expires.
import { createHmac } from "node:crypto";
import { SignJWT, jwtVerify } from "jose";
import { badSignature, badToken, invalid } from "./errors.mjs";
import { find, requireUploadPermission } from "./objects.mjs";

const UPLOAD_SECONDS = 7200;
const UNSEEN = "Either the object does not exist or you do not have access to it";

export async function signDownload(call) {
  await find({ ...call, caller: { ...call.caller, authenticated: true } });
  const seconds = lifetime(call.body);
  return { signedURL: await downloadUrl(call, call.key, seconds) };
}

export async function signDownloads(call) {
  const { db, bucket, body } = call;
  const seconds = lifetime(body);
  const rows = await db.asCaller(
    (sql) => sql`select name from storage.objects where bucket_id = ${bucket} and name = any(${body.paths})`,
  );
  const visible = new Set(rows.map((row) => row.name));
  return Promise.all(
    body.paths.map(async (path) =>
      visible.has(path)
        ? { error: null, path, signedURL: await downloadUrl(call, path, seconds) }
        : { error: UNSEEN, path, signedURL: null },
    ),
  );
}

export async function signUpload(call) {
  const { caller, bucket, key, upsert } = call;
  await requireUploadPermission(call, { upsert });
  const token = await sign(call.config, { owner: caller.owner, url: `${bucket}/${key}`, upsert, scope: "upload" }, UPLOAD_SECONDS);
  return { url: `/object/upload/sign/${bucket}/${key}?token=${token}`, token };
}

/** Checks a token against the object it is used for. Returns its claims. `scope` is "download" or "upload". */
export async function verify({ config, bucket, key, query }, scope) {
  let claims;
  try {
    claims = (await jwtVerify(query.get("token") ?? "", signingKey(config), { algorithms: ["HS256"] })).payload;
  } catch (error) {
    throw badToken(error.message);
  }
  if (claims.scope !== scope) throw badSignature(`Token is not scoped for ${scope}`);
  if (claims.url !== `${bucket}/${key}`) throw badSignature("Invalid signature");
  return claims;
}

function lifetime({ expiresIn }) {
  const seconds = Number(expiresIn); // storage3 sends text
  if (!(seconds > 0)) throw invalid("expiresIn must be a positive number of seconds");
  return seconds;
}

async function downloadUrl({ bucket, config }, key, seconds) {
  const token = await sign(config, { url: `${bucket}/${key}`, scope: "download" }, seconds);
  // Not encoded: the clients do that.
  return `/object/sign/${bucket}/${key}?token=${token}`;
}

function sign(config, claims, seconds) {
  const now = Math.floor(Date.now() / 1000);
  return new SignJWT(claims)
    .setProtectedHeader({ alg: "HS256" })
    .setIssuedAt(now)
    .setExpirationTime(now + seconds)
    .sign(signingKey(config));
}

/** A key of its own, as on hosted: the token in a URL must not pass for a person's access token, or the reverse. */
function signingKey(config) {
  return createHmac("sha256", config.jwtSecret).update("storage url signing").digest();
}
