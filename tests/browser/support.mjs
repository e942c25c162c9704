// What the browser tests share: a tenant made over HTTP, pages that report their errors, pictures.

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
