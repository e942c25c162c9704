// Phones that are added on the dashboard and pair by its code, and two tabs of one phone.

import assert from "node:assert/strict";
import { DESK, PHONE, board, listed, openEvent, paired, pairingLink, shot, signedIn, unique, url, verdict, watch, wedge } from "./support.mjs";

/** A phone whose camera sees what `show(page, text)` holds before it. */
async function cameraPhone(browser) {
  const context = await browser.newContext({ viewport: PHONE });
  await context.grantPermissions(["camera"]);
  await context.addInitScript(() => {
    globalThis.BarcodeDetector = class {
      static getSupportedFormats = async () => ["qr_code"];
      detect = async (video) => (video.videoWidth && globalThis.shown ? [{ rawValue: globalThis.shown }] : []);
    };
  });
  return watch(await context.newPage());
}
const show = (page, text) => page.evaluate((value) => (globalThis.shown = value), text);

/** A phone whose browser reads no codes and whose camera sees a picture. */
async function cameraWithoutReader(browser, picture) {
  const context = await browser.newContext({ viewport: PHONE });
  await context.addInitScript((source) => {
    delete globalThis.BarcodeDetector;
    navigator.mediaDevices.getUserMedia = async () => {
      const image = new Image();
      image.src = source;
      await image.decode();
      const canvas = Object.assign(document.createElement("canvas"), { width: 640, height: 480 });
      const ink = canvas.getContext("2d");
      setInterval(() => {
        ink.fillStyle = "white";
        ink.fillRect(0, 0, 640, 480);
        ink.drawImage(image, 120, 40, 400, 400);
      }, 100);
      return canvas.captureStream(10);
    };
  }, picture);
  return watch(await context.newPage());
}

