// The guest list on this phone, and the rules that decide with it while there is no connection.
//
// The rules are the Worker's own, as wasm. What they did since the table was kept whole is a journal, so
// that a scan costs one small write; taken in again in its order it gives the same table.
// Invariant: a verdict is given only when its scan is kept; a kept scan is reported until the server has
// answered it. A phone that the server shut out keeps its unreported scans and nothing else.
// Failure: without wasm, storage or a list the scanner goes on, by asking the server for each scan.

import { Problem, send } from "./http.js";
import * as keep from "./keep.js";
import { Live } from "./live.js";

const RULES = "/wasm/pulse_scanner_core.js";
const PAGE = 5_000;
const BATCH = 200;
const AGAIN_AFTER = 10_000;
const ANSWER_WITHIN = 20_000;
/** A journal of more parts, or more text, is replaced by the whole table. */
const PARTS = 100;
const TEXT = 1_000_000;

const table = (session) => `table/${session}`;
const journal = (session) => `journal/${session}`;
const unsent = (session) => `unsent/${session}`;

export class List {
  #pairing;
  #on;
  #rules = null;
  #make;
  #parts = [];
  #size = 0;
  #working = null;
  #timer = null;
  #live = null;
  #closed = false;

  /** Whether the server answered last. */
  online = true;
  /** Whether scans can be decided here. */
  ready = false;
  /** When the list was last known to be current, milliseconds. */
  asOf = null;
  /** Scans that wait to be reported. */
  waiting = 0;

  /**
   * `pairing`: `{table_id, session_id, token, gate, name}`. `on.change()` after every change, `on.reported(scan, result)`
   * for each scan that the server answered, `on.shutOut(problem)` when this is no scanner any more.
   */
  constructor(pairing, on) {
    this.#pairing = pairing;
    this.#on = on;
  }

  /** Takes up what was kept, then keeps itself current until closed. */
  async open() {
    try {
      const rules = await import(RULES);
      await rules.default();
      this.#make = (text) => rules.Scanner.load(text);
      await this.#restore();
    } catch (error) {
      console.warn("no list on this phone:", error);
      return;
    }
    await this.#reportUnsent().catch(() => {});
    this.#follow();
    this.wake();
  }

  close() {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#live?.close();
  }

