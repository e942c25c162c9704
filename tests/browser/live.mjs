// The dashboard's socket: cut, gap, stop.

import assert from "node:assert/strict";
import { openEvent, signedIn, stat, url, watch } from "./support.mjs";

/** Opens the dashboard with its socket in the test's hands and no snapshot after the first. */
async function openDashboard(browser, onSocket) {
  const event = await openEvent();
  const page = watch(await (await signedIn(browser, event)).newPage());
  await page.routeWebSocket(/\/live\/check-in\//, onSocket);
  await page.goto(`${url}/pulse/${event.table.id}`);
  return { event, page };
}

const isLive = (page) => page.locator("#state[data-state=live], #state[data-state=behind]").waitFor();
const noMoreSnapshots = (page) => page.route("**/pulse/dashboard/*", (route) => route.abort());
const names = (page) => page.locator("#recent .who-line").allInnerTexts();

export const tests = {
  "a cut socket recovers what it missed, each event once": async (browser) => {
    let cut = null;
    let away = false;
    const { event, page } = await openDashboard(browser, (socket) => {
      if (away) return socket.close({ code: 1012, reason: "restart" });
      socket.connectToServer();
      cut = () => socket.close({ code: 1012, reason: "restart" });
    });
    await isLive(page);
    await noMoreSnapshots(page);
    await event.scan("ADA-001");
    await stat(page, "checked_in", 1);

    away = true;
    await cut();
    await page.locator("#state[data-state=reconnecting]").waitFor();
    await event.scan("ALAN-002");
    await event.scan("GRACE-003");
    away = false;
    await isLive(page);
    await page.locator("#recent").getByText("Grace Hopper").waitFor();
    assert.deepEqual(await names(page), ["Grace Hopper", "Alan Turing", "Ada Lovelace"]);
    await event.scan("KATHERINE-005");
    await stat(page, "checked_in", 4);
  },

  "an event that went missing on the way is noticed and recovered": async (browser) => {
    let swallow = false;
    let sockets = 0;
    const { event, page } = await openDashboard(browser, (socket) => {
      sockets += 1;
      const server = socket.connectToServer();
      server.onMessage((text) => {
        const scan = String(text).includes('"checkin.accepted"') && String(text).startsWith('{"event"');
        if (scan && swallow) swallow = false;
        else socket.send(text);
      });
    });
    await isLive(page);
    await noMoreSnapshots(page);
    swallow = true;
    await event.scan("ADA-001");
    await event.scan("ALAN-002");
    await page.locator("#recent").getByText("Ada Lovelace").waitFor();
    assert.deepEqual(await names(page), ["Alan Turing", "Ada Lovelace"]);
    assert.equal(sockets, 2);
  },

  "a history that is gone is replaced by the snapshot": async (browser) => {
    let cut = null;
    const { event, page } = await openDashboard(browser, (socket) => {
      const server = socket.connectToServer();
      const first = cut === null;
      cut = () => socket.close({ code: 1012, reason: "restart" });
      socket.onMessage((text) => server.send(first ? text : String(text).replace(/"epoch":"[^"]*"/, '"epoch":"gone"')));
    });
    await isLive(page);
    await cut();
    await event.scan("ADA-001");
    await event.scan("ALAN-002");
    await page.locator("#recent").getByText("Alan Turing").waitFor();
    await isLive(page);
    assert.deepEqual(await names(page), ["Alan Turing", "Ada Lovelace"]);
    await event.scan("GRACE-003");
    await stat(page, "checked_in", 3);
  },

  "the token is renewed in band before it ends": async (browser) => {
    let sockets = 0;
    let asked = null;
    let answered;
    const answer = new Promise((resolve) => (answered = resolve));
    const { page } = await openDashboard(browser, (socket) => {
      sockets += 1;
      const server = socket.connectToServer();
      socket.onMessage((text) => {
        if (String(text).includes('"refresh"')) asked = JSON.parse(text);
        server.send(text);
      });
      server.onMessage((text) => {
        if (asked && text !== "pong" && JSON.parse(text).id === asked.id) answered(JSON.parse(text));
        socket.send(asked ? text : String(text).replace(/"ttl":[0-9]+/, '"ttl":2'));
      });
    });
    await isLive(page);
    const reply = await answer;
    assert.equal(reply.error, undefined);
    assert.ok(asked.refresh.token.length > 20);
    assert.equal(sockets, 1);
  },

  "a record that is behind is told": async (browser) => {
    const event = await openEvent();
    const page = watch(await (await signedIn(browser, event)).newPage());
    await page.route("**/pulse/dashboard/*", async (route) => {
      const response = await route.fetch({ maxRetries: 2 });
      const board = await response.json();
      const oldest_unflushed_at = new Date(Date.parse(board.server_time) - 30_000).toISOString();
      await route.fulfill({ response, json: { ...board, record: { ...board.record, behind: 12, oldest_unflushed_at } } });
    });
    await page.goto(`${url}/pulse/${event.table.id}`);
    await page.locator("#state[data-state=behind]", { hasText: "Postgres 12 behind" }).waitFor();
  },

  "a close code of 3500 stops, and says so": async (browser) => {
    let sockets = 0;
    const { page } = await openDashboard(browser, (socket) => {
      sockets += 1;
      socket.close({ code: 3500, reason: "revoked" });
    });
    await page.locator("#state[data-state=stopped]", { hasText: "Revoked" }).waitFor();
    await page.waitForTimeout(2_000);
    assert.equal(sockets, 1);
  },
};
