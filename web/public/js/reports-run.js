// One run of a report: stages, attempts, who got it, and the decision about one that is held.
//
// Invariant: the page follows the run until nothing of it moves any more.
// Failure: a lost answer is asked for again; a refused order is told at the top.

import { el, words } from "./dom.js";
import * as api from "./reports-api.js";
import { ask, button, chip, facts, table, tell, when } from "./parts.js";
import { link, mail, standing } from "./reports-parts.js";

const FOLLOW = 1_500;
const KINDS = { sent: "good", failed: "bad", unknown: "warn" };
const STAGES = ["generate", "render", "deliver"];

let timer = null;
/** The report in its frame is read once: a frame that is made anew flickers and loses its place. */
let framed = null;

export async function run(id, place) {
  clearTimeout(timer);
  const job = await api.oneRun(id);
  const [report, letters] = await Promise.all([api.oneReport(job.pulseConfigId), api.messages(id)]);
  framed ??= job.payload ? await asSent(id) : null;
  document.title = `${report.name} · Pulse`;
  const zone = report.cronTimezone;
  show(place, [head(job, report, place), held(job, place)], [about(job, zone), deliveries(job, letters.items, zone, place), attempts(job, zone)]);
  const moving = letters.items.some((letter) => ["pending", "sending"].includes(letter.status));
  if (moves(job) || moving) timer = setTimeout(() => again(id, place), FOLLOW);
}

const moves = (job) => job.state !== "finished" && job.review !== "pending";

/** Everything around the frame is made anew, and whoever had the focus keeps it. */
function show(place, above, below) {
  const [upper, lower] = ["run", "details"].map((id) => place.querySelector(`#${id}`) ?? el("div", { id, class: "stack" }));
  const focused = place.contains(document.activeElement) ? document.activeElement.textContent : null;
  upper.replaceChildren(...above.filter(Boolean));
  lower.replaceChildren(...below);
  if (!upper.isConnected) place.append(upper, lower);
  if (framed && !framed.isConnected) upper.after(framed);
  if (focused) [...place.querySelectorAll("button, a")].find((node) => node.textContent === focused)?.focus();
}

async function again(id, place) {
  try {
    await run(id, place);
  } catch (problem) {
    if (!problem.lost) return tell(problem.message, "bad");
    timer = setTimeout(() => again(id, place), (problem.retryAfter ?? 3) * 1000);
  }
}

/** The message, once there is one. */
async function asSent(id) {
  try {
    const html = await api.asSent(id);
    return el("section", { class: "card stack", "aria-labelledby": "as-sent" }, el("h2", { id: "as-sent" }, "As it is sent"), mail(html));
  } catch (problem) {
    if (problem.status === 404 || problem.status === 409) return null;
    throw problem;
  }
}

function ordered(text, what, job, place, kind) {
  return button(text, async () => {
    await api.orderRun(job.id, what);
    await run(job.id, place);
  }, { kind });
}

function head(job, report, place) {
  const [text, kind] = standing(job);
  const failed = job.result === "error" || (job.state === "running" && job.error && job.review !== "pending");
  return el("div", { class: "stack" },
    el("p", {}, el("a", { href: link("report", report.id) }, `← ${report.name}`)),
    el("div", { class: "row spread wrap" }, el("h1", {}, `Run of ${when(job.asOf, report.cronTimezone)}`), el("span", { role: "status", id: "standing" }, chip(text, kind))),
    el("div", { class: "row wrap actions" },
      failed ? ordered("Try again now", "run", job, place, "primary") : null,
      moves(job) ? ordered("Cancel", "cancel", job, place) : null));
}

function held(job, place) {
  if (job.review !== "pending") return null;
  const untraced = (job.figures?.figures ?? []).filter((figure) => !figure.traced).map((figure) => figure.text);
  const reject = button("Reject", async () => {
    if (!(await ask("Reject this report? It is not sent, and that cannot be undone.", "Reject"))) return;
    await api.orderRun(job.id, "reject");
    await run(job.id, place);
  }, { kind: "danger" });
  return el("section", { class: "card stack held", "aria-labelledby": "held-title" },
    el("h2", { id: "held-title" }, "Held until you decide"),
    el("p", {}, "No query result explains ", el("strong", {}, untraced.join(", ")), ". Read the report below: it goes out as it is, or not at all."),
    el("div", { class: "row wrap actions" }, ordered("Approve and send", "approve", job, place, "primary"), reject));
}

function about(job, zone) {
  return el("section", { class: "card", "aria-labelledby": "run-title" },
    el("h2", { id: "run-title" }, "Run"),
    facts([
      ["Made", words(job.origin)],
      ["Occurrence", when(job.scheduledFor, zone)],
      ["Stage", `${job.stage} (${STAGES.indexOf(job.stage) + 1} of ${STAGES.length})`],
      ["Started", when(job.startedAt, zone)],
      ["Finished", when(job.finishedAt, zone)],
      ["Written by", job.writer],
      ["Figures", job.figures && `${job.figures.figures.length}, ${job.untraced ?? 0} without a query that explains them`],
      ["Review", job.review && `${words(job.review)} ${when(job.reviewedAt, zone)}`.trim()],
      ["Error", job.error],
      ["Warning", job.warning],
      ["Tried next", moves(job) && job.error ? when(job.nextAttemptAt, zone) : null],
    ]));
}

function deliveries(job, letters, zone, place) {
  const counts = Object.entries(job.deliveries ?? {}).map(([status, n]) => chip(`${n} ${status}`, KINDS[status]));
  const row = (letter) => [
    letter.recipient ?? letter.channel_name,
    `${letter.channel_name} (${letter.channel_kind})`,
    el("span", {}, chip(letter.status, KINDS[letter.status]), letter.last_error ? el("span", { class: "hint" }, ` ${words(letter.last_error)}`) : null),
    when(letter.sent_at, zone),
    action(letter, job, place),
  ];
  return el("section", { class: "card stack", id: "deliveries", "aria-labelledby": "deliveries-title" },
    el("div", { class: "row spread wrap" }, el("h2", { id: "deliveries-title" }, "Deliveries"), el("span", { class: "row wrap" }, counts)),
    letters.length ? table("Deliveries", ["To", "Channel", "Status", "Sent", ""], letters.map(row)) : el("p", { class: "hint" }, "None so far."));
}

/** What can be done about a message: read it, or send it again where it may not have arrived. */
function action(letter, job, place) {
  if (letter.channel_kind === "outbox" && letter.status === "sent") return el("a", { href: link("letter", letter.id) }, "Read");
  if (!["failed", "unknown"].includes(letter.status)) return "";
  return button("Send again", async () => {
    if (letter.status === "unknown" && !(await ask("It may have arrived already. Send it again?", "Send again"))) return;
    await api.sendAgain(letter.id);
    await run(job.id, place);
  });
}

function attempts(job, zone) {
  const row = (attempt) => [
    String(attempt.number),
    attempt.stage,
    when(attempt.at, zone),
    attempt.durationMs === null ? "" : `${attempt.durationMs} ms`,
    attempt.error ?? (attempt.code ? words(attempt.code) : "fine"),
  ];
  return el("section", { class: "card", "aria-labelledby": "attempts-title" },
    el("h2", { id: "attempts-title" }, "Attempts"),
    job.attempts.length ? table("Attempts", ["#", "Stage", "Began", "Took", "How it went"], job.attempts.map(row)) : el("p", { class: "hint" }, "None so far."));
}
