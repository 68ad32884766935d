// Hosted: the storage service, as `storage-js` and `storage3` speak to it.
// Lite: its storage is experimental. It does not find the file in the form that `storage-js` sends, checks sizes only
// where the client declares them, knows no `image/*`, ignores user metadata, lists whole names instead of folders, signs
// with the key of access tokens, and answers in other shapes.
// Here /storage/v1 is served by ../storage/ instead, on the tables that lite made. Can go, test by test, when lite passes
// tests/embedded/test_storage.py itself.
import { storageHandler } from "../storage/handler.mjs";

export const storage = {
  name: "storage",
  handler: (next, context) => storageHandler(next, context),
};
