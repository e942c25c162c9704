// Serves the built Worker on the real runtime (workerd) through Miniflare's own API, with the
// bindings of wrangler.toml.
//
// Started by `cargo xtask` with the path of a JSON file (see `Config` in xtask/src/runtime.rs).
// stdout carries one line of JSON when the Worker answers; what the Worker logs goes to stderr.
// Invariant: a restart with the same file serves the same state on the same port.
// Failure: any start-up error is one line on stderr and exit code 1; SIGTERM and SIGINT end both
// this process and workerd.
import childProcess from "node:child_process";
import { readFileSync } from "node:fs";
import path from "node:path";
import { Readable } from "node:stream";

/** Every workerd that Miniflare has started; it tells nobody their process ids. */
const runtimes = [];
const spawn = childProcess.spawn;
// What workerd prints goes to stderr without passing through this process: while this process waits
// for the Worker (Miniflare does so synchronously when a cron is fired), nobody would empty the pipe,
// and a Worker that logs would wait for that.
childProcess.spawn = (command, args, options) => {
  if (!path.basename(String(command)).startsWith("workerd")) return spawn(command, args, options);
  const [stdin, , , control] = options.stdio;
  const child = spawn(command, args, { ...options, stdio: [stdin, 2, 2, control] });
  child.stdout = Readable.from([]);
  child.stderr = Readable.from([]);
  runtimes.push(child);
  return child;
};

const config = JSON.parse(readFileSync(process.argv[2], "utf8"));
process.env.WRANGLER_SEND_METRICS = "false";
process.env.WRANGLER_LOG = "error";
// Miniflare hands it on to workerd, for requests and for sockets.
if (config.trusted) process.env.NODE_EXTRA_CA_CERTS = config.trusted;
process.env.CLOUDFLARE_HYPERDRIVE_LOCAL_CONNECTION_STRING_PG = config.database_url;

// Imported after the settings above took effect, and with them all that imports these.
const { startControl } = await import("./control.mjs");
const { startCrons } = await import("./crons.mjs");
const { unstable_getMiniflareWorkerOptions } = await import("wrangler");
const { Miniflare, Log, LogLevel } = await import("miniflare");

let miniflare;
async function stop(code) {
  await Promise.race([miniflare?.dispose(), new Promise((done) => setTimeout(done, 3000))]).catch(() => {});
  for (const runtime of runtimes) runtime.kill("SIGKILL");
  process.exit(code);
}
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => stop(0));

/**
 * The Worker twice: as the assets router calls it, and under a name that is reached without the
 * router (Miniflare runs it in JavaScript before the Worker), so that a bench measures the Worker alone.
 */
const DOORS = 'export * from "./index.js"; export { default, default as direct } from "./index.js";';

/** The Worker as wrangler.toml binds it, with this stack's database, variables and secrets. */
function workerOptions() {
  const { workerOptions } = unstable_getMiniflareWorkerOptions(path.join(config.project, "wrangler.toml"));
  const hyperdrives = Object.fromEntries(
    Object.keys(workerOptions.hyperdrives ?? {}).map((binding) => [binding, config.database_url]),
  );
  return {
    ...workerOptions,
    name: "pulse",
    modulesRoot: config.build,
    modules: [
      { type: "ESModule", path: path.join(config.build, "doors.js"), contents: DOORS },
      { type: "ESModule", path: path.join(config.build, "index.js") },
      { type: "CompiledWasm", path: path.join(config.build, "index_bg.wasm") },
    ],
    hyperdrives,
    bindings: { ...workerOptions.bindings, ...config.vars },
    unsafeDirectSockets: [{ host: "127.0.0.1", port: 0, entrypoint: "direct" }],
  };
}

try {
  const options = workerOptions();
  miniflare = new Miniflare({
    ...options,
    host: config.host,
    port: config.port,
    log: new Log(LogLevel.WARN),
    handleRuntimeStdio: () => {},
    durableObjectsPersist: path.join(config.state, "objects"),
    cachePersist: false,
    cf: false,
    logRequests: false,
    telemetry: { enabled: false },
  });
  const url = await miniflare.ready;
  const control = await startControl({
    miniflare,
    script: options.name,
    classes: Object.values(options.durableObjects ?? {}).map((object) => object.className),
    runtimePid: () => runtimes.at(-1)?.pid,
  });
  if (config.crons) await startCrons(miniflare, path.join(config.project, "wrangler.toml"));
  const ready = {
    url: url.origin,
    direct_url: (await miniflare.unsafeGetDirectURL(options.name, "direct")).origin,
    control,
    pid: process.pid,
    runtime_pid: runtimes.at(-1)?.pid,
  };
  process.stdout.write(`${JSON.stringify(ready)}\n`);
} catch (error) {
  console.error(`cannot serve the Worker: ${error?.message ?? error}`);
  await stop(1);
}
