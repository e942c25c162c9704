// The scanner page at work: scans by hand, wedge or camera, with a connection or without. See setup.js for its start.
//
// Invariant: the code field always takes the next key, so a keyboard-wedge scanner never misses.
// Failure: a scanner that the server no longer knows forgets its list, goes back to the start and says why.

import * as api from "./api.js";
import * as camera from "./camera.js";
import { Door } from "./door.js";
import { byId, checkForm, el, setText, values } from "./dom.js";
import { List } from "./list.js";
import { follow, forget as forgetPairing, hasLink, remember, remembered, settings, takeLink } from "./pairing.js";
import { ask } from "./questions.js";
import { report } from "./report.js";
import { hidePopup, historyEntry, showList, showPopup, showReady, showVerdict } from "./scanner-view.js";
import { session, signInAddress } from "./session.js";
import { hideSetUp, introduce, setUp, showElsewhere, wireSetUp } from "./setup.js";
import { askForTurn, onlyTab } from "./tab.js";
import { forgetOthers } from "./unsent.js";

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
  const link = takeLink();
  wire();
  await onlyTab({ waiting: () => showElsewhere(askForTurn), giveWay });
  try {
    pairing = link ? await follow(link) : remembered();
  } catch (problem) {
    return setUp(wanted, problem.message);
  }
  if (pairing && (!wanted || wanted === pairing.table_id)) return begin(pairing);
  if (wanted && !session()) return location.replace(signInAddress());
  await setUp(wanted);
}

/** Another tab wants to scan: what is under way here is finished first. */
async function giveWay() {
  await Promise.all(scans.map((scan) => scan.done));
  list?.close();
}

function begin(paired) {
  pairing = paired;
  if (!pairing.guest || pairing.guest.name) return work();
  introduce(pairing);
  forgetOthers(pairing).catch((error) => console.warn("nothing is kept here:", error));
}

function wire() {
  wireSetUp(begin);
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
  addEventListener("hashchange", () => hasLink() && location.reload()); // another one was opened in this tab
  addEventListener("beforeunload", (event) => {
    if (scans.some((scan) => scan.state === "sending" || scan.state === "waiting")) event.preventDefault();
  });
}

async function work() {
  hideSetUp();
  byId("door").hidden = false;
  byId("leave").hidden = false;
  byId("undo").hidden = Boolean(pairing.guest); // a guest undoes nothing
  setText(byId("where"), pairing.table);
  setText(byId("where-gate"), [pairing.gate, pairing.name].filter(Boolean).join(" · "));
  document.title = `${pairing.table} · Scanner`;
  list = new List(pairing, { change: onList, reported: onReported, shutOut: (problem) => shutOut(problem) });
  const made = new Door(pairing, list, (scan) => made === door && onChange(scan));
  door = made;
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
  const scan = door && scans.find((one) => [one.nonce, one.undoNonce].includes(item.nonce));
  if (!scan) return;
  const what = item.annul ? "undo refused" : "refused";
  scan.here = result.status < 300 ? "reported" : `${what}: ${result.error?.detail ?? result.status}`;
  if (!item.annul) Object.assign(scan, { conflict: result.answer?.check_in?.conflict ?? null, shared: result.answer?.warnings?.includes("code_shared") });
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
  scan.done = door.deliver(scan);
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
  const shut = list;
  stop();
  await shut.wipe().catch((error) => console.warn("the list goes with the next start:", error));
  forget(problem.message);
}

/** Nothing is scanned any more. */
function stop() {
  hidePopup();
  for (const dialog of document.querySelectorAll("dialog[open]")) dialog.close();
  stopReports?.();
  stopCamera?.();
  stopCamera = null;
  door = null;
}

function forget(note) {
  forgetPairing();
  const tableId = pairing?.table_id;
  list = pairing = null;
  byId("door").hidden = byId("leave").hidden = byId("camera").hidden = true;
  setText(byId("where"), "Scanner");
  setText(byId("where-gate"), "");
  return setUp(tableId, note);
}

async function onLeave() {
  const waiting = list.waiting;
  if (waiting && !confirm(`Scans that are not reported yet: ${waiting}. They stay on this phone until it has a connection, or a manager signs in here. Stop all the same?`)) return;
  const { token, session_id, guest } = pairing;
  stop();
  await list.wipe({ token }).catch((error) => console.warn("the list goes with the next start:", error));
  if (session() && !guest && !waiting) api.closeScanner(session_id).catch(() => {}); // it also ages out by itself
  forget(null);
}
