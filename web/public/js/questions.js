// The questions that hold a guest up, as a form.
//
// Invariant: an answer has the type that its question takes; what was not answered is left out.
// Failure: a form that is closed without answers is no answer: the guest stays outside.

import { byId, checkForm, el, setText } from "./dom.js";

/** Asks `questions` of the answer to a scan; answers by their ids, or null when they were not asked. */
export function ask(guest, questions) {
  const [dialog, form] = [byId("questions-dialog"), byId("questions-form")];
  setText(byId("questions-title"), `Ask ${guest} first`);
  byId("questions-fields").replaceChildren(...questions.map(field));
  dialog.showModal();
  return new Promise((resolve) => {
    let answers = null;
    form.onsubmit = (event) => {
      event.preventDefault();
      if (!checkForm(form)) return;
      answers = Object.fromEntries(questions.map((question) => [question.id, read(question, form)]).filter(([, value]) => value !== undefined));
      dialog.close();
    };
    byId("questions-cancel").onclick = () => dialog.close();
    dialog.onclose = () => resolve(answers);
  });
}

const nameOf = ({ id }) => `question-${id}`;

function field(question) {
  const { text, kind, required, choices = [] } = question;
  const name = nameOf(question);
  const given = { id: name, name, required };
  const option = (value, shown = value) => el("option", { value }, shown);
  const input = {
    text: () => el("input", { ...given, maxlength: 1000, autocomplete: "off" }),
    number: () => el("input", { ...given, type: "number", step: "any", inputmode: "decimal" }),
    date: () => el("input", { ...given, type: "date" }),
    yes_no: () => el("select", given, option("", "Choose"), option("yes", "Yes"), option("no", "No")),
    choice: () => el("select", given, option("", "Choose"), ...choices.map((choice) => option(choice))),
  }[kind]();
  const hint = required ? null : el("span", { class: "hint" }, " optional");
  return el("div", { class: "field" }, el("label", { for: name }, text, hint), input);
}

function read(question, form) {
  const value = form.elements[nameOf(question)].value.trim();
  if (value === "") return undefined;
  if (question.kind === "number") return Number(value);
  return question.kind === "yes_no" ? value === "yes" : value;
}
