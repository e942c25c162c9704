// The signed-in user of this browser.
//
// Invariant: a refresh token is used once. All tabs share one session in localStorage, and renewing
// it happens under one lock, because the server revokes a session whose old token comes back.
// Failure: a session that the server no longer knows is forgotten, and listeners are told.

import { Problem, send } from "./http.js";

const KEY = "pulse.session";
const listeners = new Set();
let renewing = null;

/** The session, or null: `{access_token, refresh_token, expires_at, user, tenant}`. */
export function session() {
  try {
    return JSON.parse(localStorage.getItem(KEY));
  } catch {
    return null;
  }
}

/** Calls `listener(session | null)` when the user signs in or out, in this tab or another. */
export function onSession(listener) {
  listeners.add(listener);
}

function keep(answer) {
  const before = session()?.user?.id;
  localStorage.setItem(KEY, JSON.stringify({ ...answer, expires_at: Date.now() + answer.expires_in * 1000 }));
  if (before !== answer.user?.id) tell();
}

function forget() {
  localStorage.removeItem(KEY);
  tell();
}

function tell() {
  for (const listener of listeners) listener(session());
}

addEventListener("storage", (event) => {
  if (event.key === KEY && (event.oldValue === null) !== (event.newValue === null)) tell();
});

/** `{email, password, tenant_name, name?, jurisdiction?}` */
export async function register(input) {
  keep((await send("POST", "/api/auth/register", { body: input })).body);
}

/** `{email, password}` */
export async function login(input) {
  keep((await send("POST", "/api/auth/login", { body: input })).body);
}

/** Forgets the session here even when the server cannot be told. */
export async function logout() {
  const now = session();
  forget();
  if (now) await send("POST", "/api/auth/logout", { token: now.access_token, timeout: 5000 }).catch(() => {});
}

/**
 * An access token good for at least `life` milliseconds. `refused` is a token that the server has
 * just turned down: it is never handed out again.
 */
export async function accessToken({ refused = null, life = 30_000 } = {}) {
  const now = session();
  if (!now) throw signedOut();
  if (usable(now, refused, life)) return now.access_token;
  renewing ??= locked(() => renew(refused, life)).finally(() => (renewing = null));
  return renewing;
}

function usable(held, refused, life) {
  return held.access_token !== refused && held.expires_at - Date.now() > life;
}

async function renew(refused, life) {
  const now = session(); // another tab may have renewed it while this one waited
  if (!now) throw signedOut();
  if (usable(now, refused, life)) return now.access_token;
  try {
    const { body } = await send("POST", "/api/auth/refresh", { body: { refresh_token: now.refresh_token } });
    keep({ user: now.user, tenant: now.tenant, ...body });
    return body.access_token;
  } catch (problem) {
    if (problem.status === 401) {
      forget();
      throw signedOut();
    }
    if (problem.lost && usable(now, refused, 1000)) return now.access_token;
    throw problem;
  }
}

// The lock exists on https and localhost only; elsewhere one tab still renews once at a time.
function locked(work) {
  return navigator.locks ? navigator.locks.request("pulse.renew", work) : work();
}

function signedOut() {
  return new Problem(401, { code: "signed_out", detail: "You are signed out. Sign in again." });
}

/** Where to sign in and come back from. */
export const signInAddress = () => `/?next=${encodeURIComponent(location.pathname + location.search)}`;
