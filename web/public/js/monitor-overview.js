// How everything stands: open alerts, incidents, connections with what they may still be asked, and how
// quiet the channels are.
//
// Failure: what cannot be read is left out or says so in its place; the rest is shown.

import { count, el, words } from "./dom.js";
import * as api from "./monitor-api.js";
import { weeks } from "./monitor-chart.js";
import { a, ago, alertItem, connectionState, link, many, nothing, paint, section, span } from "./monitor-parts.js";
import { chip } from "./parts.js";

const SHOWN = 8;
/** Impacts are read for so many connections, and anew when they have been asked since. */
const IMPACTS = 24;
const hourOf = (time) => Math.floor(time / 3_600_000);

export async function overview(_, place) {
  document.title = "Monitor · Pulse";
  const board = el("div", { class: "stack", id: "overview" });
  place.replaceChildren(
    el("div", { class: "row spread wrap" }, el("h1", {}, "Monitor"), el("a", { class: "button primary", href: link("connect", "new") }, "Connect a replica")),
    board);
  const costs = new Map();
  const look = async () => show(board, await read(costs));
  await look();
  return look;
}

async function read(costs) {
  const [connections, firing, pending, incidents, health, quietness] = await Promise.all([
    api.connections(), api.alerts({ state: "firing", limit: 200 }), api.alerts({ state: "pending", limit: 1 }), api.incidents({ open: true, limit: 50 }), stalledOr(api.health()), quiet()]);
  const stale = connections.slice(0, IMPACTS).filter(({ id, last_run_at: ran }) => costs.get(id)?.ran !== ran || hourOf(Date.now()) !== costs.get(id).hour);
  await Promise.all(stale.map(async ({ id, last_run_at: ran }) => costs.set(id, { ran, hour: hourOf(Date.now()), ...(await api.impact(id).catch(() => null)) })));
  const alerts = [...firing.items].sort((one, other) => (one.severity === other.severity ? 0 : one.severity === "fail" ? -1 : 1));
  return { connections, alerts, more: Boolean(firing.next_cursor), waiting: pending.items.length > 0, incidents: incidents.items, health, quietness, costs };
}

/** A schedule that stands still is told with 503, and is an answer all the same. */
const stalledOr = (asked) => asked.catch((problem) => (problem.body?.late_seconds === undefined ? { status: "unknown" } : problem.body));

/** Not everybody may see it. */
export const quiet = () => api.quietness().catch(() => []);

function show(board, seen) {
  if (!seen.connections.length) return paint(board, welcome());
  paint(board, figures(seen), el("div", { class: "grid" }, alertsOf(seen), el("div", { class: "stack" }, incidentsOf(seen), quietSection(seen.quietness))), connectionsOf(seen));
}

const welcome = () =>
  el("section", { class: "card stack" }, el("h2", {}, "Nothing is watched yet"),
    el("p", {}, "Connect a read replica: Pulse asks it a few small questions a minute, within a budget, and production nothing."),
    el("p", {}, a(link("connect", "new"), "Connect the first replica")));

function figures({ connections, alerts, more, waiting, incidents, health }) {
  const fails = alerts.filter((alert) => alert.severity === "fail").length;
  const late = lateness(health);
  const well = connections.filter((one) => connectionState(one, late.get(one.id))[1] === "good").length;
  const on = connections.filter((one) => one.enabled).length;
  const stat = (name, title, figure, small, kind) =>
    el("article", { class: "card stat" }, el("h2", {}, title), el("p", { class: `figure ${kind}`.trim(), "data-stat": name }, figure, small ? el("small", {}, ` ${small}`) : null));
  const stalled = health.status === "stalled";
  return el("div", { class: "stats even", role: "region", "aria-label": "Figures" },
    stat("fail", "Failing", `${count(fails)}${more ? "+" : ""}`, null, fails ? "bad" : ""),
    stat("warn", "Warning", count(alerts.length - fails), waiting ? "and some pending" : null, alerts.length - fails ? "warn" : ""),
    stat("incidents", "Open incidents", count(incidents.length), null, ""),
    stat("connections", "Replicas that are well", count(well), `of ${count(on)}`, well < on ? "warn" : ""),
    stat("schedule", "Schedule", stalled ? "Late" : health.status === "ok" ? "On time" : "?", stalled ? lateBy(health) : null, stalled ? "bad" : ""));
}

/** By how much; when no connection is late, it is the minute tick that stands still. */
const lateBy = ({ late_seconds: late, tick_age_seconds: tick }) => (late ? `by ${span(late)}` : tick ? `no tick for ${span(tick)}` : "no tick yet");

const lateness = (health) => new Map((health.late ?? []).map((one) => [one.id, one.late_seconds]));

