// Answers that are lost and keys that end: what a phone told a guest holds, and what it kept is reported.

import assert from "node:assert/strict";
import { PHONE, board, checkIns, entry, guestLink, guestPhone, kept, listed, openEvent, own, paired, pairingLink, reported, shot, signIn, verdict, watch, wedge } from "./support.mjs";

const SYNC = "**/pulse/check-ins/sync";
const abort = (route) => route.abort();
const begins = (names, what) => names.filter((name) => name.startsWith(`${what}/`));

/** Lets a guest in without a connection; what is reported is lost on the way until `context.unroute(SYNC)`. */
async function letInAndKeep({ context, page }, code, name) {
  await context.setOffline(true);
  await wedge(page, code);
  assert.match(await verdict(page, "accepted"), new RegExp(name));
  await context.route(SYNC, abort);
  await context.setOffline(false);
}

/** Waits until something is so on the server. */
async function until(what, so) {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    if (await so()) return;
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
  assert.fail(`never: ${what}`);
}

export const tests = {
  "what a phone told a guest holds, though the server had answered": async (browser) => {
    const event = await openEvent();
    const { context, page } = await paired(browser, event, "Phone 1");
    const heard = [];
    await context.route("**/pulse/check-ins", async (route) => {
      heard.push((await (await route.fetch({ maxRetries: 2 })).json()).verdict); // the phone never hears it
      await route.abort("connectionreset");
    });
    await wedge(page, "ADA-001");
    assert.match(await verdict(page, "accepted"), /Ada Lovelace[\s\S]*Decided on this phone/);
    assert.deepEqual(heard, ["accepted"]);
    await reported(page);
    await entry(page, "Ada Lovelace").getByText("reported").waitFor();
    let now = await board(event);
    assert.deepEqual([now.checked_in, now.inside, now.duplicates, now.conflicts], [1, 1, 0, 0]);
    await page.getByRole("button", { name: "Undo Ada Lovelace" }).click();
    await entry(page, "Undone").waitFor();
    await until("Ada is out again", async () => (await board(event)).inside === 0);

    // Somebody else lets Alan in before the phone's list says so.
    await context.unroute("**/pulse/check-ins");
    await context.route("**/roster**", abort);
    await context.routeWebSocket(/\/live\//, () => {});
    await page.reload();
    await page.locator("#door").waitFor();
    await context.route("**/pulse/check-ins", async (route) => {
      await event.scan("ALAN-002");
      heard.push((await (await route.fetch({ maxRetries: 2 })).json()).verdict);
      await route.abort("connectionreset");
    });
    await context.setOffline(false);
    await page.evaluate(() => document.querySelector("#code").focus());
    await wedge(page, "ALAN-002");
    assert.match(await verdict(page, "accepted"), /Alan Turing[\s\S]*Decided on this phone/);
    await reported(page);
    now = await board(event);
    assert.deepEqual([now.checked_in, now.inside, now.conflicts], [1, 1, 1]);
    const alan = (await checkIns(event, "&verdict=accepted")).filter(({ barcode }) => barcode === "ALAN-002");
    assert.equal(alan.length, 2, "who let him in is on the record, both of them");
  },

  "a guest's phone goes on to a second event and loses nothing of the first": async (browser) => {
    const [first, second] = [await openEvent(), await openEvent()];
    const links = [await guestLink(first), await guestLink(second)];
    await own(second, `/pulse/tables/${second.table.id}/rows`, { name: "Late Larry", barcode: "LARRY-9" });
    const { context, page } = await guestPhone(browser, links[0], "Vera");
    await letInAndKeep({ context, page }, "ADA-001", "Ada Lovelace");
    const sent = [];
    let lists = 0;
    context.on("request", (request) => {
      lists += request.url().includes(`/pulse/${second.table.id}/roster`);
      if (request.url().endsWith("/check-ins/sync")) sent.push(request.postDataJSON());
    });
    await page.goto(links[1]);
    await page.waitForFunction((table) => JSON.parse(localStorage.getItem("pulse.scanner")).table_id === table, second.table.id);
    await listed(page, "current");
    await until("the first list is gone", async () => begins(await kept(page), "table").every((name) => name.includes(second.table.id)));
    const device = await page.evaluate(() => localStorage.getItem("pulse.guest"));
    assert.deepEqual(begins(await kept(page), "unsent"), [`unsent/${first.table.id}/${device}`]);
    await page.waitForTimeout(3_000);
    assert.ok(lists < 8, `asked for the list ${lists} times`);

    await context.setOffline(true);
    await wedge(page, "LARRY-9");
    assert.match(await verdict(page, "accepted"), /Late Larry/);
    await wedge(page, "ADA-001");
    await page.locator("#verdict[data-verdict=accepted]", { hasText: "Ada Lovelace" }).waitFor(); // of the second event
    await context.unroute(SYNC);
    await context.setOffline(false);
    await reported(page);
    await until("the first event has its scan", async () => (await board(first)).checked_in === 1);
    await until("nothing is left", async () => begins(await kept(page), "unsent").length === 0);
    assert.equal((await board(second)).checked_in, 2);
    const items = (event) => sent.filter(({ table_id }) => table_id === event.table.id).flatMap(({ items }) => items);
    for (const event of [first, second]) assert.ok(items(event).every((item) => item.table_id === event.table.id));
    assert.equal((await checkIns(first))[0].scanner_name, "Vera");
  },

  "a list of another table is not taken, nor asked for without a pause": async (browser) => {
    const event = await openEvent();
    const { link } = await pairingLink(event, "Phone 1");
    const context = await browser.newContext({ viewport: PHONE });
    const page = watch(await context.newPage());
    let asked = 0;
    await context.route("**/roster**", async (route) => {
      asked += !route.request().url().includes("limit=1&") && !route.request().url().endsWith("limit=1");
      const answer = await route.fetch({ maxRetries: 2 });
      const list = await answer.json();
      if (list.about) list.about.table_id = "00000000-0000-7000-8000-000000000000";
      await route.fulfill({ response: answer, json: list });
    });
    await page.goto(link);
    await page.locator("#door").waitFor();
    await page.waitForTimeout(4_000);
    assert.ok(asked > 0 && asked < 6, `asked ${asked} times`);
    await page.locator("#list-state[data-state=none]").waitFor({ state: "attached" });
    await wedge(page, "ADA-001");
    assert.match(await verdict(page, "accepted"), /Ada Lovelace/);
    assert.deepEqual(begins(await kept(page), "table"), []);
  },

  "a scanner that is stopped reports what it still has": async (browser) => {
    const event = await openEvent();
    const { context, page } = await guestPhone(browser, await guestLink(event), "Vera");
    await context.setOffline(true);
    await wedge(page, "ADA-001");
    await verdict(page, "accepted");
    page.once("dialog", (dialog) => dialog.accept());
    await page.getByRole("button", { name: "Stop" }).click();
    await page.locator("#setup-rest", { hasText: "this page does it with a connection" }).waitFor();
    assert.equal(begins(await kept(page), "unsent").length, 1);
    assert.equal(begins(await kept(page), "table").length, 0);
    await context.setOffline(false);
    await until("nothing is left", async () => (await kept(page)).length === 0);
    await page.locator("#setup-rest").waitFor({ state: "hidden" });
    assert.equal((await board(event)).checked_in, 1);
  },

  "that two walk-ins have one code is said where it was given": async (browser) => {
    const event = await openEvent();
    const { context, page } = await paired(browser, event, "Phone 1");
    await context.setOffline(true);
    await wedge(page, "ADA-001");
    await verdict(page, "accepted");
    await context.route(SYNC, async (route) => {
      const answer = await route.fetch({ maxRetries: 2 });
      const body = await answer.json();
      for (const { answer } of body.results) answer.warnings = ["code_shared"];
      await route.fulfill({ response: answer, json: body });
    });
    await context.setOffline(false);
    await entry(page, "Ada Lovelace").getByText("Somebody else has this code too").waitFor();
  },

  "a phone that takes another pairing link keeps nothing of the old list but its queue": async (browser) => {
    const event = await openEvent();
    const { context, page, session } = await paired(browser, event, "Phone 1");
    await letInAndKeep({ context, page }, "GRACE-003", "Grace Hopper");
    const next = await pairingLink(event, "Phone 2");
    await page.goto(next.link);
    await page.locator("#where-gate", { hasText: "Phone 2" }).waitFor();
    await page.locator("#list-state", { hasText: "1 scan of an earlier scanner of this phone still kept" }).waitFor();
    const names = await kept(page);
    assert.deepEqual(begins(names, "table"), [`table/${event.table.id}/${next.session.id}`]);
    assert.deepEqual(begins(names, "journal"), [`journal/${event.table.id}/${next.session.id}`]);
    assert.deepEqual(begins(names, "unsent"), [`unsent/${event.table.id}/${session.id}`]);
    await context.unroute(SYNC);
    await until("it is reported", async () => (await board(event)).checked_in === 1);
    await until("nothing is left", async () => begins(await kept(page), "unsent").length === 0);
    assert.equal((await checkIns(event))[0].session_id, session.id);
  },

  "a phone that is shut out while it cannot run the rules loses no scan": async (browser) => {
    const event = await openEvent();
    const { context, page, session } = await paired(browser, event, "Phone 1", { serviceWorkers: "block" });
    await letInAndKeep({ context, page }, "ADA-001", "Ada Lovelace");
    await context.route("**/wasm/**", abort);
    await own(event, `/pulse/sessions/${session.id}/revoke`);
    await page.reload();
    await page.locator("#door").waitFor();
    await wedge(page, "ALAN-002");
    await page.locator("#setup-note:visible").waitFor();
    assert.deepEqual(begins(await kept(page), "table"), [`table/${event.table.id}/${session.id}`], "it cannot be read yet");
    await context.unroute("**/wasm/**");
    await context.unroute(SYNC);
    await page.reload();
    await page.locator("#setup-rest", { hasText: "a manager who signs in here brings it" }).waitFor();
    await shot(page, "scanner-left-behind");
    assert.deepEqual(await kept(page), [`unsent/${event.table.id}/${session.id}`]);
    await signIn(page, event);
    await page.locator("#setup-rest", { hasText: "reported" }).waitFor();
    assert.equal((await board(event)).checked_in, 1);
    assert.deepEqual(await kept(page), []);
  },

  "a manager brings what a guest's phone kept when its key ended": async (browser) => {
    const event = await openEvent();
    const { context, page } = await guestPhone(browser, await guestLink(event), "Vera");
    await context.setOffline(true);
    await wedge(page, "KATHERINE-005");
    assert.match(await verdict(page, "accepted"), /Katherine Johnson/);
    await own(event, `/pulse/${event.table.id}/guest-key`);
    await context.setOffline(false);
    await page.locator("#setup-note:visible").waitFor();
    await page.locator("#setup-rest", { hasText: "1 scan of an earlier scanner of this phone" }).waitFor();
    assert.equal((await kept(page)).length, 1);
    await signIn(page, event);
    await page.locator("#setup-rest", { hasText: "1 scan of an earlier scanner of this phone reported" }).waitFor();
    assert.deepEqual(await kept(page), []);
    assert.equal((await board(event)).checked_in, 1);
    assert.equal((await checkIns(event))[0].scanner_name, "Vera");
  },
};
