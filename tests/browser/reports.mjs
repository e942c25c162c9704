// The page of reports: made with its upcoming runs in sight, published, held and approved, read.

import assert from "node:assert/strict";
import { call, counted, DESK, fits, openEvent, PHONE, shot, signedIn, url, watch } from "./support.mjs";

const QUERY = "```sql name=lists chart=bar x=name y=guests\nselect name, guests from guest_tables\n```";

/** A page of somebody who is signed in, at an address of the reports. */
async function open(browser, event, address = "/reports", options = {}) {
  const page = watch(await (await signedIn(browser, event, options)).newPage());
  await page.goto(url + address);
  return page;
}

/** A report that is there already. */
const made = (event, extra = {}) =>
  call("POST", "/api/pulse", {
    token: event.token,
    body: { name: "Doors", cron: "0 9 * * 1-5", cronTimezone: "Europe/Berlin", recipients: ["ada@example.org"], prompt: QUERY, ...extra },
  });

/** One that claims what no query found, and is held for it. */
async function boasting(event) {
  const body = "# Guests\n\nThere were 4711 guests.\n\n```sql name=lists\nselect name, guests from guest_tables\n```";
  const template = await call("POST", "/api/pulse-templates", { token: event.token, body: { name: "Boast", body } });
  return made(event, { prompt: "How was it?", strict: true, templateId: template.id });
}

const standing = (page, text) => page.locator("#standing").getByText(text, { exact: true }).waitFor({ timeout: 30_000 });

