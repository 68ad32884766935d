// The hosted API survives the end of its database sessions (a restart, a failover). The driver of lite, postgres.js
// 3.4.9, does not. A reservation (lite takes one for every request) that waited for a session to come back is forgotten,
// and its caller never answered; one whose session was lost goes on sending to whoever has the slot now, and puts the
// slot back where nothing is connected. A write to a socket that is gone ends the process, and one that never comes is
// remembered, after which the next session of that slot hangs.
// Loaded with `--import`, before anything imports the driver: six places of it are put right as it is read.
// Can go when the test named "the API outlives the sessions of its database" passes without it.
import { register } from "node:module";

register("./driver-hooks.mjs", import.meta.url);
