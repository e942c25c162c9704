// Alerts and incidents: the list with its filters, one alert with what it saw and why, and what people
// do about it.
//
// Failure: a refused order is told at the top; the alert stays as it was shown.

import { count, el, words } from "./dom.js";
import * as api from "./monitor-api.js";
import { metric } from "./monitor-chart.js";
import { historyOf, limitsOf } from "./monitor-check.js";
import { a, alertChips, alertItem, amount, at, band, crumb, kindWords, link, nothing, paint, section, span, subject, unitOf } from "./monitor-parts.js";
import { incidentItem } from "./monitor-overview.js";
import { explained, sample } from "./monitor-why.js";
import { button, facts, said } from "./parts.js";

const STATES = [["", "All"], ["firing", "Firing"], ["pending", "Pending"], ["resolved", "Over"]];
const SEVERITIES = [["", "All"], ["fail", "Fail"], ["warn", "Warn"]];
const KINDS = [["", "All"], ...["check", "schema", "lag", "connection_down", "misconfigured", "errored"].map((kind) => [kind, kindWords(kind)])];
const HOUR = 3_600_000;

/** The list. The filters are in the address, so that a look can be kept. */
export async function alerts(_, place, given) {
  document.title = "Alerts · Pulse";
  const connections = await api.connections();
  const filter = { state: given.state ?? "firing", severity: given.severity ?? "", kind: given.kind ?? "", connection_id: given.connection_id ?? "" };
  const list = el("ul", { class: "plain entries", id: "alert-list" });
  const status = el("p", { class: "status", role: "status" });
  const more = button("Show more", () => add(), { kind: "quiet" });
  let cursor = null;
  let shown = 50;
  async function read() {
    const page = await api.alerts({ ...filter, limit: Math.min(shown, 200) });
    cursor = page.next_cursor;
    more.hidden = !cursor || shown >= 200;
    paint(list, page.items.map(alertItem));
    status.textContent = page.items.length ? "" : "None.";
  }
  const add = () => {
    shown += 50;
    return read();
  };
  const choose = (name, label, options) => {
    const select = el("select", { id: `by-${name}` }, options.map(([value, text]) => el("option", { value, selected: value === filter[name] }, text)));
    select.addEventListener("change", () => {
      filter[name] = select.value;
      history.replaceState(null, "", link({ view: "alerts", ...filter }));
      read().catch((problem) => (status.textContent = said(problem)));
    });
    return el("div", { class: "field" }, el("label", { for: `by-${name}` }, label), select);
  };
  const open = await api.incidents({ open: true, limit: 20 });
  place.replaceChildren(
    el("h1", {}, "Alerts"),
    el("div", { class: "filters" }, choose("state", "State", STATES), choose("severity", "Severity", SEVERITIES), choose("kind", "About", KINDS),
      choose("connection_id", "Replica", [["", "All"], ...connections.map((one) => [one.id, one.name])])),
    el("section", { class: "card", "aria-label": "Alerts" }, status, list, more),
    open.items.length ? section("incidents", "Open incidents", null, el("ul", { class: "plain entries" }, open.items.map(incidentItem))) : "");
  await read();
  return read;
}

export async function alert(id, place) {
  const [top, middle] = [el("div", { class: "stack" }), el("div", { class: "stack" })];
  place.replaceChildren(top, middle);
  let why = null;
  const look = async () => {
    const it = await api.oneAlert(id);
    document.title = `${subject(it)} · Pulse`;
    if (why?.breached !== it.breached_at) why = { breached: it.breached_at, ...(await reasons(it)) };
    paint(top, head(it, look));
    paint(middle, seen(it, why), about(it, why.check));
  };
  await look();
  return look;
}

/** The check of an alert, what it measured around it, and the run that breached last. */
async function reasons(it) {
  if (!it.check_id) return {};
  try {
    const check = await api.oneCheck(it.table_id, it.check_id);
    const from = new Date(Math.min(Date.parse(it.since) - 24 * HOUR, Date.now() - 24 * HOUR));
    const last = { to: new Date(Date.parse(it.breached_at) + 60_000).toISOString(), limit: 10 };
    const [points, { items }] = await Promise.all([historyOf(check, from, 300), api.results(it.table_id, it.check_id, last)]);
    const breach = items.find((one) => ["fail", "warn", "errored", "misconfigured"].includes(one.outcome)) ?? null;
    return { check, points, breach };
  } catch (problem) {
    if (problem.status === 404) return {}; // the check is gone, the alert is not
    throw problem;
  }
}

