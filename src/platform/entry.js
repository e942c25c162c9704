// What the runtime calls: the Worker and its objects. `cargo xtask build` puts this in front of what
// worker-build makes of the Rust side.
//
// Everything goes on to Rust as it comes, except the request there are most of: the scan of a paired
// device takes a short way. Who calls and what becomes of the scan are one synchronous call into Rust
// each, and the object is reached by a method call instead of a request: a third less CPU than by way
// of two requests and a future for each (docs/benchmarks.md).
// Invariant: the short way answers exactly what the long way would have answered.
// Failure: whatever is unusual (another credential, an object that has to wake up or to ask Postgres,
// any refusal of the request, any error) goes the long way from the start. Nothing is done twice by
// it: a scan is recorded once for each nonce.
import { DurableObject } from 'cloudflare:workers';
import Worker, { CheckinTable as Table } from '../../build/index.js';
import { respondJson, stub } from './boundary.js';

const SCANS = '/pulse/check-ins';
// A scan has a few hundred bytes.
const LARGEST = 16384;
// What a request takes that is worth a line in the log although requests are not.
const SLOW_MS = 1000;
// Headers that make a request one for the long way.
const UNUSUAL = ['origin', 'x-tenant-id', 'x-pulse-now'];

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

// The Rust side without a request: its methods used here take what they need as arguments.
let rust;

function takesShortWay(request) {
  const { url, headers } = request;
  if (request.method !== 'POST' || !url.endsWith(SCANS)) return false;
  if (url.indexOf('/', url.indexOf('//') + 2) !== url.length - SCANS.length) return false;
  const length = Number(headers.get('content-length'));
  if (!(length > 0 && length <= LARGEST) || headers.get('content-type') !== 'application/json') return false;
  return UNUSUAL.every((name) => headers.get(name) === null);
}

// The answer to a scan, or null.
async function decide(bytes, headers, env, context) {
  const began = Date.now();
  rust ??= new Worker(context, env);
  const plan = rust.planScan(headers.get('authorization') ?? '', headers.get('x-request-id') ?? '', env);
  if (plan === undefined) return null;
  const [table, jurisdiction, id, logged, caller] = plan.split('\n');
  const answer = await stub(env.CHECKIN_TABLE, table, jurisdiction).scanNow(caller, decoder.decode(bytes));
  if (answer === null || answer === undefined) return null;
  const [status, body] = [Number(answer.slice(0, 3)), answer.slice(4)];
  const took = Date.now() - began;
  if (logged === '1' || took > SLOW_MS) rust.noteScan(id, status, took, env);
  const timing = `total;dur=${took}`;
  if (status !== 208) return respondJson(status, 'application/json', id, timing, body);
  const replay = respondJson(200, 'application/json', id, timing, body);
  replay.headers.set('idempotent-replayed', 'true');
  return replay;
}

async function scan(request, env, context) {
  const bytes = await request.arrayBuffer();
  const answer = await decide(bytes, request.headers, env, context).catch(() => null);
  if (answer !== null) return answer;
  const again = new Request(request.url, { method: 'POST', headers: request.headers, body: bytes });
  return new Worker(context, env).fetch(again);
}

const handlers = {
  fetch(request, env, context) {
    return takesShortWay(request) ? scan(request, env, context) : new Worker(context, env).fetch(request);
  },
  scheduled(event, env, context) {
    return new Worker(context, env).scheduled(event);
  },
  queue(batch, env, context) {
    return new Worker(context, env).queue(batch);
  },
};
export default handlers;

// The live object of a check-in table: see checkin/live.
export class CheckinTable extends DurableObject {
  #table;

  constructor(state, env) {
    super(state, env);
    this.#table = new Table(state, env);
  }

  scanNow(caller, body) {
    return this.#table.scanNow(caller, body);
  }

  fetch(request) {
    return this.#table.fetch(request);
  }

  alarm() {
    return this.#table.alarm();
  }

  webSocketMessage(socket, message) {
    return this.#table.webSocketMessage(socket, message);
  }

  webSocketClose(socket, code, reason, clean) {
    return this.#table.webSocketClose(socket, code, reason, clean);
  }

  webSocketError(socket, error) {
    return this.#table.webSocketError(socket, error);
  }
}
