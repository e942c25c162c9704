// One report: how it stands, what is to come, its runs, and a preview.
//
// Failure: what an order was refused for is told at the top; the report stays as it was shown.

import { el } from "./dom.js";
import * as api from "./reports-api.js";
import { ask, button, chip, facts, pages, table, tell, when } from "./parts.js";
import { downloads, link, mail, reportState, skippedWords, standing } from "./reports-parts.js";
import { changed, meaning } from "./reports-upcoming.js";

const OVERLAP = { skip: "leaves a run out while one is under way", buffer_one: "lets one run wait for the one before", cancel_other: "cancels the run before", allow: "runs beside the one before" };
const FILTERS = [["All", {}], ["Held for review", { review: "pending" }], ["Failed", { result: "error" }], ["Under way", { state: "running" }]];

export async function report(id, place) {
  const it = await api.oneReport(id);
  document.title = `${it.name} · Pulse`;
  const seen = el("div", { id: "preview", "aria-live": "polite" });
  place.replaceChildren(head(it, seen, place), seen, about(it), ahead(it), past(it));
}

function head(it, seen, place) {
  const again = () => report(it.id, place);
  const order = (text, what, said) => button(text, async () => {
    await api.order(it.id, what);
    await again();
    tell(said, "good");
  });
  const publish = async () => location.assign(link("run", (await api.order(it.id, "publish")).id));
  const remove = async () => {
    if (!(await ask(`Delete “${it.name}” and its runs? Messages that went out stay in the outbox.`, "Delete"))) return;
    await api.remove(it.id);
    location.replace("/reports");
  };
  return el("div", { class: "stack" },
    el("div", { class: "row spread wrap" }, el("h1", {}, it.name), chip(...reportState(it))),
    el("div", { class: "row wrap actions" },
      button("Publish now", publish, { kind: "primary" }),
      button("Preview", () => preview(it, seen)),
      el("a", { class: "button", href: link("edit", it.id) }, "Edit"),
      it.pausedAt ? order("Resume", "resume", "It runs again, from its next occurrence on.") : order("Pause", "pause", "It does not run until it is resumed."),
      button("Delete", remove, { kind: "danger" })));
}

function about(it) {
  const failed = it.failures > 0 ? `${it.failures} in a row; pauses after ${it.pauseAfter ?? "none"}` : null;
  const switches = [it.strict && "strict", it.skipIfEmpty && "nothing is sent when nothing is found", it.sendIf && `sent only if ${it.sendIf}`, it.attachCsv && "with CSV", it.jitter && "with jitter"];
  return el("section", { class: "card", "aria-labelledby": "about-title" },
    el("h2", { id: "about-title" }, "Report"),
    facts([
      ["For", it.description],
      ["Next run", it.nextRunAt ? when(it.nextRunAt, it.cronTimezone) : "none"],
      ["Recipients", (it.recipients ?? []).join(", ") || "nobody"],
      ["Overlap", OVERLAP[it.overlap] ?? it.overlap],
      ["Also", switches.filter(Boolean).join("; ")],
      ["Failures", failed],
      ["Missed", it.missed > 0 && `${it.missed} nobody ran in time`],
      ["Left out", it.overlapSkipped > 0 && `${it.overlapSkipped} while another was under way`],
    ]),
    el("details", {}, el("summary", {}, "Prompt"), el("pre", {}, it.prompt)));
}

/** The runs to come; of a report that does not run, what they would be. */
function ahead(it) {
  const runs = el("div", { class: "upcoming" }, el("p", { class: "hint" }, "Loading…"));
  fillAhead(it, runs);
  return el("section", { class: "card", "aria-labelledby": "ahead-title" },
    el("h2", { id: "ahead-title" }, "Upcoming runs"),
    it.nextRunAt ? null : el("p", { class: "note" }, "It does not run now. If it did:"),
    runs);
}

async function fillAhead(it, runs) {
  try {
    const answer = await api.upcoming(it.id, 6);
    runs.replaceChildren(...meaning(answer));
    const asked = { cron: it.cron, cronTimezone: it.cronTimezone ?? undefined, overlap: it.overlap };
    const exceptions = answer.runs.some((run) => run.note) ? [] : await changed(asked, answer);
    if (exceptions.length) runs.replaceChildren(...meaning(answer, exceptions));
  } catch (problem) {
    if (runs.querySelector(".words")) return; // what is shown is right, if not all
    runs.replaceChildren(el("p", { class: "hint" }, problem.message));
  }
}

function past(it) {
  const place = el("div", { class: "stack" });
  const choose = el("select", { id: "which-runs" }, FILTERS.map(([name], i) => el("option", { value: i }, name)));
  choose.addEventListener("change", () => show(FILTERS[choose.value][1]));
  async function show(filter) {
    const grid = table("Runs", ["About", "State", "Sent", "Attempts"], []);
    const body = grid.querySelector("tbody");
    const { nodes, start } = pages({ load: (cursor) => api.runs(it.id, filter, cursor), show: (run) => row(run, it.cronTimezone), list: body, empty: "None." });
    place.replaceChildren(...nodes.map((node) => (node === body ? grid : node)));
    await start();
    grid.hidden = body.children.length === 0;
  }
  show({});
  return el("section", { class: "card", "aria-labelledby": "runs-title" },
    el("div", { class: "row spread wrap" }, el("h2", { id: "runs-title" }, "Runs"), el("div", { class: "field short" }, el("label", { for: "which-runs", class: "unseen" }, "Which runs"), choose)),
    place);
}

function row(run, zone) {
  const [text, kind] = standing(run);
  const origin = run.origin === "schedule" ? null : el("span", { class: "hint" }, ` ${run.origin}`);
  return el("tr", { "data-run": run.id },
    el("td", {}, el("a", { href: link("run", run.id) }, when(run.asOf, zone)), origin),
    el("td", {}, chip(text, kind), run.error ? el("span", { class: "hint" }, ` ${run.error}`) : null),
    el("td", {}, run.emailSent ? when(run.emailSentAt, zone) : "no"),
    el("td", {}, String(run.attemptCount)));
}

async function preview(it, seen) {
  seen.replaceChildren(el("p", { class: "note" }, "Writing…"));
  try {
    seen.replaceChildren(previewed(await api.preview(it.id)));
  } catch (problem) {
    seen.replaceChildren();
    throw problem;
  }
}

function previewed(made) {
  const files = made.attachments.map((file) => ({ name: file.name, type: file.contentType, content: file.content, id: file.contentId }));
  const untraced = made.figures.figures.filter((figure) => !figure.traced).map((figure) => figure.text);
  const notes = [
    made.skipped && ["", `It would not be sent: ${skippedWords(made.skipped)}.`],
    made.held && ["bad", `It would be held for review: no query explains ${untraced.join(", ")}.`],
    !made.held && untraced.length > 0 && ["", `No query explains ${untraced.join(", ")}.`],
    made.warning && ["", made.warning],
  ];
  return el("section", { class: "card stack", "aria-labelledby": "preview-title" },
    el("h2", { id: "preview-title" }, "Preview"),
    facts([["Subject", made.subject], ["Written by", made.writer], ["Figures", `${made.figures.figures.length}, ${made.figures.figures.length - untraced.length} traced to a query`]]),
    notes.filter(Boolean).map(([kind, text]) => el("p", { class: `note ${kind}`.trim() }, text)),
    mail(made.html, files, "Preview of the report"),
    el("details", {}, el("summary", {}, "As text"), el("pre", {}, made.text)),
    downloads(files.filter((file) => !file.id)));
}
