// The form of a silence: once, or as a maintenance window that comes again.
//
// Failure: every wrong field is told at the field.

import { checkForm, el, submitting } from "./dom.js";
import * as api from "./monitor-api.js";
import { at, choice, columns, form as formOf, group, lines, placed, text, typed } from "./monitor-fields.js";
import { chosen, matchers, offered } from "./monitor-matchers.js";
import { crumb } from "./monitor-parts.js";

const BACK = "/monitor?view=routing";
const HOUR = 3_600_000;
const SOON = [["1 hour", 1], ["4 hours", 4], ["1 day", 24], ["1 week", 168]];
const LONG = [[1800, "30 minutes"], [3600, "1 hour"], [7200, "2 hours"], [14400, "4 hours"], [28800, "8 hours"], [86400, "1 day"]];

/** `given.check`, `given.table` and `given.on` are what it is about to begin with. */
export async function silence(_, place, given) {
  document.title = "New silence · Pulse";
  const known = {
    ...(given.check && { checks: [given.check] }),
    ...(given.table && { tables: [given.table] }),
    ...(given.on && { connections: [given.on] }),
  };
  const choices = await offered(known);
  const once = el("div", { class: "stack", "data-for": "once" },
    columns(text("/starts_at", "From", { type: "datetime-local", hint: "now when empty" }), text("/ends_at", "Until", { type: "datetime-local", value: local(Date.now() + HOUR) })),
    el("div", { class: "row wrap" }, el("span", { class: "hint" }, "For"), SOON.map(([name, hours]) => lasting(name, hours))));
  const again = el("div", { class: "stack", "data-for": "again" }, columns(
    text("/cron", "Begins", { class: "code", value: "0 2 * * 0", hint: "minute, hour, day, month, weekday" }),
    text("/timezone", "Time zone", { value: Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC", list: Intl.supportedValuesOf?.("timeZone") ?? [] }),
    choice("/duration_seconds", "Lasts", LONG, { value: 3600 })));
  const how = choice("how", "When", [["once", "Once"], ["again", "Again and again: a maintenance window"]]);
  const form = formOf("silence", "New silence", "Silence", BACK,
    lines("/comment", "Why", { rows: 2 }), matchers(known, choices), group("When", how, once, again));
  const show = () => {
    for (const part of form.querySelectorAll("[data-for]")) {
      part.hidden = part.dataset.for !== typed(form, "how");
      for (const field of part.querySelectorAll("input, select")) field.disabled = part.hidden;
    }
  };
  form.addEventListener("change", show);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    save(form);
  });
  place.replaceChildren(crumb(BACK, "Who is told"), form);
  show();
  form.querySelector("textarea").focus();
}

/** A time of this browser's clock, as the field takes it. */
function local(instant) {
  const date = new Date(instant - new Date(instant).getTimezoneOffset() * 60_000);
  return date.toISOString().slice(0, 16);
}

function lasting(name, hours) {
  const node = el("button", { type: "button", class: "quiet" }, name);
  node.addEventListener("click", () => {
    const form = node.closest("form");
    const from = typed(form, "/starts_at");
    at(form, "/ends_at").value = local((from ? Date.parse(from) : Date.now()) + hours * HOUR);
  });
  return node;
}

async function save(form) {
  if (!checkForm(form)) return;
  const saved = await submitting(form, () => placed(form, () => api.addSilence(body(form))));
  if (saved) location.assign(BACK);
}

function body(form) {
  const input = { comment: typed(form, "/comment"), matchers: chosen(form) };
  const instant = (value) => value && new Date(value).toISOString();
  if (typed(form, "how") === "again") return { ...input, cron: typed(form, "/cron"), timezone: typed(form, "/timezone"), duration_seconds: Number(typed(form, "/duration_seconds")) };
  return { ...input, starts_at: instant(typed(form, "/starts_at")), ends_at: instant(typed(form, "/ends_at")) };
}
