// The page of reports, at /reports: which view its address asks for.
//
// Invariant: each view has an address of its own (`?report=…`, `?run=…`), so it can be kept, shared
// and gone back from.
// Failure: whoever is signed out signs in and comes back; what cannot be shown says why.

import { byId, setText } from "./dom.js";
import { onSession, session, signInAddress } from "./session.js";
import { said, tell } from "./parts.js";
import { editor } from "./reports-editor.js";
import { letter, outbox } from "./reports-outbox.js";
import { list } from "./reports-list.js";
import { report } from "./reports-report.js";
import { run } from "./reports-run.js";

const asked = new URLSearchParams(location.search);

/** The parameter that names a view, and the view, which gets its value and where to show itself. */
const VIEWS = [
  ["report", report],
  ["edit", (id) => editor(id)],
  ["run", run],
  ["letter", letter],
  ["view", (name, place) => ({ new: () => editor(null), outbox: () => outbox(place) })[name]?.() ?? list(place)],
];

onSession((now) => now || leave());
start();

async function start() {
  if (!session()) return leave();
  setText(byId("who"), session().tenant?.name ?? session().user?.email ?? "");
  const [name, show] = VIEWS.find(([parameter]) => asked.get(parameter)) ?? [null, (_, place) => list(place)];
  const tab = name === "letter" || asked.get("view") === "outbox" ? "outbox" : "list";
  document.querySelector(`[data-view=${tab}]`).setAttribute("aria-current", "page");
  try {
    await show(name && asked.get(name), byId("view"));
  } catch (problem) {
    refuse(problem);
  }
}

function leave() {
  location.replace(signInAddress());
}

function refuse(problem) {
  if (problem.status === 401) return leave();
  tell(problem.status === 404 ? "There is no such report, run or message here; it may have been deleted." : said(problem), "bad");
}
