// Prints badges: /pulse-badge#table=<id>&check_in=<id>,<id>. One label to a page of its own size.
//
// Invariant: a label comes as a picture, so whatever a guest is called stays text. The credential is the
// signed-in user's, or that of the scanner this browser is.
// Failure: a check-in without a badge is named, and the others are shown.

import { Problem, send } from "./http.js";
import { byId, el, setText } from "./dom.js";
import { accessToken, session, signInAddress } from "./session.js";
import { remembered } from "./pairing.js";

const AT_ONCE = 200;

addEventListener("hashchange", show);
byId("print").addEventListener("click", () => print());
show();

async function show() {
  const asked = new URLSearchParams(location.hash.slice(1));
  const table = asked.get("table") ?? "";
  const ids = (asked.get("check_in") ?? "").split(",").filter(Boolean).slice(0, AT_ONCE);
  byId("labels").replaceChildren();
  byId("print").disabled = true;
  if (!table || !ids.length) return tell("Name the check-ins: /pulse-badge#table=…&check_in=…");
  const scanner = remembered();
  if (!session() && scanner?.table_id !== table) return location.replace(signInAddress());
  tell("Loading…");
  const missing = [];
  for (const id of ids) {
    try {
      await add(await load(table, id, scanner));
    } catch (problem) {
      if (problem.status === 401) return location.replace(signInAddress());
      missing.push(`${id}: ${problem.message}`);
    }
  }
  tell(missing.length ? `No badge for ${missing.join(" ")}` : null);
  if (!byId("labels").children.length) return;
  byId("print").disabled = false;
  print();
}

async function load(table, id, scanner) {
  const token = session() ? await accessToken() : scanner.token;
  const path = `/pulse/check-ins/${encodeURIComponent(id)}/badge.svg`;
  const { text } = await send("GET", path, { token, query: { table_id: table }, headers: { accept: "image/svg+xml" } });
  return text;
}

async function add(svg) {
  const [, width, height] = svg.match(/^<svg [^>]*?width="([\d.]+)mm" height="([\d.]+)mm"/) ?? [];
  if (!width) throw new Problem(0, { detail: "This is no label." });
  if (!byId("labels").children.length) pageSize(width, height);
  const picture = el("img", { alt: "Badge", src: `data:image/svg+xml;charset=utf-8,${encodeURIComponent(svg)}` });
  await picture.decode();
  byId("labels").append(picture);
}

/** Pages as large as the labels. A rule of a style sheet, because the page allows no inline styles. */
function pageSize(width, height) {
  const sheet = [...document.styleSheets].find((one) => one.href?.endsWith("/css/badge.css"));
  const old = [...sheet.cssRules].findIndex((rule) => rule instanceof CSSPageRule);
  if (old >= 0) sheet.deleteRule(old);
  sheet.insertRule(`@page { size: ${width}mm ${height}mm; margin: 0; }`, sheet.cssRules.length);
}

function tell(text) {
  byId("message").hidden = !text;
  setText(byId("message"), text ?? "");
}
