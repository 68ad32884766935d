// Puts the driver right while it is loaded; see driver.mjs. Each place is found by its exact text.
const CHANGES = {
  "/postgres/src/connection.js": [
    // A write that was put off until the session was gone must not end the process...
    ["const x = socket.write(chunk, fn)", "const x = socket ? socket.write(chunk, fn) : false"],
    // ... and one that never came must not be waited for: the next session of this slot would write nothing.
    [
      "clearImmediate(nextWriteTimer)\n    socket.removeListener",
      "clearImmediate(nextWriteTimer)\n    chunk = nextWriteTimer = null\n    socket.removeListener",
    ],
    // A rollback that is sent between the error and the end of the socket would never be answered.
    ["!hadError && (query || sent.length) && error(", ";(query || sent.length) && error("],
    // What the lost session said last is no answer to the first query of the next one.
    [
      "    closedTime = performance.now()\n",
      "    query = results = errorResponse = null\n    result = new Result()\n    rows = 0\n    closedTime = performance.now()\n",
    ],
    // Otherwise the wait before a new session grows with every one that was ever lost, up to 20 s.
    ["initial.reserve && (initial = null)", "initial.reserve && (initial = null, options.shared.retries = retries = 0)"],
  ],
  "/postgres/src/index.js": [
    // A reservation that was refused waits no longer: it would take a session and never give it back.
    ["const query = { reserve: resolve, reject }", "const query = { reserve: resolve, reject: e => (queries.remove(query), reject(e)) }"],
    // A reservation stays in the line until a session is open: the one that connects for it may be given to another.
    [
      "queries.length && connect(c, queries.shift())",
      "if (queries.length) {\n      const next = queries.shift()\n      next.reserve && queries.push(next)\n      connect(c, next)\n    }",
    ],
    // A session that was lost meanwhile belongs to somebody else, or to nobody.
    ["c.reserved = () => queue.length\n", "const mine = c.reserved = () => queue.length\n"],
    ["    const sql = Sql(handler)\n    sql.release = () => {\n", "    c.onclose = error => { while (queue.length) queue.shift().reject(error) }\n    const sql = Sql(handler)\n    sql.release = () => {\n      if (c.reserved !== mine) return\n      c.onclose = null\n"],
    [
      "      c.queue === full\n        ? queue.push(q)",
      "      if (c.reserved !== mine)\n        return q.reject(Errors.connection('CONNECTION_CLOSED', options))\n\n      c.queue === full\n        ? queue.push(q)",
    ],
  ],
};

export async function load(url, context, next) {
  const loaded = await next(url, context);
  const file = Object.keys(CHANGES).find((ending) => url.endsWith(ending));
  if (!file) return loaded;
  let source = String(loaded.source);
  for (const [wrong, right] of CHANGES[file]) {
    if (source.split(wrong).length !== 2) throw new Error(`the driver has changed: ${wrong}`);
    source = source.replace(wrong, () => right);
  }
  return { ...loaded, source };
}
