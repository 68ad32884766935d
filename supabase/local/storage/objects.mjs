// Objects. Each operation first does in the database, as the caller, what it is about to do, so that row level security
// decides; then it moves the bytes; then it writes the row as the owner. The order and the statements are those of the
// hosted service, because policies see them: an upsert needs SELECT, INSERT and UPDATE, a removal SELECT and DELETE.
import { findBucket } from "./buckets.mjs";
import { ownerColumns } from "./database.mjs";
import { duplicate, invalidKey, noSuchBucket, noSuchKey } from "./errors.mjs";
import { readUpload } from "./uploads.mjs";

const KEY = /^[\w/!.*'() &$=@;:+,?-]+$/; // ASCII only, as S3 recommends and the hosted service demands

function requireKey(key) {
  if (!KEY.test(key ?? "")) throw invalidKey(key ?? "");
}

/** Uploads a new object, or over an old one when `upsert`. */
export async function upload(call, { upsert }) {
  const { db, caller, bucket, key, request } = call;
  requireKey(key);
  const found = await findBucket(db, bucket);
  const content = await readUpload(request, found, call.files);
  try {
    await requireUploadPermission(call, { upsert, content });
    return await store(call, content, caller.owner, { upsert });
  } finally {
    await call.files.discard(content.draft);
  }
}

/** Uploads with the permission of a signed token, which carries the owner. */
export async function uploadSigned(call, { owner, upsert }) {
  requireKey(call.key);
  const content = await readUpload(call.request, await findBucket(call.db, call.bucket), call.files);
  try {
    return await store(call, content, owner, { upsert });
  } finally {
    await call.files.discard(content.draft);
  }
}

export async function requireUploadPermission({ db, caller, bucket, key }, { upsert, content }) {
  requireKey(key);
  const metadata = { mimetype: content?.mimetype, contentLength: content?.draft.size };
  const row = { ...identity(bucket, key, caller.owner), version: "1", metadata, user_metadata: content?.userMetadata ?? null };
  await db.permits((sql) =>
    upsert ? upsertRow(sql, row) : sql`insert into storage.objects ${sql(row)}`,
  );
}

async function store({ db, bucket, key, files }, content, owner, { upsert }) {
  const [existing] = await db.asOwner(
    (sql) => sql`select id from storage.objects where bucket_id = ${bucket} and name = ${key}`,
  );
  if (existing && !upsert) throw duplicate();
  const metadata = await files.keep(bucket, key, content.draft, content.mimetype, content.cacheControl);
  const row = {
    ...identity(bucket, key, owner),
    version: crypto.randomUUID(),
    metadata,
    user_metadata: content.userMetadata ?? {},
  };
  const [stored] = await db.asOwner((sql) => upsertRow(sql, row));
  return { Id: stored.id, Key: `${bucket}/${key}` };
}

function identity(bucket, key, owner) {
  return { bucket_id: bucket, name: key, ...ownerColumns(owner) };
}

function upsertRow(sql, row) {
  const { bucket_id: _bucket, name: _name, ...changes } = row;
  return sql`
    insert into storage.objects ${sql(row)}
    on conflict (bucket_id, name) do update set ${sql(changes)}, updated_at = now()
    returning *`;
}

/** The row of an object the caller may read; in a public bucket everybody may. */
export async function find({ db, caller, bucket, key }) {
  requireKey(key);
  const found = await findBucket(db, bucket);
  if (!found.public && !caller.authenticated) throw noSuchBucket();
  const query = (sql) => sql`select * from storage.objects where bucket_id = ${bucket} and name = ${key}`;
  const [row] = await (found.public ? db.asOwner(query) : db.asCaller(query));
  if (!row) throw noSuchKey();
  return row;
}

/** The row of an object in a public bucket, or one that a signed token points at. */
export async function findUnchecked({ db, bucket, key }, { requirePublic }) {
  const found = await findBucket(db, bucket);
  if (requirePublic && !found.public) throw noSuchBucket();
  const [row] = await db.asOwner(
    (sql) => sql`select * from storage.objects where bucket_id = ${bucket} and name = ${key}`,
  );
  if (!row) throw noSuchKey();
  return row;
}

export function describe(row) {
  const { size = null, mimetype = null, cacheControl = null, eTag = null } = row.metadata ?? {};
  return {
    id: row.id,
    name: row.name,
    version: row.version,
    bucket_id: row.bucket_id,
    size,
    content_type: mimetype,
    cache_control: cacheControl,
    etag: eTag,
    metadata: row.user_metadata,
    last_modified: row.updated_at,
    created_at: row.created_at,
  };
}

export async function remove({ db, bucket, body, files }) {
  const gone = await db.asCaller(
    (sql) => sql`delete from storage.objects where bucket_id = ${bucket} and name = any(${body.prefixes}) returning *`,
  );
  await files.deleteObjects(bucket, gone.map((row) => row.name));
  return gone;
}

export async function removeOne(call) {
  await findUnchecked(call, { requirePublic: false });
  const gone = await remove({ ...call, body: { prefixes: [call.key] } });
  if (gone.length === 0) throw Object.assign(new Error("Access denied"), { code: "42501" });
  return { message: "Successfully deleted" };
}

export async function move({ db, caller, body, files }) {
  const { bucketId: bucket, sourceKey: from, destinationKey: to, destinationBucket: toBucket = bucket } = body;
  requireKey(to);
  const changes = { bucket_id: toBucket, name: to, version: crypto.randomUUID(), ...ownerColumns(caller.owner) };
  const update = (sql) =>
    sql`update storage.objects set ${sql(changes)}, updated_at = now()
        where bucket_id = ${bucket} and name = ${from} returning *`;
  await db.permits(async (sql) => {
    const [source] = await sql`select id from storage.objects where bucket_id = ${bucket} and name = ${from}`;
    const [moved] = source ? await update(sql) : [];
    if (!moved) throw noSuchKey();
  });
  if (bucket !== toBucket || from !== to) {
    await files.copyObject(bucket, from, undefined, toBucket, to);
    await db.asOwner(update);
    await files.deleteObject(bucket, from);
  }
  const [row] = await db.asOwner((sql) => sql`select id from storage.objects where bucket_id = ${toBucket} and name = ${to}`);
  return { message: "Successfully moved", Id: row.id, Key: to };
}

export async function copy({ db, caller, body, files, upsert }) {
  const { bucketId: bucket, sourceKey: from, destinationKey: to, destinationBucket: toBucket = bucket } = body;
  requireKey(to);
  const [source] = await db.asCaller(
    (sql) => sql`select * from storage.objects where bucket_id = ${bucket} and name = ${from}`,
  );
  if (!source) throw noSuchKey();
  const row = {
    ...identity(toBucket, to, caller.owner),
    version: crypto.randomUUID(),
    metadata: source.metadata,
    user_metadata: source.user_metadata,
  };
  await db.permits((sql) => (upsert ? upsertRow(sql, row) : sql`insert into storage.objects ${sql(row)}`));
  const { eTag, lastModified } = await files.copyObject(bucket, from, undefined, toBucket, to);
  const metadata = { ...source.metadata, eTag, lastModified };
  const [stored] = await db.asOwner((sql) => upsertRow(sql, { ...row, metadata }));
  return { Id: stored.id, Key: `${toBucket}/${to}`, ...stored };
}
