// What the dashboard looks like: the snapshot in, elements out.
//
// Invariant: rendering reads the board and changes nothing in it.

import { byId, clock, count, el, setText, svg, words } from "./dom.js";

const MINUTES = 60;
/** A scanner that was not heard of for so long may have let in guests of whom nothing is counted. */
const IN_TOUCH = 60_000;
const fresh = new Set();

/** Marks a feed entry as just arrived for the next rendering. */
export const showFresh = (seq) => fresh.add(seq);

/** Used scanners of which nothing is heard now: the same as the server says, by the newest list of them. */
export const outOfTouch = (board) => (board.active_scanners ?? []).filter((device) => silent(device, board.skew)).length;

function silent({ is_active, profile, online, last_seen_at: seen }, skew) {
  return is_active && profile !== "viewer" && !online && Boolean(seen) && Date.now() + skew - Date.parse(seen) > IN_TOUCH;
}

export function render(board) {
  document.title = `${board.name} · Pulse`;
  setText(byId("title"), board.name);
  setText(byId("subtitle"), board.enabled ? board.timezone : `${board.timezone} · check-in is disabled`);
  stats(board);
  arrivals(board);
  replace("by-category", categories(board));
  replace("by-gate", gates(board));
  replace("refused", refusals(board));
  replace("scanners", scanners(board));
  feed(board);
}

function stats(board) {
  const refused = Object.values(board.refused ?? {}).reduce((sum, n) => sum + n, 0);
  const shown = { ...board, refused_total: refused };
  for (const node of document.querySelectorAll("[data-stat]")) setText(node, count(shown[node.dataset.stat]));
  const rate = board.rate ?? 0;
  byId("rate").value = Math.min(rate, 1);
  const said = [
    `${(rate * 100).toFixed(rate > 0 && rate < 0.1 ? 1 : 0)} % of the list`,
    ...missing(board),
    board.conflicts > 0 && `${count(board.conflicts)} let in twice`,
    board.unidentified > 0 && `${count(board.unidentified)} let in unidentified`,
  ];
  setText(byId("rate-text"), said.filter(Boolean).join(" · "));
  setText(byId("capacity"), board.capacity ? `of ${count(board.capacity)}` : "");
}

/** What the counters may not have yet. While all scanners are heard of, no more than they say is missing. */
function missing({ checked_in: there, unsynced, out_of_touch: away }) {
  if (!away) return [unsynced > 0 && `${count(there)} in, at most ${count(unsynced)} unsynced`];
  const scanners = `${count(away)} ${away === 1 ? "scanner" : "scanners"} out of touch`;
  return [unsynced > 0 ? `${count(unsynced)} unsynced, ${scanners}` : scanners];
}

function arrivals(board) {
  const now = Math.floor(Date.now() / 60_000);
  const byMinute = new Map(board.arrivals.map((arrival) => [Math.floor(Date.parse(arrival.minute) / 60_000), arrival.count]));
  const bars = Array.from({ length: MINUTES }, (_, i) => ({ minute: now - MINUTES + 1 + i, n: byMinute.get(now - MINUTES + 1 + i) ?? 0 }));
  const peak = Math.max(1, ...bars.map((bar) => bar.n));
  const total = bars.reduce((sum, bar) => sum + bar.n, 0);
  const said = total === 0 ? "No arrivals in the last hour" : `${count(total)} in the last hour, at most ${count(peak)} in a minute`;
  setText(byId("arrivals-peak"), said);
  const picture = svg(
    "svg",
    { class: "spark", viewBox: `0 0 ${MINUTES * 10} 100`, preserveAspectRatio: "none", role: "img", "aria-label": said },
    svg("line", { x1: 0, x2: MINUTES * 10, y1: 100, y2: 100, "vector-effect": "non-scaling-stroke" }),
    bars.map(({ minute, n }, i) => {
      const height = n === 0 ? 1.5 : Math.max(4, (n / peak) * 100);
      const at = clock(minute * 60_000, board.timezone).replace(/:\d\d(?=\D*$)/, "");
      return svg("rect", { class: n === 0 ? "none" : null, x: i * 10 + 1, width: 8, y: 100 - height, height, rx: 1 }, svg("title", {}, `${at}: ${n}`));
    }),
  );
  const scale = el("div", { class: "spark-scale hint", "aria-hidden": "true" }, el("span", {}, "60 min ago"), el("span", {}, "now"));
  byId("arrivals").replaceChildren(picture, scale);
}

function replace(id, node) {
  byId(id).replaceChildren(node);
}

const nothing = (text) => el("p", { class: "hint" }, text);

/** `columns`: `[heading, isNumber]`; `rows`: arrays of cell texts. */
function grid(columns, rows) {
  const cell = (tag) => (text, i) => el(tag, { class: columns[i][1] ? "num" : null, scope: tag === "th" ? "col" : null }, text);
  return el(
    "table",
    {},
    el("thead", {}, el("tr", {}, columns.map(([heading]) => heading).map(cell("th")))),
    el("tbody", {}, rows.map((row) => el("tr", {}, row.map(cell("td"))))),
  );
}

