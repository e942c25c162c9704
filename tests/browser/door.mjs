// From nothing to the first live scan, and what a scanner does at the door.

import assert from "node:assert/strict";
import { DESK, GUESTS, PASSWORD, PHONE, call, openEvent, shot, signedIn, startScanner, stat, unique, url, verdict, watch, wedge } from "./support.mjs";

/** After this the page learns from its socket alone. */
const noMoreSnapshots = (page) => page.route("**/pulse/dashboard/*", (route) => route.abort());

export const tests = {
  "register, import, enable, scan: the dashboard moves without a reload": async (browser) => {
    const context = await browser.newContext({ viewport: DESK });
    const front = watch(await context.newPage());
    await front.goto(url);
    await front.getByLabel("Organisation").fill("Gala team");
    await front.getByLabel("Your name").fill("Dora");
    await front.getByLabel("Email").fill(`browser-${unique()}@example.com`);
    await front.getByLabel("Password").fill(PASSWORD);
    await front.getByRole("button", { name: "Create account" }).click();
    await front.getByLabel("Name of the event").fill("Spring gala");
    await front.getByLabel("Time zone").fill("Europe/Berlin");
    await front.getByRole("button", { name: "Create list" }).click();

    const card = front.locator(".table-card");
    await card.locator("input[type=file]").setInputFiles({ name: "guests.csv", mimeType: "text/csv", buffer: Buffer.from(GUESTS) });
    await card.getByRole("button", { name: "Import" }).click();
    await card.getByText("5 guests imported.").waitFor();
    await card.getByRole("button", { name: "Enable Pulse" }).click();
    await card.getByText("Live", { exact: true }).waitFor();
    await shot(front, "front-enabled");

    const dashboard = watch(await context.newPage());
    await dashboard.goto(new URL(await card.getByRole("link", { name: "Dashboard" }).getAttribute("href"), url).href);
    await dashboard.locator("#state[data-state=live], #state[data-state=behind]").waitFor();
    await stat(dashboard, "total", 5);
    await stat(dashboard, "checked_in", 0);
    await noMoreSnapshots(dashboard);

    const scanner = watch(await context.newPage());
    await scanner.setViewportSize(PHONE);
    await scanner.goto(new URL(await card.getByRole("link", { name: "Scanner" }).getAttribute("href"), url).href);
    await scanner.getByRole("button", { name: "Start" }).click();
    await scanner.locator("#door").waitFor();
    await wedge(scanner, "ADA-001");
    const welcome = await verdict(scanner, "accepted");
    assert.match(welcome, /Ada Lovelace/);
    assert.match(welcome, /vip/);
    assert.match(welcome, /Speaker: backstage pass/);
    await stat(dashboard, "checked_in", 1);
    await stat(dashboard, "inside", 1);
    await dashboard.locator("#recent").getByText("Ada Lovelace").waitFor();
    await shot(scanner, "scanner-accepted");

    await scanner.waitForTimeout(2_600);
    await wedge(scanner, "ADA-001");
    const again = await verdict(scanner, "duplicate");
    assert.match(again, /Already checked in/);
    assert.match(again, /First entry .*\d\d:\d\d:\d\d/);
    await shot(scanner, "scanner-duplicate");

    await wedge(scanner, "EDSGER-004");
    assert.match(await verdict(scanner, "refused"), /Do not admit[\s\S]*Edsger Dijkstra/);
    await stat(dashboard, "duplicates", 1);
    await stat(dashboard, "refused_total", 1);
    await shot(scanner, "scanner-refused");
    await shot(dashboard, "dashboard-live");

    await wedge(scanner, "NOBODY-999");
    await scanner.locator("#history li", { hasText: "NOBODY-999" }).getByText("Unknown code").waitFor();
    await stat(dashboard, "refused_total", 2);
    await stat(dashboard, "checked_in", 1);
  },

  "walk-in, exit and undo move the counts both ways": async (browser) => {
    const event = await openEvent();
    const context = await signedIn(browser, event);
    const dashboard = watch(await context.newPage());
    await dashboard.goto(`${url}/pulse/${event.table.id}`);
    await dashboard.locator("#state[data-state=live], #state[data-state=behind]").waitFor();
    const scanner = await startScanner(context, event);

    await scanner.getByRole("button", { name: "Walk-in" }).click();
    await scanner.getByLabel("Name", { exact: true }).fill("Barbara Liskov");
    await shot(scanner, "scanner-walk-in");
    await scanner.getByRole("button", { name: "Let in" }).click();
    assert.match(await verdict(scanner, "accepted"), /Barbara Liskov/);
    await stat(dashboard, "walk_ins", 1);

    await wedge(scanner, "ALAN-002");
    await scanner.locator("#verdict", { hasText: "Alan Turing" }).waitFor();
    await stat(dashboard, "inside", 2);
    await scanner.getByRole("radio", { name: "Exit" }).check();
    await wedge(scanner, "ALAN-002");
    await scanner.locator("#verdict", { hasText: "Exit recorded" }).waitFor();
    await stat(dashboard, "inside", 1);

    await scanner.getByRole("radio", { name: "Entry" }).check();
    await wedge(scanner, "GRACE-003");
    await scanner.locator("#verdict", { hasText: "Grace Hopper" }).waitFor();
    await stat(dashboard, "inside", 2);
    await scanner.getByRole("button", { name: "Undo Grace Hopper" }).click();
    await scanner.locator("#history li.undone", { hasText: "Grace Hopper" }).waitFor();
    await stat(dashboard, "inside", 1);
    await dashboard.locator("#recent li.undone", { hasText: "Grace Hopper" }).waitFor();
    await shot(scanner, "scanner-undo");
  },

  "a guest who is let in pops up, unless the organiser does not want it": async (browser) => {
    const event = await openEvent();
    const scanner = await startScanner(await signedIn(browser, event), event);
    const popup = scanner.locator("#popup");
    await wedge(scanner, "ADA-001");
    await popup.waitFor();
    assert.match(await popup.innerText(), /Ada Lovelace[\s\S]*backstage pass/);
    await shot(scanner, "scanner-popup");
    await popup.waitFor({ state: "hidden" }); // by itself
    await wedge(scanner, "GRACE-003");
    await popup.click();
    assert.equal(await popup.isVisible(), false);
    await wedge(scanner, "EDSGER-004");
    await verdict(scanner, "refused");
    assert.equal(await popup.isVisible(), false, "a refusal stays on its panel");

    await call("PATCH", `/pulse/${event.table.id}`, { token: event.token, body: { settings: { show_popup: false } } });
    await scanner.reload();
    await scanner.waitForFunction(() => JSON.parse(localStorage.getItem("pulse.scanner")).popup === false);
    await wedge(scanner, "ALAN-002");
    assert.match(await verdict(scanner, "accepted"), /Alan Turing/);
    assert.equal(await popup.isVisible(), false);
  },

  "an answer lost on the way is asked for again and counts once": async (browser) => {
    const event = await openEvent();
    const context = await signedIn(browser, event);
    await context.route("**/roster**", (route) => route.abort()); // a phone without a list of its own
    const scanner = await startScanner(context, event);
    const nonces = [];
    await scanner.route("**/pulse/check-ins", async (route) => {
      nonces.push(route.request().postDataJSON().nonce);
      if (nonces.length > 1) return route.continue();
      await route.fetch({ maxRetries: 2 }); // the server has recorded it; the phone never hears
      return route.abort("connectionreset");
    });
    await wedge(scanner, "ADA-001");
    assert.match(await verdict(scanner, "accepted"), /Ada Lovelace/);
    assert.equal(nonces.length, 2);
    assert.equal(nonces[0], nonces[1]);
    const board = await call("GET", `/pulse/dashboard/${event.table.id}`, { token: event.token });
    assert.equal(board.checked_in, 1);
    assert.equal(board.duplicates, 0);
  },

  "the same code within 2.5 s is one scan": async (browser) => {
    const event = await openEvent();
    const scanner = await startScanner(await signedIn(browser, event), event);
    await scanner.clock.setFixedTime(new Date()); // however slow this machine types
    let sent = 0;
    scanner.on("request", (request) => (sent += request.url().endsWith("/pulse/check-ins")));
    await wedge(scanner, "ADA-001");
    await wedge(scanner, "ADA-001");
    await verdict(scanner, "accepted");
    await scanner.locator("#scan-hint", { hasText: "Same code" }).waitFor();
    assert.equal(sent, 1);
    assert.equal(await scanner.locator("#history li").count(), 1);
  },

  "a ticket held before the camera is one scan": async (browser) => {
    const event = await openEvent();
    const context = await signedIn(browser, event);
    await context.grantPermissions(["camera"]);
    await context.addInitScript(() => {
      globalThis.BarcodeDetector = class {
        static getSupportedFormats = async () => ["qr_code"];
        detect = async (video) => (video.videoWidth ? [{ rawValue: "KATHERINE-005" }] : []);
      };
    });
    const scanner = await startScanner(context, event);
    await scanner.getByRole("button", { name: "Camera" }).click();
    assert.match(await verdict(scanner, "accepted"), /Katherine Johnson/);
    await scanner.waitForTimeout(3_500); // longer than the pause between two looks at one ticket
    assert.equal(await scanner.locator("#history li").count(), 1);
    await shot(scanner, "scanner-camera");
    await scanner.getByRole("button", { name: "Camera" }).click();
    await scanner.locator("#camera").waitFor({ state: "hidden" });
  },

  "keys reach the code field wherever the focus is": async (browser) => {
    const event = await openEvent();
    const scanner = await startScanner(await signedIn(browser, event), event);
    await scanner.locator("#history-title").click();
    await wedge(scanner, "GRACE-003");
    assert.match(await verdict(scanner, "accepted"), /Grace Hopper/);
    await scanner.reload();
    await scanner.locator("#door").waitFor(); // still the same scanner
    await wedge(scanner, "ALAN-002");
    assert.match(await verdict(scanner, "accepted"), /Alan Turing/);
  },
};
