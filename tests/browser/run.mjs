// Runs the browser tests against a running Pulse: PULSE_URL names it, CHROMIUM_BIN the browser.
// Arguments choose tests by a part of their names. Exit status 1 when a test fails, 2 when none can run.

import { existsSync } from "node:fs";
import { errors, launch, pictures, url } from "./support.mjs";
import { tests as door } from "./door.mjs";
import { tests as devices } from "./devices.mjs";
import { tests as docs } from "./docs.mjs";
import { tests as front } from "./front.mjs";
import { tests as live } from "./live.mjs";
import { tests as offline } from "./offline.mjs";

const LIMIT = 60_000;
const chromium = process.env.CHROMIUM_BIN;

if (!url || !chromium || !existsSync(chromium)) {
  console.error("Set PULSE_URL to a running Pulse (http://localhost:8787) and CHROMIUM_BIN to a Chromium or Chrome (/usr/bin/chromium).");
  process.exit(2);
}

const wanted = process.argv.slice(2);
const chosen = Object.entries({ ...front, ...door, ...devices, ...live, ...offline, ...docs }).filter(([name]) => wanted.every((part) => name.includes(part)));
const browser = await launch();
const started = Date.now();
const failed = [];

for (const [name, test] of chosen) {
  errors.length = 0;
  const begun = Date.now();
  let timer;
  try {
    const late = new Promise((_, reject) => (timer = setTimeout(() => reject(new Error(`not done within ${LIMIT / 1000} s`)), LIMIT)));
    await Promise.race([test(browser), late]);
    if (errors.length) throw new Error(`errors in the console:\n${errors.join("\n")}`);
    console.log(`ok    ${name} (${Date.now() - begun} ms)`);
  } catch (error) {
    failed.push(name);
    const pages = browser.contexts().flatMap((context) => context.pages());
    await Promise.all(pages.map((page, i) => page.screenshot({ path: `${pictures}failed-${failed.length}-${i}.png` }).catch(() => {})));
    console.log(`FAIL  ${name}\n${String(error.stack ?? error).replace(/^/gm, "      ")}`);
  } finally {
    clearTimeout(timer);
    await Promise.all(browser.contexts().map((context) => context.close()));
  }
}

await browser.close();
const seconds = ((Date.now() - started) / 1000).toFixed(1);
console.log(`\nbrowser: ${chosen.length - failed.length} passed, ${failed.length} failed in ${seconds} s; pictures in ${pictures}`);
process.exit(failed.length || !chosen.length ? 1 : 0);
