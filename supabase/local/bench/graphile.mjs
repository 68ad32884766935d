// graphile-worker at its best documented setting: local queue, completions in batches.
import { Logger, run, runMigrations } from "graphile-worker";
import pg from "pg";
import { Counter, now, receive, send } from "./protocol.mjs";

const task = await receive();
// Without these a connection that ends while the database is dropped would end this process without a word.
const complain = (error) => process.stderr.write(`graphile-worker: ${error.message}\n`);
const logger = new Logger(() => () => {});

const pool = new pg.Pool({ connectionString: task.url, max: task.connections });
pool.on("error", complain);
const counter = new Counter();
const latencies = [];
// A job is completed when the statement that deletes it has returned.
pool.on("connect", (client) => {
  client.on("error", complain);
  const query = client.query.bind(client);
  client.query = (statement, ...rest) => {
    const answer = query(statement, ...rest);
    const completed = completedBy(statement);
    if (completed > 0) answer.then(() => counter.add(completed), complain);
    else if (isFetch(statement)) fetched(answer);
    return answer;
  };
});

function completedBy(statement) {
  if (!statement?.text?.startsWith("delete from")) return 0;
  const [ids] = statement.values;
  return Array.isArray(ids) ? ids.length : 1;
}

function isFetch(statement) {
  return statement?.text?.includes("skip locked");
}

// run() looks at the schema before the first fetch; the clock does not count that.
let isBegun = false;

function fetched(answer) {
  if (!isBegun) send({ began: now() });
  isBegun = true;
  if (task.mode !== "idle") return;
  const begin = performance.now();
  const note = () => {
    latencies.push(performance.now() - begin);
    counter.add(1);
  };
  answer.then(note, complain);
}

if (task.mode === "prepare") {
  await runMigrations({ pgPool: pool, logger });
} else {
  const preset = {
    worker: {
      completeJobBatchDelay: 0,
      failJobBatchDelay: 0,
      localQueue: { size: task.batch },
    },
  };
  send({ ready: true });
  await receive();
  const runner = await run({
    pgPool: pool,
    logger,
    preset,
    concurrency: task.concurrency,
    pollInterval: task.poll_ms,
    noHandleSignals: true,
    taskList: {
      job: ({ due }) => {
        if (task.mode === "latency") latencies.push(now() - due);
      },
    },
  });
  await receive();
  if (task.mode !== "drain") send({ latencies });
  runner.stop().catch(complain);
}
process.stdout.write("", () => process.exit(0));
