// Where the Worker calls an object: the place is part of the call, and local workerd implements neither
// jurisdictions nor regions, so a namespace that writes down what it is asked stands in for it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { callObject, upgradeAt } from "../../src/platform/boundary.js";

/** A namespace that writes down what it is asked, and answers with it. */
function namespace(asked = []) {
  const stub = {
    command: async (name, body) => ({ asked, name, body }),
    fetch: async (request) => ({ asked, request }),
  };
  return {
    jurisdiction: (name) => namespace([...asked, ["jurisdiction", name]]),
    idFromName: (name) => `id of ${name}`,
    get: (...of) => (asked.push(["get", ...of]), stub),
  };
}

test("an object of nowhere in particular is called as it is", async () => {
  const { asked, name, body } = await callObject(namespace(), "t1", undefined, undefined, "pull", "{}\n");
  assert.deepEqual(asked, [["get", "id of t1"]]);
  assert.deepEqual([name, body], ["pull", "{}\n"]);
});

test("a jurisdiction narrows the namespace before the object is named", async () => {
  const { asked } = await callObject(namespace(), "t1", "eu", undefined, "scan", "");
  assert.deepEqual(asked, [["jurisdiction", "eu"], ["get", "id of t1"]]);
});

test("a region is a hint to the first call", async () => {
  const { asked } = await callObject(namespace(), "t1", undefined, "weur", "pull", "");
  assert.deepEqual(asked, [["get", "id of t1", { locationHint: "weur" }]]);
});

test("a socket goes where a command goes", async () => {
  const { asked, request } = await upgradeAt(namespace(), "t1", "eu", "weur", "an upgrade");
  assert.deepEqual(asked, [["jurisdiction", "eu"], ["get", "id of t1", { locationHint: "weur" }]]);
  assert.equal(request, "an upgrade");
});

test("a namespace that refuses is a rejection, not an exception", async () => {
  const refuses = { jurisdiction: () => { throw new Error("not implemented"); } };
  for (const call of [callObject, upgradeAt]) {
    const outcome = call(refuses, "t1", "eu", undefined, "pull", "");
    await assert.rejects(outcome, /not implemented/);
  }
});
