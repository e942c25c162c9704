// The JavaScript side of the thin boundary: see boundary.rs.
// Each function does in one crossing what would take the Rust side many.

// The headers the product reads, in the order `Head` in boundary.rs expects them.
const READ = [
  'authorization', 'content-type', 'content-length', 'idempotency-key', 'if-match', 'if-none-match',
  'origin', 'x-request-id', 'x-tenant-id', 'x-pulse-now', 'cf-connecting-ip', 'upgrade',
  'sec-websocket-protocol', 'accept', 'access-control-request-method',
];

export function head(request) {
  const headers = request.headers;
  let text = request.method + '\n' + request.url;
  for (const name of READ) text += '\n' + (headers.get(name) ?? '');
  return text;
}

// Keeps nothing between calls that do not stream.
const whole = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

// The body as text, refused with null as soon as it passes `limit` bytes.
export async function bodyText(request, limit) {
  const declared = Number(request.headers.get('content-length') ?? 0);
  if (declared > limit) return null;
  if (request.body === null) return '';
  if (declared > 0) return whole.decode(await request.arrayBuffer());
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  let text = '';
  let size = 0;
  for await (const chunk of request.body) {
    size += chunk.byteLength;
    if (size > limit) return null;
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}

// `headers` is name, value, name, value, … each on its own line.
export function respond(status, headers, body) {
  const list = headers.split('\n');
  const pairs = {};
  for (let i = 0; i + 1 < list.length; i += 2) pairs[list[i]] = list[i + 1];
  return new Response(body, { status, headers: pairs });
}

// A JSON body with the headers every answer has; the hot path of `respond`.
export function respondJson(status, type, requestId, timing, body) {
  return new Response(body, {
    status,
    headers: {
      'content-type': type,
      'x-request-id': requestId,
      'server-timing': timing,
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
      'referrer-policy': 'no-referrer',
      'strict-transport-security': 'max-age=31536000; includeSubDomains',
    },
  });
}

function stub(namespace, name, jurisdiction, hint) {
  const home = jurisdiction ? namespace.jurisdiction(jurisdiction) : namespace;
  const id = home.idFromName(name);
  return hint ? home.get(id, { locationHint: hint }) : home.get(id);
}

// Sends one command to an object; answers "status\nbody". Async, so that whatever is thrown arrives as a
// rejection: an exception on the way here would end the Rust side.
export async function callObject(namespace, name, jurisdiction, hint, command, body) {
  return stub(namespace, name, jurisdiction, hint).command(command, body);
}

// Hands a WebSocket upgrade to an object; async for the same reason.
export async function upgradeAt(namespace, name, jurisdiction, hint, request) {
  return stub(namespace, name, jurisdiction, hint).fetch(request);
}

// Runs one statement of an object's SQLite. Binding values are strings, numbers or null.
export function sqlRun(sql, query, bindings) {
  sql.exec(query, ...bindings);
}

// The append of a log row, without an array in between.
export function sqlRun3(sql, query, a, b, c) {
  sql.exec(query, a, b, c);
}

// First column of each row, joined into one string by newlines; columns hold JSON text without raw newlines.
export function sqlLines(sql, query, bindings) {
  let text = '';
  for (const row of sql.exec(query, ...bindings).raw()) text += row[0] + '\n';
  return text;
}

// A stream that asks `pull` (an async function answering a string, or null at the end) for each part.
export function streamOf(pull) {
  const encoder = new TextEncoder();
  return new ReadableStream({
    async pull(controller) {
      const part = await pull();
      if (part === null || part === undefined) controller.close();
      else controller.enqueue(encoder.encode(part));
    },
  });
}

// Reads the next chunk of a body: a Uint8Array, or null at the end.
export function readerOf(request) {
  return request.body === null ? null : request.body.getReader();
}
export async function readChunk(reader) {
  const { done, value } = await reader.read();
  return done ? null : value;
}

// Reads a body nobody read and forgets it, up to `limit` bytes: the runtime cuts the connection of a
// caller whose body was not read, and with it perhaps the answer.
export async function drain(request, limit) {
  if (request.body === null || request.bodyUsed || request.body.locked) return;
  const reader = request.body.getReader();
  for (let left = limit; left >= 0; ) {
    const { done, value } = await reader.read();
    if (done) return;
    left -= value.byteLength;
  }
}

export function randomBytes(target) {
  crypto.getRandomValues(target);
}

// Sets an object's alarm without waiting; the write is part of the event's transaction.
export function armAlarm(state, at) {
  state.storage.setAlarm(at);
}

// Closes a TCP socket for good. Dropping it is not enough: its streams would live until they are
// collected, and an object with an open stream neither hibernates nor can be evicted.
export function closeSocket(socket) {
  socket.close().catch(() => {});
}