export const tests = {
  "a report is made with its runs in sight, and the night that the clock skips is told": async (browser) => {
    const event = await openEvent();
    const page = await open(browser, event);
    await page.getByText("No report yet.").waitFor();
    await page.getByRole("link", { name: "New report" }).click();
    await page.getByLabel("Name", { exact: true }).fill("Doors at night");
    await page.getByLabel("Time zone").fill("America/New_York");
    await page.getByLabel("Schedule").fill("30 2 * * *");
    const upcoming = page.locator("#upcoming");
    await upcoming.getByText(/^Every day at 02:30, New York time/).waitFor();
    await counted(upcoming.locator(".runs li"), 6);
    const moved = upcoming.locator("li[data-note=moved]");
    await moved.waitFor();
    assert.match(await moved.innerText(), /\d+ Mar: runs 03:00/);
    assert.match(await moved.innerText(), /02:30/);
    await page.getByLabel("Schedule").fill("0 9 1 * 1");
    await upcoming.locator(".note").waitFor(); // either the 1st or a Monday
    await page.getByLabel("Schedule").fill("30 2 * * *");
    await moved.waitFor();

    await page.getByRole("button", { name: "Insert a query" }).click();
    assert.match(await page.getByLabel("Prompt").inputValue(), /^```sql name=lists/);
    await page.getByText("What can be asked").click();
    await page.locator("#source-list").getByText("guest_tables").waitFor();
    await page.getByText("What can be asked").click();
    await page.getByLabel("Recipients").fill("ada@example.org\nbob@example.org");
    await shot(page, "reports-editor");
    await page.setViewportSize(PHONE);
    await fits(page, "the form on a phone");
    await shot(page, "reports-editor-phone");
    await page.setViewportSize(DESK);
    await page.getByRole("button", { name: "Save" }).click();

    await page.getByRole("heading", { name: "Doors at night" }).waitFor();
    await page.locator(".upcoming li[data-note=moved]").waitFor();
    await page.getByText("ada@example.org, bob@example.org").waitFor();
    await page.getByRole("button", { name: "Pause" }).click();
    await page.getByText("Paused", { exact: true }).waitFor();
    await page.getByRole("button", { name: "Resume" }).click();
    await page.getByText("Active", { exact: true }).waitFor();
    await page.getByRole("button", { name: "Delete" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "No" }).click();
    assert.equal((await call("GET", "/api/pulse", { token: event.token })).items.length, 1);
    await page.getByRole("button", { name: "Delete" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
    await page.getByText("No report yet.").waitFor();
    assert.equal((await call("GET", "/api/pulse", { token: event.token })).items.length, 0);
  },

  "what is published is previewed alike, done, and in the outbox": async (browser) => {
    const event = await openEvent();
    const report = await made(event, { name: "<img src=x onerror=alert(1)> & doors" });
    const page = await open(browser, event, `/reports?report=${report.id}`);
    await page.getByRole("heading", { level: 1, name: "<img src=x onerror=alert(1)> & doors" }).waitFor(); // a text, and no picture
    await page.getByRole("button", { name: "Preview" }).click();
    const frame = page.locator("#preview iframe");
    await frame.waitFor();
    assert.equal(await frame.getAttribute("sandbox"), "");
    const before = page.frameLocator("#preview iframe");
    await before.getByText("Spring gala").locator("visible=true").first().waitFor();
    const picture = before.locator("img").first();
    assert.match(await picture.getAttribute("src"), /^data:image\/png;base64,/);
    await shot(page, "reports-preview");

    await page.getByRole("button", { name: "Publish now" }).click();
    await standing(page, "Done");
    await page.locator("#deliveries").getByText("1 sent").waitFor({ timeout: 30_000 });
    await page.locator("table tbody").last().getByText("deliver").waitFor();
    await page.frameLocator("iframe.mail").getByText("Spring gala").locator("visible=true").first().waitFor();
    await shot(page, "reports-run");
    await page.locator("#deliveries").getByRole("link", { name: "Read" }).click();
    await page.frameLocator("iframe.mail").getByText("Spring gala").locator("visible=true").first().waitFor();
    await page.getByText("/api/unsubscribe/").first().waitFor({ state: "attached" });
    await shot(page, "reports-letter");
    await page.getByRole("link", { name: "← Outbox" }).click();
    await page.locator("#letters li", { hasText: "to ada@example.org" }).waitFor();
    await shot(page, "reports-outbox");
    await page.getByRole("link", { name: "Reports", exact: true }).click();
    await page.locator(".report-card").getByText("Done", { exact: true }).waitFor();
    await shot(page, "reports-list");
  },

  "a report with a figure that nothing explains is held until it is approved": async (browser) => {
    const event = await openEvent();
    const report = await boasting(event);
    const page = await open(browser, event, `/reports?report=${report.id}`);
    await page.getByRole("button", { name: "Publish now" }).click();
    await standing(page, "Held for review");
    assert.match(await page.locator(".held").innerText(), /No query result explains 4711/);
    await page.frameLocator("iframe.mail").getByText("4711").locator("visible=true").first().waitFor();
    await page.setViewportSize(PHONE);
    await fits(page, "a held report on a phone");
    await shot(page, "reports-held-phone");
    await page.setViewportSize(DESK);
    await page.goto(`${url}/reports`);
    await page.getByRole("link", { name: "Waits for your review" }).click();
    await page.getByRole("button", { name: "Approve and send" }).click();
    await standing(page, "Done");
    await page.locator("#deliveries").getByText("1 sent").waitFor({ timeout: 30_000 });
    await page.locator("#details").getByText(/^Approved /).waitFor();

    await page.goto(`${url}/reports?report=${report.id}`);
    await page.getByRole("button", { name: "Publish now" }).click();
    await standing(page, "Held for review");
    await page.getByRole("button", { name: "Reject" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Reject" }).click();
    await standing(page, "Rejected");
    const outbox = await call("GET", "/api/outbox", { token: event.token });
    assert.equal(outbox.items.length, 1);
  },

  "what is wrong with a report is told at its field": async (browser) => {
    const event = await openEvent();
    const page = await open(browser, event, "/reports?view=new", { colorScheme: "dark" });
    await page.getByLabel("Name", { exact: true }).fill("Doors");
    await page.getByLabel("Prompt").fill("How was it?");
    await page.getByLabel("Schedule").fill("0 25 * * *");
    await page.locator("#cron[aria-invalid=true]").waitFor(); // while it is typed
    assert.match(await page.locator("#cron-error").innerText(), /hour/i);
    await page.getByLabel("Time zone").fill("Europe/Atlantis");
    await page.locator("#cronTimezone-error").waitFor();
    await page.getByLabel("Recipients").fill("ada@example.org\nnobody");
    await page.getByLabel("Send only if").fill("orders.total >");
    await page.getByRole("button", { name: "Save" }).click();
    await page.locator("#recipients-error").waitFor();
    assert.match(await page.locator("#recipients-error").innerText(), /^nobody: /);
    await page.locator("#sendIf-error").waitFor();
    await page.locator("#cron-error").waitFor();
    await page.waitForTimeout(600); // what is told while typing comes again, once
    await counted(page.locator(".field-error"), 4);
    await shot(page, "reports-wrong-dark");

    await page.getByLabel("Schedule").fill("0 9 * * *");
    await page.getByLabel("Time zone").fill("Europe/Berlin");
    await page.locator("#cron-error").waitFor({ state: "detached" });
    await page.locator("#upcoming .runs li").first().waitFor();
    await page.getByLabel("Recipients").fill("ada@example.org");
    await page.getByLabel("Send only if").fill("");
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByRole("heading", { level: 1, name: "Doors" }).waitFor();
    await page.getByRole("link", { name: "Edit" }).click();
    await page.getByLabel("Name", { exact: true }).fill("Doors, again");
    const shown = new URL(page.url()).searchParams.get("edit");
    await call("POST", `/api/pulse/${shown}/pause`, { token: event.token }); // somebody else, meanwhile
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByText("Somebody has changed this report meanwhile.").waitFor();
  },

  "the pages of reports fit a phone, and a stranger signs in and comes back": async (browser) => {
    const event = await openEvent();
    const report = await made(event);
    const page = await open(browser, event, "/reports", { viewport: PHONE });
    await page.locator(".report-card").getByText("none yet").waitFor();
    await fits(page, "the list");
    await shot(page, "reports-list-phone");
    await page.goto(`${url}/reports?report=${report.id}`);
    await page.locator(".upcoming .words").waitFor();
    await fits(page, "a report");
    await shot(page, "reports-report-phone");
    await page.goto(`${url}/reports?view=outbox`);
    await page.getByText("Nothing is kept here.").waitFor();
    await fits(page, "the outbox");
    await page.goto(`${url}/reports?run=${report.id}`);
    await page.getByText("There is no such report, run or message here").waitFor();

    const stranger = watch(await (await browser.newContext({ viewport: DESK })).newPage());
    await stranger.goto(`${url}/reports?report=${report.id}`);
    await stranger.waitForURL(/\?next=/);
    assert.equal(new URL(stranger.url()).searchParams.get("next"), `/reports?report=${report.id}`);
    const policy = (await fetch(`${url}/reports`)).headers.get("content-security-policy");
    assert.match(policy, /script-src 'self';/);
    assert.doesNotMatch(policy, /unsafe-eval|script-src[^;]*unsafe/);
  },
};
