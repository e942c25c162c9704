// The API of Pulse as the signed-in user calls it.
//
// Invariant: a call that is refused because its token ended is repeated once with a new token.
// Failure: as in http.js; a 401 that reaches the caller means that the user has to sign in.

import { send } from "./http.js";
import { accessToken } from "./session.js";

/** Sends as the signed-in user and answers the decoded body. */
export const call = async (method, path, options) => (await exchange(method, path, options)).body;

/** The same; answers what `send` does. */
export async function exchange(method, path, options = {}) {
  const token = await accessToken();
  try {
    return await send(method, path, { ...options, token });
  } catch (problem) {
    if (problem.status !== 401) throw problem;
    const next = await accessToken({ refused: token });
    return send(method, path, { ...options, token: next });
  }
}

const id = encodeURIComponent;

export const me = () => call("GET", "/api/auth/me");
export const tables = (cursor) => call("GET", "/pulse/tables", { query: { limit: 50, cursor } });
export const table = (tableId) => call("GET", `/pulse/tables/${id(tableId)}`);
export const createTable = (input) => call("POST", "/pulse/tables", { body: input });

/** Imports a CSV file. With `partial` the good lines go in although others are wrong. */
export const importCsv = (tableId, file, partial) =>
  call("POST", `/pulse/tables/${id(tableId)}/import`, {
    body: file,
    type: "text/csv",
    query: { partial: partial || undefined },
    timeout: 300_000,
  });

export const enable = (tableId) => call("POST", "/pulse", { body: { table_id: tableId } });
export const config = (tableId) => call("GET", `/pulse/${id(tableId)}`);
export const dashboard = (tableId) => call("GET", `/pulse/dashboard/${id(tableId)}`);
export const openScanner = (input) => call("POST", "/pulse/sessions", { body: input });
/** A code that pairs one phone with a scanner session, for ten minutes. */
export const startPairing = (sessionId) => call("POST", `/pulse/sessions/${id(sessionId)}/pairing`);
export const closeScanner = (sessionId) => call("PATCH", `/pulse/sessions/${id(sessionId)}`, { body: { is_active: false } });
