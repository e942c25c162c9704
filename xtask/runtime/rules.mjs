// The rules in wasm, driven by lines: each is `[operation, …texts]`, each answer one line of JSON.
//
//   node rules.mjs FOLDER < orders > answers
//
// Operations: those of a scanner, on the table loaded last, and cases.
// Failure: what the module throws is answered as {"thrown": text}.
import { readFileSync } from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";

const folder = path.resolve(process.argv[2]);
const rules = await import(pathToFileURL(path.join(folder, "pulse_scanner_core.js")));
rules.initSync({ module: readFileSync(path.join(folder, "pulse_scanner_core_bg.wasm")) });

let table;
const operations = {
  load(json) {
    table?.free();
    table = undefined;
    table = rules.Scanner.load(json);
    return "";
  },
  scan: (json) => table.scan(json),
  annul: (json) => table.annul(json),
  log_after: (seq) => table.log_after(Number(seq)),
  snapshot: () => table.snapshot(),
  decide: (json) => table.decide(json),
  learn: (json) => table.learn(json),
  position: () => table.position() ?? "",
  pending: () => table.pending(),
  acknowledge: (json) => table.acknowledge(json),
  cases: (kind, text) => rules.run_cases(kind, text),
};

const answers = [];
for (const line of readFileSync(0, "utf8").split("\n")) {
  if (line === "") continue;
  const [operation, ...texts] = JSON.parse(line);
  try {
    answers.push(JSON.stringify(operations[operation](...texts)));
  } catch (thrown) {
    answers.push(JSON.stringify({ thrown: String(thrown) }));
  }
}
process.stdout.write(answers.join("\n") + "\n");
