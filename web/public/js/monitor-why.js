// Why a value was judged as it was: where it was expected, what that came from, and what other
// sensitivities would have said.
//
// Invariant: only what was stored with the verdict is told; nothing is judged again here.
// Failure: without an explanation there is nothing.

import { count, el } from "./dom.js";
import { amount, at, band } from "./monitor-parts.js";
import { chip, facts, table } from "./parts.js";

const RULES = {
  zero: "Nothing came where many were expected", strong: "So far out that one value is enough", confirmed: "The second in a row outside the band",
  sustained: "Six in a row well off the centre, the same way", held: "It fired before, and is not yet back near the centre",
};
const WIDENED = {
  holiday: "a holiday", clock_change: "the clock was changed lately", habit: "the series does this now and then by itself", repeated: "the same time showed as much lately",
  unseen: "this time of the week was never seen", false_alarm: "people called as much a false alarm",
};
const SAYS = { learning: ["Still learning", ""], normal: ["Nothing", "good"], suspect: ["Waits for the next value", "warn"], anomalous: ["Fires", "bad"] };

/** What a detector went by, of `detail.detector`. */
export function explained(detector, unit) {
  if (!detector?.sensitivities) return null;
  const said = detector.sensitivities;
  const row = (name, label) => {
    const one = said[name];
    const [text, kind] = SAYS[one.outcome?.is] ?? [one.outcome?.is ?? "", ""];
    return [name === detector.sensitivity ? el("strong", {}, `${label} (set)`) : label, chip(text, kind), one.rule ? RULES[one.rule] ?? one.rule : "", band(one.band?.low, one.band?.high, unit)];
  };
  const widened = (detector.widened ?? []).map((why) => WIDENED[why] ?? why).join("; ");
  return el("div", { class: "stack tight why" },
    el("h3", {}, "What would have fired"),
    table("What each sensitivity says", ["Sensitivity", "It says", "Why", "Expected"], [row("low", "Low"), row("medium", "Medium"), row("high", "High")]),
    el("details", {}, el("summary", {}, "What it was learned from"), facts([
      ["Usual at this time", detector.points ? amount(detector.usual, unit) : null],
      ["Values", `${count(detector.points)}, ${count(detector.same_time)} of them of this time of the week`],
      ["Learned until", detector.learnt_until && at(detector.learnt_until)],
      ["The last day", detector.recent ? `moved that by ${amount(detector.recent, detector.kind === "value" ? unit : "plain")}, from ${count(detector.recent_points)} values` : null],
      ["A new level", detector.new_level && "has held, and is learned"],
      ["Wider because", widened],
    ])));
}

/** Rows that are wrong, where they are shown at all. */
export function sample(rows) {
  if (!rows?.length) return null;
  const names = Object.keys(rows[0]);
  const cell = (value) => (value === null || value === undefined ? el("em", { class: "hint" }, "null") : typeof value === "object" ? JSON.stringify(value) : String(value));
  return el("div", { class: "stack tight" }, el("h3", {}, "Some wrong rows"), table("Some wrong rows", names, rows.map((row) => names.map((name) => cell(row[name])))));
}
