// Who is told of what: routes in the order they are tried, silences, and how quiet the channels are.
//
// Failure: a refused order is told at the top; the list stays as it was shown.

import { el } from "./dom.js";
import * as api from "./monitor-api.js";
import { inWords, offered } from "./monitor-matchers.js";
import { quiet, quietSection } from "./monitor-overview.js";
import { a, at, link, nothing, paint, section, span } from "./monitor-parts.js";
import { ask, button, chip, facts, tell } from "./parts.js";

export async function routing(_, place) {
  document.title = "Who is told · Pulse";
  const board = el("div", { class: "stack" });
  place.replaceChildren(el("h1", {}, "Who is told"), board);
  const look = async () => {
    const [routes, silences, channels, quietness] = await Promise.all([api.routes(), api.silences(), channelNames(), quiet()]);
    const checks = silences.items.flatMap((one) => one.settings.matchers.checks ?? []).concat(routes.items.flatMap((one) => one.matchers.checks ?? []));
    const choices = await offered({ checks: [...new Set(checks)] });
    paint(board, routesOf(routes, channels, choices, look), silencesOf(silences.items, choices, look), quietSection(quietness));
  };
  await look();
  return look;
}

/** Not everybody may see channels; without them, their ids are no help. */
export async function channelNames() {
  const list = await api.channels().catch((problem) => {
    if (problem.status === 403) return [];
    throw problem;
  });
  return new Map(list.map((one) => [one.id, one]));
}

export function receiverWords({ channel_id, address }, channels) {
  const channel = channel_id ? (channels.get(channel_id)?.name ?? "a channel that is gone") : "default e-mail";
  return address ? `${address} (${channel})` : channel;
}

function routesOf({ mode, items }, channels, choices, look) {
  const decide = el("select", { id: "mode" }, el("option", { value: "first", selected: mode === "first" }, "the first that matches"), el("option", { value: "all", selected: mode === "all" }, "all that match"));
  decide.addEventListener("change", async () => {
    await api.decide(decide.value).catch((problem) => tell(problem.message, "bad"));
    await look();
  });
  return section("routes", "Routes", el("a", { class: "button primary", href: link("route", "new") }, "New route"),
    el("div", { class: "row wrap" }, el("label", { for: "mode" }, "What decides:"), el("span", { class: "auto" }, decide)),
    items.length ? el("ol", { class: "plain entries" }, items.map((route, i) => routeItem(route, i, items, channels, choices, look))) : nothing("None: alerts are recorded and shown here, and nobody is told."));
}

function routeItem(route, i, items, channels, choices, look) {
  const told = (list) => list.map((one) => receiverWords(one, channels)).join(", ");
  const swap = (other) => async () => {
    // Places may be equal or far apart: both get new ones.
    const order = [...items];
    [order[i], order[other]] = [order[other], order[i]];
    for (const [position, one] of order.entries()) if (one.position !== position) await api.changeRoute(one.id, null, { position });
    await look();
  };
  const remove = async () => {
    if (!(await ask(`Delete the route “${route.name}”?`, "Delete"))) return;
    await api.removeRoute(route.id);
    await look();
  };
  const named = (node, label) => {
    node.setAttribute("aria-label", `${label} ${route.name}`);
    return node;
  };
  return el("li", { class: "stack tight", "data-route": route.id },
    el("div", { class: "row spread wrap" }, el("h3", {}, `${i + 1}. `, a(link("route", route.id), route.name)), route.enabled ? null : chip("Off")),
    facts([
      ["About", inWords(route.matchers, choices)],
      ["Told", told(route.receivers)],
      ["Then", route.escalation.map((step) => `after ${span(step.after_seconds)}: ${told(step.receivers)}`).join("; ")],
      ["Pace", `waits ${span(route.group_wait_seconds)} for what else fails, ${route.repeat_interval_seconds ? `repeats every ${span(route.repeat_interval_seconds)}` : "never repeats"}`],
    ]),
    el("div", { class: "row wrap actions" },
      i > 0 ? named(button("Up", swap(i - 1)), "Move up") : null,
      i < items.length - 1 ? named(button("Down", swap(i + 1)), "Move down") : null,
      el("a", { class: "button", href: link("route", route.id), "aria-label": `Edit ${route.name}` }, "Edit"),
      named(button(route.enabled ? "Turn off" : "Turn on", async () => {
        await api.changeRoute(route.id, null, { enabled: !route.enabled });
        await look();
      }), route.enabled ? "Turn off" : "Turn on"),
      named(button("Delete", remove, { kind: "danger" }), "Delete")));
}

const STATUS = { active: ["Active", "warn"], pending: ["To come", ""], expired: ["Over", ""] };

function silencesOf(items, choices, look) {
  const item = ({ id, settings, status }) => {
    const end = async () => {
      if (!(await ask("End this silence? What still fires is told then.", "End it"))) return;
      await api.endSilence(id);
      await look();
    };
    const over = status?.status === "expired";
    const [text, kind] = STATUS[status?.status] ?? ["", ""];
    return el("li", { class: "stack tight", "data-silence": id },
      el("div", { class: "row spread wrap" }, el("h3", {}, settings.comment || (settings.cron ? "Maintenance" : "Silence")), chip(text, kind)),
      facts([
        ["About", inWords(settings.matchers, choices)],
        ["When", settings.cron ? `${settings.cron} (${settings.timezone ?? "UTC"}), for ${span(settings.duration_seconds)}` : null],
        ["From", !settings.cron && settings.starts_at ? at(settings.starts_at) : null],
        ["Until", status?.status === "active" ? at(status.until) : settings.ends_at ? at(settings.ends_at) : null],
        ["Next", status?.status === "pending" ? at(status.at) : null],
      ]),
      over ? null : el("div", {}, button("End", end)));
  };
  return section("silences", "Silences and maintenance windows", el("a", { class: "button", href: link("silence", "new") }, "New silence"),
    items.length ? el("ul", { class: "plain entries" }, items.map(item)) : nothing("None."));
}