function alertsOf({ alerts }) {
  const shown = alerts.slice(0, SHOWN);
  const all = a("/monitor?view=alerts", alerts.length > SHOWN ? `All ${count(alerts.length)}` : "All alerts");
  return section("alerts", "Open alerts", all, shown.length ? el("ul", { class: "plain entries" }, shown.map(alertItem)) : nothing("None. Nothing that is watched is wrong."));
}

function incidentsOf({ incidents }) {
  return section("incidents", "Open incidents", null,
    incidents.length ? el("ul", { class: "plain entries" }, incidents.slice(0, SHOWN).map(incidentItem)) : nothing("None."));
}

const SCOPES = { table: "one table", tables: "several tables", connection: "the connection" };

export const incidentItem = (incident) =>
  el("li", {}, el("a", { href: link("incident", incident.id) },
    el("span", { class: "row wrap tight" }, chip(incident.closed_at ? "Over" : `${count(incident.firing)} firing`, incident.closed_at ? "good" : "bad"), el("strong", {}, incident.connection)),
    el("time", { class: "hint", datetime: incident.opened_at }, ago(incident.opened_at)),
    el("span", { class: "hint" }, `${SCOPES[incident.scope.of] ?? incident.scope.of}, ${many(incident.alert_count, "alert")}, ${many(incident.messages, "message")}`)));

const LEVELS = { quiet: ["Quiet", "good"], noisy: ["Noisy", "warn"], ignored: ["Too noisy to be read", "bad"] };

/** How many alerts each channel was told of. Newest week first or last: times tell. */
export function quietSection(quietness) {
  const item = ({ channel_id: id, name, weeks: list }) => {
    const ordered = [...list].sort((one, other) => Date.parse(one.until) - Date.parse(other.until));
    const last = ordered.at(-1) ?? { alerts: 0, messages: 0, false_alarms: 0, level: "quiet" };
    const numbers = ordered.map((week) => week.alerts);
    const told = [many(last.alerts, "alert"), `in ${many(last.messages, "message")}`, last.false_alarms > 0 && `, ${count(last.false_alarms)} of them called false`];
    return el("li", { class: "quiet-channel" },
      el("span", {}, el("strong", {}, name ?? (id ? "A channel that is gone" : "Addresses of routes")), el("span", { class: "hint" }, ` ${told.filter(Boolean).join(" ").replace(" ,", ",")}`)),
      el("span", { class: "row" }, weeks(numbers, `Alerts a week, oldest first: ${numbers.join(", ")}`), chip(...(LEVELS[last.level] ?? [words(last.level), ""]))));
  };
  return section("quietness", "Quietness, last seven days", null,
    quietness.length ? el("ul", { class: "plain entries" }, quietness.map(item)) : nothing("Nobody was told anything."));
}

function connectionsOf({ connections, alerts, health, costs }) {
  const late = lateness(health);
  const item = (one) => {
    const [text, kind] = connectionState(one, late.get(one.id));
    const open = alerts.filter((alert) => alert.connection_id === one.id).length;
    return el("li", { class: "card connection", "data-connection": one.id },
      el("div", { class: "row spread wrap head" }, el("h3", {}, a(link("connection", one.id), one.name)), chip(text, kind)),
      kind === "bad" ? el("p", { class: "hint" }, one.last_error) : null,
      el("p", { class: "hint" }, [
        `${one.host}/${one.database}`,
        one.lag_ms !== null && `${span(one.lag_ms / 1000)} behind`,
        one.last_ok_at && `answered ${ago(one.last_ok_at)}`,
        open > 0 && many(open, "open alert")].filter(Boolean).join(" · ")),
      budget(costs.get(one.id), one));
  };
  return el("section", { class: "stack", id: "connections", "aria-labelledby": "connections-title" },
    el("h2", { id: "connections-title" }, "Replicas"), el("ul", { class: "plain cards" }, connections.map(item)));
}

const MEASURES = ["statements", "milliseconds", "buffers"];

/** What is spent of this hour's budget: the measure of which most is. */
export function budget(cost, connection) {
  if (!cost?.hours) return null;
  const hour = cost.hours.find((one) => hourOf(Date.parse(one.hour)) === hourOf(Date.now())) ?? {};
  const shares = MEASURES.map((measure) => [measure, (hour[measure] ?? 0) / cost.budget[measure]]);
  const [measure, share] = shares.reduce((most, one) => (one[1] > most[1] ? one : most));
  const percent = share === 0 ? "0" : share < 0.01 ? "under 1" : String(Math.round(share * 100));
  const name = { statements: "statements", milliseconds: "time", buffers: "buffers" }[measure];
  return el("div", { class: "budget" },
    el("progress", { max: 1, value: Math.min(share, 1), "aria-label": `Budget of ${connection.name} used this hour` }),
    el("span", { class: "hint" }, `${percent} % of this hour's budget${share ? `, by ${name}` : ""}`));
}
