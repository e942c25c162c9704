// How long a start takes: from the start of the workerd process to the Worker's first answer, in
// turns with an empty JavaScript Worker, so that a busy machine slows both.
//
//   node startup.mjs PROJECT   →   {"pulse": ms, "empty": ms, "rounds": n} (medians)
//
// Failure: a Worker that does not answer within ten seconds ends this with exit code 1.
import childProcess from "node:child_process";
import path from "node:path";

const ROUNDS = 7;
const project = process.argv[2];

let spawned = 0;
const spawn = childProcess.spawn;
childProcess.spawn = (command, ...rest) => {
  if (path.basename(String(command)).startsWith("workerd")) spawned = performance.now();
  return spawn(command, ...rest);
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

/** Milliseconds from the start of workerd to the first answer below 500. */
async function start(worker) {
  const miniflare = new Miniflare({ ...worker, cf: false, log: new Log(LogLevel.NONE), handleRuntimeStdio: () => {} });
  try {
    const url = new URL("/openapi.json", await miniflare.ready);
    const deadline = performance.now() + 10_000;
    for (;;) {
      const status = await fetch(url).then((r) => r.arrayBuffer().then(() => r.status), () => 599);
      if (status < 500) return performance.now() - spawned;
      if (performance.now() > deadline) throw new Error(`no answer but ${status}`);
    }
  } finally {
    await miniflare.dispose();
  }
}

const median = (times) => times.sort((a, b) => a - b)[times.length >> 1];
const times = { pulse: [], empty: [] };
for (let round = 0; round < ROUNDS; round += 1) {
  times.empty.push(await start(empty));
  times.pulse.push(await start(pulse));
}
console.log(JSON.stringify({ pulse: median(times.pulse), empty: median(times.empty), rounds: ROUNDS }));
process.exit(0);
