// A scanner at work: has scans answered by the server or, without a connection, by the list on this
// phone; undoes the last admission.
//
// Invariant: a scan keeps its nonce and its scan time over all attempts and its report, so a lost answer
// is asked for again and never counted twice. The same code within 2.5 s is the same look at the same ticket.
// Failure: without a list and without an answer for two minutes a scan is `failed` and can be sent again
// by hand.

import { backoff, send, sleep } from "./http.js";

const SAME_CODE = 2_500;
const ANSWER_WITHIN = 8_000;
/** With a list on the phone nobody at the door waits longer than this for the server. */
const DECIDE_AFTER = 2_500;
const GIVE_UP_AFTER = 120_000;

export class Door {
  #seen = new Map();
  #onChange;
  #list;

  /**
   * `pairing`: `{table_id, session_id, token, gate, guest?}`. `list`: see list.js. `onChange(scan)` is called at each step
   * of a scan: `{nonce, label, direction, state: sending|waiting|answered|failed, answer, problem, undone, here}`, where
   * `here` is `waiting` when it was decided on this phone and `reported` when the server knows.
   */
  constructor(pairing, list, onChange) {
    this.pairing = pairing;
    this.#list = list;
    this.#onChange = onChange;
    /** The last admission that may be undone. */
    this.last = null;
  }

  /**
   * Scans a code. Null when the same code was seen a moment ago in the same direction. `people`: how many of the ticket
   * go, all that may without it.
   */
  scan(code, direction, people) {
    const key = `${direction} ${code}`;
    const now = Date.now();
    const before = this.#seen.get(key);
    this.#seen.set(key, now);
    for (const [other, at] of this.#seen) if (now - at > SAME_CODE) this.#seen.delete(other);
    if (before !== undefined && now - before < SAME_CODE) return null;
    return this.#begin({ barcode: code, people }, code, direction);
  }

  /** `{name, email?, category?}` */
  walkIn(guest) {
    return this.#begin({ walk_in: guest }, guest.name, "entry");
  }

  /** Scans once more, with answers to the questions that it was held up by. */
  answer(scan, answers) {
    const { barcode, row_id, walk_in, people } = scan.body;
    return this.#begin({ barcode, row_id, walk_in, people, answers }, scan.label, scan.direction);
  }

  #begin(what, label, direction) {
    const scan = { nonce: crypto.randomUUID?.() ?? randomId(), label, direction, state: "sending", answer: null, problem: null, undone: false, here: null };
    scan.body = {
      table_id: this.pairing.table_id,
      ...what,
      nonce: scan.nonce,
      direction,
      gate: this.pairing.gate || undefined,
      scanner: this.pairing.guest,
      scanned_at: new Date().toISOString(),
    };
    this.#onChange(scan);
    scan.done = this.deliver(scan);
    return scan;
  }

  /** Has a scan answered, however long it takes. Also takes up a failed one again, with its old nonce. */
  async deliver(scan) {
    const started = Date.now();
    for (let attempt = 0; ; attempt += 1) {
      const list = this.#list;
      try {
        if (list.ready && (!list.online || !navigator.onLine)) {
          this.#answered(scan, await list.decide(scan.body), "waiting");
          break;
        }
        const body = { ...scan.body, sent_at: new Date().toISOString() };
        const timeout = list.ready ? DECIDE_AFTER : ANSWER_WITHIN;
        const { body: answer } = await send("POST", "/pulse/check-ins", { token: this.pairing.token, body, timeout });
        this.#answered(scan, answer, null);
        list.wake();
        break;
      } catch (problem) {
        scan.problem = problem;
        if (problem.lost && problem.status !== 429) {
          list.lost();
          if (list.ready) continue;
        }
        if (!problem.lost || Date.now() - started > GIVE_UP_AFTER) {
          scan.state = "failed";
          break;
        }
        scan.state = "waiting";
        this.#onChange(scan);
        await Promise.race([sleep(problem.retryAfter ? problem.retryAfter * 1000 : 250 + backoff(attempt, 500, 8_000)), backOnline()]);
      }
    }
    this.#onChange(scan);
    return scan;
  }

  #answered(scan, answer, here) {
    Object.assign(scan, { state: "answered", answer, problem: null, here });
    if (answer.verdict === "accepted" && answer.check_in) this.last = scan;
  }

  /** Takes back the last admission. Throws a `Problem` when it cannot. */
  async undo() {
    const scan = this.last;
    if (!scan) return null;
    scan.undoNonce ??= crypto.randomUUID?.() ?? randomId();
    if (scan.here === "waiting") {
      await this.#list.annul(scan.answer.check_in.id, scan.undoNonce);
      return this.#undone(scan);
    }
    const { table_id, token } = this.pairing;
    const path = `/pulse/check-ins/${encodeURIComponent(scan.answer.check_in.id)}/annul`;
    for (let attempt = 0; ; attempt += 1) {
      try {
        await send("POST", path, { token, body: { table_id, nonce: scan.undoNonce }, timeout: ANSWER_WITHIN });
        break;
      } catch (problem) {
        if (problem.code === "already_annulled") break;
        if (!problem.lost || attempt >= 4) throw problem;
        await sleep(250 + backoff(attempt));
      }
    }
    return this.#undone(scan);
  }

  #undone(scan) {
    scan.undone = true;
    if (this.last === scan) this.last = null;
    this.#seen.clear(); // the guest may be scanned again at once
    this.#onChange(scan);
    return scan;
  }
}

function backOnline() {
  return new Promise((resolve) => addEventListener("online", resolve, { once: true }));
}

// randomUUID exists on https and localhost only.
function randomId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

