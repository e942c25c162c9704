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
import { load } from "./rules.js";
import { forgetList, forgetOthers, kept, leftBehind, named, reportLeftBehind } from "./unsent.js";

const PAGE = 5_000;
const BATCH = 200;
const AGAIN_AFTER = 10_000;
/** After work that something happened during. */
const SOON = 250;
const ANSWER_WITHIN = 20_000;
/** A journal of more parts, or more text, is replaced by the whole table. */
const PARTS = 100;
const TEXT = 1_000_000;

export class List {
  #pairing;
  #on;
  #rules = null;
  #opened = false;
  #parts = [];
  #size = 0;
  #working = null;
  #missed = false;
  #timer = null;
  #live = null;
  #closed = false;
  #notBefore = 0;
  #seq = null;
  #onLine = () => this.wake();

  /** Whether the server answered last. */
  online = true;
  /** Whether scans can be decided here. */
  ready = false;
  /** When the list was last known to be current, milliseconds. */
  asOf = null;
  /** Scans that wait to be reported. */
  waiting = 0;
  /** What this browser scanned as before left scans that wait: `[{table_id, token, count}]`. */
  left = [];

  /**
   * `pairing`: `{table_id, session_id, token, gate, name, guest?}`. `on.change()` after every change, `on.reported(scan, result)`
   * for each scan that the server answered, `on.shutOut(problem)` when this is no scanner any more.
   */
  constructor(pairing, on) {
    this.#pairing = pairing;
    this.#on = on;
  }

