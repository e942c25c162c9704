// Which alerts a route or a silence is about.
//
// Invariant: what is not chosen matches everything; of what is chosen, all must match.
// Failure: an id that is not known any more is kept and shown as such.

import { el } from "./dom.js";
import * as api from "./monitor-api.js";
import { group, labels, lines, typed } from "./monitor-fields.js";
import { kindWords } from "./monitor-parts.js";

const SEVERITIES = [["fail", "Fail"], ["warn", "Warn"]];
const KINDS = ["check", "schema", "lag", "connection_down", "misconfigured", "errored"].map((kind) => [kind, kindWords(kind)]);

/** What there is to choose from: names by id. Checks are named only where they are chosen already. */
export async function offered(known = {}) {
  const [connections, tables] = await Promise.all([api.connections(), api.tables()]);
  const among = new Map(connections.map((one) => [one.id, one.name]));
  const checks = await Promise.all((known.checks ?? []).map((id) => nameOf(id, tables)));
  return {
    connections: connections.map((one) => [one.id, one.name]),
    tables: tables.map((one) => [one.id, `${one.schema === "public" ? "" : `${one.schema}.`}${one.name} (${among.get(one.connection_id) ?? "?"})`]),
    checks,
  };
}

async function nameOf(id, tables) {
  for (const table of tables) {
    const found = (await api.checks(table.id).catch(() => [])).find((one) => one.id === id);
    if (found) return [id, `${table.name} · ${found.name}`];
  }
  return [id, "a check that is not there any more"];
}

/** The fields. */
export function matchers(known, choices) {
  const { labels: wanted, ...rest } = known;
  const lists = [
    ["severities", "Severity", SEVERITIES], ["kinds", "What is wrong", KINDS],
    ["connections", "Replicas", choices.connections], ["tables", "Tables", choices.tables], ["checks", "Checks", choices.checks],
  ];
  return group("About which alerts",
    el("p", { class: "hint" }, "What is left open matches all."),
    el("div", { class: "columns" }, lists.filter(([, , options]) => options.length).map(([name, label, options]) => boxes(name, label, options, rest[name] ?? []))),
    lines("/matchers/labels", "Labels", { rows: 2, hint: "name=value, one a line; several values with | between them", value: labelLines(wanted) }));
}

const labelLines = (wanted) => Object.entries(wanted ?? {}).map(([name, values]) => `${name}=${values.join("|")}`).join("\n");

function boxes(name, label, options, chosen) {
  const known = new Set(options.map(([value]) => value));
  const all = [...options, ...chosen.filter((value) => !known.has(value)).map((value) => [value, "no longer there"])];
  const box = ([value, text], i) => {
    const pointer = i ? null : `/matchers/${name}`; // what is wrong with a list is told at its first
    return el("label", { class: "check" }, el("input", { type: "checkbox", name: `m-${name}`, id: `m-${name}-${i}`, value, checked: chosen.includes(value), "data-pointer": pointer }), text);
  };
  return el("fieldset", { class: "boxes" }, el("legend", {}, label), el("div", { class: "choices" }, all.map(box)));
}

/** What is chosen. */
export function chosen(form) {
  const out = {};
  for (const name of ["severities", "kinds", "connections", "tables", "checks"]) {
    const values = [...form.querySelectorAll(`[name=m-${name}]`)].filter((box) => box.checked).map((box) => box.value);
    if (values.length) out[name] = values;
  }
  const wanted = Object.entries(labels(typed(form, "/matchers/labels")));
  if (wanted.length) out.labels = Object.fromEntries(wanted.map(([name, value]) => [name, value.split("|").map((one) => one.trim())]));
  return out;
}

/** The same in words. */
export function inWords(known, choices) {
  const named = (list, options) => list.map((value) => new Map(options).get(value) ?? "something that is gone").join(" or ");
  const parts = [
    known.severities?.length && known.severities.join(" or "),
    known.kinds?.length && known.kinds.map((kind) => kindWords(kind).toLowerCase()).join(" or "),
    known.connections?.length && `of ${named(known.connections, choices.connections)}`,
    known.tables?.length && `of ${named(known.tables, choices.tables)}`,
    known.checks?.length && `of ${named(known.checks, choices.checks)}`,
    ...Object.entries(known.labels ?? {}).map(([name, values]) => `${name} is ${values.map((value) => value || "missing").join(" or ")}`),
  ].filter(Boolean);
  return parts.length ? parts.join(", ") : "everything";
}
