// Runs the browser tests against a running Pulse: PULSE_URL names it, CHROMIUM_BIN the browser.
// Arguments choose tests by a part of their names. Exit status 1 when a test fails, 2 when none can run.
//
// A browser that ended by itself, or does not close its pages, is replaced; the test it ended is run once more.

import { existsSync } from "node:fs";
import { errors, launch, pictures, url } from "./support.mjs";
import { tests as door } from "./door.mjs";
import { tests as devices } from "./devices.mjs";
import { tests as docs } from "./docs.mjs";
import { tests as front } from "./front.mjs";
import { tests as live } from "./live.mjs";
import { tests as lost } from "./lost.mjs";
import { tests as monitor } from "./monitor.mjs";
import { tests as offline } from "./offline.mjs";
import { tests as phones } from "./phones.mjs";
import { tests as reports } from "./reports.mjs";

const LIMIT = 60_000;
const CLOSES_WITHIN = 10_000;
const chromium = process.env.CHROMIUM_BIN;

if (!url || !chromium || !existsSync(chromium)) {
  console.error("Set PULSE_URL to a running Pulse (http://localhost:8787) and CHROMIUM_BIN to a Chromium or Chrome (/usr/bin/chromium).");
  process.exit(2);
}

const wanted = process.argv.slice(2);
const chosen = Object.entries({ ...front, ...door, ...devices, ...live, ...offline, ...lost, ...phones, ...reports, ...monitor, ...docs }).filter(([name]) => wanted.every((part) => name.includes(part)));
const started = Date.now();
const failed = [];
let browser = await launch();

/** What `work` comes to, or an error when it takes longer. */
async function within(ms, work) {
  let timer;
  const late = new Promise((_, reject) => (timer = setTimeout(() => reject(new Error(`not done within ${ms / 1000} s`)), ms)));
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}

/** What went wrong, or nothing. */
async function attempt(test) {
  errors.length = 0;
  try {
    await within(LIMIT, test(browser));
    return errors.length ? new Error(`errors in the console:\n${errors.join("\n")}`) : null;
  } catch (error) {
    return error;
  }
}

/** Closes what a test opened. */
async function tidy() {
  const contexts = browser.contexts();
  // What a test answers in the server's place may be under way still, and would end this program.
  const open = contexts.flatMap((context) => [context, ...context.pages()]);
  await within(CLOSES_WITHIN, Promise.all(open.map((one) => one.unrouteAll({ behavior: "ignoreErrors" })))).catch(() => {});
  await within(CLOSES_WITHIN, Promise.all(contexts.map((context) => context.close()))).catch(() => replace("does not close its pages"));
  if (!browser.isConnected()) await replace("ended by itself");
}

async function replace(why) {
  console.log(`      the browser ${why}: another one is started`);
  within(CLOSES_WITHIN, browser.close()).catch(() => {}); // what is left of it ends with this process
  browser = await launch();
}

for (const [name, test] of chosen) {
  const begun = Date.now();
  let error = await attempt(test);
  if (error && !browser.isConnected()) {
    await replace("ended by itself");
    error = await attempt(test);
  }
  if (error) {
    failed.push(name);
    const pages = browser.contexts().flatMap((context) => context.pages());
    await Promise.all(pages.map((page, i) => page.screenshot({ path: `${pictures}failed-${failed.length}-${i}.png`, timeout: 5_000 }).catch(() => {})));
    console.log(`FAIL  ${name}\n${String(error.stack ?? error).replace(/^/gm, "      ")}`);
  } else {
    console.log(`ok    ${name} (${Date.now() - begun} ms)`);
  }
  await tidy();
}

await within(CLOSES_WITHIN, browser.close()).catch(() => {});
const seconds = ((Date.now() - started) / 1000).toFixed(1);
console.log(`\nbrowser: ${chosen.length - failed.length} passed, ${failed.length} failed in ${seconds} s; pictures in ${pictures}`);
process.exit(failed.length || !chosen.length ? 1 : 0);
