// The form of a connection: new, with the role to make first, or as it is.
//
// Invariant: a password is written, never read; what is left empty stays as it is.
// Failure: every wrong field is told at the field.

import { checkForm, el, submitting } from "./dom.js";
import * as api from "./monitor-api.js";
import { check, choice, columns, form as formOf, group, placed, text, typed } from "./monitor-fields.js";
import { copyable, crumb, link } from "./monitor-parts.js";
import { role } from "./monitor-sql.js";

const LAGS = [[60, "1 minute"], [300, "5 minutes"], [900, "15 minutes"], [3600, "1 hour"], [14400, "4 hours"], [86400, "1 day"]];
const BUDGET = { statements: 3_600, milliseconds: 300_000, buffers: 2_000_000 };
const EMPTY = { name: "", host: "", port: 5432, database: "", username: "pulse", sslmode: "require", allow_primary: false, lag_limit_seconds: 300, budget: BUDGET };

export async function connect(id, place) {
  const known = id === "new" ? null : await api.oneConnection(id);
  document.title = `${known ? `Change ${known.name}` : "Connect a replica"} · Pulse`;
  const back = known ? link("connection", known.id) : "/monitor";
  const form = formOf("connect", known ? `Change ${known.name}` : "Connect a replica", known ? "Save" : "Connect and test", back, fields(known));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    save(form, known);
  });
  place.replaceChildren(crumb(back, known?.name ?? "Monitor"), form);
  if (!known) guide(form);
  primary(form);
  form.querySelector("input").focus();
}

function fields(known) {
  const it = known ?? EMPTY;
  const again = known ? "leave empty to keep it; another server takes it again" : "sealed for this connection, and never shown again";
  return [
    group("Where",
      text("/name", "Name", { value: it.name, required: true, maxlength: 120 }),
      columns(
        text("/host", "Host", { value: it.host, required: true, placeholder: "replica.example.org" }),
        text("/port", "Port", { type: "number", value: it.port, required: true, min: 1, max: 65535, step: 1 })),
      columns(text("/database", "Database", { value: it.database, required: true }), text("/username", "Role", { value: it.username, required: true })),
      columns(text("/password", "Password", { type: "password", required: !known, autocomplete: "new-password", hint: again }),
        choice("/sslmode", "Encryption", [["require", "Required, certificate verified"], ["disable", "None: private networks only"]], { value: it.sslmode }))),
    known ? null : el("div", { id: "role", class: "stack" }),
    group("How freely it is asked",
      el("div", { class: "short" }, choice("/lag_limit_seconds", "Nothing is judged while it is behind by more than", LAGS, { value: it.lag_limit_seconds })),
      columns(
        text("/budget/statements", "Statements an hour", { type: "number", value: it.budget.statements, min: 10, max: 100000, step: 1, required: true }),
        text("/budget/milliseconds", "Milliseconds an hour", { type: "number", value: it.budget.milliseconds, min: 10000, max: 3600000, step: 1, required: true }),
        text("/budget/buffers", "Buffers an hour", { type: "number", value: it.budget.buffers, min: 1000, max: 1000000000, step: 1, required: true, hint: "of 8 kB" })),
      check("/allow_primary", "It is a primary, and may be asked all the same", { value: it.allow_primary }),
      el("div", { id: "why" }, text("/primary_reason", "Why", { value: it.primary_reason ?? "", maxlength: 500 }))),
  ].filter(Boolean);
}

/** The statements that make the role, for what stands in the fields. */
function guide(form) {
  const place = form.querySelector("#role");
  const tables = text("tables", "Tables to watch", { hint: "for the statements below; all of public when empty", placeholder: "orders, sales.customers" });
  const copy = copyable("", "Run on the primary first: a role that can do nothing but read");
  place.append(el("h2", {}, "The role"), tables, copy);
  const show = () => (copy.querySelector("pre").textContent = role({ username: typed(form, "/username"), database: typed(form, "/database"), tables: typed(form, "tables") }));
  form.addEventListener("input", show);
  show();
}

function primary(form) {
  const show = () => (form.querySelector("#why").hidden = !typed(form, "/allow_primary"));
  form.addEventListener("change", show);
  show();
}

async function save(form, known) {
  if (!checkForm(form)) return;
  const done = await submitting(form, () => placed(form, () => (known ? api.changeConnection(known.id, known.version, body(form)) : api.connect(body(form)))));
  if (done) location.assign(link({ connection: done.id, test: 1 }));
}

function body(form) {
  const input = { budget: {} };
  for (const name of ["name", "host", "port", "database", "username", "password", "sslmode", "allow_primary"]) input[name] = typed(form, `/${name}`);
  for (const name of Object.keys(BUDGET)) input.budget[name] = typed(form, `/budget/${name}`);
  input.lag_limit_seconds = Number(typed(form, "/lag_limit_seconds"));
  if (input.allow_primary) input.primary_reason = typed(form, "/primary_reason");
  return input;
}
