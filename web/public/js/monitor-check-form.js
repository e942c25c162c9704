// The form of a check: which fields there are is up to its kind.
//
// Invariant: fields that a kind does not have are not there, so nothing is sent that it would refuse.
// Failure: every wrong field is told at the field, also those of the settings.

import { checkForm as fine, el, submitting } from "./dom.js";
import * as api from "./monitor-api.js";
import { check, choice, columns, form as formOf, group, labelLines, labels, lines, listed, placed, text, typed } from "./monitor-fields.js";
import { KINDS, among, fieldsOf, settingsOf } from "./monitor-kinds.js";
import { crumb, link, nothing } from "./monitor-parts.js";

const EVERY = [[60, "every minute"], [300, "every 5 minutes"], [900, "every 15 minutes"], [3600, "every hour"], [21600, "every 6 hours"], [86400, "every day"]];
const WHILE = [[0, "at once"], [60, "1 minute"], [300, "5 minutes"], [600, "10 minutes"], [1800, "30 minutes"], [3600, "1 hour"], [21600, "6 hours"], [86400, "1 day"]];
const INSIDE = [[0, "within its limits"], [0.05, "5 % inside its limits"], [0.1, "10 % inside its limits"], [0.25, "25 % inside its limits"]];
const SENSITIVITIES = [["low", "Low: only what is far out"], ["medium", "Medium"], ["high", "High: also what is just outside"]];
const UNITS = { seconds: "seconds", rows: "rows", share: "a share: 0.05 is 5 %", plain: "" };

/** `given.table` is whose check; `id` which one, or `new`. */
export async function checkForm(id, place, given) {
  const [table, known] = await Promise.all([api.oneTable(given.table), id === "new" ? null : api.oneCheck(given.table, id)]);
  const names = await columnNames(table);
  const title = known ? `Change ${known.name}` : `New check of ${table.name}`;
  document.title = `${title} · Pulse`;
  const back = link("table", table.id);
  const parts = el("div", { class: "stack long" });
  const kind = choice("/kind", "Kind", Object.entries(KINDS).map(([name, one]) => [name, one.name]), { value: known?.kind ?? given.kind });
  const about = nothing("");
  const form = formOf("check", title, "Save", back,
    group("What", columns(text("/name", "Name", { value: known?.name ?? "", required: true, maxlength: 200 }), kind), about),
    parts, people(known), check("/enabled", "Turned on", { value: known?.enabled ?? true }));
  const rebuild = () => {
    const chosen = typed(form, "/kind");
    about.textContent = KINDS[chosen].about;
    parts.replaceChildren(...partsOf(chosen, known?.kind === chosen ? known : null, names));
    for (const threshold of parts.querySelectorAll("[data-threshold]")) wire(threshold);
  };
  kind.querySelector("select").addEventListener("change", rebuild);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    save(form, table, known);
  });
  place.replaceChildren(crumb(back, table.name), form);
  rebuild();
  form.querySelector("input").focus();
}

/** What the columns are called: as they were last seen, else as the replica says, else nobody knows. */
async function columnNames(table) {
  const seen = Array.isArray(table.columns) ? table.columns : table.columns?.columns;
  if (Array.isArray(seen)) return seen.map((one) => one.name ?? one);
  const found = await api.columns(table.connection_id, table.schema, table.name).catch(() => null);
  return found?.columns.map((one) => one.name) ?? [];
}

function partsOf(kind, known, names) {
  const { has, usual, unit } = KINDS[kind];
  const settings = fieldsOf(kind, known?.settings ?? {}, names);
  return [
    settings.length ? columns(settings) : null,
    has.includes("thresholds") ? group("When it is wrong",
      has.includes("rows") ? choice("/measure", "Wrong rows are counted", [["share", "as a share of all"], ["rows", "as they are"]], { value: known?.measure ?? (kind === "duplicate_keys" ? "rows" : "share") }) : null,
      threshold("fail", "Fails", known ? known.fail : usual, has, unit), threshold("warn", "Warns", known?.warn ?? null, has, unit)) : null,
    group("When it runs", columns(
      choice("/every", "How often", EVERY, { value: known?.every ?? 300 }),
      choice("/for", "People are told when it is wrong for", WHILE, { value: known?.for ?? 0 }),
      choice("/keep_firing", "It is over when it is well for", WHILE, { value: known?.keep_firing ?? 0 }),
      choice("/hysteresis", "It is well", INSIDE, { value: known?.hysteresis ?? 0 }))),
    has.includes("scope") ? group("Which rows", scope(known?.scope ?? {}, has, names)) : null,
    has.includes("rows") ? samples(known?.samples, names) : null,
  ].filter(Boolean);
}