export const tests = {
  "a phone whose browser reads no codes reads them all the same": async (browser) => {
    const event = await openEvent();
    const dashboard = watch(await (await signedIn(browser, event, { viewport: DESK })).newPage());
    await dashboard.goto(`${url}/pulse/${event.table.id}`);
    await dashboard.getByRole("button", { name: "Add a phone" }).click();
    await dashboard.getByLabel("Name of the phone").fill(`Phone ${unique()}`);
    await dashboard.getByRole("button", { name: "Show the code" }).click();
    await dashboard.locator("#phone-state", { hasText: /until/ }).waitFor();
    const picture = await dashboard.locator("#phone-qr").evaluate(async (image) => {
      await image.decode();
      const canvas = Object.assign(document.createElement("canvas"), { width: 400, height: 400 });
      canvas.getContext("2d").drawImage(image, 0, 0, 400, 400);
      return canvas.toDataURL();
    });
    const page = await cameraWithoutReader(browser, picture);
    await page.goto(`${url}/pulse-scanner`);
    await page.getByRole("button", { name: "Scan pairing code" }).click();
    await listed(page, "current");
    await page.locator("#camera-toggle").waitFor();
    assert.ok(await page.locator("#camera-none").isHidden());
    await wedge(page, "ADA-001");
    assert.match(await verdict(page, "accepted"), /Ada Lovelace/);
  },

  "a phone is added on the dashboard and pairs by the code with its camera": async (browser) => {
    const event = await openEvent();
    const dashboard = watch(await (await signedIn(browser, event, { viewport: DESK })).newPage());
    await dashboard.goto(`${url}/pulse/${event.table.id}`);
    await dashboard.locator("#state[data-state=live], #state[data-state=behind]").waitFor();
    await dashboard.getByRole("button", { name: "Add a phone" }).click();
    const name = `Phone ${unique()}`;
    await dashboard.getByLabel("Name of the phone").fill(name);
    await dashboard.locator("#phone-gate option", { hasText: "North" }).waitFor({ state: "attached" });
    await dashboard.getByLabel("Gate", { exact: true }).selectOption("North");
    await shot(dashboard, "dashboard-add-phone");
    await dashboard.getByRole("button", { name: "Show the code" }).click();
    await dashboard.locator("#phone-state", { hasText: /until .*\(10 min\)/ }).waitFor();
    assert.ok(await dashboard.locator("#phone-qr").evaluate((image) => image.decode().then(() => image.naturalWidth > 0)));
    await shot(dashboard, "dashboard-phone-code");
    const before = await dashboard.locator("#phone-link").inputValue();
    await dashboard.getByRole("button", { name: "New code" }).click();
    await dashboard.waitForFunction((old) => ![old, ""].includes(document.querySelector("#phone-link").value), before);
    const link = await dashboard.locator("#phone-link").inputValue();
    const token = new URLSearchParams(new URL(link).hash.slice(1)).get("pair");

    const page = await cameraPhone(browser);
    await page.goto(`${url}/pulse-scanner`);
    await page.getByRole("link", { name: "sign in" }).waitFor();
    await shot(page, "scanner-pair");
    await page.getByRole("button", { name: "Scan pairing code" }).click();
    const note = (text) => page.locator("#setup-note", { hasText: text }).waitFor();
    await show(page, "ADA-001");
    await note("no pairing code");
    await show(page, JSON.stringify({ v: 1, url: "https://pulse.example", token }));
    await note("for another Pulse, at pulse.example");
    await show(page, JSON.stringify({ v: 2, url, token }));
    await note("newer Pulse");
    await shot(page, "scanner-pair-refused");
    await show(page, JSON.stringify({ v: 1, url, token }));
    await listed(page, "current");
    assert.match(await page.locator("#where-gate").innerText(), new RegExp(`North · ${name}`));
    assert.equal(await page.evaluate(() => document.querySelector("#pair-view").srcObject), null, "the camera goes on");
    await wedge(page, "ADA-001");
    assert.match(await verdict(page, "accepted"), /Ada Lovelace/);
    await dashboard.locator("#phone-state", { hasText: `${name} is paired and on line` }).waitFor();
    assert.equal(await dashboard.locator("#phone-qr").isVisible(), false);
    await shot(dashboard, "dashboard-phone-paired");
    await dashboard.getByRole("button", { name: "Done" }).click();
    await dashboard.locator("#scanners tr", { hasText: name }).waitFor();
    assert.equal((await board(event)).active_scanners.filter((scanner) => scanner.name === name).length, 1);
  },

  "a phone without a camera pairs by the pasted link": async (browser) => {
    const event = await openEvent();
    const { link } = await pairingLink(event, "Phone 5");
    const context = await browser.newContext({ viewport: PHONE });
    await context.addInitScript(() => Object.defineProperty(navigator, "mediaDevices", { value: undefined }));
    const page = watch(await context.newPage());
    await page.goto(`${url}/pulse-scanner`);
    await page.locator("#pair-none").waitFor();
    const paste = async (text) => {
      await page.getByLabel("Pairing link").fill(text);
      await page.getByRole("button", { name: "Pair this phone" }).click();
    };
    await paste(link.replace(new URL(link).host, "pulse.example"));
    await page.locator("#pair-form .form-error", { hasText: "for another Pulse, at pulse.example" }).waitFor();
    await shot(page, "scanner-pair-by-link");
    await paste(link);
    await listed(page, "current");
    assert.match(await page.locator("#where-gate").innerText(), /Phone 5/);
  },

  "one tab of a phone scans, and another takes over when it is asked to": async (browser) => {
    const event = await openEvent();
    const { context, page } = await paired(browser, event, "Phone 1");
    const second = watch(await context.newPage());
    await second.goto(`${url}/pulse-scanner`);
    await second.getByText("This browser scans in another tab").waitFor();
    await shot(second, "scanner-other-tab");
    await page.bringToFront();
    await wedge(page, "ADA-001");
    await verdict(page, "accepted");
    await second.bringToFront();
    await second.getByRole("button", { name: "Use this tab" }).click();
    await listed(second, "current");
    await page.getByText("This browser scans in another tab").waitFor();
    await wedge(second, "ADA-001");
    assert.match(await verdict(second, "duplicate"), /Already checked in/);
    await second.close();
    await listed(page, "current");
  },
};
