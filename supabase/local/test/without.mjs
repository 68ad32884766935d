// The API server without one correction, for the test that shows what it corrects: `node without.mjs NAME`.
import { run } from "../control.mjs";
import { ALL } from "../corrections/index.mjs";

const name = process.argv[2];
const rest = ALL.filter((correction) => correction.name !== name);
if (rest.length === ALL.length) throw new Error(`there is no correction called ${name}`);
await run(rest);
