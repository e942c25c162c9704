// The live dashboard of one table, at /pulse/{table_id}.
//
// Invariant: the page is a snapshot plus every event after it: counters come from the `stats` channel,
// the feed from `scans`, scanners from `devices`. The state of the record comes with a snapshot now and
// then.
// Failure: a lost socket is recovered by live.js; the last numbers stay on the page and say so.

import { onDevices as showPaired, wireAddPhone } from "./add-phone.js";
import * as api from "./api.js";
import { byId, setText, words } from "./dom.js";
import { Live } from "./live.js";
import { accessToken, onSession, session, signInAddress } from "./session.js";
import { outOfTouch, render, showFresh } from "./dashboard-view.js";

const FEED = 20;
const AFTER_EVENTS = 3_000;
const AT_REST = 15_000;
/** Scanners fall silent without an event. */
const LOOK_EVERY = 5_000;
/** The record is a moment behind while scans gather; only more than this is worth telling. */
const BEHIND_AFTER = 2_000;

const tableId = decodeURIComponent(location.pathname.split("/").filter(Boolean).pop() ?? "");
let board = null;
let live = null;
let link = { state: "connecting", detail: null };
let painting = false;
let refreshTimer = null;
let refreshDue = Infinity;

onSession((now) => now || leave());
wireAddPhone(() => board);
setInterval(() => board && paint(), LOOK_EVERY);
start();

async function start() {
  if (!session()) return leave();
  byId("to-scanner").href = `/pulse-scanner?table=${encodeURIComponent(tableId)}`;
  try {
    board = await snapshot();
  } catch (problem) {
    return refuse(problem);
  }
  byId("message").hidden = true;
  byId("board").hidden = false;
  paint();
  follow();
  refreshWithin(AT_REST);
}

/** The dashboard, with how far the server's clock is before this one's. */
async function snapshot() {
  const read = await api.dashboard(tableId);
  return { ...read, skew: Date.parse(read.server_time) - Date.now() };
}

function leave() {
  location.replace(signInAddress());
}

function refuse(problem) {
  if (problem.status === 401) return leave();
  const message = byId("message");
  message.hidden = false;
  message.classList.add("bad");
  setText(message, problem.status === 404 ? "There is no live check-in here: the list does not exist, or Pulse is not enabled for it." : problem.message);
  setText(byId("state"), problem.lost ? "Reconnecting" : "Stopped");
  byId("state").dataset.state = problem.lost ? "reconnecting" : "stopped";
  if (problem.lost) setTimeout(start, (problem.retryAfter ?? 3) * 1000);
}

function follow() {
  const { url, epoch, offset } = board.live;
  live = new Live({
    url: url ?? `/live/check-in/${tableId}`,
    token,
    channels: {
      scans: { position: { epoch, offset }, onEvent: onScan },
      stats: { position: { epoch, offset }, onEvent: onStats },
      devices: { position: { epoch, offset: 0 }, onEvent: onDevices },
    },
    resync,
    onState: (state, detail = null) => {
      link = { state, detail };
      paint();
    },
  });
  live.open();
}

// A refused socket tells no reason: a plain request does, and renews the token if that was it.
async function token({ refused, life }) {
  if (refused) {
    await api.me().catch((problem) => {
      if (problem.status === 401) throw problem;
    });
  }
  return accessToken({ life });
}

async function resync() {
  board = await snapshot();
  paint();
  const { epoch, offset } = board.live;
  for (const channel of ["scans", "stats"]) live.moveTo(channel, board.live);
  return { scans: { epoch, offset }, stats: { epoch, offset }, devices: { epoch, offset: 0 } };
}

function onScan(event, recovered) {
  const scan = { type: event.type, ...event.data };
  board.recent = [scan, ...board.recent].slice(0, FEED);
  if (!recovered) showFresh(scan.seq);
  paint();
  refreshWithin(AFTER_EVENTS);
}

function onStats(event) {
  Object.assign(board, event.data);
  paint();
  refreshWithin(AFTER_EVENTS);
}

function onDevices(event) {
  board.active_scanners = event.data.filter((device) => device.is_active);
  board.unsynced = board.active_scanners.reduce((sum, device) => sum + (device.pending ?? 0), 0);
  showPaired(board.active_scanners);
  paint();
  refreshWithin(AFTER_EVENTS); // where the list is comes with the snapshot
}

/** Reads the snapshot within `ms`, sooner if that was already planned. */
function refreshWithin(ms) {
  const due = Date.now() + ms;
  if (due >= refreshDue) return;
  refreshDue = due;
  clearTimeout(refreshTimer);
  refreshTimer = setTimeout(refresh, ms);
}

async function refresh() {
  refreshDue = Infinity;
  try {
    if (document.hidden || link.state === "stopped") return;
    const next = await snapshot();
    const seen = live.position("scans");
    const older = next.live.epoch === seen?.epoch && next.live.offset < seen.offset;
    if (!older) {
      for (const channel of ["scans", "stats"]) live.moveTo(channel, next.live);
      board = next;
      paint();
    }
  } catch (problem) {
    if (problem.status === 401) return leave();
  } finally {
    refreshWithin(AT_REST);
  }
}

function paint() {
  if (painting) return;
  painting = true;
  setTimeout(() => {
    painting = false;
    if (board) {
      board.out_of_touch = outOfTouch(board);
      render(board);
    }
    paintState();
  }, 50);
}

/** Scans that have waited for Postgres longer than they should. */
function recordBehind() {
  const { behind = 0, oldest_unflushed_at: oldest } = board?.record ?? {};
  return oldest && Date.parse(board.server_time) - Date.parse(oldest) < BEHIND_AFTER ? 0 : behind;
}

const STATES = { connecting: "Connecting", reconnecting: "Reconnecting", stopped: "Stopped" };

function paintState() {
  const behind = recordBehind();
  let state = link.state;
  let text = STATES[state];
  if (state === "live") {
    state = behind > 0 ? "behind" : "live";
    text = behind > 0 ? `Live · Postgres ${behind} behind` : "Live";
  } else if (state === "stopped" && link.detail) {
    text = `Stopped: ${words(link.detail)}`;
  }
  const chip = byId("state");
  chip.dataset.state = state;
  setText(chip, text);
}
