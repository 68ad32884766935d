// Sends an object: headers as the hosted service sets them, ranges, and the name to save under.

export async function send(row, { files, request, query }) {
  const { mimetype, eTag, cacheControl } = row.metadata ?? {};
  const headers = new Headers({
    "content-type": mimetype?.includes("text/html") ? "text/plain" : (mimetype ?? "application/octet-stream"),
    "accept-ranges": "bytes",
    "x-robots-tag": "none",
    "last-modified": new Date(row.updated_at).toUTCString(),
    "cache-control": cacheControl ?? "no-cache",
    ...(eTag ? { etag: eTag } : {}),
    ...disposition(query.get("download")),
  });
  if (eTag && request.headers.get("if-none-match") === eTag) return new Response(null, { status: 304, headers });
  const { body, start, end, size } = await files.openRange(row.bucket_id, row.name, request.headers.get("range"));
  headers.set("content-length", String(end - start));
  const partial = end - start < size;
  if (partial) headers.set("content-range", `bytes ${start}-${end - 1}/${size}`);
  return new Response(request.method === "HEAD" ? null : body, { status: partial ? 206 : 200, headers });
}

/** What HEAD answers: the headers alone, from the row, without touching the file. */
export function head(row) {
  const { mimetype, eTag, cacheControl, size } = row.metadata ?? {};
  const headers = { "content-type": mimetype ?? "application/octet-stream", "content-length": String(size ?? 0) };
  return new Response(null, { headers: { ...headers, etag: eTag ?? "", "cache-control": cacheControl ?? "no-cache" } });
}

function disposition(name) {
  if (name === null) return {};
  if (name === "") return { "content-disposition": "attachment;" };
  const encoded = encodeURIComponent(name);
  return { "content-disposition": `attachment; filename=${encoded}; filename*=UTF-8''${encoded}` };
}
