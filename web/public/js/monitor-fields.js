// The fields of the monitor's forms, and where the server's errors go.
//
// Invariant: each field says by its pointer what of the body it fills; an error is told at the field
// whose pointer is the longest that leads there.
// Failure: an error that belongs to no field is told at the bottom, with its pointer's name.

import { el } from "./dom.js";
import { Problem } from "./http.js";

let numbered = 0;

/** A control with its label. `pointer` is its place in the body, such as `/settings/column`. */
function labelled(control, { id, label, hint, wide }) {
  const said = hint ? el("span", { class: "hint", id: `${id}-hint` }, hint) : null;
  if (said) control.setAttribute("aria-describedby", said.id);
  return el("div", { class: `field${wide ? " wide" : ""}` }, el("label", { for: id }, label), control, said);
}

const identity = (pointer) => {
  const id = `f${pointer.replaceAll(/[^a-z0-9]+/gi, "-")}-${(numbered += 1)}`;
  return { id, name: id, "data-pointer": pointer };
};

/** A line of text, a number, a password, a time; `list` are proposals. */
export function text(pointer, label, { type = "text", value = "", hint, list, wide, ...more } = {}) {
  const own = identity(pointer);
  const control = el("input", { ...own, type, autocomplete: "off", spellcheck: "false", value, step: type === "number" ? "any" : null, list: list ? `${own.id}-list` : null, ...more });
  const node = labelled(control, { id: own.id, label, hint, wide });
  if (list) node.append(el("datalist", { id: `${own.id}-list` }, list.map((one) => el("option", { value: one }))));
  return node;
}

/** Several lines. */
export function lines(pointer, label, { value = "", rows = 3, hint, ...more } = {}) {
  const own = identity(pointer);
  const control = el("textarea", { ...own, rows, autocomplete: "off", spellcheck: "false", ...more });
  control.value = value;
  return labelled(control, { id: own.id, label, hint, wide: true });
}

/** One of several: `options` are `[value, text]`. */
export function choice(pointer, label, options, { value, hint, ...more } = {}) {
  const own = identity(pointer);
  const known = options.some(([one]) => String(one) === String(value ?? options[0][0]));
  const all = known ? options : [...options, [value, String(value)]];
  const control = el("select", { ...own, ...more }, all.map(([one, name]) => el("option", { value: one, selected: String(one) === String(value ?? options[0][0]) }, name)));
  return labelled(control, { id: own.id, label, hint });
}

export function check(pointer, label, { value = false } = {}) {
  const own = identity(pointer);
  return el("label", { class: "check" }, el("input", { ...own, type: "checkbox", checked: value }), label);
}

/** The control at a pointer. */
export const at = (form, pointer) => [...form.elements].find((field) => field.dataset.pointer === pointer) ?? null;

/** What is typed at a pointer; undefined where there is no such field or nothing in it. */
export function typed(form, pointer) {
  const field = at(form, pointer);
  if (!field) return undefined;
  if (field.type === "checkbox") return field.checked;
  const value = field.type === "password" ? field.value : field.value.trim();
  if (value === "") return undefined;
  return field.type === "number" ? Number(value) : value;
}

export const listed = (value) => (value ?? "").split(/[\n,]/).map((one) => one.trim()).filter(Boolean);

/** `team=data` lines as an object; a line without `=` is a name without a value. */
export function labels(value) {
  return Object.fromEntries((value ?? "").split("\n").map((line) => line.trim()).filter(Boolean).map((line) => {
    const i = line.indexOf("=");
    return i < 0 ? [line, ""] : [line.slice(0, i).trim(), line.slice(i + 1).trim()];
  }));
}

export const labelLines = (given) => Object.entries(given ?? {}).map(([name, value]) => `${name}=${value}`).join("\n");

/** A form with its button and a place for what is wrong. */
export function form(id, title, save, cancel, ...content) {
  return el("form", { id, class: "card long", novalidate: true, "aria-labelledby": `${id}-title` },
    el("h1", { id: `${id}-title` }, title),
    ...content,
    el("p", { class: "form-error", role: "alert", hidden: true }),
    el("div", { class: "row wrap" }, el("button", { type: "submit", class: "primary" }, save), el("a", { class: "button", href: cancel }, "Cancel")));
}

export const group = (title, ...content) => el("fieldset", { class: "stack" }, el("legend", {}, title), ...content.flat().filter(Boolean));
export const columns = (...content) => el("div", { class: "columns" }, ...content.flat());

/** The same problem with each error at the field that it is about, one for each. */
export function atFields(form, problem) {
  const pointers = [...form.elements].map((field) => field.dataset.pointer).filter(Boolean);
  const byField = new Map();
  for (const error of problem.errors ?? []) {
    const pointer = error.pointer ?? "";
    const above = pointers.filter((one) => pointer === one || pointer.startsWith(`${one}/`)).sort((one, other) => other.length - one.length)[0];
    // What is wrong with a whole group is told at the first of its fields.
    const below = above ?? (pointer && pointers.find((one) => one.startsWith(`${pointer}/`)));
    const place = below ?? pointer;
    const message = below || !pointer ? error.message : `${pointer.slice(1).replaceAll("/", ", ")}: ${error.message}`;
    byField.set(place, [...(byField.get(place) ?? []), message]);
  }
  const errors = [...byField].map(([pointer, messages]) => ({ pointer, message: [...new Set(messages)].join(" ") }));
  const detail = problem.status === 412 ? "Somebody has changed this meanwhile. Load the page again to see how it is now." : problem.message;
  return new Problem(problem.status, { code: problem.code, detail, errors });
}

/** What `work` answers; its problem is told at the fields. */
export async function placed(form, work) {
  try {
    return await work();
  } catch (problem) {
    throw problem instanceof Problem ? atFields(form, problem) : problem;
  }
}
