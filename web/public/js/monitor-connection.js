// One connection: how it stands, its test in words, what it was asked, what is watched through it, and
// what else the replica holds.
//
// Invariant: the replica is asked only when somebody wants to see what it holds, or tests it.
// Failure: what keeps it from being asked is told in words, with the statement to run where there is one.

import { byId, checkForm, count, el, submitting } from "./dom.js";
import * as api from "./monitor-api.js";
import { browser } from "./monitor-browse.js";
import { shownAs, spent } from "./monitor-chart.js";
import { a, alertItem, at, connectionState, copyable, crumb, link, nothing, paint, section, skippedWords, span } from "./monitor-parts.js";
import { budget } from "./monitor-overview.js";
import { rotation } from "./monitor-sql.js";
import { ask, button, chip, facts, table, tell } from "./parts.js";

let measure = "statements";

export async function connection(id, place, given) {
  const [top, tested, middle, browse, below] = Array.from({ length: 5 }, () => el("div", { class: "stack" }));
  tested.setAttribute("aria-live", "polite");
  place.replaceChildren(top, tested, middle, browse, below);
  let it = null;
  const look = async () => {
    const [one, impact, tables, alerts, late] = await Promise.all([
      api.oneConnection(id), api.impact(id), api.tables(id), api.alerts({ connection_id: id, state: "firing", limit: 20 }), lateBy(id)]);
    it = one;
    document.title = `${it.name} · Pulse`;
    paint(top, head(it, late, { look, test }));
    paint(middle, el("div", { class: "grid even" }, about(it), asked(it, impact, look)), alertsOf(alerts.items), watched(tables));
    return tables;
  };
  const test = () => show(tested, id, look);
  const tables = await look();
  browse.replaceChildren(browser(it, tables, look));
  below.replaceChildren(password(() => it, look));
  if (given.test) await test();
  return look;
}

async function lateBy(id) {
  const health = await api.health().catch((problem) => problem.body);
  return health?.late?.find((one) => one.id === id)?.late_seconds ?? 0;
}

function head(it, late, { look, test }) {
  const remove = async () => {
    if (!(await ask(`Remove “${it.name}” with its tables, their checks, and all that came of them?`, "Remove"))) return;
    await api.removeConnection(it.id);
    location.replace("/monitor");
  };
  const onOff = async () => {
    await api.changeConnection(it.id, null, { enabled: !it.enabled });
    await look();
  };
  return el("div", { class: "stack tight" },
    crumb("/monitor", "Monitor"),
    el("div", { class: "row spread wrap" }, el("h1", {}, it.name), el("span", { role: "status", id: "standing" }, chip(...connectionState(it, late)))),
    it.last_error ? el("p", { class: "note bad" }, it.last_error) : null,
    el("div", { class: "row wrap actions" },
      button("Test", test, { kind: "primary" }),
      el("a", { class: "button", href: link("connect", it.id) }, "Edit"),
      button(it.enabled ? "Pause" : "Resume", onOff),
      button("Remove", remove, { kind: "danger" })));
}

async function show(tested, id, look) {
  tested.replaceChildren(el("p", { class: "note" }, "Signing in to the replica…"));
  try {
    tested.replaceChildren(result(await api.testConnection(id)));
  } catch (problem) {
    tested.replaceChildren();
    throw problem;
  } finally {
    await look();
  }
}

const CODES = {
  not_a_replica: "This is not a replica", wrong_password: "The password is wrong", no_route: "It cannot be reached", tls_refused: "It does not encrypt",
  certificate_untrusted: "Its certificate is not trusted", unknown_database: "There is no such database", privilege_missing: "A privilege is missing",
  not_admitted: "It does not let the role in", too_many_connections: "It has no room",
};

/** What a test found, in words. */
export function result(found) {
  const advice = found.advice.map((one) => el("li", { class: "stack tight" }, el("p", {}, one.message), one.sql ? copyable(`${one.sql};`, "Run on the primary") : null));
  const replica = found.in_recovery === false ? "a primary, which its owner lets be asked" : "a replica";
  const title = found.ok ? "It answers" : (CODES[found.code] ?? "It cannot be asked");
  return el("section", { class: `card stack tested ${found.ok ? "well" : "unwell"}`, id: "tested", "aria-labelledby": "tested-title" },
    el("div", { class: "row spread wrap head" }, el("h2", { id: "tested-title" }, title), chip(found.ok ? "OK" : (found.code ?? "failed"), found.ok ? "good" : "bad")),
    el("p", {}, found.ok ? `Postgres ${found.server_version}, ${replica}, ${found.encrypted ? "over an encrypted connection" : "not encrypted"}, in ${span(found.took_ms / 1000)}.` : found.message),
    found.server_message && found.server_message !== found.message ? el("p", { class: "hint" }, `The server says: ${found.server_message}`) : null,
    advice.length ? el("h3", {}, "What would be better") : null,
    advice.length ? el("ul", { class: "plain stack" }, advice) : null);
}

