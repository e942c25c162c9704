// One request over HTTP, and what can go wrong with it.
//
// Invariant: an answer is either its decoded body or a thrown `Problem`; nothing else is thrown.
// Failure: `problem.lost` says that no answer came and the same request may be sent again.

/** A refusal or a lost answer. `status` 0 means that no answer came. `errors` are `{pointer, code, message}`. */
export class Problem extends Error {
  constructor(status, body = {}, retryAfter = null) {
    super(body.detail || body.title || `The server answered ${status}.`);
    this.status = status;
    this.code = body.code ?? `http_${status}`;
    this.errors = body.errors ?? [];
    this.requestId = body.request_id ?? null;
    /** All that was answered. */
    this.body = body;
    /** The server shut this scanner out: it must forget its list. */
    this.wipe = body.wipe === true;
    /** Seconds the server asked to wait, or null. */
    this.retryAfter = retryAfter;
  }

  /** True when it is unknown whether the request was carried out, or it was put off. */
  get lost() {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

/**
 * Sends one request. `body` is a plain object (sent as JSON) or a Blob (sent as its own type).
 * Answers `{status, body, headers, text}`, where `body` is the decoded JSON. `timeout` is in milliseconds.
 */
export async function send(method, path, { body, token, query, type, timeout = 30_000, headers = {} } = {}) {
  const url = new URL(path, location.origin);
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value !== undefined && value !== null && value !== "") url.searchParams.set(name, value);
  }
  const sent = { accept: "application/json", ...headers };
  if (token) sent.authorization = `Bearer ${token}`;
  const raw = body instanceof Blob;
  if (body !== undefined) sent["content-type"] = type ?? "application/json";

  let response, text;
  try {
    response = await fetch(url, {
      method,
      headers: sent,
      body: body === undefined ? undefined : raw ? body : JSON.stringify(body),
      cache: "no-store", // a page and its data may share one address
      credentials: "omit",
      signal: AbortSignal.timeout(timeout),
    });
    text = await response.text();
  } catch (error) {
    const late = error?.name === "TimeoutError";
    throw new Problem(0, {
      code: late ? "timeout" : "network",
      detail: late ? "The server took too long to answer." : "The server cannot be reached.",
    });
  }
  const decoded = decode(text);
  if (response.ok) return { status: response.status, body: decoded, headers: response.headers, text };
  const wait = Number(response.headers.get("retry-after"));
  throw new Problem(response.status, decoded ?? {}, wait > 0 ? wait : null);
}

function decode(text) {
  try {
    return text ? JSON.parse(text) : null;
  } catch {
    return null;
  }
}

/** Full jitter: a random wait below a ceiling that doubles with each attempt. Milliseconds. */
export function backoff(attempt, base = 500, ceiling = 20_000) {
  return Math.random() * Math.min(ceiling, base * 2 ** attempt);
}

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
