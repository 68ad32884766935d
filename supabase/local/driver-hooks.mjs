// Puts the driver right while it is loaded; see driver.mjs. Each place is found by its exact text.
const CHANGES = {
  "/postgres/src/connection.js": [
    ["const x = socket.write(chunk, fn)", "const x = socket ? socket.write(chunk, fn) : false"],
    [
      "clearImmediate(nextWriteTimer)\n    socket.removeListener",
      "clearImmediate(nextWriteTimer)\n    chunk = nextWriteTimer = null\n    socket.removeListener",
    ],
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
    ["    sql.release = () => {\n", "    sql.release = () => {\n      if (c.reserved !== mine) return\n"],
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
