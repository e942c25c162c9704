// Pictures of what was measured: a metric with where it was expected, and what a replica was asked.
//
// Invariant: a picture says in words what it shows; nothing is drawn that was not measured, and where
// there is no value the line ends.
// Failure: without values there is a sentence instead.

import { count, el, svg } from "./dom.js";
import { amount, band, nothing, span } from "./monitor-parts.js";

const WIDTH = 720;
const HEIGHT = 180;
const TROUBLE = { fail: "bad", warn: "warn" };
const DAY = 86_400_000;

/** `points`: `{at, value, low, high, outcome}`, oldest first. */
export function metric(points, unit, name) {
  const shown = points.filter((point) => point.value !== null && point.value !== undefined);
  if (!shown.length) return nothing("Nothing was measured in this time.");
  const scale = scaled(points, shown);
  const troubled = shown.filter((point) => TROUBLE[point.outcome]);
  const last = shown.at(-1);
  const said = `${name}: ${count(shown.length)} values, ${troubled.length || "none"} outside what was expected; last ${amount(last.value, unit)}`;
  const picture = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": said },
    bands(points, scale).map((d) => svg("path", { class: "expected", d })),
    svg("path", { class: "measured", d: line(points, scale) }),
    troubled.map((point) => svg("path", { class: `dot ${TROUBLE[point.outcome]}`, d: dot(point, scale) })),
    shown.length === 1 && !troubled.length ? svg("path", { class: "dot", d: dot(last, scale) }) : null,
    shown.map((point, i) => hit(point, shown, i, scale, unit)));
  return el("figure", { class: "chart" },
    el("div", { class: "chart-y hint", "aria-hidden": "true" }, el("span", {}, amount(scale.top, unit)), el("span", {}, amount(scale.bottom, unit))),
    picture,
    el("div", { class: "spark-scale hint chart-x", "aria-hidden": "true" }, el("span", {}, short(scale.from)), scale.to > scale.from ? el("span", {}, short(scale.to)) : null),
    el("figcaption", { class: "hint" }, legend(troubled.length, points)));
}

function legend(troubled, points) {
  const expects = points.some((point) => finite(point.low) || finite(point.high));
  return [troubled ? `${count(troubled)} outside` : "All as expected", expects ? "; shaded: where it was expected." : "."].join("");
}

const finite = (value) => typeof value === "number";

function scaled(points, shown) {
  const from = Date.parse(points[0].at);
  const to = Date.parse(points.at(-1).at);
  const values = shown.map((point) => point.value);
  let [bottom, top] = [Math.min(...values), Math.max(...values)];
  // A limit far from anything that was measured would make the values a flat line.
  const near = 2 * (top - bottom || Math.abs(top) || 1);
  const limits = points.flatMap((point) => [point.low, point.high]).filter((limit) => finite(limit) && limit >= bottom - near && limit <= top + near);
  [bottom, top] = [Math.min(bottom, ...limits), Math.max(top, ...limits)];
  if (bottom >= 0 && bottom < (top - bottom) * 1.5) bottom = 0;
  if (top === bottom) [bottom, top] = [Math.min(bottom, 0), Math.max(top, 0) || 1];
  const pad = 6;
  return {
    from, to, top, bottom,
    x: (at) => (to === from ? WIDTH / 2 : round(((Date.parse(at) - from) / (to - from)) * WIDTH)),
    y: (value) => round(HEIGHT - pad - ((Math.min(Math.max(value, bottom), top) - bottom) / (top - bottom)) * (HEIGHT - 2 * pad)),
  };
}

const round = (n) => Math.round(n * 10) / 10;

/** Stretches of points that `has` holds for. */
function stretches(points, has) {
  const found = [];
  let current = null;
  for (const point of points) {
    if (!has(point)) current = null;
    else if (current) current.push(point);
    else found.push((current = [point]));
  }
  return found;
}

function line(points, { x, y }) {
  return stretches(points, (point) => finite(point.value))
    .map((stretch) => stretch.map((point, i) => `${i ? "L" : "M"}${x(point.at)} ${y(point.value)}`).join(""))
    .join("");
}

