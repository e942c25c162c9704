// The outbox: mail that is kept here instead of being sent, to be read as its recipients would.

import { el } from "./dom.js";
import * as api from "./reports-api.js";
import { facts, pages, when } from "./parts.js";
import { downloads, link, mail } from "./reports-parts.js";

const here = Intl.DateTimeFormat().resolvedOptions().timeZone;

export async function outbox(place) {
  document.title = "Outbox · Pulse";
  const list = el("ul", { class: "plain letters", id: "letters" });
  const { nodes, start } = pages({ load: api.letters, show: item, list, empty: "Nothing is kept here. Mail that no provider is set up for comes here." });
  place.replaceChildren(
    el("h1", {}, "Outbox"),
    el("p", { class: "hint" }, "Without a mail provider, mail is kept here for 90 days, exactly as a mail server would have got it. Nobody has received it."),
    el("div", { class: "card" }, nodes));
  await start();
}

const item = (letter) =>
  el("li", {}, el("a", { href: link("letter", letter.id) },
    el("strong", {}, letter.subject), el("time", { class: "hint", datetime: letter.sent_at ?? letter.created_at }, when(letter.sent_at ?? letter.created_at, here)),
    el("span", { class: "hint" }, `to ${letter.recipient}${letter.topic_name ? ` · ${letter.topic_name}` : ""}`)));

export async function letter(id, place) {
  const kept = await api.letter(id);
  document.title = `${kept.subject} · Pulse`;
  const files = kept.attachments.map((file) => ({ name: file.name, type: file.content_type, content: file.content, id: file.content_id }));
  const source = kept.source_kind === "report_job" ? el("a", { href: link("run", kept.source_id) }, kept.topic_name ?? "the run") : kept.topic_name;
  place.replaceChildren(
    el("p", {}, el("a", { href: "/reports?view=outbox" }, "← Outbox")),
    el("section", { class: "card stack" },
      el("h1", {}, kept.subject),
      facts([["To", kept.recipient], ["Kept", when(kept.sent_at, here)], ["Of", source], ["Unsubscribe", kept.unsubscribe_url]]),
      kept.html ? mail(kept.html, files, "The message") : null,
      el("details", { open: !kept.html }, el("summary", {}, "As text"), el("pre", {}, kept.text)),
      downloads(files.filter((file) => !file.id))));
}
