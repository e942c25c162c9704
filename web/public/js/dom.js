// Small helpers for the page: elements, forms with server-side errors, times.
//
// Invariant: text from the server only ever becomes a text node, never markup.

/** `el("p", {class: "hint", onclick: f}, "text", child)`; null children are left out. */
export function el(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** The same for SVG. */
export function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return node;
}

export const byId = (id) => document.getElementById(id);

/** Sets text only when it differs, so that screen readers hear changes and nothing else. */
export function setText(node, text) {
  const next = String(text);
  if (node.textContent !== next) node.textContent = next;
}

/** The filled fields of a form as an object of trimmed strings; empty ones are left out. */
export function values(form) {
  const out = {};
  for (const [name, value] of new FormData(form)) {
    const text = typeof value !== "string" ? "" : name === "password" ? value : value.trim();
    if (text !== "" && !form.elements[name]?.disabled) out[name] = text;
  }
  return out;
}

/** Shows a problem in a form: each error at its field, the rest at the bottom. */
export function showProblem(form, problem) {
  clearProblem(form);
  const rest = [];
  let first = null;
  for (const error of problem.errors ?? []) {
    const field = fieldOf(form, error.pointer);
    if (!field) {
      rest.push(error.message);
      continue;
    }
    markField(field, error.message);
    first ??= field;
  }
  const line = form.querySelector(".form-error");
  const text = rest.length ? rest.join(" ") : first ? "" : problem.message;
  line.textContent = text;
  line.hidden = text === "";
  first?.focus();
}

/** Marks one field as wrong, in words. */
export function markField(field, message) {
  const note = el("span", { class: "field-error", id: `${field.id}-error` }, message);
  field.setAttribute("aria-invalid", "true");
  field.dataset.described = field.getAttribute("aria-describedby") ?? "";
  field.setAttribute("aria-describedby", `${note.id} ${field.dataset.described}`.trim());
  field.after(note);
}

export function clearProblem(form) {
  for (const note of form.querySelectorAll(".field-error")) note.remove();
  for (const field of form.querySelectorAll("[aria-invalid]")) {
    field.removeAttribute("aria-invalid");
    if (field.dataset.described) field.setAttribute("aria-describedby", field.dataset.described);
    else field.removeAttribute("aria-describedby");
  }
  const line = form.querySelector(".form-error");
  if (line) line.hidden = true;
}

/** Checks the form's own rules and marks what is wrong. True when all is well. */
export function checkForm(form) {
  clearProblem(form);
  const wrong = [...form.elements].filter((field) => field.willValidate && !field.validity.valid);
  for (const field of wrong) markField(field, field.validationMessage);
  wrong[0]?.focus();
  return wrong.length === 0;
}

function fieldOf(form, pointer) {
  if (!pointer) return null;
  return [...form.elements].find((field) => field.name && (field.dataset.pointer ?? `/${field.name}`) === pointer) ?? null;
}

/** Runs `work` with the form's button off; a problem is shown in the form. Answers what `work` did, or null. */
export async function submitting(form, work) {
  const button = form.querySelector("[type=submit]");
  button.disabled = true;
  try {
    return await work();
  } catch (problem) {
    showProblem(form, problem);
    return null;
  } finally {
    button.disabled = false;
  }
}

const number = new Intl.NumberFormat();
export const count = (n) => number.format(n ?? 0);

/** Clock time at the event; with the date when it was another day. */
export function clock(instant, timeZone) {
  if (!instant) return "";
  const when = new Date(instant);
  const day = (date) => date.toLocaleDateString("en-CA", { timeZone });
  const time = when.toLocaleTimeString([], { timeZone, hour: "2-digit", minute: "2-digit", second: "2-digit" });
  return day(when) === day(new Date()) ? time : `${when.toLocaleDateString([], { timeZone, dateStyle: "medium" })}, ${time}`;
}

/** `wrong_gate` → `Wrong gate`. */
export const words = (code) => (code ? code[0].toUpperCase() + code.slice(1).replaceAll("_", " ") : "");
