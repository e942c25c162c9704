// The page of the monitor, at /monitor: which view its address asks for, kept as things are now.
//
// Invariant: each view has an address of its own (`?table=…`, `?alert=…`). What is shown is read anew
// with every event of the channel `alerts`, and every now and then for what has no event; forms are
// left alone.
// Failure: without a socket the page reads more often and says so; whoever is signed out signs in and
// comes back.

import { me } from "./api.js";
import { byId, setText } from "./dom.js";
import { Live } from "./live.js";
import { accessToken, onSession, session as signedIn, signInAddress } from "./session.js";
import { alert, alerts, incident } from "./monitor-alerts.js";
import * as api from "./monitor-api.js";
import { checkForm } from "./monitor-check-form.js";
import { check } from "./monitor-check.js";
import { connect } from "./monitor-connect.js";
import { connection } from "./monitor-connection.js";
import { overview } from "./monitor-overview.js";
import { subject } from "./monitor-parts.js";
import { route } from "./monitor-route.js";
import { routing } from "./monitor-routing.js";
import { silence } from "./monitor-silence.js";
import { table } from "./monitor-table.js";
import { said, tell } from "./parts.js";

const LIVE_EVERY = 20_000;
const ALONE_EVERY = 5_000;
/** Several changes of one run are one look. */
const GATHER = 150;

const asked = new URLSearchParams(location.search);
const given = Object.fromEntries(asked);

/**
 * The parameter that names a view, its tab, and the view; forms first, as they take the others besides.
 * A view gets the value, where to show itself and all parameters, and answers how to look again, or nothing.
 */
const VIEWS = [
  ["edit", "overview", checkForm],
  ["connect", "overview", connect],
  ["route", "routing", route],
  ["silence", "routing", silence],
  ["check", "overview", check],
  ["table", "overview", table],
  ["connection", "overview", connection],
  ["alert", "alerts", alert],
  ["incident", "alerts", incident],
];
const NAMED = { alerts: ["alerts", alerts], routing: ["routing", routing] };

let again = null;
/** Something happened while the view was read for the first time. */
let missed = false;
let looking = null;
let timer = null;
let live = null;
let state = "connecting";

onSession((now) => now || leave());
document.addEventListener("visibilitychange", () => document.hidden || soon(0));
start();

async function start() {
  if (!signedIn()) return leave();
  setText(byId("who"), signedIn().tenant?.name ?? signedIn().user?.email ?? "");
  const [name, tab, show] = VIEWS.find(([parameter]) => asked.get(parameter)) ?? [null, ...(NAMED[asked.get("view")] ?? ["overview", overview])];
  document.querySelector(`[data-view=${tab}]`).setAttribute("aria-current", "page");
  follow();
  try {
    again = (await show(name && asked.get(name), byId("view"), given)) ?? null;
    soon(missed ? 0 : every());
  } catch (problem) {
    refuse(problem);
  }
}

function leave() {
  location.replace(signInAddress());
}

function refuse(problem) {
  if (problem.status === 401) return leave();
  tell(problem.status === 404 ? "There is no such thing here; it may have been removed." : said(problem), "bad");
  if (problem.lost) setTimeout(start, (problem.retryAfter ?? 3) * 1000);
}

/** Follows the channel from now on; what came before is read once it is open. */
function follow() {
  if (live) return;
  live = new Live({
    url: "/live/tenant",
    token,
    channels: { alerts: { position: null, onEvent } },
    resync: async () => {
      const { live: from } = await api.alerts({ limit: 1 });
      await look();
      return { alerts: from ?? {} };
    },
    onState: (next) => {
      if (next === "live" && state !== "live") soon(0);
      state = next;
      const chip = byId("state");
      chip.dataset.state = next === "live" ? "live" : "reconnecting";
      setText(chip, next === "live" ? "Live" : "Looking every 5 s");
    },
  });
  live.open();
}

// A refused socket tells no reason: a plain request does, and renews the token if that was it.
async function token({ refused, life }) {
  if (refused) {
    await me().catch((problem) => {
      if (problem.status === 401) throw problem;
    });
  }
  return accessToken({ life });
}

const NEWS = { fired: "New alert", escalated: "It got worse", resolved: "Over" };

function onEvent(event, recovered) {
  soon(GATHER);
  const { what, alert: id } = event.data;
  if (!recovered && NEWS[what]) announce(NEWS[what], id);
}

/** Says what happened to whoever does not see it. */
async function announce(what, id) {
  const changed = await api.oneAlert(id).catch(() => null); // whoever looks sees it all the same
  if (changed) setText(byId("news"), `${what}: ${subject(changed)}`);
}

const every = () => (state === "live" ? LIVE_EVERY : ALONE_EVERY);

/** Looks again within `ms`. */
function soon(ms) {
  clearTimeout(timer);
  timer = setTimeout(look, ms);
}

async function look() {
  if (!again) return void (missed = true);
  clearTimeout(timer);
  if (looking) return looking.then(() => soon(0));
  looking = read().finally(() => (looking = null));
  await looking;
  soon(every());
}

async function read() {
  if (document.hidden) return;
  try {
    await again();
  } catch (problem) {
    if (problem.status === 401) leave();
    else if (!problem.lost) tell(problem.status === 404 ? "What was shown here has been removed." : said(problem), "bad");
  }
}
