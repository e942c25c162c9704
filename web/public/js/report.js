// What this scanner says of itself: battery, app, what waits, how far its list is.
//
// Invariant: one report at most every half minute; guests' phones say nothing.
// Failure: a report that does not get through is not repeated: the next one replaces it.

import { send } from "./http.js";

const EVERY = 30_000;
const APP = "pulse-scanner/web";

/** Reports until the function that it answers is called; `status()`: `{pending, roster_seq?}`. */
export function report(pairing, status) {
  if (pairing.guest) return () => {};
  const path = `/pulse/sessions/${encodeURIComponent(pairing.session_id)}/status`;
  const tell = async () => {
    const power = await navigator.getBattery?.().catch(() => null);
    const body = { app: APP, ...status(), ...(power && { battery: power.level, charging: power.charging }) };
    await send("POST", path, { token: pairing.token, body, timeout: 10_000 }).catch(() => {});
  };
  const timer = setInterval(tell, EVERY);
  tell();
  return () => clearInterval(timer);
}
