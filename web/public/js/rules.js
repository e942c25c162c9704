// The check-in rules as wasm: the Worker's own.
//
// Failure: a browser without wasm, or without the file, rejects; whoever asked goes on without.

const RULES = "/wasm/pulse_scanner_core.js";
let loading = null;

/** A table from its text: see `scanner/src/lib.rs`. */
export async function load(text) {
  loading ??= import(RULES).then(async (rules) => {
    await rules.default();
    return rules.Scanner;
  });
  try {
    return (await loading).load(text);
  } finally {
    loading.catch(() => (loading = null)); // asked for again next time
  }
}
