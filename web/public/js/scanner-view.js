// How the scanner shows a verdict and its history.
//
// Invariant: a verdict is told by colour, sign and words together; green only for a recorded passage.

import { byId, clock, el, words } from "./dom.js";

const SIGNS = { accepted: "✓", duplicate: "!", refused: "✕" };
const BUZZ = { accepted: 60, duplicate: [80, 60, 80], refused: [250, 80, 250] };
const POPUP_MS = 2_500;

/** The panel before the first scan. */
export function showReady() {
  const panel = byId("verdict");
  panel.dataset.verdict = "ready";
  panel.replaceChildren(el("p", { class: "word" }, "Ready"), el("p", { class: "why hint" }, "The next code is checked as soon as it is scanned."));
}

/** `again(scan)` sends a failed scan once more. */
export function showVerdict(scan, timeZone, again) {
  const panel = byId("verdict");
  const shown = kindOf(scan);
  panel.dataset.verdict = scan.undone ? "undone" : shown;
  if (scan.undone) panel.replaceChildren(el("p", { class: "word" }, "Undone"), guestName(scan));
  else if (scan.state !== "answered") panel.replaceChildren(...unanswered(scan, again));
  else panel.replaceChildren(...answered(scan, timeZone));
  if (scan.state === "answered" && !scan.undone) navigator.vibrate?.(BUZZ[shown]);
}

let popupEnds = 0;

/** An admission over the whole screen, to be read from afar, until a touch, a key or the time ends it. */
export function showPopup(scan, timeZone) {
  const popup = byId("popup");
  if (!popup.showPopover) return; // an old browser has the panel
  popup.dataset.verdict = "accepted";
  popup.replaceChildren(...answered(scan, timeZone));
  popup.showPopover();
  clearTimeout(popupEnds);
  popupEnds = setTimeout(hidePopup, POPUP_MS);
}

export function hidePopup() {
  byId("popup").hidePopover?.();
}

function kindOf(scan) {
  return scan.state === "answered" ? scan.answer.verdict : scan.state;
}

function headline({ answer, direction }) {
  if (answer.verdict === "refused") return direction === "exit" ? "Exit not recorded" : "Do not admit";
  if (answer.verdict === "duplicate") return "Already checked in";
  if (direction === "exit") return "Exit recorded";
  return answer.check_in?.walk_in ? "Walk-in recorded" : "Welcome";
}

const guestName = (scan) => el("p", { class: "guest" }, scan.answer?.guest?.name || scan.label);

function answered(scan, timeZone) {
  const { answer } = scan;
  const { guest, first_entry: first } = answer;
  const plain = answer.verdict === "accepted" && !answer.warnings?.length;
  return [
    el("p", { class: "sign", "aria-hidden": "true" }, SIGNS[answer.verdict]),
    el("p", { class: "word" }, headline(scan)),
    guestName(scan),
    guest?.category ? el("p", { class: "category" }, guest.category) : null,
    first && answer.verdict !== "accepted" ? el("p", { class: "first" }, `First entry ${clock(first.at, timeZone)}${first.gate ? ` at ${first.gate}` : ""}`) : null,
    answer.explanation && !plain ? el("p", { class: "why" }, answer.explanation) : null,
    answer.arrived && guest?.party > 1 ? el("p", { class: "first" }, `${answer.arrived} of ${guest.party} have come`) : null,
    scan.here === "waiting" ? el("p", { class: "why" }, "Decided on this phone, without a connection.") : null,
    ...(answer.warnings ?? []).map((warning) => el("p", { class: "attention" }, WARNINGS[warning] ?? words(warning))),
    guest?.attention_note ? el("p", { class: "attention" }, guest.attention_note) : null,
  ].filter(Boolean);
}

const WARNINGS = {
  clock_skew: "The clock of this device is wrong by more than 30 seconds.",
  capacity_reached: "The venue is over its capacity.",
  not_inside: "This guest was not inside.",
  duplicate_conflict: "This ticket was let in twice.",
  admitted_offline: "Let in without a connection.",
  code_shared: "Somebody else has this code too: give one of them another.",
};

