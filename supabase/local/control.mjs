// The conversation of main.mjs over stdin and stdout.
import { createInterface } from "node:readline";
import { provision, serveDatabase } from "./server.mjs";

/** Answers requests until stdin ends. `corrections` are those of corrections/index.mjs, all of them except in tests. */
export async function run(corrections) {
  quietConsole();
  // One request that lite forgot to guard must not end the API of every database.
  process.on("unhandledRejection", (error) => console.error(error));
  const served = new Map();
  const lines = createInterface({ input: process.stdin });
  let config;
  lines.on("close", () => process.exit(0));
  for await (const line of lines) {
    const request = JSON.parse(line);
    if (!config) {
      config = request;
      continue;
    }
    // Not awaited: one slow database must not hold up the others.
    answer(request, config, corrections, served)
      .catch((error) => ({ error: error.message }))
      .then((result) => process.stdout.write(`${JSON.stringify({ id: request.id, ...result })}\n`));
  }
}

async function answer(request, config, corrections, served) {
  if (request.provision) {
    await provision(request.provision);
    return {};
  }
  if (request.serve) {
    const running = await serveDatabase(request.serve, request.url, config, corrections);
    served.set(request.serve, running);
    return { url: running.url };
  }
  await served.get(request.stop)?.close();
  served.delete(request.stop);
  return {};
}

/** Lite prints whole errors, with the parameters and row contents in them. A log gets the kind of error, no more. */
function quietConsole() {
  const describe = (value) => (value instanceof Error ? `${value.name} ${value.code ?? ""}`.trim() : typeof value);
  const write = (...values) => process.stderr.write(`${values.map(describe).join(" ")}\n`);
  Object.assign(console, { error: write, warn: () => {}, log: () => {}, info: () => {}, debug: () => {} });
}
