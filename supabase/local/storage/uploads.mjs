// What an upload carries, and whether its bucket takes it.
import { invalid, tooLarge, wrongType } from "./errors.mjs";

const DEFAULT_LIMIT_BYTES = 50 * 1024 * 1024; // of a hosted project that has not raised it

/**
 * Reads an upload: the raw body, or the file of a form, whatever its field is called.
 * Returns {bytes, mimetype, cacheControl, userMetadata}.
 */
export async function readUpload(request, bucket) {
  const limit = Math.min(bucket.file_size_limit ?? DEFAULT_LIMIT_BYTES, DEFAULT_LIMIT_BYTES);
  const form = request.headers.get("content-type")?.startsWith("multipart/form-data");
  const upload = form ? await fromForm(request, limit) : await fromBody(request, limit);
  requireType(upload.mimetype, bucket.allowed_mime_types);
  return upload;
}

async function fromForm(request, limit) {
  // The form is a little larger than the file in it; the exact check follows.
  const bytes = await readAtMost(request, limit + 64 * 1024);
  const form = await new Response(bytes, { headers: { "content-type": request.headers.get("content-type") } }).formData();
  const file = [...form.values()].find((value) => typeof value !== "string");
  if (!file) throw invalid("No content provided");
  if (file.size > limit) throw tooLarge();
  const cacheSeconds = form.get("cacheControl");
  return {
    bytes: new Uint8Array(await file.arrayBuffer()),
    mimetype: form.get("contentType") || file.type || "application/octet-stream",
    cacheControl: cacheSeconds ? `max-age=${cacheSeconds}` : "no-cache",
    userMetadata: parseJson(form.get("metadata") ?? form.get("userMetadata")),
  };
}

async function fromBody(request, limit) {
  const encoded = request.headers.get("x-metadata");
  return {
    bytes: await readAtMost(request, limit),
    mimetype: request.headers.get("content-type") ?? "application/octet-stream",
    cacheControl: request.headers.get("cache-control") ?? "no-cache",
    userMetadata: encoded ? parseJson(Buffer.from(encoded, "base64").toString()) : undefined,
  };
}

async function readAtMost(request, limit) {
  const chunks = [];
  let size = 0;
  for await (const chunk of request.body ?? []) {
    size += chunk.length;
    if (size > limit) throw tooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function requireType(type, allowed) {
  if (!allowed?.length) return;
  const [kind, subtype] = type.split("/");
  const fits = allowed.some((entry) => entry === `${kind}/*` || entry === `${kind}/${subtype}`);
  if (!subtype || !fits) throw wrongType(type);
}

function parseJson(text) {
  try {
    return text ? JSON.parse(text) : undefined;
  } catch {
    return undefined; // as the hosted service: metadata that cannot be read is left out
  }
}
