// The front page: sign in, guest lists, import, enable.
//
// Failure: every refusal is shown at the field or list it belongs to; nothing is retried by itself.

import * as api from "./api.js";
import { byId, checkForm, count, el, setText, submitting, values } from "./dom.js";
import { login, logout, onSession, register, session } from "./session.js";

const signIn = byId("sign-in-form");
const creating = byId("create-table");
let cursor = null;

onSession(show);
byId("sign-out").addEventListener("click", logout);
signIn.addEventListener("change", (event) => event.target.name === "mode" && chooseMode());
signIn.addEventListener("submit", onSignIn);
creating.addEventListener("submit", onCreate);
byId("more-tables").addEventListener("click", () => load(cursor));
byId("timezones").append(...(Intl.supportedValuesOf?.("timeZone") ?? []).map((zone) => el("option", { value: zone })));
byId("timezone").value = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
chooseMode();
show(session());

function show(now) {
  byId("sign-in").hidden = Boolean(now);
  byId("tables").hidden = !now;
  byId("sign-out").hidden = !now;
  byId("who").hidden = !now;
  setText(byId("who"), now ? (now.tenant?.name ?? now.user?.email ?? "") : "");
  byId("table-list").replaceChildren();
  if (now) load(null);
}

/** Where the user came from: an address of this site, or nothing. */
function next() {
  const wanted = new URLSearchParams(location.search).get("next");
  if (!wanted) return null;
  const url = new URL(wanted, location.origin);
  return url.origin === location.origin ? url.pathname + url.search : null;
}

function chooseMode() {
  const mode = new FormData(signIn).get("mode");
  for (const part of signIn.querySelectorAll("[data-only]")) {
    const off = part.dataset.only !== mode;
    part.hidden = off;
    for (const field of part.querySelectorAll("input, select")) field.disabled = off;
  }
  setText(byId("sign-in-submit"), mode === "register" ? "Create account" : "Sign in");
  const password = byId("password");
  password.autocomplete = mode === "register" ? "new-password" : "current-password";
  password.toggleAttribute("minlength", false);
  if (mode === "register") password.minLength = 10;
}

async function onSignIn(event) {
  event.preventDefault();
  if (!checkForm(signIn)) return;
  const { mode, ...input } = values(signIn);
  await submitting(signIn, () => (mode === "register" ? register(input) : login(input)));
  if (!session()) return;
  byId("password").value = "";
  const address = next();
  if (address) location.replace(address);
}

async function load(from) {
  const status = byId("tables-status");
  setText(status, "Loading…");
  try {
    const page = await api.tables(from);
    // A list that was made meanwhile stands there already.
    const list = byId("table-list");
    const shown = new Set(Array.from(list.children, (node) => node.dataset.table));
    list.append(...page.items.filter((table) => !shown.has(table.id)).map(card));
    cursor = page.next_cursor;
    byId("more-tables").hidden = !cursor;
    setText(status, list.children.length ? "" : "No guest list yet: create one, then import a CSV file.");
  } catch (problem) {
    setText(status, problem.message);
  }
}

async function onCreate(event) {
  event.preventDefault();
  if (!checkForm(creating)) return;
  const table = await submitting(creating, () => api.createTable(values(creating)));
  if (!table) return;
  byId("table-name").value = "";
  setText(byId("tables-status"), "");
  const made = card(table);
  byId("table-list").prepend(made);
  made.querySelector("input[type=file]").focus();
}

function card(table) {
  const node = byId("table-card").content.firstElementChild.cloneNode(true);
  const part = Object.fromEntries([...node.querySelectorAll("[data-part]")].map((found) => [found.dataset.part, found]));
  const fileId = `file-${table.id}`;
  node.dataset.table = table.id;
  part.file.id = fileId;
  part["file-label"].htmlFor = fileId;
  part.dashboard.href = `/pulse/${encodeURIComponent(table.id)}`;
  part.scanner.href = `/pulse-scanner?table=${encodeURIComponent(table.id)}`;
  part.enable.addEventListener("click", () => onEnable(table, part));
  part.import.addEventListener("submit", (event) => {
    event.preventDefault();
    onImport(table, part);
  });
  facts(table, part);
  state(part, table.enabled ?? null);
  if (table.enabled === undefined) lookUpState(table, part);
  return node;
}

const many = (n, word) => `${count(n)} ${word}${n === 1 ? "" : "s"}`;

function facts(table, part) {
  setText(part.name, table.name);
  setText(part.facts, `${many(table.row_count ?? 0, "guest")} · ${table.timezone}`);
}

/** `enabled`: true, false, or null while it is not known. */
function state(part, enabled) {
  part.state.hidden = enabled === null;
  part.state.className = `chip ${enabled ? "good" : ""}`;
  setText(part.state, enabled ? "Live" : "Not enabled");
  part.enable.hidden = enabled !== false;
  part.dashboard.hidden = part.scanner.hidden = !enabled;
}

async function lookUpState(table, part) {
  try {
    state(part, (await api.config(table.id)).enabled);
  } catch (problem) {
    if (problem.status === 404) state(part, false);
    else say(part, "bad", problem.message);
  }
}

async function onEnable(table, part) {
  part.enable.disabled = true;
  try {
    await api.enable(table.id);
    state(part, true);
    say(part, "good", "Pulse is on. Open the dashboard here and the scanner on the phones at the door.");
    part.dashboard.focus();
  } catch (problem) {
    say(part, "bad", problem.message);
  } finally {
    part.enable.disabled = false;
  }
}

async function onImport(table, part) {
  const file = part.file.files[0];
  if (!file) {
    say(part, "bad", "Choose a CSV file first.");
    return part.file.focus();
  }
  const button = part.import.querySelector("[type=submit]");
  button.disabled = true;
  say(part, "", "Importing…");
  try {
    const report = await api.importCsv(table.id, file, part.import.elements.partial.checked);
    say(part, "good", `${many(report.imported, "guest")} imported${report.rejected ? `, ${many(report.rejected, "line")} left out` : ""}.`, lines(report.errors, report.error_count));
    part.import.reset();
    facts(await api.table(table.id), part);
  } catch (problem) {
    say(part, "bad", problem.message, lines(problem.errors, problem.errors?.length));
  } finally {
    button.disabled = false;
  }
}

/** The wrong lines of an import; `total` may be more than are listed. */
function lines(errors = [], total = 0) {
  if (!errors.length) return null;
  const more = total > errors.length ? el("li", {}, `and ${count(total - errors.length)} more`) : null;
  return el("ul", {}, errors.map((error) => el("li", {}, `${place(error)}${error.message}`)), more);
}

function place({ line, field, pointer }) {
  const where = [line && `Line ${line}`, field || (!line && pointer)].filter(Boolean).join(", ");
  return where ? `${where}: ` : "";
}

function say(part, kind, text, ...more) {
  part.status.replaceChildren(el("div", { class: `note ${kind}`.trim() }, el("p", {}, text), ...more));
}