  /** Asks for what changed and reports what waits, now. */
  wake() {
    if (this.#closed || !this.#make) return;
    clearTimeout(this.#timer);
    this.#working ??= this.#work().finally(() => {
      this.#working = null;
      if (!this.#closed) this.#timer = setTimeout(() => this.wake(), AGAIN_AFTER);
    });
  }

  /** Notes that a request of the scanner had no answer. */
  lost() {
    this.online = false;
    this.#on.change();
  }

  /** Decides a scan, the body of `POST /pulse/check-ins`, and keeps it to be reported. */
  async decide(scan) {
    const input = JSON.stringify({ scan, now: new Date().toISOString() });
    const answer = this.#answer(this.#rules.decide(input));
    await this.#note("decide", input);
    this.#count();
    this.wake();
    return answer;
  }

  /** Undoes an admission that was decided here. */
  async annul(check_in_id, nonce) {
    const input = JSON.stringify({ check_in_id, nonce, now: new Date().toISOString() });
    const answer = this.#answer(this.#rules.annul(input));
    await this.#note("annul", input);
    this.#count();
    this.wake();
    return answer;
  }

  /** Forgets the list; what was not reported stays, for whoever is paired with this session again. */
  async wipe() {
    this.close();
    const session = this.#pairing.session_id;
    const queue = this.#rules ? JSON.parse(this.#rules.snapshot()).offline.queue : [];
    this.#rules = null;
    this.ready = false;
    const before = (await keep.read(unsent(session)))?.items ?? [];
    await keep.write({ [table(session)]: undefined, [journal(session)]: undefined, [unsent(session)]: left(this.#pairing.table_id, [...before, ...queue]) });
  }

  /** What a status report says of the list. */
  status() {
    const seq = this.#live?.position("roster")?.offset;
    return { pending: this.waiting, ...(Number.isInteger(seq) && { roster_seq: seq }) };
  }

  #answer(text) {
    const { problem, answer } = JSON.parse(text);
    if (problem) throw new Problem(422, problem);
    return answer;
  }

  async #restore() {
    const session = this.#pairing.session_id;
    const kept = await keep.read(table(session));
    if (!kept) return;
    this.#rules = this.#make(kept);
    this.#parts = (await keep.read(journal(session))) ?? [];
    for (const [what, input] of this.#parts) {
      this.#rules[what](input);
      this.#size += input.length;
    }
    this.ready = Boolean(this.#rules.position());
    this.#count();
  }

  async #note(what, input) {
    this.#parts.push([what, input]);
    this.#size += input.length;
    if (this.#parts.length > PARTS || this.#size > TEXT) return this.#keepWhole();
    return keep.write({ [journal(this.#pairing.session_id)]: [...this.#parts] });
  }

  #keepWhole() {
    this.#parts = [];
    this.#size = 0;
    const session = this.#pairing.session_id;
    return keep.write({ [table(session)]: this.#rules.snapshot(), [journal(session)]: [] });
  }

  #count() {
    const listed = JSON.parse(this.#rules.pending()).length;
    this.waiting = listed < BATCH ? listed : JSON.parse(this.#rules.snapshot()).offline.queue.length;
    this.#on.change();
  }

  async #work() {
    try {
      await this.#report();
      await this.#refresh();
      this.online = true;
      this.#on.change();
    } catch (problem) {
      if (!(problem instanceof Problem)) console.warn("list:", problem);
      else if (problem.wipe || problem.status === 401) this.#on.shutOut(problem);
      else if (problem.lost && problem.status !== 429) this.lost();
    }
  }

  #send(method, path, options) {
    return send(method, path, { token: this.#pairing.token, timeout: ANSWER_WITHIN, ...options });
  }

  async #refresh() {
    const path = `/pulse/${encodeURIComponent(this.#pairing.table_id)}/roster`;
    let query = { limit: PAGE, since: this.#rules?.position() };
    for (;;) {
      let answer;
      try {
        answer = await this.#send("GET", path, { query });
      } catch (problem) {
        if (problem.status !== 403 && problem.status !== 409) throw problem;
        this.ready = false; // this table lets nobody work without a connection
        return;
      }
      const { full, next, about } = answer.body;
      this.#rules ??= this.#make(JSON.stringify(this.#fresh(about)));
      await this.#learn(answer.text, answer.body);
      if (!full) break;
      // What changed while the pages came is asked for after the last one.
      query = next ? { limit: PAGE, after: next } : { limit: PAGE, since: this.#rules.position() };
      if (!next) await this.#keepWhole();
    }
    this.ready = true;
    this.asOf = Date.now();
  }

  #fresh(about) {
    const { table_id, session_id, name, gate } = this.#pairing;
    return { table_id, config: about.config, tickets: about.tickets, roster: null, caller: { session_id, name, gate: gate || null } };
  }

  /** Takes in an answer of the list's route or a push; true when it has to be asked for instead. */
  async #learn(text, { full, rows, gone, sealed, about }) {
    const { ask } = JSON.parse(this.#rules.learn(text));
    if (!full && (rows?.length || gone?.length || sealed?.length || about)) await this.#note("learn", text);
    return ask === true;
  }

  async #report() {
    while (this.#rules && this.#rules.pending() !== "[]") {
      const items = JSON.parse(this.#rules.pending());
      const { text, body } = await this.#bring(items);
      const { taken, dropped } = JSON.parse(this.#rules.acknowledge(text));
      await this.#note("acknowledge", text);
      items.forEach((item, i) => this.#on.reported(item, body.results[i]));
      this.#count();
      if (taken + dropped.length === 0) return; // each wants to wait
    }
  }

  /** Reports what an earlier pairing of this session left behind. */
  #reportUnsent() {
    return bring(this.#pairing.session_id, (body) => this.#send("POST", "/pulse/check-ins/sync", { body }));
  }

  #bring(items) {
    const body = { table_id: this.#pairing.table_id, sent_at: new Date().toISOString(), items };
    return this.#send("POST", "/pulse/check-ins/sync", { body });
  }

  /** Paired scanners are told what changes; guests' phones and kiosks ask. */
  #follow() {
    if (this.#pairing.guest) return;
    this.#live = new Live({
      url: `/live/check-in/${this.#pairing.table_id}`,
      token: async () => this.#pairing.token,
      channels: { roster: { position: null, onEvent: (event) => this.#pushed(event.data) } },
      resync: async () => {
        this.wake();
        return { roster: this.#live.position("roster") };
      },
      onState: (state) => state !== "connecting" && this.wake(),
    });
    this.#live.open();
  }

  async #pushed(news) {
    if (!this.#rules || this.#working) return this.wake();
    if (await this.#learn(JSON.stringify(news), news)) return this.wake();
    this.asOf = Date.now();
    this.#on.change();
  }
}

/** Scans that scanners of this browser left behind: `[{session, table_id, count}]`. */
export async function leftBehind() {
  const names = await keep.names("unsent/").catch(() => []);
  const kept = await Promise.all(names.map((name) => keep.read(name)));
  return kept.map(({ table_id, items }, i) => ({ session: names[i].slice("unsent/".length), table_id, count: items.length }));
}

/** A manager brings the scans that a scanner of this browser left behind; `call` sends as the manager. */
export const bringLeftBehind = ({ session }, call) =>
  bring(session, (body) => call("POST", "/pulse/check-ins/sync", { body: { ...body, session_id: session } }));

async function bring(session, report) {
  const name = unsent(session);
  const { table_id, items } = (await keep.read(name)) ?? { items: [] };
  for (let done = 0; done < items.length; done += BATCH) {
    await report({ table_id, sent_at: new Date().toISOString(), items: items.slice(done, done + BATCH) });
    await keep.write({ [name]: left(table_id, items.slice(done + BATCH)) });
  }
}

const left = (table_id, items) => (items.length ? { table_id, items } : undefined);
