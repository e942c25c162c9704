// The page of the monitor: a real replica is connected, watched and asked; what is wrong with its data
// shows without a reload, and people deal with it.

import assert from "node:assert/strict";
import { customer, orders } from "./replica.mjs";
import { DESK, PASSWORD, PHONE, call, fits, shot, signedIn, unique, url, watch } from "./support.mjs";

/** A tenant with nothing in it. */
async function openTeam() {
  const email = `browser-${unique()}@example.com`;
  const session = await call("POST", "/api/auth/register", { body: { email, password: PASSWORD, tenant_name: "Data team" } });
  return { email, session, token: session.access_token };
}

async function open(browser, team, address = "/monitor", options = {}) {
  const page = watch(await (await signedIn(browser, team, options)).newPage());
  await page.goto(url + address);
  return page;
}

const post = (team, path, body) => call("POST", path, { token: team.token, body });
const get = (team, path) => call("GET", path, { token: team.token });

/** What is there when `find` answers something. */
async function until(find, what) {
  for (const end = Date.now() + 30_000; Date.now() < end; await new Promise((done) => setTimeout(done, 200))) {
    const found = await find();
    if (found) return found;
  }
  throw new Error(`there is no ${what}`);
}

const CHECK = { name: "E-mail addresses are there", kind: "null_rate", settings: { column: "email" }, fail: { kind: "absolute", max: 0.05 }, every: 3600 };

/** A replica whose orders are watched. */
async function watching(team) {
  const shop = await customer();
  await orders(shop);
  const connection = await post(team, "/api/connections", { name: "Shop", sslmode: "disable", ...shop.reader });
  return { shop, connection, table: await post(team, "/api/tables", { connection_id: connection.id, name: "orders" }) };
}

/** The same, and a check of them that fails. */
async function broken(team) {
  const { shop, connection, table } = await watching(team);
  const check = await post(team, `/api/tables/${table.id}/checks`, CHECK);
  const alert = await until(async () => (await get(team, "/api/alerts?state=firing")).items[0], "alert");
  return { shop, connection, table, check, alert };
}

const stat = (page, name, value) => page.locator(`[data-stat=${name}]`, { hasText: new RegExp(`^${value}\\b`) }).waitFor({ timeout: 30_000 });
const standing = (page, text) => page.locator("#standing").getByText(text, { exact: true }).waitFor({ timeout: 20_000 });

async function connectIt(page, shop) {
  await page.getByLabel("Name", { exact: true }).fill("Shop");
  await page.getByLabel("Host").fill(shop.reader.host);
  await page.getByLabel("Port").fill(String(shop.reader.port));
  await page.getByLabel("Database").fill(shop.reader.database);
  await page.getByLabel("Role", { exact: true }).fill(shop.reader.username);
  await page.getByLabel("Password").fill(shop.reader.password);
  await page.getByLabel("Encryption").selectOption("disable");
}

