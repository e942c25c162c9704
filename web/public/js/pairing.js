// How this browser became a scanner: kept in localStorage, or brought by a link or a code.
//
//   /pulse-scanner#pair=<token>                 a pairing token, exchanged once for a device token
//   /pulse-scanner#guest=<key>&table=<table>    a guest key; the phone names itself by a UUID it keeps, and has
//                                               `guest`: who scans with it, asked once
//   {"v":1,"url":"https://…","token":"…"}       what a pairing's QR code says: the same as the first
//
// Invariant: a token in a link is taken out of the address at once, so that it is neither shown nor kept;
// no token goes to another server than the one it is for.
// Failure: a link that does not pair leaves what was remembered as it was.

import { send } from "./http.js";

const KEY = "pulse.scanner";
const GUEST = "pulse.guest";
const VERSION = 1;

/** What this browser scans as, or null: `{session_id, token, table_id, table, timezone, gate, name, guest?}`. */
export function remembered() {
  try {
    return JSON.parse(localStorage.getItem(KEY));
  } catch {
    return null;
  }
}

export function remember(pairing) {
  localStorage.setItem(KEY, JSON.stringify(pairing));
  return pairing;
}

export const forget = () => localStorage.removeItem(KEY);

/** Whether the address holds a link. */
export const hasLink = () => linkIn(location.hash) !== null;

/** Takes the link out of the address: `{pair}` or `{guest, table}`; null without one. */
export function takeLink() {
  const link = linkIn(location.hash);
  if (link) history.replaceState(null, "", location.pathname + location.search);
  return link;
}

/** The link that a pairing code says, or a link itself. Throws why it pairs nothing here. */
export function readCode(text) {
  const code = parsed(text);
  if (code?.v > VERSION) throw new Error("This code is of a newer Pulse: reload this page, then scan it again.");
  const address = code ? addressOf(code.url) : addressOf(text);
  const link = code ? typeof code.token === "string" && { pair: code.token } : linkIn(address?.hash ?? "");
  if (!address || !link) throw new Error("This is no pairing code: the dashboard shows one under “Add a phone”.");
  if (address.origin !== location.origin) throw new Error(`This code is for another Pulse, at ${address.host}. Open the scanner there.`);
  return link;
}

/** What a link makes of this browser. */
export async function follow({ pair, guest, table }) {
  return remember(pair ? await exchange(pair) : guestOf(guest, table));
}

function linkIn(hash) {
  const link = new URLSearchParams(hash.slice(1));
  const [pair, guest, table] = ["pair", "guest", "table"].map((name) => link.get(name));
  if (pair) return { pair };
  return guest && table ? { guest, table } : null;
}

function parsed(text) {
  try {
    const code = JSON.parse(text);
    return code && typeof code === "object" ? code : null;
  } catch {
    return null;
  }
}

function addressOf(text) {
  try {
    return new URL(text);
  } catch {
    return null;
  }
}

/** The settings of the table as a scanner may read them; null when it cannot be told now. */
export async function settings({ token, table_id }) {
  const path = `/pulse/${encodeURIComponent(table_id)}`;
  const guest = token.startsWith("guest_");
  try {
    if (!guest) return (await send("GET", path, { token })).body.settings;
    return (await send("GET", `${path}/roster`, { token, query: { limit: 1 } })).body.about.config.settings;
  } catch {
    return null;
  }
}

async function exchange(token) {
  const body = { token, device_info: { agent: navigator.userAgent.slice(0, 200) } };
  const { session, token: own, table } = (await send("POST", "/pulse/sessions/pair", { body })).body;
  const { id: session_id, name, gate } = session;
  return { session_id, token: own, table_id: table.id, gate: gate ?? "", name, table: table.name, timezone: table.timezone };
}

function guestOf(key, table) {
  let device = localStorage.getItem(GUEST);
  if (!device) localStorage.setItem(GUEST, (device = uuid()));
  const { timeZone } = Intl.DateTimeFormat().resolvedOptions();
  const before = remembered();
  const guest = before?.guest ?? {};
  return { session_id: device, token: `guest_${key}.${device}`, table_id: table, gate: "", name: "Guest", table: "Guest scanner", timezone: timeZone, guest };
}

// crypto.randomUUID exists on https and localhost only.
function uuid() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}