function categories({ by_category: list }) {
  if (!list?.length) return nothing("No guests yet.");
  return grid(
    [["Category"], ["In", true], ["Guests", true]],
    list.map((entry) => [entry.category || "No category", count(entry.checked_in), count(entry.total)]),
  );
}

function gates({ by_gate: list }) {
  if (!list?.length) return nothing("No scans at a gate yet.");
  return grid(
    [["Gate"], ["Let in", true], ["Refused", true]],
    list.map((entry) => [entry.gate || "No gate", count(entry.accepted), count(entry.refused)]),
  );
}

function refusals({ refused }) {
  const list = Object.entries(refused ?? {}).filter(([, n]) => n > 0).sort((a, b) => b[1] - a[1]);
  if (!list.length) return nothing("None so far.");
  return grid([["Reason"], ["Scans", true]], list.map(([reason, n]) => [words(reason), count(n)]));
}

function scanners({ active_scanners: list, roster_seq: newest, skew, timezone }) {
  if (!list?.length) return nothing("No scanner is active.");
  return grid(
    [["Scanner"], ["Scans", true], ["Waiting", true], ["List", true], ["Last seen", true]],
    list.map((entry) => [
      [entry.name, entry.gate, entry.battery !== null && `${Math.round(entry.battery * 100)} %`].filter(Boolean).join(" · "),
      count(entry.scans),
      entry.pending === null ? "–" : count(entry.pending),
      // A list may have moved on since the table's own number was read.
      entry.roster_seq === null ? "–" : `#${entry.roster_seq}${newest >= entry.roster_seq ? ` of #${newest}` : ""}`,
      lastSeen(entry, skew, timezone),
    ]),
  );
}

function lastSeen(device, skew, timezone) {
  if (device.online) return "on line";
  const at = clock(device.last_seen_at, timezone) || "–";
  return silent(device, skew) ? `out of touch, ${at}` : at;
}

function feed({ recent, timezone }) {
  const list = byId("recent");
  if (!recent?.length) return list.replaceChildren(el("li", { class: "hint" }, "Scans appear here as they happen."));
  const annulled = new Set(recent.filter((scan) => scan.type === "checkin.annulled").map((scan) => scan.check_in_id));
  const undone = (scan) => scan.type !== "checkin.duplicate" && annulled.has(scan.check_in_id);
  const twice = conflicts(recent);
  list.replaceChildren(...recent.map((scan) => feedEntry(scan, undone(scan), twice.get(scan.check_in_id), timezone)));
  fresh.clear();
}

/** Which entries are one too many now, by record: a later report may have changed it. */
function conflicts(recent) {
  const known = new Map();
  for (const scan of [...recent].sort((a, b) => a.seq - b.seq)) {
    if (scan.type === "checkin.accepted") known.set(scan.check_in_id, scan.conflict);
    for (const changed of scan.reelected ?? []) known.set(changed.check_in_id, changed.conflict);
  }
  return known;
}

const TYPES = {
  "checkin.accepted": { sign: "✓", word: "Let in", look: "accepted" },
  "checkin.exited": { sign: "→", word: "Left", look: "accepted" },
  "checkin.duplicate": { sign: "!", word: "Already in", look: "duplicate" },
  "checkin.refused": { sign: "✕", word: "Refused", look: "refused" },
  "checkin.annulled": { sign: "↶", word: "Undo", look: "annulled" },
};

function feedEntry(scan, undone, conflict, timezone) {
  const { sign, word, look } = TYPES[scan.type] ?? TYPES[`checkin.${scan.verdict}`];
  const details = [
    undone && look !== "annulled" ? `${word}, undone` : word,
    look === "refused" ? words(scan.reason).toLowerCase() : null,
    scan.guest?.category,
    scan.gate && `gate ${scan.gate}`,
    scan.walk_in && "walk-in",
    scan.forced && "forced",
    scan.people > 1 && `${scan.people} people`,
    conflict && look === "accepted" && `let in twice: ${clock(conflict.at, timezone)}${conflict.device ? ` by ${conflict.device}` : ""}`,
  ];
  return el(
    "li",
    { class: `${undone && look !== "annulled" ? "undone" : ""} ${fresh.has(scan.seq) ? "fresh" : ""}`.trim() || null, "data-type": look },
    el("span", { class: `mark ${look}`, "aria-hidden": "true" }, sign),
    el("span", { class: "who-line" }, scan.guest?.name || "Unknown code"),
    el("time", { datetime: scan.at }, clock(scan.at, timezone)),
    el("span", { class: "detail" }, details.filter(Boolean).join(" · ")),
  );
}
