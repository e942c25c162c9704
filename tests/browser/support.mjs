// What the browser tests share: a tenant made over HTTP, pages that report their errors, pictures.

import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

export const url = (process.env.PULSE_URL ?? "").replace(/\/$/, "");
export const pictures = fileURLToPath(new URL("../../.pulse/screenshots/", import.meta.url));
export const PHONE = { width: 390, height: 844 };
export const DESK = { width: 1280, height: 900 };
export const PASSWORD = "correct horse battery";

const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"];

export async function launch() {
  await mkdir(pictures, { recursive: true });
  return chromium.launch({ executablePath: process.env.CHROMIUM_BIN, headless: true, args: FLAGS });
}

export const unique = () => `${Date.now().toString(36)}${Math.random().toString(36).slice(2, 8)}`;

export const GUESTS = [
  "name,email,barcode,category,status,attention_note",
  "Ada Lovelace,ada@example.com,ADA-001,vip,confirmed,Speaker: backstage pass",
  "Alan Turing,alan@example.com,ALAN-002,standard,confirmed,",
  "Grace Hopper,grace@example.com,GRACE-003,vip,confirmed,",
  "Edsger Dijkstra,edsger@example.com,EDSGER-004,standard,canceled,",
  "Katherine Johnson,katherine@example.com,KATHERINE-005,standard,confirmed,",
].join("\n");

