// pg-boss at its best documented setting: fetch and complete in batches, several loops.
import { PgBoss } from "pg-boss";
import { Counter, now, receive, send } from "./protocol.mjs";

const QUEUE = "bench";
const task = await receive();
const boss = new PgBoss({
  connectionString: task.url,
  max: task.connections,
  supervise: false,
  schedule: false,
  migrate: task.mode === "prepare",
});
boss.on("error", (error) => process.stderr.write(`pg-boss: ${error.message}\n`));
await boss.start();
const counter = new Counter();
const latencies = [];
let stopped = false;

if (task.mode === "prepare") {
  await boss.createQueue(QUEUE);
} else {
  send({ ready: true });
  await receive();
  if (task.mode === "drain") for (let n = 0; n < task.connections; n++) drain().catch(fail);
  else if (task.mode === "idle") pollIdly().catch(fail);
  else await boss.work(QUEUE, { batchSize: task.batch, pollingIntervalSeconds: 0.5 }, note);
  await receive();
  stopped = true;
  if (task.mode !== "drain") send({ latencies });
}
process.stdout.write("", () => process.exit(0));

async function drain() {
  while (!stopped) {
    const jobs = await boss.fetch(QUEUE, { batchSize: task.batch });
    if (jobs.length === 0) await new Promise((resolve) => setTimeout(resolve, 2));
    else {
      await boss.complete(QUEUE, jobs.map((job) => job.id));
      counter.add(jobs.length);
    }
  }
}

async function pollIdly() {
  while (!stopped) {
    const begin = performance.now();
    await boss.fetch(QUEUE, { batchSize: task.batch });
    latencies.push(performance.now() - begin);
    counter.add(1);
  }
}

function note(jobs) {
  const at = now();
  for (const job of jobs) latencies.push(at - job.data.due);
  counter.add(jobs.length);
}

function fail(error) {
  process.stderr.write(`pg-boss: ${error.stack}\n`);
  process.exit(1);
}
