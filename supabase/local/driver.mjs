// The hosted API survives the end of its database sessions (a restart, a failover). The driver of lite, postgres.js
// 3.4.9, does not: when a session ends under a query, it goes on writing to a socket that is gone, which ends the
// process, and remembers a write that never comes, after which the next session of that slot hangs.
// Loaded with `--import`, before anything imports the driver: two lines of it are put right as it is read.
// Can go when postgres.js checks the socket in `nextWrite` and forgets the timer in `closed`.
import { register } from "node:module";

register("./driver-hooks.mjs", import.meta.url);