/** One HTTP call; throws with the answer's text when it is refused. */
export async function call(method, path, { token, body, type = "application/json" } = {}) {
  const response = await fetch(url + path, {
    method,
    headers: { accept: "application/json", ...(token && { authorization: `Bearer ${token}` }), ...(body !== undefined && { "content-type": type }) },
    body: typeof body === "object" ? JSON.stringify(body) : body,
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
  return text ? JSON.parse(text) : null;
}

/** A tenant with an enabled list of five guests, and a scanner token. */
export async function openEvent() {
  const email = `browser-${unique()}@example.com`;
  const session = await call("POST", "/api/auth/register", { body: { email, password: PASSWORD, tenant_name: "Browser tests" } });
  const token = session.access_token;
  const table = await call("POST", "/pulse/tables", { token, body: { name: "Spring gala", timezone: "Europe/Berlin" } });
  await call("POST", `/pulse/tables/${table.id}/import`, { token, body: GUESTS, type: "text/csv" });
  await call("POST", "/pulse", { token, body: { table_id: table.id, gates: [{ name: "North", categories: [] }] } });
  const scanner = await call("POST", "/pulse/sessions", { token, body: { table_id: table.id, name: "Hand scanner", gate: "North" } });
  const scan = (barcode) =>
    call("POST", "/pulse/check-ins", { token: scanner.token, body: { table_id: table.id, barcode, nonce: unique(), direction: "entry", gate: "North" } });
  return { email, session, token, table, scan };
}

/** A browser context that is signed in as the event's admin and has a scanner of its own. */
export async function signedIn(browser, event, options = {}) {
  const context = await browser.newContext({ viewport: DESK, ...options });
  const stored = { ...event.session, expires_at: Date.now() + event.session.expires_in * 1000 };
  await context.addInitScript((value) => {
    if (location.protocol.startsWith("http") && !localStorage.getItem("pulse.session")) localStorage.setItem("pulse.session", value);
  }, JSON.stringify(stored));
  return context;
}

/** Opens the scanner page at the event's table and starts it. */
export async function startScanner(context, event) {
  const page = watch(await context.newPage());
  await page.setViewportSize(PHONE);
  await page.goto(`${url}/pulse-scanner?table=${event.table.id}`);
  await page.getByRole("button", { name: "Start" }).click();
  await page.locator("#door").waitFor();
  return page;
}

/** Types a code as a keyboard-wedge scanner does: keys and Enter, wherever the focus is. */
export async function wedge(page, code) {
  await page.keyboard.type(code);
  await page.keyboard.press("Enter");
}

/** Waits for the verdict panel to show `verdict`, and answers its text. */
export async function verdict(page, kind) {
  const panel = page.locator(`#verdict[data-verdict=${kind}]`);
  await panel.waitFor({ timeout: 10_000 });
  return panel.innerText();
}

/** Waits until there are as many of `locator` as `wanted`: a page may draw a list piece by piece. */
export async function counted(locator, wanted) {
  const until = Date.now() + 30_000;
  while ((await locator.count()) !== wanted && Date.now() < until) await locator.page().waitForTimeout(50);
  assert.equal(await locator.count(), wanted);
}

/** Waits for a counter of the dashboard. */
export async function stat(page, name, value) {
  await page.waitForFunction(([n, v]) => document.querySelector(`[data-stat=${n}]`)?.textContent === v, [name, String(value)], { timeout: 10_000 });
}

/** Remembers script errors and policy violations of a page; `run.mjs` fails the test for them. */
export const errors = [];
export function watch(page) {
  page.on("pageerror", (error) => errors.push(`${page.url()}: ${error.message}`));
  page.on("console", (message) => {
    const network = message.text().startsWith("Failed to load resource");
    if (message.type() === "error" && !network && !/WebSocket connection to/.test(message.text())) errors.push(`${page.url()}: ${message.text()}`);
  });
  return page;
}

export function shot(page, name) {
  return page.screenshot({ path: `${pictures}${name}.png`, fullPage: true });
}

/** A call as the event's manager. */
export const own = (event, path, body) => call("POST", path, { token: event.token, body });
export const board = (event) => call("GET", `/pulse/dashboard/${event.table.id}`, { token: event.token });
export const checkIns = async (event, more = "") => (await call("GET", `/pulse/check-ins?table_id=${event.table.id}${more}`, { token: event.token })).items;

/** Waits for what the scanner says of its list: `current`, `alone` or `none`. */
export const listed = (page, state) => page.locator(`#list-state[data-state=${state}]`).waitFor();
export const reported = (page) => page.waitForFunction(() => !document.querySelector("#list-state").textContent.includes("to report"));
/** An entry of the scanner's history. */
export const entry = (page, text) => page.locator("#history li", { hasText: text });

/** Under what names this browser keeps something of its scanners. */
export const kept = (page) =>
  page.evaluate(
    () =>
      new Promise((resolve) => {
        indexedDB.open("pulse-scanner").onsuccess = ({ target }) => {
          target.result.transaction("kept").objectStore("kept").getAllKeys().onsuccess = ({ target: keys }) => resolve(keys.result);
        };
      }),
  );

/** Waits until this phone has kept a change of its list that says `text`. */
export async function learned(page, text) {
  const until = Date.now() + 30_000;
  const journal = () =>
    page.evaluate(
      () =>
        new Promise((resolve) => {
          indexedDB.open("pulse-scanner").onsuccess = ({ target }) => {
            const range = IDBKeyRange.bound("journal/", "journal0");
            target.result.transaction("kept").objectStore("kept").getAll(range).onsuccess = ({ target: values }) => resolve(JSON.stringify(values.result));
          };
        }),
    );
  while (!(await journal()).includes(text)) {
    assert.ok(Date.now() < until, `no change of the list says ${text}`);
    await page.waitForTimeout(50);
  }
}

/** A scanner session of the event and a link that pairs a phone with it. */
export async function pairingLink(event, name) {
  const session = await own(event, "/pulse/sessions", { table_id: event.table.id, name, gate: "North" });
  const { link } = await own(event, `/pulse/sessions/${session.id}/pairing`);
  return { session, link };
}

/** A phone paired by a link, with its list. */
export async function paired(browser, event, name, options = {}) {
  const { session, link } = await pairingLink(event, name);
  const context = await browser.newContext({ viewport: PHONE, ...options });
  const page = watch(await context.newPage());
  await page.goto(link);
  await listed(page, "current");
  return { context, page, session };
}

/** The event's manager signs in on a phone and opens the scanner page. */
export async function signIn(page, event) {
  await page.evaluate((value) => localStorage.setItem("pulse.session", value), JSON.stringify({ ...event.session, expires_at: Date.now() + 800_000 }));
  await page.goto("about:blank");
  await page.goto(`${url}/pulse-scanner?table=${event.table.id}`);
}

/** Where a guest scans with their own phone. */
export async function guestLink(event) {
  await call("PATCH", `/pulse/${event.table.id}`, { token: event.token, body: { settings: { guest_scanning: true } } });
  return (await own(event, `/pulse/${event.table.id}/guest-link`)).link;
}

/** A guest's phone with its list. */
export async function guestPhone(browser, link, name) {
  const context = await browser.newContext({ viewport: PHONE });
  const page = watch(await context.newPage());
  await page.goto(link);
  await page.getByLabel("Your name").fill(name);
  await page.getByRole("button", { name: "Scan", exact: true }).click();
  await listed(page, "current");
  return { context, page };
}

/** Controls without a name, and ids used twice: what a screen reader would stumble over. */
function stumbles() {
  const named = (node) =>
    node.labels?.length || node.getAttribute("aria-label") || node.getAttribute("aria-labelledby") || (node.tagName === "BUTTON" && node.textContent.trim());
  const nameless = [...document.querySelectorAll("input, select, button, textarea")].filter((node) => !named(node)).map((node) => node.outerHTML);
  const ids = [...document.querySelectorAll("[id]")].map((node) => node.id);
  return [...nameless, ...ids.filter((id, i) => ids.indexOf(id) !== i)];
}

/** Demands that a page can be used by whoever hears it, and that nobody has to scroll sideways. */
export async function fits(page, name) {
  assert.deepEqual(await page.evaluate(stumbles), [], name);
  const sideways = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
  assert.equal(sideways, false, `${name} scrolls sideways`);
}
