// The routes of /storage/v1 that `storage-js` and `storage3` use. `operation` is what `storage.operation()` tells a
// policy; `optional` routes may be called without a key or token.
import * as buckets from "./buckets.mjs";
import { head, send } from "./downloads.mjs";
import { list } from "./listing.mjs";
import * as objects from "./objects.mjs";
import * as signing from "./signing.mjs";

const BUCKET = "/(?<bucket>[^/]+)";
const OBJECT = `${BUCKET}/(?<key>.+)`;

const read = async (call) => send(await objects.find(call), call);
const readHead = async (call) => head(await objects.find(call));
const info = async (call) => objects.describe(await objects.find(call));

async function readPublic(call) {
  return send(await objects.findUnchecked(call, { requirePublic: true }), call);
}

async function infoPublic(call) {
  return objects.describe(await objects.findUnchecked(call, { requirePublic: true }));
}

async function readSigned(call) {
  await signing.verify(call, "download");
  return send(await objects.findUnchecked(call, { requirePublic: false }), call);
}

async function uploadSigned(call) {
  const { owner, upsert } = await signing.verify(call, "upload");
  const { Key } = await objects.uploadSigned(call, { owner: owner ?? null, upsert });
  return { Key };
}

const route = (method, path, operation, handle, options = {}) => ({
  method,
  path: new RegExp(`^${path}$`),
  operation,
  handle,
  ...options,
});

const OPEN = { optional: true };

// The first match counts: fixed words come before the names of buckets.
export const ROUTES = [
  route("GET", "/bucket", "storage.bucket.list", buckets.listBuckets),
  route("POST", "/bucket", "storage.bucket.create", buckets.createBucket),
  route("POST", `/bucket${BUCKET}/empty`, "storage.bucket.empty", buckets.emptyBucket),
  route("GET", `/bucket${BUCKET}`, "storage.bucket.get", buckets.getBucket),
  route("PUT", `/bucket${BUCKET}`, "storage.bucket.update", buckets.updateBucket),
  route("DELETE", `/bucket${BUCKET}`, "storage.bucket.delete", buckets.deleteBucket),
  route("POST", `/object/list${BUCKET}`, "storage.object.list", list),
  route("POST", "/object/move", "storage.object.move", objects.move),
  route("POST", "/object/copy", "storage.object.copy", objects.copy),
  route("POST", `/object/upload/sign${OBJECT}`, "storage.object.sign_upload_url", signing.signUpload),
  route("PUT", `/object/upload/sign${OBJECT}`, "storage.object.upload_signed", uploadSigned, { ...OPEN, raw: true }),
  route("POST", `/object/sign${OBJECT}`, "storage.object.sign", signing.signDownload),
  route("POST", `/object/sign${BUCKET}`, "storage.object.sign_many", signing.signDownloads),
  route("GET", `/object/sign${OBJECT}`, "storage.object.get_signed", readSigned, OPEN),
  route("GET", `/object/public${OBJECT}`, "storage.object.get_public", readPublic, OPEN),
  route("HEAD", `/object/public${OBJECT}`, "storage.object.info_public", readPublic, OPEN),
  route("GET", `/object/info/public${OBJECT}`, "storage.object.info_public", infoPublic, OPEN),
  route("GET", `/object/info/authenticated${OBJECT}`, "object.get_authenticated_info", info),
  route("GET", `/object/info${OBJECT}`, "object.get_authenticated_info", info, OPEN),
  route("GET", `/object/authenticated${OBJECT}`, "storage.object.get_authenticated", read),
  route("HEAD", `/object/authenticated${OBJECT}`, "object.head_authenticated_info", readHead),
  route("DELETE", `/object${OBJECT}`, "storage.object.delete", objects.removeOne),
  route("DELETE", `/object${BUCKET}`, "storage.object.delete_many", objects.remove),
  route("POST", `/object${OBJECT}`, "storage.object.upload", (call) => objects.upload(call, call), { raw: true }),
  route("PUT", `/object${OBJECT}`, "storage.object.upload_update", (call) => objects.upload(call, { upsert: true }), {
    raw: true,
  }),
  route("GET", `/object${OBJECT}`, "storage.object.get_authenticated", read, OPEN),
  route("HEAD", `/object${OBJECT}`, "object.head_authenticated_info", readHead, OPEN),
];
