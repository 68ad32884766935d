// How `./nexora bench queue` talks to a driver: JSON lines on standard input and output.
//
//   in   {url, mode: "prepare" | "drain" | "latency", connections, …}    the task
//   out  {"ready": true}                                                  connected
//   in   {"go": true}                                                     the clock runs
//   out  {"began": ms}                                                    optional: the clock runs from here
//   out  {"count": n, "at": ms}                                           so many jobs are completed since then
//   in   {"stop": true}                                                   all of them are
//   out  {"latencies": [ms, …]}                                           due to claimed, one number per job
//
// A driver whose input ends has lost its parent and ends as well.
import { createInterface } from "node:readline";

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

/** The next message; the process ends when there is none. */
export async function receive() {
  const { value, done } = await lines.next();
  if (done) process.exit(1);
  return JSON.parse(value);
}

export function send(message) {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}

/** Milliseconds since 1970, finer than Date.now(). */
export function now() {
  return performance.timeOrigin + performance.now();
}

/** Counts completed jobs and tells the parent, at most every few milliseconds. */
export class Counter {
  #count = 0;
  #at = 0;
  #timer = undefined;

  add(jobs) {
    this.#count += jobs;
    this.#at = now();
    this.#timer ??= setTimeout(() => this.flush(), 2);
  }

  flush() {
    this.#timer = undefined;
    send({ count: this.#count, at: this.#at });
  }
}
