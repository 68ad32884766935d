// The embedded API server as a program: one process for all databases of a cluster, told what to do by JSON lines.
//
//   in   {"id": 1, "serve": "name", "url": "postgres://…"}   out  {"id": 1, "url": "http://127.0.0.1:PORT"}
//   in   {"id": 2, "stop": "name"}                           out  {"id": 2}
//   in   {"id": 3, "provision": "postgres://…"}              out  {"id": 3}
//   any failure                                              out  {"id": N, "error": "what went wrong"}
//
// The first line is the configuration (see server.mjs). When the other side closes the pipe, the process ends.
import { ALL } from "./corrections/index.mjs";
import { run } from "./control.mjs";

await run(ALL);