  /** Takes up what was kept, then keeps itself current until closed. */
  async open() {
    try {
      await this.#restore();
      await forgetOthers(this.#pairing);
    } catch (error) {
      console.warn("no list on this phone:", error);
      return;
    }
    if (this.#closed) return;
    this.#opened = true;
    this.#follow();
    addEventListener("online", this.#onLine);
    this.wake();
  }

  close() {
    this.#closed = true;
    removeEventListener("online", this.#onLine);
    clearTimeout(this.#timer);
    this.#live?.close();
  }

  /** Asks for what changed and reports what waits, now. */
  wake() {
    if (this.#closed || !this.#opened) return;
    clearTimeout(this.#timer);
    const wait = this.#notBefore - Date.now();
    if (wait > 0) {
      this.#timer = setTimeout(() => this.wake(), wait);
      return;
    }
    if (this.#working) {
      this.#missed = true;
      return;
    }
    this.#missed = false;
    this.#working = this.#work().finally(() => {
      this.#working = null;
      if (!this.#closed) this.#timer = setTimeout(() => this.wake(), this.#missed ? SOON : AGAIN_AFTER);
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
    const { answer } = this.#told(this.#rules.decide(input));
    await this.#note("decide", input);
    this.#count();
    this.wake();
    return answer;
  }

  /** Undoes an admission that was decided here. */
  async annul(check_in_id, nonce) {
    const input = JSON.stringify({ check_in_id, nonce, now: new Date().toISOString() });
    const { answer } = this.#told(this.#rules.annul(input));
    await this.#note("annul", input);
    this.#count();
    this.wake();
    return answer;
  }

  /** Forgets the list; what was not reported stays, with `token` if that may still report it. */
  async wipe({ token = null } = {}) {
    this.close();
    const text = this.#rules?.position() ? this.#rules.snapshot() : null; // without a list nothing was decided here
    this.#rules = null;
    this.ready = false;
    await forgetList(this.#pairing, { token, guest: this.#isGuest, text });
  }

  /** What a status report says of the list. */
  status() {
    const here = this.left.filter(({ table_id }) => table_id === this.#pairing.table_id);
    return { pending: here.reduce((sum, { count }) => sum + count, this.waiting), ...(Number.isInteger(this.#seq) && { roster_seq: this.#seq }) };
  }

  /** What the rules say; throws when they refuse. */
  #told(text) {
    const said = JSON.parse(text);
    if (said.problem) throw new Problem(422, said.problem);
    return said;
  }

  get #isGuest() {
    return Boolean(this.#pairing.guest);
  }

  async #restore() {
    const found = await kept(this.#pairing);
    if (!found || this.#closed) return;
    this.#rules = found.rules;
    this.#parts = found.parts;
    for (const [, input] of this.#parts) this.#size += input.length;
    this.ready = Boolean(this.#rules.position());
    this.#count();
    if (found.token !== this.#pairing.token) await this.#keepWhole();
  }

  /** Keeps what was done since; after the end nothing is written any more. */
  async #note(what, input) {
    if (this.#closed) return;
    this.#parts.push([what, input]);
    this.#size += input.length;
    if (this.#parts.length > PARTS || this.#size > TEXT) await this.#keepWhole();
    else await keep.write({ [named("journal", this.#pairing)]: [...this.#parts] });
  }

  async #keepWhole() {
    if (this.#closed) return;
    this.#parts = [];
    this.#size = 0;
    const whole = { token: this.#pairing.token, guest: this.#isGuest, text: this.#rules.snapshot() };
    await keep.write({ [named("table", this.#pairing)]: whole, [named("journal", this.#pairing)]: [] });
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
      if (this.#closed) return;
      this.online = true;
      this.#on.change();
      this.#reportOthers().catch((error) => console.warn("list:", error));
    } catch (problem) {
      if (this.#closed) return;
      if (problem.retryAfter) this.#notBefore = Date.now() + problem.retryAfter * 1000;
      if (problem.wipe || problem.status === 401) this.#on.shutOut(problem);
      else if (problem.lost && problem.status !== 429) this.lost();
      else console.warn("list:", problem);
    }
  }

  async #reportOthers() {
    await reportLeftBehind(this.#pairing);
    this.left = await leftBehind();
    if (!this.#closed) this.#on.change();
  }

  #send(method, path, options) {
    return send(method, path, { token: this.#pairing.token, timeout: ANSWER_WITHIN, ...options });
  }

  async #refresh() {
    const path = `/pulse/${encodeURIComponent(this.#pairing.table_id)}/roster`;
    let query = { limit: PAGE, since: this.#rules?.position() };
    for (let whole = 0; whole < 2; ) {
      let answer;
      try {
        answer = await this.#send("GET", path, { query });
      } catch (problem) {
        if (problem.status !== 403 && problem.status !== 409) throw problem;
        this.ready = false; // this table lets nobody work without a connection
        return;
      }
      const { full, next, about } = answer.body;
      const fresh = this.#rules ?? (await load(JSON.stringify(this.#fresh(about))));
      if (this.#closed) return;
      this.#rules = fresh;
      await this.#learn(answer.text, answer.body);
      if (this.#closed) return;
      if (!full) break;
      // What changed while the pages came is asked for after the last one.
      query = next ? { limit: PAGE, after: next } : { limit: PAGE, since: this.#rules.position() };
      if (next) continue;
      whole += 1; // a server that answers with the whole list again is asked later
      await this.#keepWhole();
    }
    if (this.#closed) return;
    this.ready = true;
    this.asOf = Date.now();
  }

  #fresh(about) {
    const { table_id, session_id, name, gate } = this.#pairing;
    return { table_id, config: about.config, tickets: about.tickets, roster: null, caller: { session_id, name, gate: gate || null } };
  }

  /** Takes in an answer of the list's route or a push; true when it has to be asked for instead. */
  async #learn(text, { full, rows, gone, sealed, about }) {
    const { ask, seq } = this.#told(this.#rules.learn(text));
    this.#seq = seq;
    if (!full && (rows?.length || gone?.length || sealed?.length || about)) await this.#note("learn", text);
    return ask === true;
  }

  async #report() {
    while (!this.#closed && this.#rules && this.#rules.pending() !== "[]") {
      const items = JSON.parse(this.#rules.pending());
      const { text, body } = await this.#bring(items);
      if (this.#closed) return; // it is reported again, and counts once
      const { taken, dropped } = this.#told(this.#rules.acknowledge(text));
      await this.#note("acknowledge", text);
      items.forEach((item, i) => this.#on.reported(item, body.results[i]));
      this.#count();
      if (taken + dropped.length === 0) return; // each wants to wait
    }
  }

  #bring(items) {
    const body = { table_id: this.#pairing.table_id, sent_at: new Date().toISOString(), items };
    return this.#send("POST", "/pulse/check-ins/sync", { body });
  }

  /** Paired scanners are told what changes; guests' phones and kiosks ask. */
  #follow() {
    if (this.#isGuest) return;
    this.#live = new Live({
      url: `/live/check-in/${this.#pairing.table_id}`,
      token: async () => this.#pairing.token,
      channels: { roster: { position: null, onEvent: (event) => this.#pushed(event.data).catch((error) => console.warn("list:", error)) } },
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
    const ask = await this.#learn(JSON.stringify(news), news);
    if (ask) return this.wake();
    this.asOf = Date.now();
    this.#on.change();
  }
}
