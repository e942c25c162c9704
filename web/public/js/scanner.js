// The scanner page: start at a table and gate, then scan by hand, wedge or camera, with a connection or without.
//
// Invariant: the code field always takes the next key, so a keyboard-wedge scanner never misses.
// Failure: a scanner that the server no longer knows forgets its list, goes back to the start and says why.

import * as api from "./api.js";
import * as camera from "./camera.js";
import { Door } from "./door.js";
import { byId, checkForm, el, setText, submitting, values } from "./dom.js";
import { List, bringLeftBehind, leftBehind } from "./list.js";
import { forget as forgetPairing, fromLink, remember, remembered, settings } from "./pairing.js";
import { ask } from "./questions.js";
import { report } from "./report.js";
import { session, signInAddress } from "./session.js";
import { hidePopup, historyEntry, showList, showPopup, showReady, showVerdict } from "./scanner-view.js";

const HISTORY = 100;
const FORGOTTEN = new Set([401, 410]);

const code = byId("code");
const scans = [];
let door = null;
let list = null;
let pairing = null;
let stopReports = null;
let stopCamera = null;
let formats = [];

start();

async function start() {
  navigator.serviceWorker?.register("/scanner-worker.js").catch((error) => console.warn("not kept for work without a connection:", error));
  const wanted = new URLSearchParams(location.search).get("table");
  wire();
  try {
    pairing = (await fromLink()) ?? remembered();
  } catch (problem) {
    return setUp(wanted, problem.message);
  }
  if (pairing?.guest && !pairing.guest.name) return introduce();
  if (pairing && (!wanted || wanted === pairing.table_id)) return work();
  if (!session()) return location.replace(signInAddress());
  await setUp(wanted);
}

function wire() {
  byId("setup-table").addEventListener("change", loadGates);
  byId("setup-form").addEventListener("submit", onStart);
  byId("guest-form").addEventListener("submit", onGuest);
  byId("scan-form").addEventListener("submit", onSubmit);
  byId("leave").addEventListener("click", onLeave);
  byId("undo").addEventListener("click", onUndo);
  byId("walk-in").addEventListener("click", () => byId("walk-in-dialog").showModal());
  byId("walk-in-cancel").addEventListener("click", () => byId("walk-in-dialog").close());
  byId("walk-in-form").addEventListener("submit", onWalkIn);
  byId("camera-toggle").addEventListener("click", onCamera);
  for (const radio of document.getElementsByName("direction")) radio.addEventListener("change", focusCode);
  byId("popup").addEventListener("click", hidePopup);
  document.addEventListener("keydown", catchKeys);
  document.addEventListener("visibilitychange", learnSettings);
  addEventListener("beforeunload", (event) => {
    if (scans.some((scan) => scan.state === "sending" || scan.state === "waiting")) event.preventDefault();
  });
}

