// How this browser became a scanner: kept in localStorage, or brought by a link.
//
//   /pulse-scanner#pair=<token>                 a pairing token, exchanged once for a device token
//   /pulse-scanner#guest=<key>&table=<table>    a guest key; the phone names itself by a UUID it keeps, and has
//                                               `guest`: who scans with it, asked once
//
// Invariant: a token in a link is taken out of the address at once, so that it is neither shown nor kept.
// Failure: a link that does not pair leaves what was remembered as it was.

import { send } from "./http.js";

const KEY = "pulse.scanner";
const GUEST = "pulse.guest";

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

/** What a link in the address made of this browser; null without one. */
export async function fromLink() {
  const link = new URLSearchParams(location.hash.slice(1));
  const [pair, guest, table] = ["pair", "guest", "table"].map((name) => link.get(name));
  if (!pair && !(guest && table)) return null;
  history.replaceState(null, "", location.pathname + location.search);
  return remember(pair ? await exchange(pair) : guestOf(guest, table));
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
