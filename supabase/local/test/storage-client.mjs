// Drives `storage-js` for the conformance tests, by JSON lines:
//   in   {"url", "key", "token"?, "bucket", "method", "args": […]}      bytes travel as {"$bytes": base64}
//   out  {"data": …} or {"error": {"message", "statusCode"}}
import { createInterface } from "node:readline";
import { createClient } from "@supabase/supabase-js";

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(await perform(JSON.parse(line)))}\n`);
}

async function perform({ url, key, token, bucket, method, args }) {
  const options = token ? { accessToken: async () => token } : {};
  const client = createClient(url, key, options);
  try {
    const { data, error } = await client.storage.from(bucket)[method](...args.map(toJs));
    return error ? { error: await describe(error) } : { data: await fromJs(data) };
  } catch (error) {
    return { error: await describe(error) };
  }
}

async function describe(error) {
  // A failed HEAD or download carries the whole response instead of the parsed answer.
  const body = await error.originalError?.json?.().catch(() => ({}));
  return { message: body?.message ?? error.message, statusCode: String(body?.statusCode ?? error.statusCode ?? error.status) };
}

function toJs(value) {
  return value?.$bytes === undefined ? value : new Blob([Buffer.from(value.$bytes, "base64")], { type: value.type });
}

async function fromJs(value) {
  return value instanceof Blob ? { $bytes: Buffer.from(await value.arrayBuffer()).toString("base64") } : value;
}
