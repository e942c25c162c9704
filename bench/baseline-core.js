// The baseline of `cargo xtask bench core`: a JavaScript Worker that does what the product does for
// four requests, with the npm driver `postgres` through the same Hyperdrive binding.
//
// The database runs the same `app.call` with the same statement texts (the bench reads them from the
// product's sources), the token is checked by WebCrypto, and the JSON that goes out is the same.
// Failure: a bad token is 401, an unknown path 404; anything else is the runtime's 500.
import { DurableObject } from "cloudflare:workers";
import postgres from "postgres";

const CALL =
  "select app.call($1::text::jsonb, string_to_array(nullif($2, ''), ','), $3, $4::text::jsonb, $5::text::jsonb, $6)::text as answer";
const HEALTH = "select app.health($1::text::jsonb)::text as answer";
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const STAFF = "admin,manager,agent,read_only";
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Answers a ping; `/health` reaches one object as the product's does. */
export class Table extends DurableObject {
  fetch() {
    return new Response("{}");
  }
}

const bytes = (base64url) =>
  Uint8Array.from(atob(base64url.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
const json = (base64url) => JSON.parse(decoder.decode(bytes(base64url)));

let key;
/** The claims of a user's access token: algorithm, type, signature, issuer, audience and times are checked. */
async function verify(request, env) {
  const authorization = request.headers.get("authorization") ?? "";
  if (!authorization.startsWith("Bearer ")) return null;
  const [header, claims, signature, more] = authorization.slice(7).split(".");
  if (!signature || more !== undefined) return null;
  const { alg, typ } = json(header);
  if (alg !== "HS256" || typ !== "pulse-user+jwt") return null;
  key ??= await crypto.subtle.importKey("raw", encoder.encode(env.TOKEN_SECRET), { name: "HMAC", hash: "SHA-256" }, false, ["verify"]);
  const signed = encoder.encode(`${header}.${claims}`);
  if (!(await crypto.subtle.verify("HMAC", key, bytes(signature), signed))) return null;
  const known = json(claims);
  const now = Date.now() / 1000;
  const good = known.iss === "pulse" && known.aud === "pulse:user" && known.exp > now && known.nbf <= now + 30;
  return good ? known : null;
}

/** One statement on a connection of its own, as the driver is used on Workers: opened, used, left to close. */
async function one(call, text, values) {
  const began = Date.now();
  const sql = postgres(call.env.PG.connectionString, { max: 1, fetch_types: false, prepare: false });
  try {
    const [row] = await sql.unsafe(text, values);
    return row.answer;
  } finally {
    call.pg += Date.now() - began;
    call.context.waitUntil(sql.end());
  }
}

async function appCall(call, claims, roles, statement, input, idempotency) {
  const actor = { kind: "user", id: claims.sub, session: claims.sid, tenant: claims.ten };
  const text = await one(call, CALL, [
    JSON.stringify(actor), roles, statement, JSON.stringify(input), idempotency && JSON.stringify(idempotency), call.id,
  ]);
  return JSON.parse(text);
}

/** RFC 9562 §5.7. */
function uuidv7() {
  const b = crypto.getRandomValues(new Uint8Array(16));
  const now = Date.now();
  for (let i = 0; i < 6; i += 1) b[i] = Math.floor(now / 2 ** (40 - 8 * i)) & 255;
  b[6] = (b[6] & 15) | 112;
  b[8] = (b[8] & 63) | 128;
  const hex = Array.from(b, (x) => x.toString(16).padStart(2, "0")).join("");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

function answer(call, status, body, type = "application/json", more = {}) {
  return new Response(JSON.stringify(body), {
    status,
    headers: {
      "content-type": type,
      "x-request-id": call.id,
      "server-timing": `pg;dur=${call.pg}, total;dur=${Date.now() - call.began}`,
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
      "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
      "referrer-policy": "no-referrer",
      "strict-transport-security": "max-age=31536000; includeSubDomains",
      ...more,
    },
  });
}

function problem(call, status, title, code, detail) {
  const body = { type: `/docs#${code}`, title, status, detail, code, errors: [], request_id: call.id };
  return answer(call, status, body, "application/problem+json");
}

async function rows(call, url, table, claims) {
  const limit = Number(url.searchParams.get("limit") ?? 50);
  const input = { table_id: table, q: null, category: null, status: null, before: null, limit: limit + 1 };
  const { result } = await appCall(call, claims, STAFF, call.env.ROWS, input, null);
  const items = result.rows;
  const more = items.length > limit;
  if (more) items.length = limit;
  const cursor = more ? btoa(JSON.stringify(items.at(-1).id)).replaceAll("=", "") : null;
  return answer(call, 200, { items, next_cursor: cursor });
}

async function createTable(call, request, url, claims) {
  const text = await request.text();
  const idempotency = request.headers.get("idempotency-key");
  const { name, timezone, ...unknown } = JSON.parse(text);
  if (typeof name !== "string" || name.trim() === "" || Object.keys(unknown).length > 0) {
    return problem(call, 422, "Unprocessable Content", "invalid", "The name is missing.");
  }
  const asked = `POST ${url.pathname}?${url.search.slice(1)}\n${text}`;
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", encoder.encode(asked)));
  const fingerprint = Array.from(digest, (x) => x.toString(16).padStart(2, "0")).join("");
  const input = { id: uuidv7(), name: name.trim(), timezone: timezone ?? "UTC" };
  const { result } = await appCall(call, claims, "admin,manager", call.env.INSERT, input, { key: idempotency, fingerprint });
  return answer(call, 201, result, "application/json", { etag: `"${result.version}"`, vary: "origin" });
}

async function health(call) {
  const began = Date.now();
  const { env } = call;
  const ping = env.TABLE.get(env.TABLE.idFromName("00000000-0000-0000-0000-000000000000")).fetch("https://object/ping", { method: "POST", body: "{}" });
  const [text, pong] = await Promise.all([one(call, HEALTH, ["{}"]), ping.then((r) => r.text())]);
  const { heartbeats } = JSON.parse(text);
  const ms = Date.now() - began;
  const beat = (name) => ({ ok: heartbeats[name]?.age_seconds < 180, age_seconds: heartbeats[name]?.age_seconds ?? null });
  const checks = { database: { ok: true, ms }, objects: { ok: pong === "{}", ms }, queue: beat("queue"), cron: beat("cron") };
  return answer(call, 200, { status: "degraded", checks, version: "0.1.0" });
}

export default {
  async fetch(request, env, context) {
    const sent = request.headers.get("x-request-id");
    const call = { env, context, id: sent ?? uuidv7(), began: Date.now(), pg: 0 };
    const url = new URL(request.url);
    if (url.pathname === "/health") return health(call);
    const claims = await verify(request, env);
    if (claims === null) return problem(call, 401, "Unauthorized", "token_invalid", "The token is not valid.");
    const [, pulse, tables, table, part] = url.pathname.split("/");
    if (pulse !== "pulse" || tables !== "tables") return problem(call, 404, "Not Found", "not_found", "There is no such thing.");
    if (request.method === "POST") return createTable(call, request, url, claims);
    if (part !== "rows" || !UUID.test(table)) return problem(call, 404, "Not Found", "not_found", "There is no such thing.");
    return rows(call, url, table, claims);
  },
};
