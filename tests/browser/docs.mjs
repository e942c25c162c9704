// The interactive API document.

import assert from "node:assert/strict";
import { DESK, shot, url, watch } from "./support.mjs";

export const tests = {
  "the docs page lists every operation without a console error": async (browser) => {
    const page = watch(await (await browser.newContext({ viewport: DESK })).newPage());
    const document = await (await fetch(`${url}/openapi.json`)).json();
    const methods = ["get", "put", "post", "delete", "patch", "head", "options"];
    const operations = Object.values(document.paths).flatMap((path) => Object.keys(path).filter((key) => methods.includes(key)));
    await page.goto(`${url}/docs`);
    assert.ok(operations.length > 100, "the document is whole");
    await page.locator(".opblock").first().waitFor();
    // A long list is drawn as far as one has scrolled.
    const seen = new Set();
    for (let step = 0; step < 200 && seen.size < operations.length; step++) {
      for (const id of await page.locator(".opblock").evaluateAll((blocks) => blocks.map(({ id }) => id))) seen.add(id);
      await page.mouse.wheel(0, 400);
      await page.waitForTimeout(100);
    }
    assert.equal(seen.size, operations.length);
    await page.evaluate(() => scrollTo(0, 0));
    await page.locator(".opblock-summary-control").first().click();
    await page.locator(".opblock-body").first().waitFor();
    await shot(page, "docs");
  },
};
