// The kinds of checks: what each is for, which fields it has, and what can be set about it.
//
// Invariant: a field's pointer is its place in the body, so that what the server says of it is told there.
// Failure: none; the server judges.

import { choice, lines, listed, text, typed } from "./monitor-fields.js";

const BUCKETS = [[60, "a minute"], [300, "5 minutes"], [900, "15 minutes"], [3600, "an hour"], [21600, "6 hours"], [86400, "a day"]];
const LATE = [[0, "none"], [300, "5 minutes"], [900, "15 minutes"], [3600, "an hour"], [86400, "a day"]];
const EMPTY = [["fail", "Fails"], ["warn", "Warns"], ["pass", "Is fine"]];
const COMPARED = [["count", "Numbers of rows"], ["distinct", "Different values"], ["sum", "Sums"], ["min", "Least values"], ["max", "Greatest values"]];
const WEIGHTS = [["pass", "Fine"], ["warn", "Warn"], ["fail", "Fail"]];
const ZONE = { hint: "UTC unless given", placeholder: "UTC" };

/** Names to choose from, as a hint. */
export const among = (known) => (known.length ? `of ${known.slice(0, 12).join(", ")}${known.length > 12 ? ", …" : ""}` : "names with commas between them");

const column = (label = "Column") => ({ at: "column", make: (value, known) => text("/settings/column", label, { value, required: true, list: known }) });
const keys = (name, label) => ({
  at: name,
  make: (value, known) => text(`/settings/${name}`, label, { value: (value ?? []).join(", "), required: true, hint: among(known) }),
  read: (value) => listed(value),
});
const zone = { at: "timezone", make: (value) => text("/settings/timezone", "Time zone", { value: value ?? "", ...ZONE }) };
const tableOf = (name, label) => ({
  at: name,
  make: (value) => text(`/settings/${name}`, label, { value: value ? `${value.schema === "public" ? "" : `${value.schema}.`}${value.name}` : "", required: true, placeholder: "customers" }),
  read: (value) => {
    const [schema, table] = value?.includes(".") ? value.split(/\.(.*)/) : ["public", value ?? ""];
    return { schema, name: table };
  },
});
const plain = (name, label, options) => ({ at: name, make: (value) => text(`/settings/${name}`, label, { value: value ?? "", ...options }) });
const oneOf = (name, label, options) => ({ at: name, make: (value) => choice(`/settings/${name}`, label, options, { value }) });
const seconds = (name, label, options, usual) => ({ at: name, make: (value) => choice(`/settings/${name}`, label, options, { value: value ?? usual }), read: (value) => Number(value) });
const long = (name, label, options) => ({ at: name, make: (value) => lines(`/settings/${name}`, label, { value: value ?? "", ...options }) });

const values = {
  at: "values",
  make: (value) => lines("/settings/values", "Accepted values", { value: (value ?? []).join("\n"), hint: "one a line; null is fine too" }),
  read: (value) => (value ?? "").split("\n").map((one) => one.trim()).filter(Boolean),
};

/** When rows are expected: two fields of one object, which is left out without a schedule. */
const expected = [
  { at: "expected",
    make: (value) => text("/settings/expected/cron", "Expected by schedule", { value: value?.cron ?? "", class: "code", placeholder: "0 6 * * 1-5", hint: "minute, hour, day, month, weekday; else the age is what counts" }),
    pointer: "/settings/expected/cron",
    read: (cron, form) => (cron ? { cron, holidays: listed(typed(form, "/settings/expected/holidays")) } : undefined) },
  { at: null, make: (_, __, all) => lines("/settings/expected/holidays", "Days without any", { value: (all.expected?.holidays ?? []).join(", "), rows: 2, hint: "2026-12-25, 2027-01-01" }) },
];

const WRONG_ROWS = ["thresholds", "learned", "rows", "scope", "window"];
const NONE = { kind: "absolute", max: 0 };

