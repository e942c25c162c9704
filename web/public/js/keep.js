// What the scanner keeps in this browser: named values in one IndexedDB store.
//
// Invariant: values written together are there together; writes take effect in the order of their calls.
// Failure: a browser that keeps nothing (private windows of some) rejects; the caller goes on without.

const NAME = "pulse-scanner";
const STORE = "kept";
let opening = null;

function open() {
  opening ??= new Promise((resolve, reject) => {
    const request = indexedDB.open(NAME, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE);
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  return opening;
}

async function run(mode, work) {
  const transaction = (await open()).transaction(STORE, mode, { durability: "strict" });
  const done = new Promise((resolve, reject) => {
    transaction.oncomplete = resolve;
    transaction.onerror = transaction.onabort = () => reject(transaction.error);
  });
  const request = work(transaction.objectStore(STORE));
  await done;
  return request?.result;
}

/** The value of a name; undefined without one. */
export const read = (name) => run("readonly", (store) => store.get(name));

/** Writes `{name: value}`; undefined deletes. */
export const write = (values) =>
  run("readwrite", (store) => {
    for (const [name, value] of Object.entries(values)) value === undefined ? store.delete(name) : store.put(value, name);
  });

/** The names that begin like this. */
export async function names(beginning) {
  const all = await run("readonly", (store) => store.getAllKeys());
  return all.filter((name) => name.startsWith(beginning));
}
