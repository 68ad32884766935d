// Puts the driver right while it is loaded; see driver.mjs.
const FILE = "/postgres/src/connection.js";
const CHANGES = [
  ["const x = socket.write(chunk, fn)", "const x = socket ? socket.write(chunk, fn) : false"],
  ["clearImmediate(nextWriteTimer)\n    socket.removeListener", "clearImmediate(nextWriteTimer)\n    chunk = nextWriteTimer = null\n    socket.removeListener"],
];

export async function load(url, context, next) {
  const loaded = await next(url, context);
  if (!url.endsWith(FILE)) return loaded;
  let source = String(loaded.source);
  for (const [wrong, right] of CHANGES) {
    if (source.split(wrong).length !== 2) throw new Error(`the driver has changed: ${wrong}`);
    source = source.replace(wrong, right);
  }
  return { ...loaded, source };
}
