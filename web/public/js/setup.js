// The start of the scanner page: by an account, a pairing code, or a guest link.
//
// Invariant: nothing of an earlier scanner is given up here: its unreported scans are brought or stay.
// Failure: what cannot be loaded or paired is said in the note, and can be tried again.

import * as api from "./api.js";
import * as camera from "./camera.js";
import { byId, checkForm, el, setText, submitting, values } from "./dom.js";
import { follow, readCode, remember, remembered } from "./pairing.js";
import { session, signInAddress } from "./session.js";
import { bringLeftBehind, forgetOthers, leftBehind, reportLeftBehind } from "./unsent.js";

let begin = null;
let introduced = null;
let stopCamera = null;
let pairingNow = false;

/** `onPairing(pairing)` is called when this browser became a scanner. */
export function wireSetUp(onPairing) {
  begin = onPairing;
  byId("setup-table").addEventListener("change", () => {
    tell(null);
    loadGates();
  });
  byId("setup-form").addEventListener("submit", onStart);
  byId("guest-form").addEventListener("submit", onGuest);
  byId("pair-form").addEventListener("submit", onPairForm);
  byId("pair-camera-toggle").addEventListener("click", onPairCamera);
  addEventListener("online", () => byId("setup").hidden || bringRest());
}

/** Shows the ways to start; `wanted` is the table to begin with. */
export async function setUp(wanted, note) {
  show(session() ? ["setup-form", "pair"] : ["to-sign-in", "pair"]);
  tell(note ?? null);
  byId("sign-in-link").href = signInAddress();
  offerCamera();
  const rest = bringRest();
  if (!session()) return rest;
  ready(false);
  byId("setup-name").value ||= `Scanner ${Math.floor(100 + Math.random() * 900)}`;
  try {
    const found = await allTables();
    const choices = found.map((table) => el("option", { value: table.id, "data-zone": table.timezone }, table.name));
    byId("setup-table").replaceChildren(...choices);
    if (!found.length) return tell("There is no guest list yet. Create one on the front page first.");
    if (wanted && found.some((table) => table.id === wanted)) byId("setup-table").value = wanted;
    await loadGates();
  } catch (problem) {
    if (problem.status === 401) return location.replace(signInAddress());
    tell(problem.message);
  }
}

export function hideSetUp() {
  stopLooking();
  byId("setup").hidden = true;
}

/** Another tab of this browser scans; `takeTurn()` asks it to give way. */
export function showElsewhere(takeTurn) {
  show(["elsewhere"]);
  byId("scan-here").onclick = () => {
    byId("scan-here").disabled = true;
    takeTurn();
  };
}

/** A guest's phone asks once who scans with it: it is kept with each check-in. */
export function introduce(pairing) {
  introduced = pairing;
  show(["guest-form"]);
  byId("guest-name").focus();
}

/** The parts of the card that are shown, and no others. */
function show(parts) {
  byId("setup").hidden = false;
  for (const id of ["elsewhere", "setup-form", "guest-form", "pair", "to-sign-in"]) byId(id).hidden = !parts.includes(id);
}

function tell(text) {
  const note = byId("setup-note");
  note.hidden = !text;
  note.classList.add("bad");
  setText(note, text ?? "");
}

/** What scanners of this browser left behind goes to its own tables: by their tokens, or by a manager. */
async function bringRest() {
  const line = byId("setup-rest");
  const say = (text) => {
    line.hidden = !text;
    setText(line, text);
  };
  const current = remembered(); // when another list is chosen, what was scanned for last is not given up yet
  await forgetOthers(current).catch((error) => console.warn("nothing is kept here:", error));
  await reportLeftBehind(current);
  const said = [];
  for (const rest of await leftBehind()) {
    const one = rest.count === 1;
    const scans = `${rest.count} ${one ? "scan" : "scans"} of an earlier scanner of this phone`;
    if (!session()) said.push(`${scans} ${one ? "is" : "are"} not reported yet: ${rest.token ? "this page does it with a connection" : `a manager who signs in here brings ${one ? "it" : "them"}`}.`);
    else said.push(await bringLeftBehind(rest, api.call).then((all) => brought(scans, all), (problem) => notBrought(scans, problem)));
  }
  if (said.length || !session()) say(said.join(" "));
}

