// What the views of reports share: addresses, how things stand, mail in a frame, files.
//
// Invariant: mail is a stranger's text. It is shown in a sandboxed frame, without scripts, forms or
// an origin; everything else is a text node.

import { el } from "./dom.js";

export const link = (name, value) => `/reports?${name}=${encodeURIComponent(value)}`;

/** What a clock shows, of `2027-03-14T03:00:00-04:00`: `{day, time}`. */
export function wall(local) {
  const [date, time] = [local.slice(0, 10), local.slice(11, 16)];
  const day = new Date(`${date}T00:00:00Z`).toLocaleDateString("en-GB", { timeZone: "UTC", weekday: "short", day: "numeric", month: "short", year: "numeric" });
  return { day, time, short: new Date(`${date}T00:00:00Z`).toLocaleDateString("en-GB", { timeZone: "UTC", day: "numeric", month: "short" }) };
}

/** Where a run stands, in words and in a colour. */
export function standing(run) {
  if (run.review === "pending") return ["Held for review", "warn"];
  if (run.state === "created") return [run.buffered ? "Waits for the run before" : "About to start", ""];
  if (run.state === "running") return [run.nextAttemptAt && run.error ? "Will be tried again" : `Running: ${run.stage}`, run.error ? "warn" : ""];
  if (run.result === "error") return ["Failed", "bad"];
  if (run.result === "canceled") return [run.review === "rejected" ? "Rejected" : "Canceled", ""];
  return run.skipped ? [`Not sent: ${SKIPPED[run.skipped] ?? run.skipped}`, ""] : ["Done", "good"];
}

const SKIPPED = { empty: "nothing to report", condition: "its condition does not hold", no_recipients: "nobody is to get it", delivery_off: "made without delivery" };

export const skippedWords = (code) => SKIPPED[code] ?? code;

/** How a report stands. */
export function reportState(report) {
  if (report.pausedAt) return [report.pauseReason === "failures" ? "Paused after failures" : "Paused", report.pauseReason === "failures" ? "bad" : "warn"];
  if (!report.enabled) return ["Off", ""];
  return report.failures > 0 ? [`Active · ${report.failures} failed in a row`, "warn"] : ["Active", "good"];
}

/** HTML of a mail in a frame that can do nothing. `files` are those that it may show by `cid:`. */
export function mail(html, files = [], title = "The report as it is sent") {
  const shown = files.reduce((text, { id, type, content }) => (id ? text.replaceAll(`cid:${id}`, `data:${type};base64,${content}`) : text), html);
  return el("iframe", { class: "mail", sandbox: "", title, srcdoc: shown });
}

/** Links that save files: `{name, type, content}` in base64. */
export function downloads(files) {
  if (!files.length) return null;
  const item = ({ name, type, content }) => {
    const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
    return el("li", {}, el("a", { href: URL.createObjectURL(new Blob([bytes], { type })), download: name }, name));
  };
  return el("div", {}, el("h3", {}, "Files"), el("ul", {}, files.map(item)));
}
