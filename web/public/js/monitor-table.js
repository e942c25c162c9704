// One watched table: its checks with what was measured, running them now or for trial, and what is said
// of the table.
//
// Failure: what a run was refused for is told at the top; the checks stay as they were shown.

import { checkForm, count, el, submitting } from "./dom.js";
import * as api from "./monitor-api.js";
import { backfillNote, historyOf } from "./monitor-check.js";
import { metric } from "./monitor-chart.js";
import { labelLines, labels, lines, placed, text, typed } from "./monitor-fields.js";
import { KINDS } from "./monitor-kinds.js";
import { a, alertItem, amount, at, band, crumb, link, nothing, outcomeChip, paint, section, span, unitOf } from "./monitor-parts.js";
import { explained, sample } from "./monitor-why.js";
import { ask, button, chip, facts, table as grid, tell } from "./parts.js";

const DAY = 86_400_000;
/** Charts are read for so many checks of a page, and each anew only when it has run since. */
const CHARTS = 40;

export async function table(id, place) {
  const [top, ran, middle, below] = Array.from({ length: 4 }, () => el("div", { class: "stack" }));
  ran.id = "ran";
  ran.setAttribute("aria-live", "polite");
  place.replaceChildren(top, ran, middle, below);
  const charts = new Map();
  let it = null;
  const look = async () => {
    const [one, checks, alerts] = await Promise.all([api.oneTable(id), api.checks(id), api.alerts({ table_id: id, state: "firing", limit: 20 })]);
    it = one;
    await Promise.all(checks.slice(0, CHARTS).map((check) => chart(check, charts)));
    document.title = `${one.name} · Pulse`;
    const connection = await connectionOf(one, charts);
    paint(top, head(one, connection, checks, { look, ran }));
    paint(middle, alertsOf(alerts.items), checksOf(one, checks, charts, look));
  };
  await look();
  below.replaceChildren(columnsOf(it), facing(it, look));
  return look;
}

async function connectionOf(it, charts) {
  if (!charts.has("connection")) charts.set("connection", await api.oneConnection(it.connection_id).catch(() => null));
  return charts.get("connection");
}

/** What the chart of a check shows; what was read stands until there is another result. */
async function chart(check, charts) {
  const known = charts.get(check.id);
  const state = `${check.last_at} ${check.backfill?.points ?? ""} ${check.backfill?.state ?? ""}`;
  if (known?.state === state) return;
  charts.set(check.id, { state, points: await historyOf(check, new Date(Date.now() - 7 * DAY), 200) });
}

const nameOf = (it) => (it.schema === "public" ? it.name : `${it.schema}.${it.name}`);

function head(it, connection, checks, { look, ran }) {
  const remove = async () => {
    if (!(await ask(`Stop watching “${nameOf(it)}”? Its checks and all that came of them are forgotten.`, "Stop watching"))) return;
    await api.unwatch(it.id);
    location.replace(link("connection", it.connection_id));
  };
  const onOff = async () => {
    await api.changeTable(it.id, null, { enabled: !it.enabled });
    await look();
  };
  const runNow = async () => {
    ran.replaceChildren(el("p", { class: "note" }, "Asking the replica…"));
    await outcomes(ran, () => api.run(it.id), checks, false);
    await look();
  };
  const trial = async () => {
    ran.replaceChildren(el("p", { class: "note" }, "Asking the replica; nothing is kept…"));
    await outcomes(ran, () => api.dryRun(it.id), checks, true);
  };
  return el("div", { class: "stack tight" },
    crumb(link("connection", it.connection_id), connection?.name ?? "Connection"),
    el("div", { class: "row spread wrap" }, el("h1", {}, nameOf(it)), it.enabled ? null : chip("Off")),
    it.description ? el("p", {}, it.description) : null,
    el("div", { class: "row wrap actions" },
      el("a", { class: "button primary", href: link({ table: it.id, edit: "new" }) }, "Add a check"),
      checks.length ? button("Run now", runNow) : null,
      checks.length ? button("Dry run", trial) : null,
      button(it.enabled ? "Pause" : "Resume", onOff),
      button("Stop watching", remove, { kind: "danger" })));
}

async function outcomes(place, run, checks, trial) {
  try {
    const results = await run();
    place.replaceChildren(section("outcome", trial ? "Dry run: nothing was kept, and nobody was told" : "What came of it", button("Close", () => place.replaceChildren(), { kind: "quiet" }),
      results.length ? results.map((one) => outcome(one, checks.find((check) => check.id === one.check_id), trial)) : nothing("No check is on.")));
  } catch (problem) {
    place.replaceChildren();
    throw problem;
  }
}

