// Stands in front of a Postgres server: encrypts as Postgres does, and misbehaves as told.
//
//   node tls_front.mjs '{"cert", "key", "upstream": port, "plan"}'
//
// stdout: one line of JSON {"port"} when it listens, then {"opened": n} and {"closed": n} for each connection.
// stdin: "freeze" passes nothing on any more, in either direction; "thaw" goes on; "cut" ends every connection.
// Plans:
//   "encrypt"     answers S to the request for encryption, then TLS
//   "refuse"      answers N
//   "silent"      accepts the connection and says nothing
//   "half"        answers S and then says nothing
//   "drop"        answers S and ends the connection when the client begins TLS
import net from "node:net";
import tls from "node:tls";

const config = JSON.parse(process.argv[2]);
const say = (what) => process.stdout.write(`${JSON.stringify(what)}\n`);
const open = new Set();
let frozen = false;
let count = 0;
const context = tls.createSecureContext({ cert: config.cert, key: config.key });

function pass(from, to) {
  from.on("data", (chunk) => {
    if (!frozen) to.write(chunk);
  });
  from.on("error", () => to.destroy());
  from.on("close", () => to.destroy());
}

function encrypt(socket) {
  const secure = new tls.TLSSocket(socket, { isServer: true, secureContext: context });
  const upstream = net.connect(config.upstream, "127.0.0.1");
  upstream.setNoDelay(true);
  pass(secure, upstream);
  pass(upstream, secure);
}

const server = net.createServer((socket) => {
  count += 1;
  const number = count;
  open.add(socket);
  say({ opened: number });
  socket.setNoDelay(true);
  socket.on("error", () => {});
  socket.on("close", () => {
    open.delete(socket);
    say({ closed: number });
  });
  // What is not read does not end either.
  if (config.plan === "silent") return socket.resume();
  socket.once("readable", () => {
    // The request for encryption has eight bytes.
    if (socket.read(8) === null) return socket.destroy();
    socket.write(config.plan === "refuse" ? "N" : "S");
    if (config.plan === "drop") socket.once("readable", () => socket.destroy());
    if (config.plan === "encrypt") encrypt(socket);
    if (config.plan === "half") socket.resume();
  });
});
server.listen(0, "127.0.0.1", () => say({ port: server.address().port }));

let words = "";
process.stdin.setEncoding("utf8");
process.stdin.on("data", (text) => {
  words += text;
  for (let end = words.indexOf("\n"); end >= 0; end = words.indexOf("\n")) {
    const word = words.slice(0, end);
    words = words.slice(end + 1);
    if (word === "freeze") frozen = true;
    if (word === "thaw") frozen = false;
    if (word === "cut") for (const socket of open) socket.destroy();
    say({ done: word });
  }
});
// Ends with whoever started it.
process.stdin.on("end", () => process.exit(0));
