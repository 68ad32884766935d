// Buckets. Row level security on storage.buckets decides; without policies only the secret key gets through.
import { ownerColumns } from "./database.mjs";
import { StorageError, invalid, noSuchBucket } from "./errors.mjs";

const NAME = /^[\w!.*'() &$=@;:+,?-]{1,100}$/;
const UNITS = { b: 1, kb: 1e3, mb: 1e6, gb: 1e9 };

export async function createBucket({ db, caller, body }) {
  const name = body.name ?? body.id;
  if (!NAME.test(name ?? "")) throw new StorageError(400, "Invalid Input", "InvalidBucketName", "Bucket name invalid");
  const row = { id: body.id ?? name, name, public: body.public ?? false, ...ownerColumns(caller.owner), ...limits(body) };
  await db.asCaller((sql) => sql`insert into storage.buckets ${sql(row)}`);
  return { name };
}

export function listBuckets({ db }) {
  return db.asCaller((sql) => sql`select ${columns(sql)} from storage.buckets order by name`);
}

export async function getBucket({ db, bucket }) {
  const [found] = await db.asCaller((sql) => sql`select ${columns(sql)} from storage.buckets where id = ${bucket}`);
  if (!found) throw noSuchBucket();
  return found;
}

export async function updateBucket({ db, bucket, body }) {
  const row = { ...limits(body), ...(body.public === undefined ? {} : { public: body.public }) };
  const changed = await db.asCaller(
    (sql) => sql`update storage.buckets set ${sql(row)}, updated_at = now() where id = ${bucket} returning id`,
  );
  if (changed.length === 0) throw noSuchBucket();
  return { message: "Successfully updated" };
}

export async function deleteBucket({ db, bucket }) {
  const [full] = await db.asOwner((sql) => sql`select 1 from storage.objects where bucket_id = ${bucket} limit 1`);
  if (full) {
    const message = "The bucket you tried to delete is not empty";
    throw new StorageError(409, "ResourceNotEmpty", "ResourceNotEmpty", message);
  }
  const gone = await db.asCaller((sql) => sql`delete from storage.buckets where id = ${bucket} returning id`);
  if (gone.length === 0) throw noSuchBucket();
  return { message: "Successfully deleted" };
}

export async function emptyBucket({ db, bucket, files }) {
  await getBucket({ db, bucket });
  const gone = await db.asCaller((sql) => sql`delete from storage.objects where bucket_id = ${bucket} returning name`);
  await files.deleteObjects(bucket, gone.map((row) => row.name));
  return { message: "Empty bucket has been queued. Completion may take up to an hour." };
}

/** The bucket as the service itself sees it, regardless of the caller. */
export async function findBucket(db, id) {
  const [found] = await db.asOwner((sql) => sql`select ${columns(sql)} from storage.buckets where id = ${id}`);
  if (!found) throw noSuchBucket();
  return found;
}

function columns(sql) {
  return sql`id, name, owner, public, file_size_limit, allowed_mime_types, created_at, updated_at`;
}

function limits({ file_size_limit: size, allowed_mime_types: types }) {
  return {
    ...(size === undefined ? {} : { file_size_limit: toBytes(size) }),
    ...(types === undefined ? {} : { allowed_mime_types: types }),
  };
}

/** A number of bytes, or text such as "20MB". */
function toBytes(size) {
  if (size === null || typeof size === "number") return size;
  const [, amount, unit] = /^(\d+(?:\.\d+)?)(gb|mb|kb|b)?$/i.exec(size) ?? [];
  if (!amount) throw invalid("Invalid file size format, hint: use 20GB / 20MB / 30KB / 3B");
  return Math.floor(Number(amount) * UNITS[(unit ?? "b").toLowerCase()]);
}
