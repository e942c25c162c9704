// The form of a report: new, or as it is.
//
// Invariant: what a schedule means is shown before it is saved; a change is refused when somebody
// else has changed the report meanwhile.
// Failure: every wrong field is told at the field.

import { byId, checkForm, el, setText, submitting } from "./dom.js";
import { Problem } from "./http.js";
import * as api from "./reports-api.js";
import { tell } from "./parts.js";
import { link } from "./reports-parts.js";
import { follow } from "./reports-upcoming.js";

const SAMPLE = "\n\n```sql name=lists title=\"Guests by list\" chart=bar x=name y=checked_in\nselect name, guests, checked_in from guest_tables order by name\n```\n";
const SWITCHES = ["jitter", "strict", "skipIfEmpty", "attachCsv"];
const TEXTS = ["name", "cron", "cronTimezone", "overlap", "prompt", "sendIf"];

const form = byId("editor");

/** Shows the form; with the report that is named, or empty. */
export async function editor(reportId) {
  const [report, templates, channels] = await Promise.all([reportId ? api.oneReport(reportId) : null, api.templates(), offered()]);
  offer(templates, channels);
  const look = follow(form, byId("upcoming"));
  byId("insert-query").addEventListener("click", insertQuery);
  byId("sources").addEventListener("toggle", showSources, { once: true });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    save(report, look);
  });
  fill(report);
  form.hidden = false;
  form.elements.name.focus();
  look();
}

/** Channels are for those who may see them; without any, mail goes the usual way. */
async function offered() {
  try {
    return await api.channels();
  } catch (problem) {
    if (problem.status === 403) return [];
    throw problem;
  }
}

function offer(templates, channels) {
  byId("zones").append(...(Intl.supportedValuesOf?.("timeZone") ?? []).map((zone) => el("option", { value: zone })));
  byId("templateId").append(...templates.map((template) => el("option", { value: template.id }, template.name)));
  const named = channels.filter((channel) => channel.kind !== "default");
  byId("channels").hidden = named.length === 0;
  const choice = (channel) =>
    el("label", { class: "check" }, el("input", { type: "checkbox", name: "channels", value: channel.id, id: `channel-${channel.id}` }), `${channel.name} (${channel.kind})${channel.enabled ? "" : ", disabled"}`);
  byId("channels").append(...named.map(choice));
}

function fill(report) {
  const fields = form.elements;
  if (!report) {
    fields.cronTimezone.value = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
    return;
  }
  document.title = `${report.name} · Pulse`;
  setText(byId("editor-title"), `Change ${report.name}`);
  byId("editor-cancel").href = link("report", report.id);
  for (const name of TEXTS) fields[name].value = report[name] ?? "";
  for (const name of SWITCHES) fields[name].checked = report[name];
  fields.templateId.value = report.templateId ?? "";
  fields.recipients.value = (report.recipients ?? []).join("\n");
  fields.pauseAfter.value = report.pauseAfter ?? 0;
  for (const box of boxes()) box.checked = report.channels.includes(box.value);
}

const boxes = () => [...form.querySelectorAll("[name=channels]")];
const addresses = () => form.elements.recipients.value.split(/[\n,;]/).map((text) => text.trim()).filter(Boolean);

function body() {
  const fields = form.elements;
  const input = { recipients: addresses(), templateId: fields.templateId.value || null, pauseAfter: Number(fields.pauseAfter.value) };
  for (const name of TEXTS) input[name] = name === "prompt" ? fields[name].value : fields[name].value.trim() || null;
  for (const name of SWITCHES) input[name] = fields[name].checked;
  if (boxes().length) input.channels = boxes().filter((box) => box.checked).map((box) => box.value);
  return input;
}

async function save(report, look) {
  tell(null);
  if (!checkForm(form)) return;
  const saved = await submitting(form, async () => {
    try {
      return report ? await api.change(report.id, report.version, body()) : await api.create(body());
    } catch (problem) {
      throw atFields(problem);
    }
  });
  if (saved) location.assign(link("report", saved.id));
  else look(); // what was told about the schedule while typing has been cleared
}

/** One error for each field of the form; which of the recipients is wrong is told by its text. */
function atFields(problem) {
  const byField = new Map();
  for (const error of problem.errors ?? []) {
    const [, list, place] = /^\/(recipients|channels)\/(\d+)/.exec(error.pointer ?? "") ?? [];
    const pointer = list ? `/${list}` : error.pointer;
    const message = list === "recipients" ? `${addresses()[place] ?? "One"}: ${error.message}` : error.message;
    byField.set(pointer, [...(byField.get(pointer) ?? []), message]);
  }
  const errors = [...byField].map(([pointer, messages]) => ({ pointer, message: messages.join(" ") }));
  const detail = problem.status === 412 ? "Somebody has changed this report meanwhile. Load the page again to see how it is now." : problem.message;
  return new Problem(problem.status, { code: problem.code, detail, errors });
}

/** Puts a query where the cursor is. */
function insertQuery() {
  const field = byId("prompt");
  field.setRangeText(field.value.trim() ? SAMPLE : SAMPLE.trimStart(), field.selectionStart, field.selectionEnd, "end");
  field.focus();
}

async function showSources() {
  const place = byId("source-list");
  try {
    const { items } = await api.sources();
    place.replaceChildren(...items.map(source));
  } catch (problem) {
    place.replaceChildren(el("p", { class: "hint" }, problem.message));
  }
}

const source = ({ name, description, columns }) =>
  el("div", {}, el("h3", {}, el("code", {}, name)), el("p", {}, description), el("p", { class: "hint" }, columns.map((column) => column.name).join(", ")));
