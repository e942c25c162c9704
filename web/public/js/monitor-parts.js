// What the views of the monitor share: addresses, how things stand, numbers in their units, texts to
// copy, and painting that disturbs nobody.
//
// Invariant: what looks the same is left alone, so that whoever reads, opens or types keeps their place.
// Failure: none.

import { count, el, setText, words } from "./dom.js";
import { chip } from "./parts.js";

/** `link("alert", id)`, `link({table: id, edit: "new"})`. */
export const link = (name, value) => `/monitor?${new URLSearchParams(typeof name === "string" ? { [name]: value } : name)}`;

export const a = (href, ...text) => el("a", { href }, ...text);

const number = new Intl.NumberFormat("en", { maximumSignificantDigits: 4 });

/** A value in its unit: `plain`, `rows`, `share` or `seconds`. */
export function amount(value, unit) {
  if (value === null || value === undefined) return "–";
  if (unit === "share") return `${number.format(value * 100)} %`;
  if (unit === "seconds") return span(value);
  return Number.isInteger(value) ? count(value) : number.format(value);
}

/** What lies between two limits, in words. */
export function band(low, high, unit) {
  const there = (limit) => limit !== null && limit !== undefined;
  if (there(low) && there(high)) return low === high ? amount(low, unit) : `${amount(low, unit)} to ${amount(high, unit)}`;
  if (there(low)) return `at least ${amount(low, unit)}`;
  return there(high) ? `at most ${amount(high, unit)}` : "";
}

const SPANS = [[86_400, "d"], [3_600, "h"], [60, "min"], [1, "s"]];

/** A length of time from its seconds: `2 h 5 min`. */
export function span(seconds) {
  const size = Math.abs(seconds);
  if (size < 1) return size === 0 ? "0 s" : `${Math.round(seconds * 1000)} ms`;
  let rest = Math.round(size);
  const parts = [];
  for (const [length, name] of SPANS) {
    const n = Math.floor(rest / length);
    rest -= n * length;
    if (n) parts.push(`${n} ${name}`);
  }
  return `${seconds < 0 ? "−" : ""}${parts.slice(0, 2).join(" ")}`;
}

const here = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", hourCycle: "h23" });

/** An instant by this browser's clock. */
export function at(instant) {
  if (!instant) return "";
  return el("time", { datetime: instant, title: new Date(instant).toISOString() }, here.format(new Date(instant)));
}

/** `3 min ago`, coarse enough not to change all the time. */
export function ago(instant, now = Date.now()) {
  const seconds = (now - Date.parse(instant)) / 1000;
  if (seconds < 60) return "just now";
  const [length, name] = SPANS.find(([size]) => seconds >= size);
  return `${Math.floor(seconds / length)} ${name} ago`;
}

/** What a check measures, by its kind. */
export function unitOf(check) {
  const { kind, measure } = check;
  if (kind === "freshness") return "seconds";
  if (["volume", "row_count", "duplicate_keys"].includes(kind) || measure === "rows") return "rows";
  return ["null_rate", "uniqueness", "accepted_values", "range", "pattern", "reference", "assertion"].includes(kind) ? "share" : "plain";
}

const OUTCOMES = {
  pass: ["Fine", "good"], warn: ["Warns", "warn"], fail: ["Fails", "bad"], learning: ["Learning", ""], inconclusive: ["Cannot tell: replica behind", "warn"],
  skipped: ["Left out", ""], errored: ["Error", "warn"], misconfigured: ["Misconfigured", "bad"],
};
const SKIPPED = {
  cost: "too expensive", conflict: "in the way of replay", locked: "the table is locked", budget: "the budget is spent", breaker: "the replica is spared",
  busy: "the server is full", unreachable: "the server is away",
};

/** What came of a run. */
export function outcomeChip(outcome, reason) {
  if (!outcome) return chip("Not run yet");
  const [text, kind] = OUTCOMES[outcome] ?? [words(outcome), ""];
  return chip(outcome === "skipped" && SKIPPED[reason] ? `${text}: ${SKIPPED[reason]}` : text, kind);
}

export const skippedWords = (code) => SKIPPED[code] ?? words(code);

