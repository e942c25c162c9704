// “Add a phone” on the dashboard: makes a scanner session, and shows the code that pairs a phone with it.
//
// Invariant: the code on the screen is the newest of its session, and is taken away when it has ended.
// Failure: a session that was made without its code is kept, so that trying again makes no second one.

import * as api from "./api.js";
import { byId, checkForm, clock, el, setText, submitting, values } from "./dom.js";

let table = null;
let opened = null;
let pairing = null;
let timer = null;

/** `about()`: `{table_id, timezone, skew}` of the dashboard, where `skew` is the server's clock less this one's. */
export function wireAddPhone(about) {
  table = about;
  byId("add-phone").addEventListener("click", onOpen);
  byId("phone-form").addEventListener("submit", onSubmit);
  byId("phone-new").addEventListener("click", onNew);
  byId("phone-copy").addEventListener("click", onCopy);
  for (const id of ["phone-cancel", "phone-done"]) byId(id).addEventListener("click", () => byId("phone-dialog").close());
  byId("phone-dialog").addEventListener("close", forget);
}

/** A phone that has come on line is paired. */
export function onDevices(devices) {
  const device = opened && devices.find(({ session_id }) => session_id === opened.id);
  if (!pairing || !device?.online) return;
  stopShowing();
  setText(byId("phone-state"), `${opened.name} is paired and on line.`);
  byId("phone-new").hidden = true;
  byId("phone-done").focus();
}

async function onOpen() {
  byId("phone-form").hidden = false;
  byId("phone-code").hidden = true;
  byId("phone-form").reset();
  byId("phone-name").value = `Phone ${Math.floor(100 + Math.random() * 900)}`;
  byId("phone-dialog").showModal();
  byId("phone-name").select();
  const gates = await api.config(table().table_id).then(({ gates }) => gates ?? [], () => []);
  byId("phone-gate").replaceChildren(el("option", { value: "" }, "No gate"), ...gates.map(({ name }) => el("option", { value: name }, name)));
}

async function onSubmit(event) {
  event.preventDefault();
  const form = byId("phone-form");
  if (!checkForm(form)) return;
  const input = { table_id: table().table_id, ...values(form), profile: "scanner" };
  await submitting(form, async () => {
    if (opened?.name !== input.name || (opened.gate ?? undefined) !== input.gate) opened = await api.openScanner(input);
    show(await api.startPairing(opened.id));
  });
}

async function onNew() {
  const button = byId("phone-new");
  button.disabled = true;
  try {
    show(await api.startPairing(opened.id));
  } catch (problem) {
    setText(byId("phone-state"), problem.message);
  } finally {
    button.disabled = false;
  }
}

function show(code) {
  if (!byId("phone-dialog").open) return; // closed meanwhile
  stopShowing();
  pairing = code;
  byId("phone-form").hidden = true;
  byId("phone-code").hidden = byId("phone-how").hidden = byId("phone-new").hidden = false;
  setText(byId("phone-code-title"), [opened.name, opened.gate].filter(Boolean).join(" · "));
  setText(byId("phone-page"), `${new URL(code.url).host}/pulse-scanner`);
  byId("phone-qr").src = `data:image/svg+xml,${encodeURIComponent(code.svg)}`;
  byId("phone-link").value = code.link;
  setText(byId("phone-copy"), "Copy link");
  timer = setInterval(tick, 1_000);
  tick();
}

function tick() {
  const left = Date.parse(pairing.expires_at) - Date.now() - table().skew;
  const until = clock(pairing.expires_at, table().timezone);
  if (left > 0) return setText(byId("phone-state"), `Pairs one phone, until ${until} (${left < 60_000 ? "less than a minute" : `${Math.ceil(left / 60_000)} min`}).`);
  stopShowing();
  setText(byId("phone-state"), `This code ended at ${until}.`);
}

/** A code that pairs nothing any more is not shown. */
function stopShowing() {
  clearInterval(timer);
  pairing = null;
  byId("phone-how").hidden = true;
  byId("phone-qr").removeAttribute("src");
  byId("phone-link").value = "";
}

async function onCopy() {
  const link = byId("phone-link");
  try {
    await navigator.clipboard.writeText(link.value);
    setText(byId("phone-copy"), "Copied");
  } catch {
    link.select(); // to be copied by hand
  }
}

function forget() {
  stopShowing();
  opened = null;
}
