// The interactive API document.

import assert from "node:assert/strict";
import { counted, DESK, shot, url, watch } from "./support.mjs";

export const tests = {
  "the docs page lists every operation without a console error": async (browser) => {
    const page = watch(await (await browser.newContext({ viewport: DESK })).newPage());
    const document = await (await fetch(`${url}/openapi.json`)).json();
    const methods = ["get", "put", "post", "delete", "patch", "head", "options"];
    const operations = Object.values(document.paths).flatMap((path) => Object.keys(path).filter((key) => methods.includes(key)));
    await page.goto(`${url}/docs`);
    assert.ok(operations.length > 100, "the document is whole");
    await counted(page.locator(".opblock"), operations.length);
    await page.locator(".opblock-summary-control").first().click();
    await page.locator(".opblock-body").first().waitFor();
    await shot(page, "docs");
  },
};
