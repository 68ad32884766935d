// Every correction of `@supabase/lite` 0.10.0 towards the hosted service, in the order in which handlers wrap.
// Each module says what the hosted service does and when the module can go. tests/embedded/ leaves each one out in turn
// and expects the wrong behaviour, so that we notice when lite catches up.
import { bytea } from "./bytea.mjs";
import { errors } from "./errors.mjs";
import { hooks } from "./hooks.mjs";
import { json } from "./json.mjs";
import { logout } from "./logout.mjs";
import { passwords } from "./passwords.mjs";
import { privileges } from "./privileges.mjs";
import { schemaCache } from "./schema-cache.mjs";
import { storage } from "./storage.mjs";
import { timeouts } from "./timeouts.mjs";
import { timestamps } from "./timestamps.mjs";

export const ALL = [privileges, timestamps, json, bytea, timeouts, schemaCache, errors, hooks, logout, passwords, storage];