function unanswered(scan, again) {
  const said = {
    sending: ["Checking…", null],
    waiting: ["No answer yet", `${scan.problem?.message ?? ""} Asking again; the scan counts once.`],
    failed: ["Not checked", whatIsWrong(scan.problem)],
  }[scan.state];
  const retry = scan.state === "failed" && scan.problem?.lost;
  return [
    el("p", { class: "word" }, said[0]),
    guestName(scan),
    said[1] ? el("p", { class: "why" }, said[1]) : null,
    retry ? el("button", { type: "button", class: "primary", onclick: () => again(scan) }, "Send again") : null,
  ].filter(Boolean);
}

/** Each wrong field with its name, or the sentence of the whole. */
function whatIsWrong(problem) {
  if (!problem?.errors?.length) return problem?.message;
  return problem.errors.map(({ pointer, message }) => `${words(pointer?.split("/").pop() ?? "")}: ${message}`).join(" ");
}

/** What the phone could decide by itself, and what it has still to tell. */
export function showList(list, timeZone) {
  const state = list.ready ? (list.online ? "current" : "alone") : "none";
  const said = {
    current: "The guest list is on this phone: scans go on without a connection.",
    alone: `No connection. Decided here, by the list of ${clock(list.asOf ?? undefined, timeZone) || "an earlier day"}.`,
    none: list.online ? "" : "No connection, and no guest list on this phone: scans wait.",
  }[state];
  const many = (count) => `${count} ${count === 1 ? "scan" : "scans"}`;
  const stuck = list.left.every(({ token }) => token) ? "" : ": stop here, and a manager who signs in reports them";
  const left = list.left.reduce((sum, { count }) => sum + count, 0);
  const rest = [list.waiting && ` ${many(list.waiting)} to report.`, left && ` ${many(left)} of an earlier scanner of this phone still kept${stuck}.`].filter(Boolean).join("");
  const line = byId("list-state");
  line.dataset.state = state;
  if (line.textContent !== said + rest) line.textContent = said + rest;
}

/** One line of the history; `timeZone` is the event's. */
export function historyEntry(scan, timeZone, again) {
  const verdict = scan.state === "answered" ? scan.answer.verdict : null;
  const reason = verdict && verdict !== "accepted" ? words(scan.answer.reason) : null;
  const details = [scan.undone ? "Undone" : (reason ?? stateText(scan)), hereText(scan), scan.answer?.guest?.category, scan.answer?.guest ? scan.body.barcode : null];
  return el(
    "li",
    { class: scan.undone ? "undone" : null, "data-verdict": verdict, "data-state": scan.state },
    el("span", { class: `mark ${verdict ?? ""}`, "aria-hidden": "true" }, verdict === "accepted" && scan.direction === "exit" ? "→" : (SIGNS[verdict] ?? "…")),
    el("span", { class: "who-line" }, scan.answer?.guest?.name || scan.label),
    el("time", { datetime: scan.body.scanned_at }, clock(scan.body.scanned_at, timeZone)),
    el("span", { class: "detail" }, details.filter(Boolean).join(" · ")),
    scan.state === "failed" && scan.problem?.lost ? el("button", { type: "button", onclick: () => again(scan) }, "Send again") : null,
  );
}

/** Of a scan that was decided on this phone. */
function hereText({ here, conflict, shared }) {
  if (shared) return WARNINGS.code_shared;
  if (conflict) return `let in twice: first ${conflict.device ? `at ${conflict.device}` : "elsewhere"}`;
  if (here === "waiting") return "to be reported";
  return here === "reported" ? "reported" : here;
}

function stateText(scan) {
  if (scan.state === "answered") return headline(scan);
  return { sending: "Checking", waiting: "Waiting for an answer", failed: "Not checked" }[scan.state];
}
