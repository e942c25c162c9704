// What a replica holds: schemas, their tables with about how many rows, and their columns. A table is
// watched from here with one click.
//
// Invariant: the replica is asked for what somebody opens, once.
// Failure: a replica that cannot be asked says why, in place of what was looked for.

import { count, el } from "./dom.js";
import * as api from "./monitor-api.js";
import { a, copyable, link, nothing, section } from "./monitor-parts.js";
import { grant } from "./monitor-sql.js";
import { button, chip, said, table } from "./parts.js";

const KINDS = { p: "partitioned", v: "view", m: "materialized view", f: "foreign table" };

/** `watched`: the tables that are watched already; `changed` is called when there is one more. */
export function browser(connection, watched, changed) {
  const known = new Map(watched.map((one) => [`${one.schema}.${one.name}`, one.id]));
  const place = el("div", { class: "stack", id: "held" });
  const open = button("Look", async () => {
    open.hidden = true;
    try {
      await schemas(place, connection, { known, changed });
    } catch (problem) {
      open.hidden = false;
      place.replaceChildren(el("p", { class: "note bad" }, said(problem)));
      if (problem.status === 401) throw problem;
    }
  });
  return section("browse", "What the replica holds", open, place);
}

async function schemas(place, connection, watching) {
  place.replaceChildren(nothing("Asking the replica…"));
  const all = await api.schemas(connection.id);
  if (!all.length) return place.replaceChildren(nothing("There is no schema."));
  const list = el("div", { class: "stack" });
  const choose = el("select", { id: "schema" }, all.map(({ name, usage }) => el("option", { value: name }, usage ? name : `${name} (no access)`)));
  const chosen = all.find(({ name }) => name === "public") ?? all[0];
  choose.value = chosen.name;
  choose.addEventListener("change", () => tables(list, connection, choose.value, watching));
  place.replaceChildren(el("div", { class: "field short" }, el("label", { for: "schema" }, "Schema"), choose), list);
  await tables(list, connection, chosen.name, watching);
}

async function tables(list, connection, schema, watching) {
  list.replaceChildren(nothing("Asking the replica…"));
  const items = el("ul", { class: "plain entries tables" });
  const more = button("Show more", () => add(cursor), { kind: "quiet" });
  let cursor = null;
  async function add(from) {
    const page = await api.replicaTables(connection.id, schema, from);
    items.append(...page.items.map((one) => item(connection, schema, one, watching)));
    cursor = page.next_cursor;
    more.hidden = !cursor;
  }
  try {
    await add(null);
    list.replaceChildren(items.children.length ? items : nothing("There is no table in this schema."), more);
  } catch (problem) {
    list.replaceChildren(el("p", { class: "note bad" }, said(problem)));
  }
}

function item(connection, schema, one, { known, changed }) {
  const place = el("span", { class: "row" });
  const watched = (id) => place.replaceChildren(chip("Watched", "good"), a(link("table", id), "Checks"));
  const watch = button("Watch", async () => {
    const { id } = await api.watch({ connection_id: connection.id, schema, name: one.name });
    known.set(`${schema}.${one.name}`, id);
    watched(id);
    place.querySelector("a").focus();
    await changed();
  });
  watch.setAttribute("aria-label", `Watch ${one.name}`);
  const id = known.get(`${schema}.${one.name}`);
  if (id) watched(id);
  else place.replaceChildren(one.select ? watch : chip("Not readable", "warn"));
  const rows = one.rows === null ? (one.kind === "v" ? "a view" : "never analysed") : `about ${count(Math.round(one.rows))} rows`;
  const detail = el("details", {}, el("summary", {}, one.select ? "Columns" : "How to let it be read"));
  detail.addEventListener("toggle", () => fill(detail, connection, schema, one), { once: true });
  return el("li", { "data-table": one.name },
    el("div", { class: "row spread wrap" }, el("span", {}, el("strong", {}, one.name), el("span", { class: "hint" }, ` ${[KINDS[one.kind], rows].filter(Boolean).join(", ")}`)), place),
    one.comment ? el("p", { class: "hint" }, one.comment) : null,
    detail);
}

async function fill(detail, connection, schema, one) {
  if (!one.select) return detail.append(copyable(grant(connection, schema, one.name), "Run on the primary"));
  const waiting = nothing("Asking the replica…");
  detail.append(waiting);
  try {
    const found = await api.columns(connection.id, schema, one.name);
    const keys = new Set(found.indexes.map((index) => index.columns[0]).filter(Boolean));
    const row = (column) => [column.name, el("code", {}, column.type), column.nullable ? "yes" : "no", keys.has(column.name) ? "yes" : "", column.select ? "" : chip("Not readable", "warn")];
    waiting.replaceWith(table(`Columns of ${one.name}`, ["Column", "Type", "Null", "Indexed", ""], found.columns.map(row)));
  } catch (problem) {
    waiting.replaceWith(el("p", { class: "note bad" }, said(problem)));
  }
}
