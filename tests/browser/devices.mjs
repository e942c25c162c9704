// Phones that become scanners by a link, what the dashboard shows of them, and printed badges.

import assert from "node:assert/strict";
import { board, call, counted, DESK, openEvent, own, PHONE, shot, signedIn, stat, unique, url, verdict, watch, wedge } from "./support.mjs";

/** A phone of its own, signed in to nothing. */
async function phone(browser) {
  return watch(await (await browser.newContext({ viewport: PHONE })).newPage());
}

/** Scans a code as another scanner of the event and answers the record's id. */
async function letIn(event, barcode) {
  return (await event.scan(barcode)).check_in.id;
}

export const tests = {
  "a phone that opens a pairing link scans, and a revoked one is told": async (browser) => {
    const event = await openEvent();
    const session = await own(event, "/pulse/sessions", { table_id: event.table.id, name: "Phone 7", gate: "North" });
    const pairing = await own(event, `/pulse/sessions/${session.id}/pairing`);
    const page = await phone(browser);
    await page.goto(pairing.link);
    await page.locator("#door").waitFor();
    assert.equal(new URL(page.url()).hash, "", "the token stays in the address");
    assert.match(await page.locator("#where-gate").innerText(), /North · Phone 7/);
    await wedge(page, "ADA-001");
    assert.match(await verdict(page, "accepted"), /Ada Lovelace/);
    await page.reload();
    await page.locator("#door").waitFor();
    await own(event, `/pulse/sessions/${session.id}/revoke`);
    await wedge(page, "ALAN-002");
    await page.locator("#setup-note:visible").waitFor();
    await shot(page, "scanner-revoked");

    const late = await phone(browser);
    await late.goto(pairing.link);
    await late.locator("#setup-note:visible", { hasText: "pairs with nothing" }).waitFor();
    await late.locator("#setup-form").waitFor({ state: "hidden" });
  },

  "a guest link makes a phone a guest scanner": async (browser) => {
    const event = await openEvent();
    await call("PATCH", `/pulse/${event.table.id}`, { token: event.token, body: { settings: { guest_scanning: true } } });
    const { link } = await own(event, `/pulse/${event.table.id}/guest-link`);
    const pages = [await phone(browser), await phone(browser)];
    for (const page of pages) {
      await page.goto(link);
      await page.getByLabel("Your name").fill(`Volunteer ${pages.indexOf(page) + 1}`);
      await page.getByRole("button", { name: "Scan" }).click();
      await page.locator("#door").waitFor();
    }
    await wedge(pages[0], "ADA-001");
    assert.match(await verdict(pages[0], "accepted"), /Ada Lovelace/);
    await wedge(pages[1], "ADA-001");
    assert.match(await verdict(pages[1], "duplicate"), /Already checked in/);
    const names = await Promise.all(pages.map((page) => page.evaluate(() => localStorage.getItem("pulse.guest"))));
    assert.notEqual(names[0], names[1]);
    const records = await call("GET", `/pulse/check-ins?table_id=${event.table.id}`, { token: event.token });
    assert.equal(records.items[0].scanner_name, "Volunteer 1");
    assert.match(names[0], /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  },

  "the dashboard shows what devices say, as they say it": async (browser) => {
    const event = await openEvent();
    const session = await own(event, "/pulse/sessions", { table_id: event.table.id, name: `Phone ${unique()}` });
    const say = (body) => call("POST", `/pulse/sessions/${session.id}/status`, { token: session.token, body });
    const page = watch(await (await signedIn(browser, event)).newPage());
    await page.goto(`${url}/pulse/${event.table.id}`);
    await page.locator("#state[data-state=live], #state[data-state=behind]").waitFor();
    await page.route("**/pulse/dashboard/*", (route) => route.abort()); // from now on by its socket alone
    await event.scan("ADA-001");
    await stat(page, "checked_in", 1);
    await say({ pending: 9, roster_seq: 41, battery: 0.42 });
    await page.locator("#rate-text", { hasText: "1 in, at most 9 unsynced" }).waitFor();
    const row = page.locator("#scanners tr", { hasText: session.name });
    const shown = (await row.locator("td").allInnerTexts()).slice(0, 4);
    assert.deepEqual(shown, [`${session.name} · 42 %`, "0", "9", "#41"]);
    await shot(page, "dashboard-devices");
    await say({ pending: 0 });
    await page.waitForFunction(() => !document.querySelector("#rate-text").textContent.includes("unsynced"));
  },

  "the dashboard says what its counters may miss": async (browser) => {
    const event = await openEvent();
    const session = await own(event, "/pulse/sessions", { table_id: event.table.id, name: `Phone ${unique()}` });
    const say = (body) => call("POST", `/pulse/sessions/${session.id}/status`, { token: session.token, body });
    const { roster_seq: seq } = await board(event);
    await say({ pending: 9, roster_seq: seq });
    const page = watch(await (await signedIn(browser, event)).newPage());
    await page.goto(`${url}/pulse/${event.table.id}`);
    await page.locator("#state[data-state=live], #state[data-state=behind]").waitFor();
    const text = (part) => page.locator("#rate-text", { hasText: part }).waitFor();
    const list = page.locator("#scanners tr", { hasText: session.name }).locator("td").nth(3);
    await text("0 in, at most 9 unsynced");
    assert.equal(await list.innerText(), `#${seq} of #${seq}`);

    await call("POST", `/pulse/tables/${event.table.id}/rows`, { token: event.token, body: { name: "Late Larry", barcode: "LARRY-9" } });
    await page.waitForFunction((before) => [...document.querySelectorAll("#scanners td")].some((cell) => cell.textContent.startsWith(`#${before} of #`) && cell.textContent !== `#${before} of #${before}`), seq);

    const nobody = { barcode: "A-STRANGER", nonce: "1", scanned_at: new Date().toISOString(), offline: { verdict: "accepted" } };
    await call("POST", "/pulse/check-ins/sync", { token: session.token, body: { table_id: event.table.id, items: [nobody] } });
    await text("1 let in unidentified");

    await page.route("**/pulse/dashboard/*", (route) => route.abort()); // from now on by its own clock
    await page.clock.setSystemTime(Date.now() + 70_000);
    await text("9 unsynced, 1 scanner out of touch");
    await page.locator("#scanners tr", { hasText: session.name }).getByText("out of touch").waitFor();
    await shot(page, "dashboard-out-of-touch");
    await page.clock.setSystemTime(Date.now());
    await text("0 in, at most 9 unsynced");
  },

  "badges are printed one to a page of their own size": async (browser) => {
    const event = await openEvent();
    const ids = [await letIn(event, "ADA-001"), await letIn(event, "GRACE-003")];
    const context = await signedIn(browser, event, { viewport: DESK });
    await context.addInitScript(() => (globalThis.print = () => (globalThis.printed = (globalThis.printed ?? 0) + 1)));
    const page = watch(await context.newPage());
    await page.goto(`${url}/pulse-badge#table=${event.table.id}&check_in=${ids.join(",")}`);
    await page.waitForFunction(() => globalThis.printed === 1);
    await counted(page.locator("#labels img"), 2);
    await shot(page, "badges");
    const pdf = (await page.pdf({ preferCSSPageSize: true })).toString("latin1");
    const boxes = [...pdf.matchAll(/\/MediaBox\s*\[\s*0 0 ([\d.]+) ([\d.]+)\s*\]/g)].map(([, w, h]) => [Math.round(w), Math.round(h)]);
    assert.deepEqual(boxes, [[244, 153], [244, 153]], "86 × 54 mm in points");

    const nobody = "00000000-0000-7000-8000-000000000000";
    await page.goto("about:blank");
    await page.goto(`${url}/pulse-badge#table=${event.table.id}&check_in=${ids[0]},${nobody}`);
    await page.locator("#message", { hasText: nobody }).waitFor();
    await counted(page.locator("#labels img"), 1);
  },
};
