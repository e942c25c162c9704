// All reports: how each stands, when it runs next, how its last run went.

import { el } from "./dom.js";
import * as api from "./reports-api.js";
import { chip, facts, pages, when } from "./parts.js";
import { link, reportState, standing } from "./reports-parts.js";

export async function list(place) {
  const items = el("ul", { class: "plain stack", id: "reports" });
  const { nodes, start } = pages({ load: api.reports, show: card, list: items, empty: "No report yet. One is a prompt, a schedule and whom to send it to." });
  place.replaceChildren(
    el("div", { class: "row spread wrap" }, el("h1", {}, "Reports"), el("a", { class: "button primary", href: "/reports?view=new" }, "New report")),
    ...nodes,
  );
  await start();
}

function card(report) {
  const last = el("span", {}, "…");
  const held = el("span", {});
  look(report, last, held);
  const [state, kind] = reportState(report);
  return el("li", { class: "card report-card", "data-report": report.id },
    el("div", { class: "row spread wrap" },
      el("h2", {}, el("a", { href: link("report", report.id) }, report.name)),
      el("span", { class: "row wrap" }, held, chip(state, kind))),
    facts([
      ["Runs", report.schedule],
      ["Next", report.nextRunAt ? when(report.nextRunAt, report.cronTimezone) : "not until it is resumed"],
      ["Last run", last],
    ]));
}

/** How the last run went, and whether any waits for a review. */
async function look(report, last, held) {
  try {
    const [newest, pending] = await Promise.all([api.runs(report.id, {}, null, 1), api.runs(report.id, { review: "pending" }, null, 1)]);
    const run = newest.items[0];
    last.replaceChildren(...(run ? [el("a", { href: link("run", run.id) }, when(run.asOf, report.cronTimezone)), " ", chip(...standing(run))] : ["none yet"]));
    const waiting = pending.items[0];
    if (waiting) held.replaceChildren(el("a", { class: "chip warn", href: link("run", waiting.id) }, "Waits for your review"));
  } catch (problem) {
    last.textContent = problem.message;
  }
}
