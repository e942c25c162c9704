// One check: what was measured over time, what came of each run, and how far its history was filled.
//
// Failure: as in api.js.

import { count, el } from "./dom.js";
import * as api from "./monitor-api.js";
import { metric } from "./monitor-chart.js";
import { KINDS } from "./monitor-kinds.js";
import { amount, at, band, crumb, link, nothing, outcomeChip, paint, section, span, unitOf } from "./monitor-parts.js";
import { explained, sample } from "./monitor-why.js";
import { button, chip, facts, pages, tell } from "./parts.js";

const HOUR = 3_600_000;
const RANGES = [["1 day", 24], ["7 days", 168], ["30 days", 720], ["90 days", 2160]];
const FILTERS = [["All", ""], ["Fails", "fail"], ["Warns", "warn"], ["Fine", "pass"], ["Left out", "skipped"], ["Errors", "errored"], ["Learning", "learning"]];

let hours = 168;

/** `given.table` is whose check. */
export async function check(id, place, given) {
  const [top, middle, below] = Array.from({ length: 3 }, () => el("div", { class: "stack" }));
  place.replaceChildren(top, middle, below);
  const table = await api.oneTable(given.table);
  let it = null;
  const look = async () => {
    it = await api.oneCheck(table.id, id);
    const points = await historyOf(it, new Date(Date.now() - hours * HOUR), 500);
    document.title = `${it.name} · Pulse`;
    paint(top, head(it, table));
    paint(middle, drawn(it, points, look), filled(it, look));
  };
  await look();
  below.replaceChildren(resultsOf(it));
  return look;
}

/** What was measured since a time. What was not learned is expected inside the limits that are set now. */
export async function historyOf(check, from, points) {
  const limits = limitsOf(check);
  const expected = (point) => (point.low === null && point.high === null ? { ...point, ...limits } : point);
  return (await api.history(check.table_id, check.id, from.toISOString(), points)).map(expected);
}

/** The fixed limits of a check, the narrower ones first. */
export function limitsOf(check) {
  const fixed = [check?.warn, check?.fail].find((one) => one?.kind === "absolute");
  return { low: fixed?.min ?? null, high: fixed?.max ?? null };
}

function head(it, table) {
  return el("div", { class: "stack tight" },
    crumb(link("table", table.id), table.name),
    el("div", { class: "row spread wrap" }, el("h1", {}, it.name), it.enabled ? outcomeChip(it.last_outcome) : chip("Off")),
    it.description ? el("p", {}, it.description) : null,
    el("div", { class: "row wrap actions" },
      el("a", { class: "button", href: link({ table: table.id, edit: it.id }) }, "Edit"),
      el("a", { class: "button", href: link({ silence: "new", check: it.id }) }, "Silence")));
}

function outside({ min, max }, unit) {
  if (min === undefined) return `above ${amount(max, unit)}`;
  return max === undefined ? `below ${amount(min, unit)}` : `outside ${band(min, max, unit)}`;
}

function threshold(limits, unit) {
  if (!limits) return null;
  if (limits.kind === "learned") return `when it is strange, sensitivity ${limits.sensitivity ?? "medium"}`;
  const to = limits.to === "same_hour_last_week" ? "the same hour last week" : "the value before";
  return limits.kind === "relative" ? `when its change from ${to} is ${outside(limits, "share")}` : outside(limits, unit);
}

function drawn(it, points, look) {
  const unit = unitOf(it);
  const choose = el("select", { id: "range", "aria-label": "Time shown" }, RANGES.map(([name, n]) => el("option", { value: n, selected: n === hours }, name)));
  choose.addEventListener("change", () => {
    hours = Number(choose.value);
    look();
  });
  return section("measured", "What was measured", choose,
    it.kind === "schema" ? nothing("It looks at columns; there is no number to draw.") : metric(points, unit, it.name),
    facts([
      ["Kind", KINDS[it.kind]?.name ?? it.kind],
      ["Last", it.last_at && el("span", {}, `${amount(it.last_value, unit)}, `, at(it.last_at))],
      ["Fails", threshold(it.fail, unit)],
      ["Warns", threshold(it.warn, unit)],
      ["Runs", `every ${span(it.every)}`],
      ["People are told", it.for ? `when it is wrong for ${span(it.for)}` : "at once"],
      ["Owner", it.owner],
      ["Runbook", it.runbook_url && el("a", { href: it.runbook_url, rel: "noreferrer" }, it.runbook_url)],
    ]));
}

const BACKFILL = { waiting: "waits for its turn", running: "is being filled, slowly", done: "is filled", given_up: "could not be filled", unavailable: "cannot be filled" };

/** One line about a history that is being filled. */
export function backfillNote(check) {
  const state = check.backfill?.state;
  if (!state || ["unavailable", "done"].includes(state)) return null;
  return el("p", { class: "hint", "data-backfill": state }, `Its history ${BACKFILL[state] ?? state}${check.backfill.points ? `: ${count(check.backfill.points)} values so far` : ""}.`);
}

function filled(it, look) {
  const { backfill } = it;
  const learns = [it.warn, it.fail].some((limits) => limits?.kind === "learned");
  if (!backfill?.state || !learns) return null;
  const fill = button("Fill it again", async () => {
    await api.backfill(it.table_id, it.id);
    tell("The history is filled in the background, a statement every ten seconds. Nobody is told of what is found in it.", "good");
    await look();
  });
  const may = !["unavailable", "running", "waiting"].includes(backfill.state);
  return section("backfill", "History", may ? fill : null,
    el("p", {}, `The history ${BACKFILL[backfill.state] ?? backfill.state}.`, backfill.message ? ` ${backfill.message}` : ""),
    facts([["Values", backfill.points ? count(backfill.points) : null], ["From", backfill.done_from && at(backfill.done_from)], ["Until", backfill.until && at(backfill.until)]]));
}

function resultsOf(it) {
  const place = el("div", { class: "stack" });
  const choose = el("select", { id: "which", "aria-label": "Which runs" }, FILTERS.map(([name, outcome]) => el("option", { value: outcome }, name)));
  const show = async () => {
    const list = el("ul", { class: "plain entries" });
    const { nodes, start } = pages({ load: (cursor) => api.results(it.table_id, it.id, { outcome: choose.value, limit: 25, cursor }), show: (one) => item(one, unitOf(it)), list, empty: "None." });
    place.replaceChildren(...nodes);
    await start();
  };
  choose.addEventListener("change", show);
  show();
  return section("results", "Runs", choose, place);
}

const MARKS = { false_alarm: "called a false alarm", true_alarm: "called a true alarm" };
const ORIGINS = { manual: "by hand", backfill: "from the history" };

function item(one, unit) {
  const { detail } = one;
  const more = [detail?.sql ? el("pre", { tabindex: "0", "aria-label": "Statement" }, detail.sql) : null, sample(detail?.samples), explained(detail?.detector, unit)].filter(Boolean);
  const expected = band(one.low, one.high, unit);
  const hints = [expected && `expected ${expected}`, ORIGINS[one.origin], MARKS[one.mark]];
  return el("li", { class: "stack tight", "data-outcome": one.outcome },
    el("div", { class: "row wrap tight" }, outcomeChip(one.outcome, one.reason), at(one.at), el("strong", {}, one.value === null ? "" : amount(one.value, unit)),
      el("span", { class: "hint" }, hints.filter(Boolean).join(" · "))),
    detail?.text ? el("p", { class: "hint" }, detail.text) : null,
    more.length ? el("details", {}, el("summary", {}, "More"), el("div", { class: "stack tight" }, more)) : null);
}