/** What came of a check: for a trial, with the statement, its cost, and what would have been told. */
function outcome(one, check, trial) {
  const unit = check ? unitOf(check) : "plain";
  const { detail } = one;
  const would = { fail: "An alert would open or go on.", warn: "A warning would open or go on.", pass: "Nobody would be told." }[one.outcome] ?? "It says nothing about the data.";
  return el("article", { class: "ran stack tight", "data-check": one.check_id },
    el("div", { class: "row wrap tight" }, el("h3", {}, check?.name ?? "Check"), outcomeChip(one.outcome, one.reason)),
    detail?.text ? el("p", {}, detail.text) : null,
    facts([
      ["Measured", one.value !== null && amount(one.value, unit)],
      ["Expected", band(one.low, one.high, unit)],
      ["As of", one.as_of && at(one.as_of)],
      ["Plan cost", detail?.cost && count(Math.round(detail.cost))],
      ["Buffers", one.buffers && `about ${count(one.buffers)}`],
      ["Took", one.duration_ms !== null && span(one.duration_ms / 1000)],
      ["What follows", trial && would],
    ]),
    detail?.sql ? el("details", { open: trial }, el("summary", {}, "Statement"), el("pre", { tabindex: "0", "aria-label": "Statement" }, detail.sql)) : null,
    sample(detail?.samples), explained(detail?.detector, unit));
}

const alertsOf = (alerts) => (alerts.length ? section("alerts", "Open alerts", null, el("ul", { class: "plain entries" }, alerts.map(alertItem))) : null);

function checksOf(it, checks, charts, look) {
  if (!checks.length) return section("checks", "Checks", null, el("p", {}, "Nothing is checked yet. Often first: ", suggestion(it, "freshness"), ", ", suggestion(it, "volume"), ", ", suggestion(it, "schema"), "."));
  return el("section", { class: "stack", id: "checks", "aria-labelledby": "checks-title" }, el("h2", { id: "checks-title" }, "Checks"),
    el("div", { class: "checks" }, checks.map((check) => card(it, check, charts.get(check.id)?.points ?? [], look))));
}

const suggestion = (it, kind) => a(link({ table: it.id, edit: "new", kind }), KINDS[kind].name.toLowerCase());

function card(it, check, points, look) {
  const unit = unitOf(check);
  const remove = async () => {
    if (!(await ask(`Delete “${check.name}” and all that came of it?`, "Delete"))) return;
    await api.removeCheck(it.id, check.id);
    await look();
  };
  const last = check.last_value !== null && check.last_value !== undefined ? amount(check.last_value, unit) : null;
  return el("article", { class: "card stack tight", "data-check": check.id },
    el("div", { class: "row spread wrap tight head" }, el("h3", {}, a(link({ table: it.id, check: check.id }), check.name)), check.enabled ? outcomeChip(check.last_outcome) : chip("Off")),
    el("p", { class: "hint" }, [KINDS[check.kind]?.name ?? check.kind, `every ${span(check.every)}`, last && `last ${last}`].filter(Boolean).join(" · "), check.last_at ? [", ", at(check.last_at)] : ""),
    check.kind === "schema" ? null : metric(points, unit, check.name),
    backfillNote(check),
    el("div", { class: "row wrap actions" },
      el("a", { class: "button", href: link({ table: it.id, edit: check.id }), "aria-label": `Edit ${check.name}` }, "Edit"),
      named(button("Delete", remove, { kind: "danger" }), `Delete ${check.name}`)));
}

function named(node, label) {
  node.setAttribute("aria-label", label);
  return node;
}

/** The columns as they were last seen. */
function columnsOf(it) {
  const seen = Array.isArray(it.columns) ? it.columns : it.columns?.columns;
  if (!Array.isArray(seen) || !seen.length) return "";
  const row = (one) => [one.name, el("code", {}, one.type ?? ""), one.nullable ? "yes" : "no"];
  return section("columns", "Columns", it.columns_at ? el("span", { class: "hint" }, "as of ", at(it.columns_at)) : null,
    el("details", {}, el("summary", {}, `${count(seen.length)} columns`), grid("Columns", ["Column", "Type", "Null"], seen.map(row))));
}

/** What is said of the table, to change. */
function facing(it, look) {
  const form = el("form", { class: "stack", novalidate: true, "aria-label": "What is said of the table" },
    lines("/description", "What it holds", { value: it.description ?? "", rows: 2 }),
    el("div", { class: "columns" }, text("/owner", "Owner", { value: it.owner ?? "" }), text("/runbook_url", "Runbook", { type: "url", value: it.runbook_url ?? "" })),
    lines("/labels", "Labels", { value: labelLines(it.labels), rows: 2, hint: "name=value, one a line; those of a check come on top" }),
    el("p", { class: "form-error", role: "alert", hidden: true }),
    el("div", {}, el("button", { type: "submit" }, "Save")));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (!checkForm(form)) return;
    const input = { labels: labels(typed(form, "/labels")) };
    for (const name of ["description", "owner", "runbook_url"]) input[name] = typed(form, `/${name}`) ?? null;
    const done = await submitting(form, () => placed(form, () => api.changeTable(it.id, null, input)));
    if (!done) return;
    tell("Saved.", "good");
    await look();
  });
  return section("said", "For whoever is told", null, el("details", {}, el("summary", {}, "Description, owner, runbook, labels"), form));
}
