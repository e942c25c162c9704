// One tab of this browser scans: the list, the queue and the token are kept once for all tabs.
//
// Invariant: only the tab that holds the lock reads and writes what a scanner keeps.
// Failure: where there are no locks (neither https nor localhost) nothing keeps two tabs apart.

const NAME = "pulse.scanner";
/** A page that is reloaded lets go a moment after the next one asks. */
const PATIENCE = 300;

/**
 * Resolves once this tab is the one that scans. `waiting()` is called when another is; `giveWay()`, later, when
 * another wants to: it finishes what is under way, and the tab begins anew.
 */
export function onlyTab({ waiting, giveWay }) {
  if (!navigator.locks) return Promise.resolve();
  return new Promise((resolve) => {
    const late = setTimeout(waiting, PATIENCE);
    navigator.locks.request(NAME, () => {
      clearTimeout(late);
      resolve();
      new BroadcastChannel(NAME).onmessage = async () => {
        await giveWay();
        location.reload(); // which lets go, and waits for its turn
      };
      return new Promise(() => {});
    });
  });
}

/** Asks the tab that scans to give way to this one. */
export const askForTurn = () => new BroadcastChannel(NAME).postMessage("turn");
