// Serves a baseline Worker of the bench on workerd through Miniflare's own API, as
// xtask/runtime/serve.mjs serves the product: no assets router, no development proxy.
//
//   node serve.mjs CONFIG   CONFIG: {project, script, state, database_url?, vars}
//
// stdout carries one line of JSON when it answers: {url, runtime_pid}.
// Failure: a start-up error is one line on stderr and exit code 1; SIGTERM ends this and workerd.
import childProcess from "node:child_process";
import { readFileSync } from "node:fs";
import path from "node:path";

const config = JSON.parse(readFileSync(process.argv[2], "utf8"));
process.env.WRANGLER_SEND_METRICS = "false";
process.env.WRANGLER_LOG = "error";

/** The workerd processes that Miniflare has started; it tells nobody their process ids. */
const runtimes = [];
const spawn = childProcess.spawn;
childProcess.spawn = (command, ...rest) => {
  const child = spawn(command, ...rest);
  if (path.basename(String(command)).startsWith("workerd")) runtimes.push(child);
  return child;
};

const { build } = await import("esbuild");
const { unstable_readConfig } = await import("wrangler");
const { Miniflare, Log, LogLevel } = await import("miniflare");

let miniflare;
async function stop(code) {
  await Promise.race([miniflare?.dispose(), new Promise((done) => setTimeout(done, 3000))]).catch(() => {});
  for (const runtime of runtimes) runtime.kill("SIGKILL");
  process.exit(code);
}
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => stop(0));

/** The script and the npm packages it imports, in one file. */
async function bundle() {
  const { outputFiles } = await build({
    absWorkingDir: config.project,
    entryPoints: [config.script],
    bundle: true,
    minify: true,
    write: false,
    format: "esm",
    target: "es2022",
    conditions: ["workerd", "worker"],
    external: ["cloudflare:*", "node:*"],
    logLevel: "error",
  });
  return outputFiles[0].text;
}

try {
  const { compatibility_date: compatibilityDate } = unstable_readConfig({
    config: path.join(config.project, "wrangler.toml"),
  });
  miniflare = new Miniflare({
    name: "baseline",
    modules: [{ type: "ESModule", path: "index.js", contents: await bundle() }],
    compatibilityDate,
    compatibilityFlags: ["nodejs_compat"],
    durableObjects: { TABLE: { className: "Table", useSQLite: true } },
    hyperdrives: config.database_url ? { PG: config.database_url } : {},
    bindings: config.vars,
    unsafeDirectSockets: [{ host: "127.0.0.1", port: 0 }],
    host: "127.0.0.1",
    port: 0,
    log: new Log(LogLevel.WARN),
    handleRuntimeStdio: (out, err) => {
      out.pipe(process.stderr, { end: false });
      err.pipe(process.stderr, { end: false });
    },
    durableObjectsPersist: config.state,
    cachePersist: false,
    cf: false,
    logRequests: false,
    telemetry: { enabled: false },
  });
  await miniflare.ready;
  const ready = { url: (await miniflare.unsafeGetDirectURL()).origin, runtime_pid: runtimes.at(-1)?.pid };
  process.stdout.write(`${JSON.stringify(ready)}\n`);
} catch (error) {
  console.error(`cannot serve the baseline: ${error?.message ?? error}`);
  await stop(1);
}
