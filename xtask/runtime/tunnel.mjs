// A TLS tunnel to a Postgres server: plain TCP on a loopback port here, TLS there.
//
//   node tunnel.mjs HOST PORT require|verify-ca|verify-full [CA-FILE]
//
// Prints its port on stdout. Invariant: as libpq, `require` encrypts without checking who answers,
// `verify-ca` checks the certificate's issuer, `verify-full` its name too.
// Failure: a connection that cannot be secured is closed, with one line on stderr.
import { readFileSync } from "node:fs";
import net from "node:net";
import tls from "node:tls";

const [host, port, mode, authority] = process.argv.slice(2);
/** The SSLRequest message: length 8, code 80877103. */
const SSL_REQUEST = Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]);

function secure(raw) {
  return tls.connect({
    socket: raw,
    host,
    servername: net.isIP(host) ? undefined : host,
    ca: authority ? readFileSync(authority) : undefined,
    rejectUnauthorized: mode !== "require",
    checkServerIdentity: mode === "verify-full" ? tls.checkServerIdentity : () => undefined,
    ALPNProtocols: ["postgresql"],
  });
}

const server = net.createServer({ noDelay: true }, (client) => {
  const raw = net.connect({ host, port: Number(port), noDelay: true });
  const fail = (error) => {
    console.error(`TLS to ${host}:${port}: ${error?.message ?? error}`);
    client.destroy();
    raw.destroy();
  };
  client.on("error", () => raw.destroy());
  client.pause();
  raw.once("error", fail);
  raw.once("connect", () => raw.write(SSL_REQUEST));
  raw.once("data", (reply) => {
    if (reply.toString() !== "S") return fail("the server does not offer TLS");
    const upstream = secure(raw);
    upstream.once("error", fail);
    upstream.once("secureConnect", () => {
      upstream.pipe(client);
      client.pipe(upstream);
    });
    upstream.once("close", () => client.destroy());
  });
  client.once("close", () => raw.destroy());
});
server.listen(0, "127.0.0.1", () => process.stdout.write(`${server.address().port}\n`));
