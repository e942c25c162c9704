// Says whether the certificate that a Postgres server shows is one to trust.
//
//   node tls.mjs PORT HOST AUTHORITY_PEM
//
// stdout: one word: "plain" when the server encrypts nothing, "trusted", or the reason why not.
import { connect as dial } from "node:net";
import { connect as encrypt } from "node:tls";

const [port, host, ca] = process.argv.slice(2);
const say = (word) => {
  console.log(word);
  process.exit(0);
};
const socket = dial(Number(port), "127.0.0.1", () => {
  const request = Buffer.alloc(8);
  request.writeInt32BE(8, 0);
  request.writeInt32BE(80877103, 4);
  socket.write(request);
});
socket.on("error", (error) => say(error.code));
socket.once("data", (answer) => {
  if (answer.toString() !== "S") say("plain");
  const secure = encrypt({ socket, host, servername: host, ca, rejectUnauthorized: false }, () => {
    say(secure.authorized ? "trusted" : String(secure.authorizationError?.code ?? secure.authorizationError));
  });
  secure.on("error", (error) => say(error.code));
});