/** How a connection stands; `late` is by how many seconds. */
export function connectionState(connection, late = 0) {
  if (!connection.enabled) return ["Off", ""];
  if (connection.last_error_code && connection.last_error_code !== "breaker") return ["Down", "bad"];
  if (connection.breaker === "open") return ["Spared: breaker open", "warn"];
  if (connection.lag_ms > connection.lag_limit_seconds * 1000) return ["Replica is behind", "warn"];
  if (late > 0) return [`Late by ${span(late)}`, "warn"];
  if (!connection.last_run_at) return ["Not asked yet", ""];
  return connection.breaker === "tight" ? ["Asked less", "warn"] : ["OK", "good"];
}

const KINDS = { check: "Data", lag: "Replica is behind", connection_down: "Connection is down", schema: "Columns changed", misconfigured: "Check is misconfigured", errored: "Check cannot run" };

export const kindWords = (kind) => KINDS[kind] ?? words(kind);

/** What an alert is about. */
export function subject(alert) {
  const parts = alert.table ? [alert.table.replace(/^public\./, ""), alert.check] : [alert.connection, kindWords(alert.kind)];
  return parts.filter(Boolean).join(" · ");
}

export function alertChips(alert) {
  const severity = alert.severity === "fail" ? ["Fail", "bad"] : ["Warn", "warn"];
  return [
    chip(...(alert.state === "resolved" ? ["Over", "good"] : severity)),
    alert.state === "pending" ? chip("Pending") : null,
    alert.acknowledged && alert.state !== "resolved" ? chip("Acknowledged") : null,
    alert.muted_by ? chip(alert.muted_by.by === "silence" ? "Silenced" : "Inhibited") : null,
    alert.mark ? chip(alert.mark.mark === "true_alarm" ? "True alarm" : "False alarm") : null,
  ];
}

/** A list entry of an alert. */
export const alertItem = (alert) =>
  el("li", { "data-alert": alert.id, "data-state": alert.state }, el("a", { href: link("alert", alert.id) },
    el("span", { class: "row wrap tight" }, alertChips(alert), el("strong", {}, subject(alert))),
    el("time", { class: "hint", datetime: alert.since }, `since ${here.format(new Date(alert.since))}`),
    el("span", { class: "hint" }, alert.evidence?.said || kindWords(alert.kind))));

/** A text with a button that copies it. */
export function copyable(text, label) {
  const said = el("span", { class: "hint", role: "status" });
  const copy = el("button", { type: "button", class: "quiet copy" }, "Copy");
  const code = el("pre", { tabindex: "0", "aria-label": label }, text);
  copy.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(code.textContent);
      setText(said, "Copied.");
    } catch {
      getSelection().selectAllChildren(code);
      setText(said, "Selected: copy it by hand.");
    }
  });
  return el("div", { class: "copyable" }, el("div", { class: "row spread" }, el("span", { class: "hint" }, label), el("span", { class: "row" }, said, copy)), code);
}

/** Shows `nodes` in `place`: what looks the same stays, and who had the focus keeps it. */
export function paint(place, ...nodes) {
  const next = nodes.flat().filter(Boolean);
  const active = place.contains(document.activeElement) ? document.activeElement : null;
  const key = active && (active.id || active.textContent);
  next.forEach((node, i) => {
    const now = place.children[i];
    if (!now) place.append(node);
    else if (!same(now, node)) now.replaceWith(node);
  });
  while (place.children.length > next.length) place.lastElementChild.remove();
  if (!active || active.isConnected) return;
  [...place.querySelectorAll("button, a, summary, select, input")].find((node) => (node.id || node.textContent) === key)?.focus();
}

/** What a reader opened is no difference. */
function same(now, node) {
  const opened = [...now.querySelectorAll("details")].map((details) => details.open);
  [...node.querySelectorAll("details")].forEach((details, i) => details.toggleAttribute("open", opened[i] ?? details.open));
  return now.isEqualNode(node);
}

/** A section with a heading; `beside` stands at its right. */
export function section(id, title, beside, ...content) {
  return el("section", { class: "card stack", id, "aria-labelledby": `${id}-title` },
    el("div", { class: "row spread wrap head" }, el("h2", { id: `${id}-title` }, title), beside), ...content.flat());
}

/** `1 alert`, `2 alerts`. */
export const many = (n, word) => `${count(n)} ${word}${n === 1 ? "" : "s"}`;

export const nothing = (text) => el("p", { class: "hint" }, text);
export const crumb = (href, text) => el("p", {}, a(href, `← ${text}`));