export const tests = {
  "a replica is connected with the role it needs, looked at, and a table of it watched": async (browser) => {
    const [team, shop] = [await openTeam(), await customer()];
    await orders(shop);
    const page = await open(browser, team);
    await page.getByText("Nothing is watched yet").waitFor();
    await page.getByRole("link", { name: "Connect the first replica" }).click();
    await connectIt(page, shop);
    await page.getByLabel("Tables to watch").fill("orders, Sales.customers");
    const grants = await page.getByLabel(/^Run on the primary first/).innerText();
    assert.match(grants, new RegExp(`CREATE ROLE ${shop.role} LOGIN PASSWORD '…' CONNECTION LIMIT 1;`));
    assert.match(grants, new RegExp(`GRANT SELECT ON orders, "Sales".customers TO ${shop.role};`));
    assert.doesNotMatch(grants, /pass'word/);
    await shot(page, "monitor-connect");
    await page.getByRole("button", { name: "Connect and test" }).click();
    await page.getByRole("heading", { name: "It answers" }).waitFor({ timeout: 30_000 });
    assert.match(await page.locator("#tested").innerText(), /Postgres 17\.\d+, a replica, not encrypted/);

    await page.getByRole("button", { name: "Look" }).click();
    const held = page.locator("#held");
    await held.getByText("about 300 rows").waitFor({ timeout: 30_000 });
    await held.locator("[data-table=payroll]").getByText("Not readable").waitFor();
    await held.locator("[data-table=payroll] summary").click();
    assert.match(await held.locator("[data-table=payroll] pre").innerText(), new RegExp(`GRANT SELECT ON public.payroll TO ${shop.role};`));
    await held.locator("[data-table=orders] summary").click();
    await held.getByText("timestamp with time zone").waitFor({ timeout: 30_000 });
    await shot(page, "monitor-connection");
    await page.getByRole("button", { name: "Watch orders" }).click();
    await held.getByText("Watched", { exact: true }).waitFor();
    await held.getByRole("link", { name: "Checks" }).click();
    await page.getByRole("heading", { level: 1, name: "orders" }).waitFor();
    await page.getByText("Nothing is checked yet.").waitFor();
    await shop.end();
  },

  "a check fails and the page shows the alert without a reload": async (browser) => {
    const team = await openTeam();
    const { shop, table } = await watching(team);
    const page = await open(browser, team, `/monitor?table=${table.id}`);
    const board = watch(await page.context().newPage());
    await board.goto(`${url}/monitor`);
    await stat(board, "fail", 0);
    await board.locator("#state[data-state=live]").waitFor({ timeout: 20_000 });
    await board.evaluate(() => (window.untouched = true));

    await page.getByRole("link", { name: "Add a check" }).click();
    await page.getByLabel("Name", { exact: true }).fill(CHECK.name);
    await page.getByLabel("Kind").selectOption({ label: "Missing values" });
    await page.getByLabel("Column", { exact: true }).fill("email");
    await page.getByLabel("Fails", { exact: true }).selectOption({ label: "Outside limits" });
    await page.locator("[data-threshold=fail]").getByLabel("Most that is fine").fill("0.05");
    await page.getByLabel("How often").selectOption({ label: "every hour" });
    await shot(page, "monitor-check-form");
    await page.getByRole("button", { name: "Save" }).click();
    await page.locator("#checks article").getByText("Fails", { exact: true }).waitFor({ timeout: 30_000 });
    await page.locator("#alerts li").getByText("orders · E-mail addresses are there").waitFor({ timeout: 30_000 });
    await page.locator("#checks .chart svg").waitFor();

    await stat(board, "fail", 1);
    await board.locator("#news").getByText("New alert: orders · E-mail addresses are there").waitFor({ state: "attached" }); // which only an event tells
    await board.locator("#alerts li").getByText("orders · E-mail addresses are there").waitFor();
    assert.match(await board.locator("[data-connection]").innerText(), /of this hour's budget, by \w+/);
    await shot(board, "monitor-overview");

    await page.getByRole("button", { name: "Dry run" }).click();
    const trial = page.locator("#ran article");
    await trial.getByText("An alert would open or go on.").waitFor({ timeout: 30_000 });
    assert.match(await trial.locator("pre").innerText(), /select/i);
    assert.match(await trial.innerText(), /Plan cost\s+\d+/);
    assert.equal((await get(team, `/api/alerts`)).items.length, 1);
    await shot(page, "monitor-table");

    await shop.make("update orders set email = 'bob@example.org' where email is null");
    await page.getByRole("button", { name: "Run now" }).click();
    await page.locator("#ran article").getByText("Fine", { exact: true }).waitFor({ timeout: 30_000 });
    await page.locator("#checks article").getByText("Fine", { exact: true }).waitFor({ timeout: 30_000 });
    await stat(board, "fail", 0);
    await board.getByText("None. Nothing that is watched is wrong.").waitFor();
    assert.equal(await board.evaluate(() => window.untouched), true);
    await shop.end();
  },

  "a server that may not be asked is told in words, and a password is rotated": async (browser) => {
    const [team, shop] = [await openTeam(), await customer()];
    await orders(shop);
    const page = await open(browser, team, "/monitor?connect=new");
    await connectIt(page, shop);
    await page.getByLabel("Port").fill(String(shop.primaryPort));
    await page.getByLabel("It is a primary").check();
    await page.getByRole("button", { name: "Connect and test" }).click();
    await page.locator("#why .field-error").waitFor(); // a reason is asked for at its field
    await page.getByLabel("It is a primary").uncheck();
    await page.getByRole("button", { name: "Connect and test" }).click();
    await page.getByRole("heading", { name: "This is not a replica" }).waitFor({ timeout: 30_000 });
    await shot(page, "monitor-primary");

    await page.getByRole("link", { name: "Edit" }).click();
    await page.getByLabel("Port").fill(String(shop.reader.port));
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByText("Must be given again for another server.").waitFor();
    await page.getByLabel("Password").fill("not this one");
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByRole("heading", { name: "The password is wrong" }).waitFor({ timeout: 30_000 });

    assert.equal(await page.getByLabel("Run on the primary, with the new password").innerText(), `ALTER ROLE ${shop.role} PASSWORD '…';`);
    await page.getByRole("textbox", { name: "New password" }).fill(shop.reader.password);
    await page.getByRole("button", { name: "Use it from now on" }).click();
    await page.getByText("The new password is used from now on.").waitFor();
    await page.getByRole("button", { name: "Test" }).click();
    await page.getByRole("heading", { name: "It answers" }).waitFor({ timeout: 30_000 });
    assert.doesNotMatch(await page.content(), /pass'word/);
    await shop.end();
  },

  "what is wrong with a check is told at its field": async (browser) => {
    const team = await openTeam();
    const { shop, table } = await broken(team);
    const page = await open(browser, team, `/monitor?table=${table.id}&edit=new`, { colorScheme: "dark" });
    const told = (label) => page.getByLabel(label, { exact: true }).locator("xpath=..").locator(".field-error");
    await page.getByRole("button", { name: "Save" }).click();
    await told("Name").waitFor(); // by the form itself
    await page.getByLabel("Name", { exact: true }).fill("Paid, not sent");
    await page.getByLabel("Kind").selectOption({ label: "Metric of your own" });
    await page.getByLabel("Statement").fill("delete from orders");
    await page.getByLabel("Fails", { exact: true }).selectOption({ label: "Never" });
    await page.getByText("Description, owner, runbook, labels").click();
    await page.getByLabel("Runbook").fill("ftp://wiki");
    await page.getByRole("button", { name: "Save" }).click();
    await told("Statement").waitFor();
    assert.match(await told("Statement").innerText(), /select/i);
    await told("Runbook").waitFor();
    await shot(page, "monitor-wrong-dark");

    await page.getByLabel("Statement").fill("select count(*) from orders");
    await page.getByLabel("Runbook").fill("");
    await page.getByText("Description, owner, runbook, labels").click(); // out of sight
    await page.getByRole("button", { name: "Save" }).click();
    await told("Fails").waitFor();
    await page.getByLabel("Fails", { exact: true }).selectOption({ label: "Outside limits" });
    await page.locator("[data-threshold=fail]").getByLabel("Least that is fine").fill("9");
    await page.locator("[data-threshold=fail]").getByLabel("Most that is fine").fill("3");
    await page.getByRole("button", { name: "Save" }).click();
    await page.locator("[data-threshold=fail]").getByText("Must not be above max.").waitFor();

    await page.getByLabel("Kind").selectOption({ label: "Volume" });
    await page.getByLabel("Column with the time").fill("created_at");
    await page.getByLabel("Time zone").fill("Europe/Atlantis");
    await page.getByLabel("Only rows where").fill("total >");
    await page.getByRole("button", { name: "Save" }).click();
    await told("Time zone").waitFor();
    await page.getByLabel("Time zone").fill("Europe/Berlin");
    await page.getByRole("button", { name: "Save" }).click();
    await told("Only rows where").waitFor();
    await page.getByLabel("Only rows where").fill("total >= 0");
    await page.getByRole("button", { name: "Save" }).click();
    await page.locator("#checks article", { hasText: "Paid, not sent" }).waitFor({ timeout: 20_000 });
    const made = (await get(team, `/api/tables/${table.id}/checks`)).items.find((check) => check.name === "Paid, not sent");
    assert.deepEqual([made.kind, made.settings.timezone, made.settings.bucket, made.fail.kind], ["volume", "Europe/Berlin", 3600, "learned"]);
    await page.locator("#checks").getByRole("link", { name: "Paid, not sent", exact: true }).click();
    await page.locator("#backfill").getByText(/^The history (waits|is|cannot|could)/).waitFor(); // it learns, and has a past to learn from
    await page.goBack();

    // Somebody else, meanwhile.
    await page.getByRole("link", { name: "Edit Paid, not sent" }).click();
    await page.getByLabel("Name", { exact: true }).fill("Another name");
    await call("PATCH", `/api/tables/${table.id}/checks/${made.id}`, { token: team.token, body: { owner: "Ada" } });
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByText("Somebody has changed this meanwhile.").waitFor();
    await page.goto(`${url}/monitor?table=${table.id}`);
    await page.getByRole("button", { name: "Delete Paid, not sent" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
    await page.locator("#checks article", { hasText: "Paid, not sent" }).waitFor({ state: "detached" });
    await shop.end();
  },

  "an alert is acknowledged and marked": async (browser) => {
    const team = await openTeam();
    const { shop, alert } = await broken(team);
    const page = await open(browser, team, "/monitor?view=alerts");
    await page.locator("#alert-list").getByText("orders · E-mail addresses are there").click();
    await page.getByRole("heading", { level: 1, name: "orders · E-mail addresses are there" }).waitFor();
    const [measured, expected] = await page.locator("#evidence dd").allInnerTexts();
    assert.deepEqual([measured, expected], ["20 %", "at most 5 %"]);
    await page.locator("#evidence .chart svg").waitFor();
    await page.getByRole("button", { name: "Acknowledge" }).click();
    await standing(page, "Acknowledged");
    await page.getByRole("button", { name: "False alarm" }).click();
    await standing(page, "False alarm");
    await page.getByText("which the detector learns from").waitFor();
    await page.getByRole("button", { name: "True alarm" }).click();
    await standing(page, "True alarm");
    await shot(page, "monitor-alert");
    let seen = await get(team, `/api/alerts/${alert.id}`);
    assert.equal(seen.mark.mark, "true_alarm");
    assert.ok(seen.acknowledged.at);
    await page.getByRole("button", { name: "Take the mark back" }).click();
    await page.getByRole("button", { name: "Take the mark back" }).waitFor({ state: "detached" });
    await page.getByRole("link", { name: "What began together" }).click();
    await page.getByRole("heading", { name: "Incident of Shop" }).waitFor();
    await page.locator("#alerts li").getByText("orders · E-mail addresses are there").click();
    await page.getByRole("button", { name: "Resolve" }).click();
    await standing(page, "Over");
    seen = await get(team, `/api/alerts/${alert.id}`);
    assert.deepEqual([seen.state, seen.cause, seen.mark], ["resolved", "by_hand", null]);
    await page.getByRole("link", { name: "← Alerts" }).click();
    await page.getByText("None.", { exact: true }).waitFor();
    await page.getByLabel("State", { exact: true }).selectOption({ label: "Over" });
    await page.locator("#alert-list li").waitFor();
    assert.match(page.url(), /state=resolved/);
    await shop.end();
  },

  "a route and a silence are made": async (browser) => {
    const team = await openTeam();
    const { shop, table, check, alert } = await broken(team);
    await post(team, "/api/channels", { kind: "webhook", name: "Pager", settings: { url: "https://hooks.example.com/pulse" }, enabled: false });
    const page = await open(browser, team, "/monitor?view=routing");
    await page.getByText("nobody is told").waitFor();
    await page.getByRole("link", { name: "New route" }).click();
    await page.getByLabel("Name", { exact: true }).fill("Night watch");
    await page.getByRole("group", { name: "Severity" }).getByLabel("Fail").check();
    await page.getByRole("group", { name: "Who is told" }).getByLabel("Address").fill("nobody");
    await page.getByRole("button", { name: "Add a step" }).click();
    const step = page.locator("#steps > *");
    await step.getByLabel("After").selectOption({ label: "30 minutes" });
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByRole("group", { name: "Who is told" }).locator(".field-error").waitFor();
    await step.locator(".field-error").first().waitFor(); // neither a channel nor an address
    await shot(page, "monitor-route");
    await page.getByRole("group", { name: "Who is told" }).getByLabel("Address").fill("");
    await page.getByRole("group", { name: "Who is told" }).getByLabel("Channel").selectOption({ label: "Pager (webhook), disabled" });
    await step.getByLabel("Address").fill("lead@example.org");
    await page.getByRole("button", { name: "Save" }).click();
    await page.locator("[data-route]").getByText("after 30 min: lead@example.org (default e-mail)").waitFor();
    const [made] = (await get(team, "/api/routes")).items;
    assert.deepEqual([made.matchers, made.escalation[0].after_seconds, made.repeat_interval_seconds], [{ severities: ["fail"] }, 1800, 14_400]);

    await post(team, "/api/routes", { name: "All else", receivers: [{ address: "data@example.org" }], group_wait_seconds: 0 });
    await page.reload();
    await page.getByRole("button", { name: "Move up All else" }).click();
    await page.locator("[data-route]").first().getByText("All else").waitFor();
    assert.deepEqual((await get(team, "/api/routes")).items.map((route) => route.name), ["All else", "Night watch"]);
    await page.getByLabel("What decides:").selectOption("all");
    await page.waitForFunction(() => document.querySelector("#mode option[value=all]").hasAttribute("selected"));
    assert.equal((await get(team, "/api/routes")).mode, "all");
    await post(team, `/api/tables/${table.id}/checks`, { ...CHECK, name: "Another" });
    await page.locator("#quietness").getByText(/alerts? in 1 message/).waitFor({ timeout: 30_000 });

    await page.goto(`${url}/monitor?table=${table.id}&check=${check.id}`);
    await page.getByRole("link", { name: "Silence" }).click();
    await page.getByRole("group", { name: "Checks" }).getByLabel("orders · E-mail addresses are there").uncheck();
    await page.getByRole("button", { name: "Silence" }).click();
    await page.locator(".field-error").getByText("Must name at least one").waitFor();
    await page.getByRole("group", { name: "Checks" }).getByLabel("orders · E-mail addresses are there").check();
    await page.getByLabel("Why").fill("Import is being repaired");
    await page.getByRole("button", { name: "4 hours" }).click();
    await page.getByRole("button", { name: "Silence" }).click();
    const silence = page.locator("[data-silence]");
    await silence.getByText("Active", { exact: true }).waitFor();
    await silence.getByText("of orders · E-mail addresses are there").waitFor();
    await page.getByRole("link", { name: "New silence" }).click();
    await page.getByLabel("When", { exact: true }).selectOption("again");
    await page.getByRole("group", { name: "Replicas" }).getByLabel("Shop").check();
    await page.getByLabel("Begins").fill("0 2 * *");
    await page.getByRole("button", { name: "Silence" }).click();
    await page.getByLabel("Begins").locator("xpath=..").locator(".field-error").waitFor();
    await page.getByLabel("Begins").fill("0 2 * * 0");
    await page.getByRole("button", { name: "Silence" }).click();
    await silence.nth(1).waitFor();
    await page.getByText("To come", { exact: true }).or(page.getByText("Active", { exact: true }).nth(1)).waitFor();
    await shot(page, "monitor-routing");
    await page.locator("[data-silence]", { hasText: "Import is being repaired" }).getByRole("button", { name: "End" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "End it" }).click();
    await page.locator("[data-silence]", { hasText: "Import is being repaired" }).waitFor({ state: "detached" });
    assert.equal((await get(team, "/api/silences")).items.length, 1);
    assert.ok(alert.id);
    await shop.end();
  },

  "the pages of the monitor fit a phone, and a stranger signs in and comes back": async (browser) => {
    const team = await openTeam();
    const { shop, connection, table, check, alert } = await broken(team);
    const page = await open(browser, team, "/monitor", { viewport: PHONE, colorScheme: "dark" });
    const look = async (name, address, there) => {
      await page.goto(`${url}${address}`);
      await page.locator(there).first().waitFor();
      await fits(page, name);
      await shot(page, `monitor-${name.replaceAll(" ", "-")}-phone`);
    };
    await look("overview", "/monitor", "#alerts li");
    await look("connection", `/monitor?connection=${connection.id}`, "#impact figure");
    await look("connect", "/monitor?connect=new", "#connect");
    await look("table", `/monitor?table=${table.id}`, "#checks .chart");
    await page.getByRole("button", { name: "Dry run" }).click();
    await page.locator("#ran article pre").waitFor({ timeout: 30_000 });
    await fits(page, "a dry run");
    await look("check", `/monitor?table=${table.id}&check=${check.id}`, "#results li");
    await look("check form", `/monitor?table=${table.id}&edit=${check.id}`, "#check");
    await look("alerts", "/monitor?view=alerts", "#alert-list li");
    await look("alert", `/monitor?alert=${alert.id}`, "#evidence .chart");
    await look("routing", "/monitor?view=routing", "#routes");
    await look("route", "/monitor?route=new", "#route");
    await look("silence", `/monitor?silence=new&table=${table.id}`, "#silence");
    await page.goto(`${url}/monitor?alert=${table.id}`);
    await page.getByText("There is no such thing here").waitFor();

    const stranger = watch(await (await browser.newContext({ viewport: DESK })).newPage());
    await stranger.goto(`${url}/monitor?alert=${alert.id}`);
    await stranger.waitForURL(/\?next=/);
    assert.equal(new URL(stranger.url()).searchParams.get("next"), `/monitor?alert=${alert.id}`);
    await stranger.getByRole("link", { name: "Monitor" }).waitFor();
    const policy = (await fetch(`${url}/monitor`)).headers.get("content-security-policy");
    assert.match(policy, /style-src 'self';/);
    assert.doesNotMatch(policy, /unsafe-inline/);
    await shop.end();
  },
};