function about(it) {
  return section("about", "Connection", null, facts([
    ["Server", `${it.host}:${it.port}`],
    ["Database", `${it.database}, as ${it.username}`],
    ["Encryption", it.sslmode === "require" ? "required, certificate verified" : "none"],
    ["A primary", it.allow_primary && `may be asked: ${it.primary_reason ?? ""}`],
    ["Postgres", it.server_version],
    ["Behind", it.lag_ms === null ? null : `${span(it.lag_ms / 1000)} at most; above ${span(it.lag_limit_seconds)} nothing is judged`],
    ["Last asked", it.last_run_at && at(it.last_run_at)],
    ["Last answer", it.last_ok_at && at(it.last_ok_at)],
    ["Next", it.enabled && it.due_at ? at(it.due_at) : null],
    ["Budget", `${count(it.budget.statements)} statements, ${span(it.budget.milliseconds / 1000)}, ${count(it.budget.buffers)} buffers an hour`],
  ]));
}

/** What Pulse cost the replica. */
function asked(it, impact, look) {
  const names = [["statements", "statements"], ["milliseconds", "time"], ["buffers", "buffers"]];
  const choose = el("select", { id: "measure", "aria-label": "Measure" }, names.map(([value, name]) => el("option", { value, selected: value === measure }, name)));
  choose.addEventListener("change", () => {
    measure = choose.value;
    look();
  });
  const skipped = new Map();
  for (const hour of impact.hours) for (const [why, n] of Object.entries(hour.skipped ?? {})) skipped.set(why, (skipped.get(why) ?? 0) + n);
  const runs = impact.hours.reduce((sum, hour) => sum + hour.runs, 0);
  const left = [...skipped].map(([why, n]) => `${count(n)} ${skippedWords(why)}`).join(", ");
  const rows = impact.hours.slice(0, 24).map((hour) => [at(hour.hour), count(hour.runs), count(hour.statements), shownAs(hour.milliseconds, "milliseconds"), count(hour.buffers)]);
  return section("impact", "What it was asked", choose,
    budget(impact, it),
    spent(impact.hours, measure, impact.budget[measure]),
    facts([["Runs", `${count(runs)} in seven days`], ["Left out", left]]),
    rows.length ? el("details", {}, el("summary", {}, "By the hour"), table("Impact by the hour", ["Hour", "Runs", "Statements", "Time", "Buffers"], rows)) : null);
}

const alertsOf = (alerts) => (alerts.length ? section("alerts", "Open alerts", null, el("ul", { class: "plain entries" }, alerts.map(alertItem))) : null);

function watched(tables) {
  const row = (one) => {
    const { total, failing, warning } = one.checks;
    const state = !one.enabled ? chip("Off") : failing ? chip(`${failing} failing`, "bad") : warning ? chip(`${warning} warning`, "warn") : total ? chip("Fine", "good") : chip("No checks yet");
    return [a(link("table", one.id), one.schema === "public" ? one.name : `${one.schema}.${one.name}`), count(total), state, one.owner ?? ""];
  };
  return section("watched", "Watched tables", null, tables.length ? table("Watched tables", ["Table", "Checks", "State", "Owner"], tables.map(row)) : nothing("None yet: pick one below."));
}

/** Another password: first the server gets it, then we. */
function password(current, look) {
  const form = el("form", { class: "card stack", id: "rotate", novalidate: true, "aria-labelledby": "rotate-title" },
    el("h2", { id: "rotate-title" }, "Rotate the password"),
    copyable(rotation(current()), "Run on the primary, with the new password"),
    el("div", { class: "field short" }, el("label", { for: "new-password" }, "New password"),
      el("input", { id: "new-password", name: "password", type: "password", autocomplete: "new-password", required: true, maxlength: 1000 })),
    el("p", { class: "form-error", role: "alert", hidden: true }),
    el("div", {}, el("button", { type: "submit" }, "Use it from now on")));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (!checkForm(form)) return;
    const done = await submitting(form, () => api.changeConnection(current().id, null, { password: byId("new-password").value }));
    if (!done) return;
    byId("new-password").value = "";
    tell("The new password is used from now on. It is sealed, and is never shown.", "good");
    await look();
  });
  return form;
}
