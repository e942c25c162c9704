// A scanner at work: sends scans, keeps asking until each has its answer, undoes the last admission.
//
// Invariant: a scan keeps its nonce and its scan time over all attempts, so a lost answer is asked
// for again and never counted twice. The same code within 2.5 s is the same look at the same ticket.
// Failure: without an answer for two minutes a scan is `failed` and can be sent again by hand.

import { backoff, send, sleep } from "./http.js";

const SAME_CODE = 2_500;
const ANSWER_WITHIN = 8_000;
const GIVE_UP_AFTER = 120_000;

export class Door {
  #seen = new Map();
  #onChange;

  /**
   * `pairing`: `{table_id, session_id, token, gate}`. `onChange(scan)` is called at each step of a scan:
   * `{nonce, label, direction, state: sending|waiting|answered|failed, answer, problem, undone}`.
   */
  constructor(pairing, onChange) {
    this.pairing = pairing;
    this.#onChange = onChange;
    /** The last admission that may be undone. */
    this.last = null;
  }

  /** Scans a code. Null when the same code was seen a moment ago in the same direction. */
  scan(code, direction) {
    const key = `${direction} ${code}`;
    const now = Date.now();
    const before = this.#seen.get(key);
    this.#seen.set(key, now);
    for (const [other, at] of this.#seen) if (now - at > SAME_CODE) this.#seen.delete(other);
    if (before !== undefined && now - before < SAME_CODE) return null;
    return this.#begin({ barcode: code }, code, direction);
  }

  /** `{name, email?, category?}` */
  walkIn(guest) {
    return this.#begin({ walk_in: guest }, guest.name, "entry");
  }

  #begin(what, label, direction) {
    const scan = { nonce: crypto.randomUUID?.() ?? randomId(), label, direction, state: "sending", answer: null, problem: null, undone: false };
    scan.body = {
      table_id: this.pairing.table_id,
      ...what,
      nonce: scan.nonce,
      direction,
      gate: this.pairing.gate || undefined,
      scanned_at: new Date().toISOString(),
    };
    this.#onChange(scan);
    scan.done = this.deliver(scan);
    return scan;
  }

  /** Sends a scan until it is answered. Also sends a failed one again, with its old nonce. */
  async deliver(scan) {
    const started = Date.now();
    for (let attempt = 0; ; attempt += 1) {
      try {
        const body = { ...scan.body, sent_at: new Date().toISOString() };
        const { body: answer } = await send("POST", "/pulse/check-ins", { token: this.pairing.token, body, timeout: ANSWER_WITHIN });
        Object.assign(scan, { state: "answered", answer, problem: null });
        if (answer.verdict === "accepted" && answer.check_in) this.last = scan;
        break;
      } catch (problem) {
        scan.problem = problem;
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

  /** Takes back the last admission. Throws a `Problem` when it cannot. */
  async undo() {
    const scan = this.last;
    if (!scan) return null;
    const { table_id, token } = this.pairing;
    const path = `/pulse/check-ins/${encodeURIComponent(scan.answer.check_in.id)}/annul`;
    scan.undoNonce ??= crypto.randomUUID?.() ?? randomId();
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

