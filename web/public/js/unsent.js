// Scans that a scanner of this browser left behind: of another event, of another pairing, or shut out.
//
// They are kept as a table without its list, so that the same rules say what of a report was taken, and
// each goes to its own table only. A token is kept with them as long as the server takes it.
// Invariant: what a scanner kept is deleted only together with the write of its queue.
// Failure: without wasm nothing can be read, so everything stays as it is until it can.

import { send } from "./http.js";
import * as keep from "./keep.js";
import { load } from "./rules.js";

const ANSWER_WITHIN = 20_000;
const AGAIN_AFTER = 30_000;
/** The server knows neither the token nor the table: asking again with it is of no use. */
const USELESS = new Set([401, 404]);

/** When to ask again for what was not taken, by name. */
const notBefore = new Map();
/** Reports under way, by name. */
const underWay = new Map();
let turn = Promise.resolve();

/** Under what name something is kept of a scanner: `{table_id, session_id}`. */
export const named = (what, { table_id, session_id }) => `${what}/${table_id}/${session_id}`;

/** What a scanner kept, with all that happened since it was kept whole: `{token, guest, rules, parts}`; null without. */
export async function kept(scanner) {
  const whole = await keep.read(named("table", scanner));
  if (!whole) return null;
  const rules = await load(whole.text);
  const parts = (await keep.read(named("journal", scanner))) ?? [];
  for (const [what, input] of parts) rules[what](input);
  return { ...whole, rules, parts };
}

/** Forgets the list of a scanner and keeps its queue; `text` is its table, where that is at hand. */
export async function forgetList(scanner, { token = null, guest = false, text = null } = {}) {
  await inTurn(async () => {
    const whole = text ?? (await kept(scanner))?.rules.snapshot();
    if (!whole) return;
    const table = JSON.parse(whole);
    const before = await keep.read(named("unsent", scanner));
    const queue = [...(before ? queueOf(before) : []), ...table.offline.queue];
    const rest = JSON.stringify({ ...table, roster: null, log: [], offline: { position: null, queue } });
    const { table_id, session_id } = scanner;
    await keep.write({
      [named("table", scanner)]: undefined,
      [named("journal", scanner)]: undefined,
      [named("unsent", scanner)]: queue.length ? { table_id, session_id, token, guest, text: rest } : undefined,
    });
  });
}

/** Forgets the lists of all that this browser ever scanned as, but for `current`. */
export async function forgetOthers(current) {
  const mine = current && named("table", current);
  for (const name of await keep.names("table/")) {
    if (name === mine) continue;
    const [, table_id, session_id] = name.split("/");
    const { token, guest } = await keep.read(name);
    await forgetList({ table_id, session_id }, { token, guest }).catch((error) => console.warn(`${name} stays:`, error));
  }
}

/** `[{table_id, session_id, token, guest, text, count}]` */
export async function leftBehind() {
  const names = await keep.names("unsent/").catch(() => []);
  const found = await Promise.all(names.map((name) => keep.read(name)));
  return found.filter(Boolean).map((rest) => ({ ...rest, count: queueOf(rest).length }));
}

/** Reports what is left behind with the tokens that are left; what is `current`'s own with its newest token. */
export async function reportLeftBehind(current) {
  for (const rest of await leftBehind()) {
    const name = named("unsent", rest);
    const own = current && named("unsent", current) === name;
    const token = own ? current.token : rest.token;
    if (!token || Date.now() < (notBefore.get(name) ?? 0)) continue;
    try {
      await bring(rest, async (body) => (await send("POST", "/pulse/check-ins/sync", { token, body, timeout: ANSWER_WITHIN })).text);
    } catch (problem) {
      console.warn("not reported yet:", problem);
      // Without a connection whoever calls has a pause of its own.
      if (problem.status !== 0) notBefore.set(name, Date.now() + Math.max(AGAIN_AFTER, (problem.retryAfter ?? 0) * 1000));
      if (!own && USELESS.has(problem.status)) await withoutToken(name);
    }
  }
}

/** A manager brings what is left behind; `call` sends as the manager. Answers `{taken, dropped, waiting}`. */
export function bringLeftBehind(rest, call) {
  const whose = rest.guest ? { guest_device: rest.session_id } : { session_id: rest.session_id };
  return bring(rest, async (body) => JSON.stringify(await call("POST", "/pulse/check-ins/sync", { body: { ...body, ...whose } })));
}

/** Two reports of the same would acknowledge twice, so the second is the first. */
function bring(rest, report) {
  const name = named("unsent", rest);
  if (!underWay.has(name)) underWay.set(name, reportAll(name, report).finally(() => underWay.delete(name)));
  return underWay.get(name);
}

async function reportAll(name, report) {
  const all = { taken: 0, dropped: 0, waiting: 0 };
  for (;;) {
    const rest = await keep.read(name);
    if (!rest) return all;
    const items = JSON.parse((await load(rest.text)).pending());
    const answer = await report({ table_id: rest.table_id, sent_at: new Date().toISOString(), items });
    const { taken, dropped, waiting } = await inTurn(() => acknowledge(name, answer));
    all.taken += taken;
    all.dropped += dropped.length;
    all.waiting = waiting;
    if (taken + dropped.length === 0) return all; // each wants to wait
  }
}

/** Items may have been added behind those that the answer is about. */
async function acknowledge(name, answer) {
  const rest = await keep.read(name);
  const rules = await load(rest.text);
  const done = JSON.parse(rules.acknowledge(answer));
  if (done.problem) throw new Error(done.problem.detail);
  await keep.write({ [name]: done.waiting ? { ...rest, text: rules.snapshot() } : undefined });
  return done;
}

const withoutToken = (name) =>
  inTurn(async () => {
    const rest = await keep.read(name);
    if (rest) await keep.write({ [name]: { ...rest, token: null } });
  });

/** What reads and then writes is not interleaved with another such. */
function inTurn(work) {
  const done = turn.then(work);
  turn = done.catch(() => {});
  return done;
}

const queueOf = ({ text }) => JSON.parse(text).offline.queue;
