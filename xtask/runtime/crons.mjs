// Fires the crons of wrangler.toml at their minutes, as Cloudflare would.
//
// Invariant: each cron fires at its minutes, with the minute as its scheduled time; those of every
// minute fire at the start too, so that a fresh stack is not a minute behind.
// Failure: a failed run is one line on stderr and is not repeated; the next minute comes anyway.
import { unstable_readConfig } from "wrangler";

const RANGES = [[0, 59], [0, 23], [1, 31], [1, 12], [0, 6]];

/** The numbers one cron field stands for: `*`, `7`, `1-5`, `*∕15`, and lists of them. */
function numbers(field, [low, high]) {
  const found = new Set();
  for (const part of field.split(",")) {
    const [range, step] = part.split("/");
    const [first, last] = range === "*" ? [low, high] : range.split("-").map(Number);
    const end = last ?? (step === undefined ? first : high);
    for (let at = first; at <= end; at += Number(step ?? 1)) found.add(at);
  }
  return found;
}

/** Is `date` (UTC) a minute at which `cron` fires? */
export function fires(cron, date) {
  const fields = cron.trim().split(/\s+/);
  const at = [date.getUTCMinutes(), date.getUTCHours(), date.getUTCDate(), date.getUTCMonth() + 1, date.getUTCDay()];
  return fields.length === 5 && fields.every((field, i) => numbers(field, RANGES[i]).has(at[i]));
}

/** Runs the Worker's scheduled handler once and answers its outcome. */
export async function fire(miniflare, cron, time = new Date()) {
  const worker = await miniflare.getWorker();
  return worker.scheduled({ cron, scheduledTime: time });
}

export async function startCrons(miniflare, configPath) {
  const { triggers } = unstable_readConfig({ config: configPath });
  const crons = triggers.crons ?? [];
  const run = (due, minute) => {
    for (const cron of due) {
      fire(miniflare, cron, minute).catch((error) => console.error(`cron ${cron} failed: ${error?.message ?? error}`));
    }
  };
  const minute = () => new Date(Math.floor(Date.now() / 60_000) * 60_000);
  const wait = () => {
    const next = new Date(minute().getTime() + 60_000);
    setTimeout(() => {
      run(crons.filter((cron) => fires(cron, next)), next);
      wait();
    }, next.getTime() - Date.now());
  };
  run(crons.filter((cron) => cron === "* * * * *"), minute());
  wait();
}
