// The door without a connection: the list and the rules on the phone, the report, and what is forgotten.

import assert from "node:assert/strict";
import { PHONE, board, call, entry, kept, learned, listed, openEvent, own, paired, reported, shot, signIn, signedIn, startScanner, url, verdict, watch, wedge } from "./support.mjs";

export const tests = {
  "a phone without a connection decides by itself, survives a reload and reports": async (browser) => {
    const event = await openEvent();
    const { context, page } = await paired(browser, event, "Phone 1");
    await page.evaluate(() => navigator.serviceWorker.ready);
    await page.reload(); // from now on the page itself is on the phone
    await listed(page, "current");
    await context.setOffline(true);
    await wedge(page, "ADA-001");
    assert.match(await verdict(page, "accepted"), /Ada Lovelace[\s\S]*Decided on this phone[\s\S]*backstage pass/);
    await page.waitForTimeout(2_600);
    await wedge(page, "ADA-001");
    assert.match(await verdict(page, "duplicate"), /First entry/);
    await wedge(page, "EDSGER-004");
    assert.match(await verdict(page, "refused"), /Edsger Dijkstra/);
    await wedge(page, "GRACE-003");
    await entry(page, "Grace Hopper").getByText("to be reported").waitFor();
    await page.getByRole("button", { name: "Undo Grace Hopper" }).click();
    await listed(page, "alone");
    await page.locator("#list-state", { hasText: "5 scans to report" }).waitFor();
    await shot(page, "scanner-offline");
    assert.equal((await board(event)).checked_in, 0);

    await page.reload();
    await page.locator("#list-state", { hasText: "5 scans to report" }).waitFor();
    await wedge(page, "ADA-001");
    assert.match(await verdict(page, "duplicate"), /Ada Lovelace/);
    await context.setOffline(false);
    await listed(page, "current");
    await reported(page);
    await entry(page, "Ada Lovelace").getByText("reported").waitFor();
    const now = await board(event);
    assert.deepEqual([now.checked_in, now.inside, now.duplicates, now.refused_total ?? now.refused.canceled], [1, 1, 2, 1]);
  },

  "a ticket let in by two phones without a connection stands once and is named": async (browser) => {
    const event = await openEvent();
    const phones = [await paired(browser, event, "Phone 1"), await paired(browser, event, "Phone 2")];
    for (const { context, page } of phones) {
      await context.setOffline(true);
      await wedge(page, "ALAN-002");
      assert.match(await verdict(page, "accepted"), /Alan Turing/);
    }
    for (const { context, page } of phones) {
      await context.setOffline(false);
      await reported(page);
    }
    await entry(phones[1].page, "Alan Turing").getByText("let in twice: first at Phone 1").waitFor();
    await shot(phones[1].page, "scanner-let-in-twice");
    const now = await board(event);
    assert.deepEqual([now.checked_in, now.conflicts], [1, 1]);
  },

  "what changes on the list is on the phone before it loses its connection": async (browser) => {
    const event = await openEvent();
    const { context, page } = await paired(browser, event, "Phone 1");
    await event.scan("GRACE-003");
    await learned(page, "Grace Hopper");
    await call("POST", `/pulse/tables/${event.table.id}/rows`, { token: event.token, body: { name: "Late Larry", barcode: "LARRY-9" } });
    await learned(page, "Late Larry");
    await context.setOffline(true);
    await wedge(page, "GRACE-003");
    await verdict(page, "duplicate");
    await wedge(page, "LARRY-9");
    assert.match(await verdict(page, "accepted"), /Late Larry/);
  },

  "a phone that is revoked forgets the list at once and keeps what it has to report": async (browser) => {
    const event = await openEvent();
    const { context, page, session } = await paired(browser, event, "Lost phone");
    await context.setOffline(true);
    await wedge(page, "ADA-001");
    await verdict(page, "accepted");
    await own(event, `/pulse/sessions/${session.id}/revoke`);
    await context.setOffline(false);
    await page.locator("#setup-note:visible").waitFor();
    assert.deepEqual(await kept(page), [`unsent/${event.table.id}/${session.id}`]);
    assert.equal((await board(event)).checked_in, 0, "a revoked phone brings nothing");

    await signIn(page, event);
    await page.locator("#setup-rest", { hasText: "1 scan of an earlier scanner of this phone reported" }).waitFor();
    assert.deepEqual(await kept(page), []);
    assert.equal((await board(event)).checked_in, 1);
  },

  "a guest's phone keeps a list that opens with the codes only": async (browser) => {
    const event = await openEvent();
    await call("PATCH", `/pulse/${event.table.id}`, { token: event.token, body: { settings: { guest_scanning: true } } });
    const { link } = await own(event, `/pulse/${event.table.id}/guest-link`);
    const context = await browser.newContext({ viewport: PHONE });
    const page = watch(await context.newPage());
    await page.goto(link);
    await page.getByLabel("Your name").fill("Vera");
    await page.getByRole("button", { name: "Scan" }).click();
    await listed(page, "current");
    await context.setOffline(true);
    await wedge(page, "KATHERINE-005");
    assert.match(await verdict(page, "accepted"), /Katherine Johnson/);
    const keys = await kept(page);
    const text = await page.evaluate(
      (key) =>
        new Promise((resolve) => {
          indexedDB.open("pulse-scanner").onsuccess = ({ target }) => {
            target.result.transaction("kept").objectStore("kept").get(key).onsuccess = ({ target: value }) => resolve(value.result.text);
          };
        }),
      keys.find((key) => key.startsWith("table/")),
    );
    assert.ok(text.length > 100 && !text.includes("Lovelace") && !text.includes("ADA-001"), "the kept list names guests");
    await context.setOffline(false);
    await reported(page);
    assert.equal((await board(event)).checked_in, 1);
  },

  "a guest who has to be asked is asked, with a connection and without": async (browser) => {
    const event = await openEvent();
    const questions = [
      { id: "age", text: "How old are you?", kind: "number", required: true },
      { id: "shirt", text: "Which shirt?", kind: "choice", choices: ["S", "L"] },
    ];
    await call("PATCH", `/pulse/${event.table.id}`, { token: event.token, body: { settings: { questions } } });
    const { context, page } = await paired(browser, event, "Phone 1");
    const dialog = page.locator("#questions-dialog");
    for (const [code, name] of [["ADA-001", "Ada Lovelace"], ["ALAN-002", "Alan Turing"]]) {
      await wedge(page, code);
      await dialog.getByText(`Ask ${name} first`).waitFor();
      if (code === "ADA-001") await shot(page, "scanner-questions");
      await dialog.getByLabel("How old are you?").fill("36");
      await dialog.getByLabel("Which shirt?").selectOption("L");
      await dialog.getByRole("button", { name: "Check again" }).click();
      assert.match(await verdict(page, "accepted"), new RegExp(name));
      await context.setOffline(true);
    }
    await context.setOffline(false);
    await reported(page);
    const records = await call("GET", `/pulse/check-ins?table_id=${event.table.id}&verdict=accepted`, { token: event.token });
    assert.deepEqual(records.items.map(({ answers }) => answers), [{ age: 36, shirt: "L" }, { age: 36, shirt: "L" }]);
  },

  "a scanner says how it is": async (browser) => {
    const event = await openEvent();
    const page = await startScanner(await signedIn(browser, event), event);
    await listed(page, "current");
    const until = Date.now() + 30_000;
    let scanners, web;
    while (!web) {
      assert.ok(Date.now() < until, JSON.stringify(scanners));
      await page.waitForTimeout(50);
      scanners = (await board(event)).active_scanners;
      web = scanners.find(({ app }) => app === "pulse-scanner/web");
    }
    assert.equal(web.pending, 0);
  },
};
