// Reads a wrangler configuration as wrangler does; exit code 1 and its words when it complains.
//
//   node read-config.mjs WRANGLER.TOML
process.env.WRANGLER_SEND_METRICS = "false";
const complaints = [];
for (const level of ["warn", "error"]) console[level] = (...words) => complaints.push(words.join(" "));

const { unstable_readConfig } = await import("wrangler");
try {
  unstable_readConfig({ config: process.argv[2] });
} catch (error) {
  complaints.push(String(error?.message ?? error));
}
const text = complaints.join("\n").replace(/\x1b\[[0-9;]*m/g, "").trim();
process.stdout.write(text);
process.exit(text === "" ? 0 : 1);
