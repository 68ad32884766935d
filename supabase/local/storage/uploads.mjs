// What an upload carries, and whether its bucket takes it.
import { invalid, tooLarge, wrongType } from "./errors.mjs";

const DEFAULT_LIMIT_BYTES = 50 * 1024 * 1024; // of a hosted project that has not raised it
const FORM_LIMIT_BYTES = 512 * 1024 * 1024; // a form is taken apart in memory; a raw body goes straight to disk

/**
 * Reads an upload: the raw body, or the file of a form, whatever its field is called.
 * Returns {draft, mimetype, cacheControl, userMetadata}; the draft is to be stored or discarded.
 */
export async function readUpload(request, bucket, files) {
  const limit = bucket.file_size_limit ?? DEFAULT_LIMIT_BYTES;
  const form = request.headers.get("content-type")?.startsWith("multipart/form-data");
  const read = form ? fromForm(request, Math.min(limit, FORM_LIMIT_BYTES)) : fromBody(request);
  const { chunks, ...upload } = await read;
  requireType(upload.mimetype, bucket.allowed_mime_types);
  const draft = await files.receive(chunks, limit);
  if (!draft) throw tooLarge();
  return { ...upload, draft };
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
    chunks: [new Uint8Array(await file.arrayBuffer())],
    mimetype: form.get("contentType") || file.type || "application/octet-stream",
    cacheControl: cacheSeconds ? `max-age=${cacheSeconds}` : "no-cache",
    userMetadata: parseJson(form.get("metadata") ?? form.get("userMetadata")),
  };
}

async function fromBody(request) {
  const encoded = request.headers.get("x-metadata");
  return {
    chunks: request.body ?? [],
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