function brought(scans, { dropped, waiting }) {
  const rest = [dropped && `${dropped} could not be taken`, waiting && `${waiting} still wait`].filter(Boolean);
  return rest.length ? `${scans}: ${rest.join(", ")}.` : `${scans} reported.`;
}

const notBrought = (scans, problem) => `${scans} could not be reported: ${problem.message} A manager of their event who signs in here can.`;

function onGuest(event) {
  event.preventDefault();
  const form = byId("guest-form");
  if (checkForm(form)) begin(remember({ ...introduced, guest: values(form) }));
}

async function offerCamera() {
  const formats = await camera.readable();
  byId("pair-camera-toggle").hidden = !formats.includes("qr_code");
  byId("pair-none").hidden = formats.includes("qr_code");
}

async function onPairCamera() {
  if (stopCamera) return stopLooking();
  tell(null);
  try {
    let before = null;
    stopCamera = await camera.start(byId("pair-view"), ["qr_code"], (text) => {
      if (text === before) return; // seen many times a second
      before = text;
      pairBy(text).catch((problem) => tell(problem.message));
    });
  } catch {
    tell("The camera cannot be used: allow it in the browser's settings.");
  }
  byId("pair-camera").hidden = !stopCamera;
  byId("pair-camera-toggle").setAttribute("aria-pressed", String(Boolean(stopCamera)));
}

function stopLooking() {
  stopCamera?.();
  stopCamera = null;
  byId("pair-camera").hidden = true;
  byId("pair-camera-toggle").setAttribute("aria-pressed", "false");
}

async function onPairForm(event) {
  event.preventDefault();
  const form = byId("pair-form");
  if (!checkForm(form)) return;
  await submitting(form, () => pairBy(byId("pair-code").value.trim()));
}

async function pairBy(text) {
  if (pairingNow) return;
  const link = readCode(text);
  pairingNow = true;
  try {
    const pairing = await follow(link);
    byId("pair-form").reset();
    tell(null);
    begin(pairing);
  } finally {
    pairingNow = false;
  }
}

async function allTables() {
  const found = [];
  let cursor = null;
  do {
    const page = await api.tables(cursor);
    found.push(...page.items);
    cursor = page.next_cursor;
  } while (cursor && found.length < 500);
  return found;
}

/** Whether scanning can be started: not before the lists and gates to choose from are there. */
function ready(yes) {
  byId("setup-form").querySelector("[type=submit]").disabled = !yes;
}

async function loadGates() {
  ready(false);
  const select = byId("setup-gate");
  const tableId = byId("setup-table").value;
  let gates = [];
  let note = null;
  try {
    const config = await api.config(tableId);
    gates = config.gates ?? [];
    if (!config.enabled) note = "Check-in is disabled for this list.";
  } catch (problem) {
    note = problem.status === 404 ? "Pulse is not enabled for this list yet. Enable it on the front page." : problem.message;
  }
  if (byId("setup-table").value !== tableId) return; // the choice changed meanwhile
  if (note) tell(note);
  select.replaceChildren(el("option", { value: "" }, "No gate"), ...gates.map((gate) => el("option", { value: gate.name }, gate.name)));
  ready(true);
}

async function onStart(event) {
  event.preventDefault();
  const form = byId("setup-form");
  if (!checkForm(form)) return;
  const chosen = byId("setup-table").selectedOptions[0];
  const user = session()?.user;
  const input = { ...values(form), profile: "scanner", device_info: { agent: navigator.userAgent.slice(0, 200) } };
  if (user?.name) input.scanner_name = user.name;
  if (user?.email) input.scanner_email = user.email;
  const opened = await submitting(form, () => api.openScanner(input));
  if (!opened) return;
  const { table_id, gate = "", name } = input;
  begin(remember({ session_id: opened.id, token: opened.token, table_id, gate, name, table: chosen.text, timezone: chosen.dataset.zone }));
}
