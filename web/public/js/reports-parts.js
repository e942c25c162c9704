// What the views of reports share: times, chips, facts, questions, mail in a frame.
//
// Invariant: mail is a stranger's text. It is shown in a sandboxed frame, without scripts, forms or
// an origin; everything else is a text node.

import { byId, el, setText } from "./dom.js";

export const link = (name, value) => `/reports?${name}=${encodeURIComponent(value)}`;

const STYLE = { weekday: "short", day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23" };

/** An instant by the clock of a zone, which is named; by UTC where the browser does not know the zone. */
export function when(instant, zone) {
  if (!instant) return "";
  const date = new Date(instant);
  try {
    return `${date.toLocaleString("en-GB", { ...STYLE, timeZone: zone ?? "UTC" })} ${zone ?? "UTC"}`;
  } catch {
    return `${date.toLocaleString("en-GB", { ...STYLE, timeZone: "UTC" })} UTC`;
  }
}

/** What a clock shows, of `2027-03-14T03:00:00-04:00`: `{day, time}`. */
export function wall(local) {
  const [date, time] = [local.slice(0, 10), local.slice(11, 16)];
  const day = new Date(`${date}T00:00:00Z`).toLocaleDateString("en-GB", { timeZone: "UTC", weekday: "short", day: "numeric", month: "short", year: "numeric" });
  return { day, time, short: new Date(`${date}T00:00:00Z`).toLocaleDateString("en-GB", { timeZone: "UTC", day: "numeric", month: "short" }) };
}

export const chip = (text, kind = "") => el("span", { class: `chip ${kind}`.trim() }, text);

/** Pairs of a name and what stands there; pairs without anything are left out. */
export function facts(pairs) {
  const there = pairs.filter(([, value]) => value !== null && value !== undefined && value !== "" && value !== false);
  return el("dl", { class: "facts" }, there.flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));
}

/** A table with a head; each row is a list of texts or elements. */
export function table(caption, head, rows) {
  const cells = (row) => el("tr", {}, row.map((cell) => el("td", {}, cell ?? "")));
  const names = el("tr", {}, head.map((name) => el("th", { scope: "col" }, name)));
  return el("div", { class: "scrolls", tabindex: "0", role: "region", "aria-label": caption },
    el("table", {}, el("caption", { class: "unseen" }, caption), el("thead", {}, names), el("tbody", {}, rows.map(cells))));
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

/** Asks before something that cannot be undone. */
export function ask(text, yes) {
  const dialog = byId("question");
  setText(byId("question-text"), text);
  setText(byId("question-yes"), yes);
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((done) => dialog.addEventListener("close", () => done(dialog.returnValue === "yes"), { once: true }));
}

/** Tells what happened, or what went wrong, at the top of the page. */
export function tell(text, kind = "") {
  const message = byId("message");
  message.className = `note ${kind}`.trim();
  message.hidden = !text;
  setText(message, text ?? "");
  if (text) message.scrollIntoView({ block: "nearest" });
}

/** A problem in one line, each wrong field with its name. */
export const said = (problem) => (problem.errors?.length ? problem.errors.map((error) => error.message).join(" ") : problem.message);

/** A button that is off while its work is under way; what goes wrong is told at the top. */
export function button(text, work, { kind = "" } = {}) {
  const node = el("button", { type: "button", class: kind || null }, text);
  node.addEventListener("click", async () => {
    node.disabled = true;
    tell(null);
    try {
      await work(node);
    } catch (problem) {
      tell(said(problem), "bad");
    } finally {
      node.disabled = false;
    }
  });
  return node;
}

/** A list that grows page by page: `load(cursor)` answers a page, `show` makes an element of an item. */
export function pages({ load, show, list, empty }) {
  const status = el("p", { class: "status", role: "status" }, "Loading…");
  const more = button("Show more", () => add(cursor), { kind: "quiet" });
  let cursor = null;
  more.hidden = true;
  async function add(from) {
    try {
      const page = await load(from);
      list.append(...page.items.map(show));
      cursor = page.next_cursor;
      more.hidden = !cursor;
      setText(status, list.children.length ? "" : empty);
    } catch (problem) {
      setText(status, said(problem));
      if (problem.status === 401) throw problem;
    }
  }
  return { nodes: [status, list, more], start: () => add(null) };
}
