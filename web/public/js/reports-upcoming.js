// The runs to come of a schedule: while it is typed, and of a report that is there.
//
// Invariant: what is shown is the server's answer to what stands in the fields now; an older answer
// that comes later is dropped. The browser only picks where to look for changes of the clock.
// Failure: a wrong schedule is told at its field; a lost answer is told in place of the runs.

import { foresee } from "./reports-api.js";
import { el, markField } from "./dom.js";
import { chip } from "./parts.js";
import { wall } from "./reports-parts.js";

const SHOWN = 6;
const PAUSE = 250;
const HOUR = 3_600_000;
const DAY = 24 * HOUR;
/** A year with both its changes of the clock, wherever they lie. */
const AHEAD = 400;

/** What a schedule means: in words, its hints, its runs, and the runs that a change of the clock moves. */
export function meaning(answer, exceptions = []) {
  const known = new Set(answer.runs.map((run) => run.scheduledFor));
  const further = exceptions.filter((run) => !known.has(run.scheduledFor));
  return [
    el("p", { class: "words" }, sentence(answer.schedule)),
    answer.warnings.map((hint) => el("p", { class: "note" }, hint.message)),
    el("h3", {}, `Next runs, ${answer.cronTimezone}`),
    answer.runs.length ? el("ol", { class: "plain runs" }, answer.runs.map(item)) : el("p", { class: "hint" }, "None."),
    further.length ? [el("h3", {}, "When the clock changes"), el("ol", { class: "plain exceptions" }, further.map(item))] : null,
  ].flat(2).filter(Boolean);
}

const sentence = (text) => text && text[0].toUpperCase() + text.slice(1);

function item(run) {
  const { day, time } = wall(run.local);
  const late = run.jitterSeconds > 0 ? chip(`starts ${Math.round(run.jitterSeconds / 60) || "<1"} min later`) : null;
  const why = [run.note?.text, run.expected !== "start" ? run.overlapNote : null].filter(Boolean).join(" ");
  return el("li", { "data-note": run.note?.kind },
    el("time", { datetime: run.scheduledFor }, `${day}, ${time}`), run.note ? badge(run) : null, late, why ? el("span", { class: "hint" }, why) : null);
}

/** `14 Mar: runs 03:00`, and what else a change of the clock does. */
function badge(run) {
  const { short, time } = wall(run.local);
  const texts = { moved: `runs ${time}`, firstOnly: `${time} comes twice: runs once`, firstPass: `${time} comes twice: first`, secondPass: `${time} comes twice: second` };
  return chip(`${short}: ${texts[run.note.kind] ?? run.note.kind}`, "warn");
}

/** Follows the fields of `form` and shows in `place` what they mean. Answers what to call when they are filled by hand. */
export function follow(form, place) {
  const { cron, cronTimezone, jitter, overlap } = form.elements;
  let latest = 0;
  let timer = null;
  const input = () => ({
    cron: cron.value.trim(),
    cronTimezone: cronTimezone.value.trim() || undefined,
    jitter: jitter.checked,
    overlap: overlap.value,
  });

  async function look() {
    const turn = ++latest;
    const asked = input();
    if (!asked.cron) return show([]);
    try {
      const answer = await foresee({ ...asked, n: SHOWN });
      if (turn !== latest) return;
      show(meaning(answer));
      const exceptions = answer.runs.some((run) => run.note) ? [] : await changed(asked, answer);
      if (turn === latest && exceptions.length) show(meaning(answer, exceptions));
    } catch (problem) {
      if (turn !== latest) return;
      show(problem.errors?.length ? [] : [el("p", { class: "hint" }, problem.message)], problem.errors);
    }
  }

  function show(nodes, errors = []) {
    place.replaceChildren(...nodes);
    for (const field of [cron, cronTimezone]) {
      const wrong = errors.filter((error) => error.pointer === `/${field.name}`).map((error) => error.message);
      unmark(field);
      if (wrong.length) markField(field, wrong.join(" "));
    }
  }

  const soon = () => {
    clearTimeout(timer);
    latest += 1; // what is under way is about other texts
    timer = setTimeout(look, PAUSE);
  };
  for (const field of [cron, cronTimezone]) field.addEventListener("input", soon);
  for (const field of [jitter, overlap]) field.addEventListener("change", soon);
  return look;
}

function unmark(field) {
  document.getElementById(`${field.id}-error`)?.remove();
  field.removeAttribute("aria-invalid");
  if (field.dataset.described) field.setAttribute("aria-describedby", field.dataset.described);
  else field.removeAttribute("aria-describedby");
}

/** The runs of a schedule that the next changes of its clock do something to. */
export async function changed(asked, { cronTimezone }) {
  const found = await Promise.all(
    changes(cronTimezone).map(async (at) => {
      const { runs } = await foresee({ ...asked, from: new Date(at - 3 * HOUR).toISOString(), n: 40 });
      return runs.find((run) => run.note);
    }),
  );
  return found.filter(Boolean);
}

const looked = new Map();

/** When the clock of a zone changes, two times at most, from now on. */
function changes(zone) {
  if (!looked.has(zone)) looked.set(zone, search(zone));
  return looked.get(zone);
}

function search(zone) {
  let format;
  try {
    format = new Intl.DateTimeFormat("en-US", { timeZone: zone, timeZoneName: "longOffset" });
  } catch {
    return [];
  }
  const offset = (at) => format.formatToParts(at).find((part) => part.type === "timeZoneName").value;
  const found = [];
  for (let day = Date.now(), last = day + AHEAD * DAY; day < last && found.length < 2; day += DAY) {
    if (offset(day) === offset(day + DAY)) continue;
    let [before, behind] = [day, day + DAY];
    while (behind - before > 60_000) {
      const middle = Math.floor((before + behind) / 2);
      if (offset(middle) === offset(day)) before = middle;
      else behind = middle;
    }
    found.push(behind);
  }
  return found;
}