/** Where values were expected; a limit that is not there is the edge of the picture. */
function bands(points, { from, to, x, y, top, bottom }) {
  // One value alone has no width; its limits are drawn all the same.
  const places = (point) => (from === to ? [0, WIDTH] : [x(point.at)]);
  return stretches(points, (point) => finite(point.low) || finite(point.high)).map((stretch) => {
    const edge = (limit) => stretch.flatMap((point) => places(point).map((place) => `${place} ${y(limit(point))}`));
    const upper = edge((point) => (finite(point.high) ? point.high : top));
    const lower = edge((point) => (finite(point.low) ? point.low : bottom)).reverse();
    return `M${[...upper, ...lower].join("L")}Z`;
  });
}

/** A line without length and with round ends: a dot in every shape of picture. */
const dot = (point, { x, y }) => `M${x(point.at)} ${y(point.value)}h0`;

/** What is told of a point to whoever points at it. */
function hit(point, shown, i, { x }, unit) {
  const middle = (a, b) => (x(a.at) + x(b.at)) / 2;
  const from = i ? middle(shown[i - 1], point) : 0;
  const until = i < shown.length - 1 ? middle(point, shown[i + 1]) : WIDTH;
  const expected = band(point.low, point.high, unit);
  const said = [short(point.at), amount(point.value, unit), expected && `expected ${expected}`, TROUBLE[point.outcome] && point.outcome];
  return svg("rect", { class: "hit", x: from, y: 0, width: Math.max(until - from, 0.5), height: HEIGHT }, svg("title", {}, said.filter(Boolean).join(", ")));
}

const clock = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const short = (at) => clock.format(new Date(at));

/** What one measure cost in each hour of the last week, against what it may. */
export function spent(hours, measure, most, now = Date.now()) {
  const first = Math.floor(now / 3_600_000) - 167;
  const byHour = new Map(hours.map((hour) => [Math.floor(Date.parse(hour.hour) / 3_600_000), hour[measure]]));
  const bars = Array.from({ length: 168 }, (_, i) => ({ hour: first + i, n: byHour.get(first + i) ?? 0 }));
  const peak = Math.max(...bars.map((bar) => bar.n));
  const share = most ? Math.round((peak / most) * 100) : 0;
  const said = peak ? `At most ${shownAs(peak, measure)} in an hour, ${share || "under 1"} % of what it may` : "Nothing was asked in the last week";
  // The budget belongs in the picture where it is anywhere near.
  const top = peak > most / 4 ? Math.max(peak, most) : peak || 1;
  const picture = svg("svg", { class: "spark", viewBox: `0 0 ${168 * 6} 100`, preserveAspectRatio: "none", role: "img", "aria-label": said },
    svg("line", { x1: 0, x2: 168 * 6, y1: 100, y2: 100, "vector-effect": "non-scaling-stroke" }),
    top >= most ? svg("line", { class: "limit", x1: 0, x2: 168 * 6, y1: 100 - (most / top) * 100, y2: 100 - (most / top) * 100, "vector-effect": "non-scaling-stroke" }) : null,
    bars.filter((bar) => bar.n).map(({ hour, n }) => {
      const height = Math.max(3, (n / top) * 100);
      return svg("rect", { x: (hour - first) * 6 + 0.5, width: 5, y: 100 - height, height }, svg("title", {}, `${short(hour * 3_600_000)}: ${shownAs(n, measure)}`));
    }));
  return el("figure", { class: "stack tight" }, picture,
    el("div", { class: "spark-scale hint", "aria-hidden": "true" }, el("span", {}, short(now - 7 * DAY)), el("span", {}, "now")),
    el("figcaption", { class: "hint" }, `${said}.`));
}

/** A number of a measure of impact. */
export const shownAs = (n, measure) => (measure === "milliseconds" ? span(n / 1000) : `${count(n)} ${measure}`);

/** Few bars, oldest first. */
export function weeks(numbers, said) {
  const top = Math.max(1, ...numbers);
  return svg("svg", { class: "weeks", viewBox: `0 0 ${numbers.length * 10} 20`, role: "img", "aria-label": said },
    numbers.map((n, i) => svg("rect", { class: n ? null : "none", x: i * 10 + 1, width: 8, y: 20 - Math.max(1, (n / top) * 20), height: Math.max(1, (n / top) * 20) }, svg("title", {}, String(n)))));
}