function head(it, look) {
  const order = (text, work, kind) => button(text, async () => {
    await work();
    await look();
  }, { kind });
  const over = it.state === "resolved";
  const marked = it.mark?.mark;
  const marks = it.state === "pending" ? [] : [
    marked === "true_alarm" ? null : order("True alarm", () => api.mark(it.id, "true_alarm")),
    marked === "false_alarm" ? null : order("False alarm", () => api.mark(it.id, "false_alarm")),
    marked ? order("Take the mark back", () => api.mark(it.id, null), "quiet") : null];
  return el("div", { class: "stack tight" },
    crumb("/monitor?view=alerts", "Alerts"),
    el("div", { class: "row spread wrap" }, el("h1", {}, subject(it)), el("span", { class: "row wrap tight", role: "status", id: "standing" }, alertChips(it))),
    el("div", { class: "row wrap actions" },
      over || it.acknowledged ? null : order("Acknowledge", () => api.order(it.id, "ack"), "primary"),
      over ? null : order("Resolve", () => api.order(it.id, "resolve")),
      marks,
      el("a", { class: "button", href: link({ silence: "new", ...(it.check_id ? { check: it.check_id } : { on: it.connection_id }) }) }, "Silence")));
}

function seen(it, { check, points, breach }) {
  const { unit, value, said: words_ } = it.evidence;
  const measure = unit ?? (check ? unitOf(check) : "plain");
  const data = ["check", "schema"].includes(it.kind);
  const learned = Number.isFinite(it.evidence.low) || Number.isFinite(it.evidence.high);
  const { low, high } = learned ? it.evidence : limitsOf(data ? check?.[it.severity] && { fail: check[it.severity] } : null);
  return section("evidence", "What was seen", check ? a(link({ table: it.table_id, check: check.id }), "The check") : null,
    words_ ? el("p", { class: "evidence" }, words_) : null,
    facts([
      ["Measured", value !== null && value !== undefined && amount(value, measure)],
      ["Expected", band(low, high, measure)],
      ["As of", it.evidence.as_of && at(it.evidence.as_of)],
    ]),
    data && check && points && check.kind !== "schema" ? metric(points, measure, check.name) : null,
    breach && !data && breach.detail?.text && breach.detail.text !== words_ ? nothing(breach.detail.text) : null,
    sample(breach?.detail?.samples),
    explained(breach?.detail?.detector, measure),
    breach?.detail?.sql ? el("details", {}, el("summary", {}, "Statement"), el("pre", { tabindex: "0", "aria-label": "Statement" }, breach.detail.sql)) : null);
}

const CAUSES = { recovered: "it is well again", by_hand: "somebody said so", removed: "it is not watched any more" };

function about(it, check) {
  const lasted = it.fired_at && it.resolved_at ? span((Date.parse(it.resolved_at) - Date.parse(it.fired_at)) / 1000) : null;
  return section("about", "Alert", null, facts([
    ["About", kindWords(it.kind)],
    ["Replica", a(link("connection", it.connection_id), it.connection)],
    ["Table", it.table && a(link("table", it.table_id), it.table)],
    ["First seen", at(it.since)],
    ["Fired", it.fired_at && at(it.fired_at)],
    ["Runs that breached", count(it.breaches)],
    ["Over", it.resolved_at && el("span", {}, at(it.resolved_at), it.cause ? `: ${CAUSES[it.cause] ?? words(it.cause)}` : "")],
    ["Lasted", lasted],
    ["Acknowledged", it.acknowledged && at(it.acknowledged.at)],
    ["Marked", it.mark && el("span", {}, it.mark.mark === "true_alarm" ? "a true alarm, " : "a false alarm, which the detector learns from, ", at(it.mark.at))],
    ["Nothing is told", it.muted_by && (it.muted_by.by === "silence" ? a("/monitor?view=routing", "because of a silence") : a(link("alert", it.muted_by.id), "because of another alert"))],
    ["Incident", it.incident_id && a(link("incident", it.incident_id), "What began together")],
    ["Owner", check?.owner],
    ["Runbook", check?.runbook_url && el("a", { href: check.runbook_url, rel: "noreferrer" }, check.runbook_url)],
  ]));
}

export async function incident(id, place) {
  const board = el("div", { class: "stack" });
  place.replaceChildren(board);
  const look = async () => {
    const [it, { items }] = await Promise.all([api.oneIncident(id), api.alerts({ incident_id: id, limit: 200 })]);
    document.title = `Incident of ${it.connection} · Pulse`;
    paint(board,
      el("div", { class: "stack tight" }, crumb("/monitor?view=alerts", "Alerts"), el("h1", {}, `Incident of ${it.connection}`)),
      section("about", "Incident", null, facts([
        ["Began", at(it.opened_at)],
        ["Over", it.closed_at ? at(it.closed_at) : "not yet"],
        ["Alerts", `${count(it.alert_count)}, ${count(it.firing)} of them firing`],
        ["Messages", `${count(it.messages)} sent`],
        ["Taken in by", it.absorbed_by && a(link("incident", it.absorbed_by), "another incident")],
      ])),
      section("alerts", "Its alerts", null, items.length ? el("ul", { class: "plain entries" }, items.map(alertItem)) : nothing("None.")));
  };
  await look();
  return look;
}
