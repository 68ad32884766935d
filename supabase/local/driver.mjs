// The hosted API survives the end of its database sessions (a restart, a failover). The driver of lite, postgres.js
// 3.4.9, does not: callers are never answered, or with an error of a session that was lost before their time. Lite takes
// a reservation for every request, which is the way that the driver's own tests follow least.
// Loaded with `--import`, before anything imports the driver: the places in driver-hooks.mjs are put right as it is read.
// Can go when the test "the API outlives the sessions of its database" passes without it.
import { register } from "node:module";

register("./driver-hooks.mjs", import.meta.url);