/** One threshold: what it is, and the fields that such a one has. */
function threshold(name, label, known, has, unit) {
  const kinds = [["none", "Never"], ["absolute", "Outside limits"], ["relative", "When it changes by more"], ...(has.includes("learned") ? [["learned", "When it is strange, going by its history"]] : [])];
  const limit = (end, text_) => text(`/${name}/${end}`, text_, { type: "number", value: known?.[end] ?? "", hint: UNITS[unit] });
  return el("div", { class: "columns threshold", "data-threshold": name },
    choice(`/${name}/kind`, label, kinds, { value: known?.kind ?? "none" }),
    el("div", { class: "columns", "data-for": "absolute relative" }, limit("min", "Least that is fine"), limit("max", "Most that is fine")),
    el("div", { "data-for": "relative" }, choice(`/${name}/to`, "Compared with", [["previous", "the value before"], ["same_hour_last_week", "the same hour last week"]], { value: known?.to ?? "previous" })),
    el("div", { "data-for": "learned" }, choice(`/${name}/sensitivity`, "Sensitivity", SENSITIVITIES, { value: known?.sensitivity ?? "medium" })));
}

/** Shows the fields that the chosen threshold has; the others are off, and so are not sent. */
function wire(threshold) {
  const select = threshold.querySelector("select");
  const show = () => {
    for (const part of threshold.querySelectorAll("[data-for]")) {
      part.hidden = !part.dataset.for.split(" ").includes(select.value);
      for (const field of part.querySelectorAll("input, select")) field.disabled = part.hidden;
    }
  };
  select.addEventListener("change", show);
  show();
}

function scope(known, has, names) {
  const windowed = has.includes("window");
  return [
    lines("/scope/condition", "Only rows where", { value: known.condition ?? "", rows: 2, class: "code", hint: "a condition; all rows when empty", placeholder: "state = 'paid'" }),
    windowed ? columns(
      text("/scope/column", "Only the latest, by", { value: known.column ?? "", list: names, hint: "a column with a time" }),
      choice("/scope/last", "Of the last", [["", "all time"], [3600, "hour"], [21600, "6 hours"], [86400, "day"], [604800, "week"], [2592000, "30 days"]], { value: known.last ?? "" })) : null,
  ];
}

function samples(known, names) {
  return el("details", { open: Boolean(known) }, el("summary", {}, "Show wrong rows"),
    el("div", { class: "stack" }, nothing("None unless columns are named here; no other column leaves the database."), columns(
      text("/samples/columns", "Columns", { value: (known?.columns ?? []).join(", "), hint: among(names) }),
      text("/samples/masked", "Masked", { value: (known?.masked ?? []).join(", "), hint: "only whether there is a value" }),
      text("/samples/rows", "Rows", { type: "number", value: known?.rows ?? 5, min: 1, max: 20, step: 1 }))));
}

function people(known) {
  return el("details", { open: Boolean(known && (known.description || known.owner || known.runbook_url)) }, el("summary", {}, "Description, owner, runbook, labels"),
    el("div", { class: "stack" },
      lines("/description", "What it is for", { value: known?.description ?? "", rows: 2 }),
      columns(text("/owner", "Owner", { value: known?.owner ?? "" }), text("/runbook_url", "Runbook", { type: "url", value: known?.runbook_url ?? "", placeholder: "https://wiki.example.org/orders" })),
      lines("/labels", "Labels", { value: labelLines(known?.labels), rows: 2, hint: "name=value, one a line; routes and silences go by them" })));
}

async function save(form, table, known) {
  if (!fine(form)) return reveal(form);
  const saved = await submitting(form, () => placed(form, () => (known ? api.changeCheck(table.id, known.id, known.version, body(form)) : api.addCheck(table.id, body(form)))));
  if (saved) location.assign(link("table", table.id));
  else reveal(form);
}

/** A field that is wrong must not be out of sight. */
function reveal(form) {
  for (const wrong of form.querySelectorAll("details [aria-invalid]")) wrong.closest("details").open = true;
  form.querySelector("[aria-invalid]")?.focus();
}

function body(form) {
  const kind = typed(form, "/kind");
  const { has } = KINDS[kind];
  const input = {
    kind, name: typed(form, "/name") ?? "", settings: settingsOf(kind, form), enabled: typed(form, "/enabled"), labels: labels(typed(form, "/labels")),
    description: typed(form, "/description") ?? null, owner: typed(form, "/owner") ?? null, runbook_url: typed(form, "/runbook_url") ?? null,
    every: Number(typed(form, "/every")), for: Number(typed(form, "/for")), keep_firing: Number(typed(form, "/keep_firing")), hysteresis: Number(typed(form, "/hysteresis")),
  };
  if (has.includes("thresholds")) for (const name of ["warn", "fail"]) input[name] = limits(form, name);
  if (has.includes("rows")) {
    input.measure = typed(form, "/measure");
    input.samples = shown(form);
  }
  if (has.includes("scope")) {
    const last = typed(form, "/scope/last");
    input.scope = { condition: typed(form, "/scope/condition"), column: typed(form, "/scope/column"), last: last && Number(last) };
  }
  return input;
}

function limits(form, name) {
  const kind = typed(form, `/${name}/kind`);
  if (kind === "none") return null;
  const of = (field) => typed(form, `/${name}/${field}`);
  if (kind === "learned") return { kind, sensitivity: of("sensitivity") };
  return { kind, min: of("min"), max: of("max"), ...(kind === "relative" && { to: of("to") }) };
}

function shown(form) {
  const names = listed(typed(form, "/samples/columns"));
  return names.length ? { rows: typed(form, "/samples/rows"), columns: names, masked: listed(typed(form, "/samples/masked")) } : null;
}
