// The API of the monitor as the signed-in user calls it.
//
// Failure: as in api.js.

import { call } from "./api.js";

const id = encodeURIComponent;
const connection = (connectionId, rest = "") => `/api/connections/${id(connectionId)}${rest}`;
const table = (tableId, rest = "") => `/api/tables/${id(tableId)}${rest}`;
const check = (tableId, checkId, rest = "") => table(tableId, `/checks/${id(checkId)}${rest}`);
const alert = (alertId, rest = "") => `/api/alerts/${id(alertId)}${rest}`;
/** Refused when somebody else has changed it since `version`. */
const change = (path, version, body) => call("PATCH", path, { body, headers: version ? { "if-match": `"${version}"` } : {} });
/** A replica may take its time to answer. */
const ASKING = { timeout: 120_000 };

export const health = () => call("GET", "/api/health");

export const connections = () => all("/api/connections");
export const oneConnection = (connectionId) => call("GET", connection(connectionId));
export const connect = (body) => call("POST", "/api/connections", { body });
export const changeConnection = (connectionId, version, body) => change(connection(connectionId), version, body);
export const removeConnection = (connectionId) => call("DELETE", connection(connectionId));
export const testConnection = (connectionId) => call("POST", connection(connectionId, "/test"), ASKING);
export const impact = (connectionId) => call("GET", connection(connectionId, "/impact"));
export const schemas = async (connectionId) => (await call("GET", connection(connectionId, "/schemas"), ASKING)).items;
export const replicaTables = (connectionId, schema, cursor) =>
  call("GET", connection(connectionId, "/tables"), { query: { schema, limit: 50, cursor }, ...ASKING });
export const columns = (connectionId, schema, name) =>
  call("GET", connection(connectionId, "/columns"), { query: { schema, table: name }, ...ASKING });

export const tables = (connectionId) => all("/api/tables", { connection_id: connectionId });
export const oneTable = (tableId) => call("GET", table(tableId));
export const watch = (body) => call("POST", "/api/tables", { body });
export const changeTable = (tableId, version, body) => change(table(tableId), version, body);
export const unwatch = (tableId) => call("DELETE", table(tableId));
/** Runs all checks of a table; answers what came of them. */
export const run = async (tableId) => (await call("POST", table(tableId, "/run"), ASKING)).items;
/** The same, and nothing is stored. */
export const dryRun = async (tableId) => (await call("POST", table(tableId, "/dry-run"), ASKING)).items;

export const checks = async (tableId) => (await call("GET", table(tableId, "/checks"))).items;
export const oneCheck = (tableId, checkId) => call("GET", check(tableId, checkId));
export const addCheck = (tableId, body) => call("POST", table(tableId, "/checks"), { body });
export const changeCheck = (tableId, checkId, version, body) => change(check(tableId, checkId), version, body);
export const removeCheck = (tableId, checkId) => call("DELETE", check(tableId, checkId));
export const results = (tableId, checkId, query) => call("GET", check(tableId, checkId, "/results"), { query });
/** What was measured since a time, oldest first: `{at, value, low, high, outcome}`. */
export const history = async (tableId, checkId, from, points) => (await call("GET", check(tableId, checkId, "/history"), { query: { from, points } })).data;
export const backfill = (tableId, checkId) => call("POST", check(tableId, checkId, "/backfill"));

export const alerts = (query) => call("GET", "/api/alerts", { query });
export const oneAlert = (alertId) => call("GET", alert(alertId));
/** `ack` or `resolve`. */
export const order = (alertId, what) => call("POST", alert(alertId, `/${what}`));
/** `true_alarm`, `false_alarm`, or null for neither. */
export const mark = (alertId, as) => call("POST", alert(alertId, "/mark"), { body: { mark: as } });
/** How many alerts each channel was told of, by the week. */
export const quietness = async () => (await call("GET", "/api/alerts/quietness", { query: { weeks: 4 } })).data;
export const incidents = (query) => call("GET", "/api/incidents", { query });
export const oneIncident = (incidentId) => call("GET", `/api/incidents/${id(incidentId)}`);

export const routes = () => call("GET", "/api/routes");
export const oneRoute = (routeId) => call("GET", `/api/routes/${id(routeId)}`);
export const addRoute = (body) => call("POST", "/api/routes", { body });
export const changeRoute = (routeId, version, body) => change(`/api/routes/${id(routeId)}`, version, body);
export const removeRoute = (routeId) => call("DELETE", `/api/routes/${id(routeId)}`);
/** Whether the `first` route that matches decides, or `all` do. */
export const decide = (mode) => call("PUT", "/api/routes", { body: { mode } });
export const silences = (cursor) => call("GET", "/api/silences", { query: { limit: 20, cursor } });
export const addSilence = (body) => call("POST", "/api/silences", { body });
export const changeSilence = (silenceId, body) => change(`/api/silences/${id(silenceId)}`, null, body);
export const endSilence = (silenceId) => call("DELETE", `/api/silences/${id(silenceId)}`);
export const channels = () => all("/api/channels");

/** Every page of a list that people keep short. */
async function all(path, query = {}) {
  const items = [];
  let cursor = null;
  do {
    const page = await call("GET", path, { query: { ...query, limit: 200, cursor } });
    items.push(...page.items);
    cursor = page.next_cursor;
  } while (cursor);
  return items;
}
