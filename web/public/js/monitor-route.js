// The form of a route: which alerts, who is told, and who else while nobody acknowledges.
//
// Failure: every wrong field is told at the field, also those of a receiver.

import { checkForm, el, submitting } from "./dom.js";
import * as api from "./monitor-api.js";
import { at, check, choice, columns, form as formOf, group, placed, text, typed } from "./monitor-fields.js";
import { chosen, matchers, offered } from "./monitor-matchers.js";
import { crumb } from "./monitor-parts.js";
import { channelNames } from "./monitor-routing.js";

const BACK = "/monitor?view=routing";
const WAIT = [[0, "not at all"], [30, "30 seconds"], [60, "1 minute"], [300, "5 minutes"], [900, "15 minutes"]];
const APART = [[0, "not at all"], [60, "1 minute"], [300, "5 minutes"], [900, "15 minutes"], [3600, "1 hour"]];
const REPEAT = [["never", "never"], [900, "15 minutes"], [3600, "1 hour"], [14400, "4 hours"], [86400, "1 day"]];
const AFTER = [[300, "5 minutes"], [900, "15 minutes"], [1800, "30 minutes"], [3600, "1 hour"], [14400, "4 hours"], [86400, "1 day"]];
const EMPTY = { name: "", matchers: {}, receivers: [{}], group_wait_seconds: 30, group_interval_seconds: 300, repeat_interval_seconds: 14_400, escalation: [], enabled: true };

export async function route(id, place) {
  const known = id === "new" ? null : await api.oneRoute(id);
  const it = known ?? EMPTY;
  const [choices, channels] = await Promise.all([offered(it.matchers), channelNames()]);
  const title = known ? `Change ${known.name}` : "New route";
  document.title = `${title} · Pulse`;
  const told = receivers("/receivers", it.receivers, channels);
  const steps = el("div", { class: "stack", id: "steps" }, it.escalation.map((step) => stepOf(step, channels)));
  const add = el("button", { type: "button" }, "Add a step");
  add.addEventListener("click", () => {
    steps.append(stepOf({ after_seconds: 900, receivers: [{}] }, channels));
    renumber(form);
    steps.lastElementChild.querySelector("select").focus();
  });
  const form = formOf("route", title, "Save", BACK,
    text("/name", "Name", { value: it.name, required: true, maxlength: 120 }),
    matchers(it.matchers, choices),
    group("Who is told", told),
    group("While nobody acknowledges", steps, el("div", {}, add)),
    group("At what pace", columns(
      choice("/group_wait_seconds", "The first message waits for what else fails", WAIT, { value: it.group_wait_seconds }),
      choice("/group_interval_seconds", "Messages of one incident are apart", APART, { value: it.group_interval_seconds }),
      choice("/repeat_interval_seconds", "Repeated every", REPEAT, { value: it.repeat_interval_seconds ?? "never" }))),
    check("/enabled", "Turned on", { value: it.enabled }));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    save(form, known);
  });
  place.replaceChildren(crumb(BACK, "Who is told"), form);
  renumber(form);
  form.querySelector("input").focus();
}

/** Receivers, to which more can be added. */
function receivers(base, known, channels) {
  const list = el("div", { class: "stack receivers" }, known.map((one) => receiver(one, channels)));
  const add = el("button", { type: "button", class: "quiet" }, "Add a receiver");
  add.addEventListener("click", () => {
    list.append(receiver({}, channels));
    renumber(list.closest("form"));
    list.lastElementChild.querySelector("select").focus();
  });
  return el("div", { class: "stack tight", "data-receivers": base }, list, el("div", {}, add));
}

function receiver(known, channels) {
  const options = [["", "Default e-mail"], ...[...channels.values()].filter((one) => one.kind !== "default").map((one) => [one.id, `${one.name} (${one.kind})${one.enabled ? "" : ", disabled"}`])];
  const node = el("div", { class: "receiver" },
    choice("?/channel_id", "Channel", options, { value: known.channel_id ?? "" }),
    text("?/address", "Address", { value: known.address ?? "", hint: "for e-mail and text messages" }));
  return removable(node, "Remove", "Remove the receiver");
}

function stepOf(step, channels) {
  return removable(el("div", { class: "step stack tight" }, choice("?/after_seconds", "After", AFTER, { value: step.after_seconds }), receivers("?/receivers", step.receivers, channels)), "Remove the step", "Remove the step");
}

function removable(node, text, label) {
  const remove = el("button", { type: "button", class: "quiet", "aria-label": label }, text);
  remove.addEventListener("click", () => {
    const form = node.closest("form");
    node.remove();
    renumber(form);
  });
  node.append(el("div", {}, remove));
  return node;
}

/** Pointers say how many come before, which changes. */
function renumber(form) {
  const number = (list, base) => [...list.children].forEach((node, i) => {
    for (const field of node.querySelectorAll("[data-pointer$='/channel_id'], [data-pointer$='/address']")) field.dataset.pointer = `${base}/${i}/${field.dataset.pointer.split("/").pop()}`;
  });
  number(form.querySelector("[data-receivers='/receivers'] .receivers"), "/receivers");
  [...form.querySelector("#steps").children].forEach((step, i) => {
    step.querySelector("[data-pointer$='/after_seconds']").dataset.pointer = `/escalation/${i}/after_seconds`;
    number(step.querySelector(".receivers"), `/escalation/${i}/receivers`);
  });
}

async function save(form, known) {
  if (!checkForm(form)) return;
  const saved = await submitting(form, () => placed(form, () => (known ? api.changeRoute(known.id, known.version, body(form)) : api.addRoute(body(form)))));
  if (saved) location.assign(BACK);
}

function body(form) {
  const repeat = typed(form, "/repeat_interval_seconds");
  const read = (base) => {
    const found = [];
    for (let i = 0; at(form, `${base}/${i}/channel_id`); i += 1) found.push({ channel_id: typed(form, `${base}/${i}/channel_id`) ?? null, address: typed(form, `${base}/${i}/address`) ?? null });
    return found;
  };
  const escalation = [];
  for (let i = 0; at(form, `/escalation/${i}/after_seconds`); i += 1) escalation.push({ after_seconds: Number(typed(form, `/escalation/${i}/after_seconds`)), receivers: read(`/escalation/${i}/receivers`) });
  return {
    name: typed(form, "/name"), matchers: chosen(form), receivers: read("/receivers"), escalation, enabled: typed(form, "/enabled"),
    group_wait_seconds: Number(typed(form, "/group_wait_seconds")), group_interval_seconds: Number(typed(form, "/group_interval_seconds")),
    repeat_interval_seconds: repeat === "never" ? null : Number(repeat),
  };
}