async function setUp(wanted, note) {
  byId("door").hidden = true;
  byId("leave").hidden = true;
  byId("setup").hidden = false;
  setText(byId("where"), "Scanner");
  setText(byId("where-gate"), "");
  tell(note ?? null);
  byId("guest-form").hidden = true;
  byId("setup-form").hidden = !session();
  if (!session()) return;
  bringRest();
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

/** Scans of a scanner of this browser that was shut out: whoever may, brings them. */
async function bringRest() {
  for (const rest of await leftBehind()) {
    const said = `${rest.count} ${rest.count === 1 ? "scan" : "scans"} of an earlier scanner of this phone`;
    await bringLeftBehind(rest, api.call).then(
      () => tell(`${said} were reported.`),
      (problem) => tell(`${said} could not be reported: ${problem.message} A manager who signs in here can.`),
    );
  }
}

/** A guest's phone asks once who scans with it: it is kept with each check-in. */
function introduce() {
  byId("setup").hidden = byId("guest-form").hidden = false;
  byId("setup-form").hidden = true;
  byId("guest-name").focus();
}

function onGuest(event) {
  event.preventDefault();
  const form = byId("guest-form");
  if (!checkForm(form)) return;
  pairing = remember({ ...pairing, guest: values(form) });
  work();
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

function tell(text) {
  const note = byId("setup-note");
  note.hidden = !text;
  note.classList.add("bad");
  setText(note, text ?? "");
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
  tell(note);
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
  pairing = remember({ session_id: opened.id, token: opened.token, table_id: input.table_id, gate: input.gate ?? "", name: input.name, table: chosen.text, timezone: chosen.dataset.zone });
  work();
}

async function work() {
  byId("setup").hidden = true;
  byId("door").hidden = false;
  byId("leave").hidden = false;
  setText(byId("where"), pairing.table);
  setText(byId("where-gate"), [pairing.gate, pairing.name].filter(Boolean).join(" · "));
  document.title = `${pairing.table} · Scanner`;
  list = new List(pairing, { change: onList, reported: onReported, shutOut: (problem) => shutOut(problem) });
  door = new Door(pairing, list, onChange);
  scans.length = 0;
  list.open();
  stopReports = report(pairing, () => list.status());
  showReady();
  paintHistory();
  focusCode();
  learnSettings();
  formats = await camera.readable();
  byId("camera-toggle").hidden = formats.length === 0;
  byId("camera-none").hidden = formats.length > 0;
}

// What the organiser changes holds from the next look at the page.
async function learnSettings() {
  if (!pairing || document.hidden) return;
  const asked = pairing;
  const learned = await settings(asked);
  if (learned && pairing === asked) remember(Object.assign(pairing, { popup: learned.show_popup }));
}

// On a phone the on-screen keyboard would cover the verdict, so focus waits for the first key there.
function focusCode() {
  if (matchMedia("(pointer: fine)").matches) code.focus();
}

function catchKeys(event) {
  hidePopup();
  const elsewhere = event.target.closest?.("input:not([type=radio]), select, textarea, dialog");
  if (!door || elsewhere || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key.length === 1 && event.key !== " ") code.focus();
}

const direction = () => document.querySelector("[name=direction]:checked").value;

/** How many of a group's ticket go, for one scan; all that may when nothing is said. */
function people() {
  const field = byId("people");
  const count = Number.parseInt(field.value, 10);
  field.value = "";
  return count > 0 ? count : undefined;
}

function onSubmit(event) {
  event.preventDefault();
  const text = code.value.trim();
  code.value = "";
  focusCode();
  if (!text) return;
  const scan = door.scan(text, direction(), people());
  setText(byId("scan-hint"), scan ? "" : "Same code as a moment ago: not scanned again.");
}

// The camera sees a ticket many times a second; only the first sighting is a scan.
function onSighting(text) {
  if (door?.scan(text.trim(), direction(), people())) setText(byId("scan-hint"), "");
}

function onChange(scan) {
  if (!scans.includes(scan)) {
    scans.unshift(scan);
    scans.length = Math.min(scans.length, HISTORY);
  }
  if (FORGOTTEN.has(scan.problem?.status) && scan.state === "failed") return shutOut(scan.problem);
  // The panel belongs to the latest scan; an answer to an older one shows in the history.
  if (scan === scans[0] || scan.undone) showVerdict(scan, pairing.timezone, again);
  if (scan === scans[0]) popUp(scan);
  paintHistory();
  if (scan.state === "answered" && scan.answer.reason === "incomplete" && scan === scans[0]) askFirst(scan);
}

async function askFirst(scan) {
  const answers = await ask(scan.answer.guest?.name ?? scan.label, scan.answer.questions);
  if (answers && door) door.answer(scan, answers);
  code.blur(); // Chromium gives a field the focus back without its caret
  focusCode();
}

function onList() {
  if (list) showList(list, pairing.timezone);
}

function onReported(item, result) {
  const scan = scans.find((one) => one.nonce === item.nonce);
  if (!scan) return;
  scan.here = result.status < 300 ? "reported" : `refused: ${result.error?.detail ?? result.status}`;
  scan.conflict = result.answer?.check_in?.conflict ?? null;
  paintHistory();
}

function popUp(scan) {
  const admitted = scan.state === "answered" && scan.answer.verdict === "accepted" && scan.direction === "entry";
  if (admitted && !scan.undone && pairing.popup !== false) showPopup(scan, pairing.timezone);
  else hidePopup();
}

function again(scan) {
  scan.state = "sending";
  onChange(scan);
  door.deliver(scan);
}

function paintHistory() {
  byId("history").replaceChildren(...scans.map((scan) => historyEntry(scan, pairing.timezone, again)));
  if (!scans.length) byId("history").append(el("li", { class: "hint" }, "No scans yet."));
  const undo = byId("undo");
  undo.disabled = !door.last;
  setText(undo, door.last ? `Undo ${door.last.answer.guest?.name ?? door.last.label}` : "Undo last");
}

async function onUndo() {
  byId("undo").disabled = true;
  try {
    await door.undo();
    setText(byId("scan-hint"), "");
  } catch (problem) {
    setText(byId("scan-hint"), `Not undone: ${problem.message}`);
  }
  paintHistory();
  focusCode();
}

async function onWalkIn(event) {
  event.preventDefault();
  const form = byId("walk-in-form");
  if (!checkForm(form)) return;
  const scan = door.walkIn(values(form));
  byId("walk-in-dialog").close();
  form.reset();
  focusCode();
  await scan.done;
}

async function onCamera() {
  const button = byId("camera-toggle");
  if (stopCamera) {
    stopCamera();
    stopCamera = null;
  } else {
    try {
      stopCamera = await camera.start(byId("camera-view"), formats, onSighting);
    } catch {
      setText(byId("scan-hint"), "The camera cannot be used: allow it in the browser's settings.");
    }
  }
  byId("camera").hidden = !stopCamera;
  button.setAttribute("aria-pressed", String(Boolean(stopCamera)));
}

/** Shut out for good: the list goes, at once. */
async function shutOut(problem) {
  if (!door) return;
  await list.wipe().catch((error) => console.warn("the list was not wiped:", error));
  forget(problem.message);
}

function forget(note) {
  hidePopup();
  list?.close();
  stopReports?.();
  stopCamera?.();
  stopCamera = null;
  forgetPairing();
  const tableId = pairing?.table_id;
  door = list = pairing = null;
  if (!session() && !note) return location.replace(`/?next=${encodeURIComponent("/pulse-scanner")}`);
  return setUp(tableId, note);
}

async function onLeave() {
  const waiting = list?.waiting ?? 0;
  if (waiting && !confirm(`${waiting} scans are not reported yet. They stay on this phone until a manager signs in here. Stop all the same?`)) return;
  await list?.wipe().catch(() => {});
  if (session() && pairing.session_id) api.closeScanner(pairing.session_id).catch(() => {}); // it also ages out by itself
  forget(null);
}