/** `has`: what else can be set: `thresholds`, `learned`, `rows` (wrong rows are counted), `scope`, `window`. */
export const KINDS = {
  freshness: { name: "Freshness", about: "How old the newest row is, or how late an expected one.", unit: "seconds",
    fields: [column("Column with the time"), zone, ...expected, oneOf("empty", "A table without rows", EMPTY)],
    has: ["thresholds", "learned", "scope"], usual: { kind: "absolute", max: 3600 } },
  volume: { name: "Volume", about: "How many rows came in a stretch of time.", unit: "rows",
    fields: [column("Column with the time"), seconds("bucket", "A stretch is", BUCKETS, 3600), seconds("late_arrivals", "Late rows come for", LATE, 0), zone],
    has: ["thresholds", "learned", "scope"], usual: { kind: "learned" } },
  row_count: { name: "Row count", about: "How many rows there are.", unit: "rows",
    fields: [],
    has: ["thresholds", "learned", "scope"], usual: { kind: "learned" } },
  null_rate: { name: "Missing values", about: "What share of a column is null.", unit: "share",
    fields: [column()],
    has: WRONG_ROWS, usual: { kind: "learned" } },
  uniqueness: { name: "Uniqueness", about: "How many rows repeat another.", unit: "share",
    fields: [keys("columns", "Columns")],
    has: WRONG_ROWS, usual: NONE },
  duplicate_keys: { name: "Duplicate keys", about: "How many keys come more than once.", unit: "rows",
    fields: [keys("columns", "Key columns")],
    has: WRONG_ROWS, usual: NONE },
  accepted_values: { name: "Accepted values", about: "How many values are none of these.", unit: "share",
    fields: [column(), values],
    has: WRONG_ROWS, usual: NONE },
  range: { name: "Range", about: "How many numbers lie outside.", unit: "share",
    fields: [column(), plain("min", "Least", { type: "number" }), plain("max", "Greatest", { type: "number" })],
    has: WRONG_ROWS, usual: NONE },
  pattern: { name: "Pattern", about: "How many texts do not look so.", unit: "share",
    fields: [column(), plain("pattern", "Regular expression", { class: "code", required: true, placeholder: "^[^@]+@[^@]+$" })],
    has: WRONG_ROWS, usual: NONE },
  reference: { name: "References", about: "How many rows refer to nothing.", unit: "share",
    fields: [keys("columns", "Columns that refer"), tableOf("to", "To table"),
      { ...keys("to_columns"), make: (value) => text("/settings/to_columns", "Its columns", { value: (value ?? []).join(", "), required: true, placeholder: "id" }) }],
    has: WRONG_ROWS, usual: NONE },
  shift: { name: "Distribution shift", about: "How far values have moved from what they were.", unit: "plain",
    fields: [column(), oneOf("values", "It holds", [["numbers", "Numbers"], ["categories", "Names of a few things"]])],
    has: ["thresholds", "scope", "window"], usual: { kind: "absolute", max: 0.25 } },
  schema: { name: "Columns", about: "Whether columns come, go or change.", unit: "plain",
    fields: [["added", "A column comes", "warn"], ["dropped", "A column goes", "fail"], ["retyped", "A type changes", "fail"], ["nullability", "Null is allowed, or no more", "warn"], ["renamed", "A column is renamed", "fail"]]
      .map(([at, label, usual]) => ({ at, make: (value) => choice(`/settings/${at}`, label, WEIGHTS, { value: value ?? usual }) }))
      .concat({ at: "ignore", make: (value) => text("/settings/ignore", "Columns that may change", { value: (value ?? []).join(", ") }), read: (value) => listed(value) }),
    has: [] },
  metric: { name: "Metric of your own", about: "One number of one SELECT.", unit: "plain",
    fields: [long("sql", "Statement", { class: "code", rows: 5, required: true, placeholder: "select count(*) from orders where state = 'paid' and paid_at is null" })],
    has: ["thresholds", "learned"], usual: { kind: "learned" } },
  assertion: { name: "Condition on every row", about: "How many rows a condition does not hold for.", unit: "share",
    fields: [long("condition", "Condition", { class: "code", rows: 2, required: true, placeholder: "total >= 0" })],
    has: WRONG_ROWS, usual: NONE },
  comparison: { name: "Comparison with another table", about: "How far two tables are apart.", unit: "plain",
    fields: [oneOf("of", "Compared are", COMPARED),
      { at: "column", make: (value, known) => text("/settings/column", "Column", { value: value ?? "", list: known, hint: "not for numbers of rows" }) },
      tableOf("with", "With table"), plain("with_column", "Its column", { hint: "if it has another name" }), plain("with_condition", "Its rows where", { class: "code" }), oneOf("difference", "The difference is", [["absolute", "As it is"], ["relative", "A share"]])],
    has: ["thresholds", "learned", "scope", "window"], usual: NONE },
};

/** The fields of a kind, filled with its settings. */
export const fieldsOf = (kind, settings, known) => KINDS[kind].fields.map((field) => field.make(settings[field.at] ?? undefined, known, settings));

/** The settings as they stand in the form; what is empty is left out. */
export function settingsOf(kind, form) {
  const settings = {};
  for (const field of KINDS[kind].fields) {
    if (!field.at) continue;
    const value = typed(form, field.pointer ?? `/settings/${field.at}`);
    const read = field.read ? field.read(value, form) : value;
    if (read !== undefined) settings[field.at] = read;
  }
  return settings;
}
