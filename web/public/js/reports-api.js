// The API of reports and their mail as the signed-in user calls it.
//
// Failure: as in api.js.

import { call, exchange } from "./api.js";

const id = encodeURIComponent;
const report = (reportId, rest = "") => `/api/pulse/${id(reportId)}${rest}`;
const run = (runId, rest = "") => `/api/pulse-job/${id(runId)}${rest}`;

export const reports = (cursor) => call("GET", "/api/pulse", { query: { limit: 20, cursor } });
export const oneReport = (reportId) => call("GET", report(reportId));
export const create = (body) => call("POST", "/api/pulse", { body });
/** Refused when somebody else has changed it since `version`. */
export const change = (reportId, version, body) => call("PUT", report(reportId), { body, headers: { "if-match": `"${version}"` } });
export const remove = (reportId) => call("DELETE", report(reportId));
/** `publish`, `pause` or `resume`. */
export const order = (reportId, what) => call("POST", report(reportId, `/${what}`));
export const preview = (reportId) => call("POST", report(reportId, "/preview"), { timeout: 180_000 });
export const upcoming = (reportId, n) => call("GET", report(reportId, "/upcoming"), { query: { n } });
/** What a schedule would mean: `{cron, cronTimezone?, from?, n?, jitter?, overlap?}`. */
export const foresee = (body) => call("POST", "/api/pulse/upcoming", { body });

/** Runs of a report; `filter` is `{review: "pending"}` and the like. */
export const runs = (reportId, filter, cursor, limit = 20) => call("GET", report(reportId, "/jobs"), { query: { ...filter, cursor, limit } });
export const oneRun = (runId) => call("GET", run(runId));
/** `run`, `cancel`, `approve` or `reject`. */
export const orderRun = (runId, what) => call("POST", run(runId, `/${what}`), { timeout: 180_000 });
/** The report as it is sent, HTML. */
export const asSent = async (runId) => (await exchange("GET", run(runId, "/report.html"))).text;

export const messages = (runId, cursor) => call("GET", "/api/messages", { query: { source_id: runId, limit: 100, cursor } });
export const sendAgain = (messageId) => call("POST", `/api/messages/${id(messageId)}/retry`);
export const letters = (cursor) => call("GET", "/api/outbox", { query: { limit: 30, cursor } });
export const letter = (letterId) => call("GET", `/api/outbox/${id(letterId)}`);

export const templates = () => all("/api/pulse-templates");
export const channels = () => all("/api/channels");
export const sources = () => call("GET", "/api/sources");

/** Every page of a short list. */
async function all(path) {
  const items = [];
  let cursor = null;
  do {
    const page = await call("GET", path, { query: { limit: 200, cursor } });
    items.push(...page.items);
    cursor = page.next_cursor;
  } while (cursor);
  return items;
}
