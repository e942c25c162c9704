// The front page.

import assert from "node:assert/strict";
import { DESK, PHONE, fits, openEvent, shot, signedIn, unique, url, watch } from "./support.mjs";

export const tests = {
  "a wrong field is told at the field": async (browser) => {
    const page = watch(await (await browser.newContext({ viewport: PHONE })).newPage());
    await page.goto(url);
    await page.getByLabel("Organisation").fill("Gala team");
    await page.getByLabel("Email").fill(`browser-${unique()}@example.com`);
    await page.getByLabel("Password").fill("short");
    await page.getByRole("button", { name: "Create account" }).click();
    await page.locator("#password[aria-invalid=true]").waitFor();
    assert.notEqual(await page.locator("#password-error").innerText(), "");

    await page.getByRole("radio", { name: "Sign in" }).check();
    await page.getByLabel("Password").fill("not the password");
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.locator("#sign-in-form .form-error:visible").waitFor();
  },

  "a CSV file with a bad line is refused whole, with the line": async (browser) => {
    const event = await openEvent();
    const page = watch(await (await signedIn(browser, event)).newPage());
    await page.goto(url);
    const card = page.locator(".table-card");
    const csv = "name,email,barcode,valid_from\nNew Guest,new@example.com,NEW-1,\nBad Guest,bad@example.com,BAD-1,not a time\n";
    await card.locator("input[type=file]").setInputFiles({ name: "guests.csv", mimeType: "text/csv", buffer: Buffer.from(csv) });
    await card.getByRole("button", { name: "Import" }).click();
    await card.locator(".note.bad").waitFor();
    assert.match(await card.locator(".note.bad").innerText(), /Line 3/);

    await card.getByLabel("Import good lines").check();
    await card.getByRole("button", { name: "Import" }).click();
    await card.locator(".note.good").waitFor();
    assert.match(await card.locator(".note.good").innerText(), /^1 guests? imported, 1 line/);
    await shot(page, "front-import");
  },

  "every control has a name, on every page, in light and dark": async (browser) => {
    const event = await openEvent();
    await event.scan("ADA-001");
    for (const colorScheme of ["light", "dark"]) {
      const context = await signedIn(browser, event, { colorScheme });
      const page = watch(await context.newPage());
      for (const [name, path, viewport] of [
        ["front", "/", DESK],
        ["dashboard", `/pulse/${event.table.id}`, DESK],
        ["dashboard-phone", `/pulse/${event.table.id}`, PHONE],
        ["scanner-start", "/pulse-scanner", PHONE],
      ]) {
        await page.setViewportSize(viewport);
        await page.goto(url + path);
        await page.locator(".table-card, #board:not([hidden]), #setup-table option").first().waitFor({ state: "attached" });
        await page.waitForLoadState("networkidle");
        await fits(page, name);
        await shot(page, `${name}-${colorScheme}`);
      }
    }
    const stranger = watch(await (await browser.newContext({ viewport: PHONE })).newPage());
    await stranger.goto(url);
    await fits(stranger, "front-stranger");
    await shot(stranger, "front-stranger");
  },
};
