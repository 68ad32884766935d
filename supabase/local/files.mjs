// Stores objects in the file system, as lite's `StorageAdapter`. One file per object, named by a hash of its name, so
// that no name can leave the directory or be too long. The version argument is ignored: lite writes without and reads
// with one.
import { createHash, randomUUID } from "node:crypto";
import { createReadStream } from "node:fs";
import { copyFile, mkdir, open, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Readable } from "node:stream";

export class FileAdapter {
  driver = null;

  constructor(directory, database) {
    this.root = join(directory, encodeURIComponent(database));
  }

  async getObject(bucket, key) {
    const path = this.#path(bucket, key);
    const metadata = await this.headObject(bucket, key);
    const body = Readable.toWeb(createReadStream(path));
    return { metadata, httpStatusCode: 200, body };
  }

  /** Opens a part of an object. `range` is the HTTP header, or null for all of it. Returns {body, start, end, size}. */
  async openRange(bucket, key, range) {
    const path = this.#path(bucket, key);
    const { size } = await stat(path);
    const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(range ?? "") ?? [, "0", ""];
    const start = Math.min(Number(first), size);
    const end = last ? Math.min(Number(last) + 1, size) : size;
    const body = end > start ? Readable.toWeb(createReadStream(path, { start, end: end - 1 })) : null;
    return { body, start, end, size };
  }

  async uploadObject(bucket, key, _version, body, contentType, cacheControl) {
    const chunks = body instanceof Uint8Array ? [body] : new Response(body).body;
    return this.keep(bucket, key, await this.receive(chunks, Infinity), contentType, cacheControl);
  }

  /**
   * Writes what comes into a file of its own, a chunk at a time. Returns {path, size, md5}, to be kept or discarded, or
   * null, with nothing left behind, when it is more than `limit` bytes.
   */
  async receive(chunks, limit) {
    const path = join(this.root, "drafts", randomUUID());
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    const hash = createHash("md5");
    let size = 0;
    const file = await open(path, "w", 0o600);
    try {
      for await (const chunk of chunks) {
        size += chunk.length;
        if (size > limit) break;
        hash.update(chunk);
        await file.writeFile(chunk);
      }
    } catch (error) {
      await this.discard({ path });
      throw error;
    } finally {
      await file.close();
    }
    if (size <= limit) return { path, size, md5: hash.digest("hex") };
    await this.discard({ path });
    return null;
  }

  /** Makes a draft an object: renamed, so that a reader never sees half of one. */
  async keep(bucket, key, draft, contentType, cacheControl) {
    const path = this.#path(bucket, key);
    const metadata = {
      eTag: `"${draft.md5}"`, // as S3 makes it
      size: draft.size,
      mimetype: contentType,
      cacheControl,
      lastModified: new Date(),
      contentLength: draft.size,
      httpStatusCode: 200,
    };
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    const description = `${path}.${randomUUID()}.json`;
    await writeFile(description, JSON.stringify(metadata), { mode: 0o600 });
    await rename(description, `${path}.json`);
    await rename(draft.path, path);
    return metadata;
  }

  /** Removes a draft that was not kept. */
  async discard(draft) {
    await rm(draft.path, { force: true });
  }

  async deleteObject(bucket, key) {
    const path = this.#path(bucket, key);
    await Promise.all([rm(path, { force: true }), rm(`${path}.json`, { force: true })]);
  }

  async deleteObjects(bucket, keys) {
    await Promise.all(keys.map((key) => this.deleteObject(bucket, key)));
  }

  async copyObject(bucket, key, _version, toBucket, toKey) {
    const from = this.#path(bucket, key);
    const to = this.#path(toBucket, toKey);
    await mkdir(dirname(to), { recursive: true, mode: 0o700 });
    await Promise.all([copyFile(from, to), copyFile(`${from}.json`, `${to}.json`)]);
    const { eTag, lastModified } = await this.headObject(toBucket, toKey);
    return { eTag, lastModified, httpStatusCode: 200 };
  }

  async headObject(bucket, key) {
    const path = this.#path(bucket, key);
    const [metadata, found] = await Promise.all([readFile(`${path}.json`, "utf8"), stat(path)]);
    return { ...JSON.parse(metadata), lastModified: found.mtime };
  }

  async privateAssetUrl() {
    throw new Error("images are not transformed by the embedded stack");
  }

  #path(bucket, key) {
    const name = hash(`${bucket}/${key}`);
    return join(this.root, name.slice(0, 2), name);
  }
}

function hash(text) {
  return createHash("sha256").update(text).digest("hex");
}
