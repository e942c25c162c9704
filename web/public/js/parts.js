// What the pages of reports and of the monitor share: times, chips, facts, tables, questions, lists.
//
// Invariant: everything that is shown is a text node.
// Failure: what goes wrong behind a button is told at the top of the page.

import { byId, el, setText } from "./dom.js";

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
