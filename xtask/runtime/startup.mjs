// How long a start takes: from the start of the workerd process to the Worker's first answer, in
// turns with an empty JavaScript Worker, so that a busy machine slows both. CPU time is what the
// process had used by then, where /proc tells.
//
//   node startup.mjs PROJECT   →   {"pulse": {wall, cpu}, "empty": {wall, cpu}, "rounds"}, medians, ms
//
// Failure: a Worker that does not answer within ten seconds ends this with exit code 1.
import childProcess from "node:child_process";
import { readFileSync } from "node:fs";
import path from "node:path";

const ROUNDS = 7;
const project = process.argv[2];

let spawned;
const spawn = childProcess.spawn;
childProcess.spawn = (command, ...rest) => {
  const at = performance.now();
  const child = spawn(command, ...rest);
  if (path.basename(String(command)).startsWith("workerd")) spawned = { at, pid: child.pid };
  return child;
};
process.env.WRANGLER_LOG = "error";
process.env.CLOUDFLARE_HYPERDRIVE_LOCAL_CONNECTION_STRING_PG = "postgres://x:x@127.0.0.1:1/x";

const { unstable_getMiniflareWorkerOptions } = await import("wrangler");
const { Miniflare, Log, LogLevel } = await import("miniflare");

const { workerOptions } = unstable_getMiniflareWorkerOptions(path.join(project, "wrangler.toml"));
const { assets, ...bound } = workerOptions;
const build = path.join(project, "build");
const pulse = {
  ...bound,
  modulesRoot: build,
  modules: [
    { type: "ESModule", path: path.join(build, "index.js") },
    { type: "CompiledWasm", path: path.join(build, "index_bg.wasm") },
  ],
};
const empty = {
  compatibilityDate: workerOptions.compatibilityDate,
  modules: [{ type: "ESModule", path: "index.js", contents: "export default { fetch: () => new Response('ok') };" }],
};

/** User and system time of a process in ms, in steps of 10; null where there is no /proc. */
function cpu(pid) {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1).split(" ");
    return (Number(fields[11]) + Number(fields[12])) * 10;
  } catch {
    return null;
  }
}

/** From the start of workerd to the first answer below 500. */
async function start(worker) {
  const miniflare = new Miniflare({ ...worker, cf: false, log: new Log(LogLevel.NONE), handleRuntimeStdio: () => {} });
  try {
    const url = new URL("/api/is-anybody-there", await miniflare.ready);
    const deadline = performance.now() + 10_000;
    for (;;) {
      const status = await fetch(url).then((r) => r.arrayBuffer().then(() => r.status), () => 599);
      if (status < 500) return { wall: performance.now() - spawned.at, cpu: cpu(spawned.pid) };
      if (performance.now() > deadline) throw new Error(`no answer but ${status}`);
    }
  } finally {
    await miniflare.dispose();
  }
}

const runs = { pulse: [], empty: [] };
for (let round = 0; round < ROUNDS; round += 1) {
  runs.empty.push(await start(empty));
  runs.pulse.push(await start(pulse));
}
const middle = (values) => values.sort((a, b) => a - b)[values.length >> 1];
const medians = (of) => ({ wall: middle(of.map((run) => run.wall)), cpu: middle(of.map((run) => run.cpu)) });
console.log(JSON.stringify({ pulse: medians(runs.pulse), empty: medians(runs.empty), rounds: ROUNDS }));
process.exit(0);
