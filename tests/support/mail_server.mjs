// A real mail server (npm smtp-server) that keeps what it is sent and misbehaves as told.
//
//   node mail_server.mjs '{"cert", "key", "tls": "now"|"later"|"never", "user", "password", "plans": […]}'
//
// stdout: one line of JSON {"port"} when it listens, then one for each thing that happens:
//   {"mail": {from, to, asked, body (base64), utf8, tls, user}}   a message as it came, before it is
//      answered; `asked` is the last RCPT as it stood on the wire, where `to` has domains in Unicode
//   {"refused": {command, code}}
// Each connection follows the next plan of the list, the last one for ever:
//   "take"                    takes everything
//   "greet_never"             accepts the connection and says nothing
//   "greet:554"               refuses the connection
//   "auth:535" "mail:553" "rcpt:550" "data:452"   refuses there with this code
//   "rcpt:550:5.1.1 nobody"   the same with these words
//   "drop_in_data"            ends the connection in the middle of the message
//   "lose_answer"             takes the message and ends the connection before it answers
//   "answer_never"            takes the message and never answers
//   "answer_late:3000"        answers after so many milliseconds
import { SMTPServer } from "smtp-server";

const config = JSON.parse(process.argv[2]);
const say = (what) => process.stdout.write(`${JSON.stringify(what)}\n`);
const plans = [...config.plans];
const planOf = new WeakMap();
const askedBy = new Map();
const silent = () => {};

function plan(session) {
  if (!planOf.has(session)) planOf.set(session, plans.length > 1 ? plans.shift() : plans[0]);
  return planOf.get(session);
}

/** The error of a plan such as "rcpt:550", if the session's is one for this command. */
function refusal(session, command) {
  const [where, code, words] = plan(session).split(":");
  if (where !== command) return null;
  say({ refused: { command, code: Number(code) } });
  return Object.assign(new Error(words ?? `refused by plan ${plan(session)}`), { responseCode: Number(code) });
}

/** Ends the connection of a session at once. */
function drop(session) {
  for (const connection of server.connections) {
    if (connection.session === session) connection._socket.destroy();
  }
}

const server = new SMTPServer({
  secure: config.tls === "now",
  hideSTARTTLS: config.tls !== "later",
  disabledCommands: config.tls === "later" ? [] : ["STARTTLS"],
  cert: config.cert,
  key: config.key,
  // Without a user nobody logs in, and nobody must.
  authOptional: config.user === undefined,
  authMethods: config.methods ?? ["PLAIN", "LOGIN"],
  allowInsecureAuth: config.tls === "never",
  size: 10 * 1024 * 1024,
  disableReverseLookup: true,
  logger: {
    trace: silent,
    debug(entry, _format, line) {
      if (entry.tnx === "command" && entry.command === "RCPT") askedBy.set(entry.cid, line);
    },
    info: silent,
    warn: silent,
    error: silent,
    fatal: silent,
  },
  closeTimeout: 100,
  onConnect(session, done) {
    if (plan(session) === "greet_never") return;
    done(refusal(session, "greet"));
  },
  onAuth(auth, session, done) {
    const refused = refusal(session, "auth");
    if (refused) return done(refused);
    const known = auth.username === config.user && auth.password === config.password;
    if (!known) return done(Object.assign(new Error("who are you?"), { responseCode: 535 }));
    done(null, { user: auth.username });
  },
  onMailFrom(_address, session, done) {
    done(refusal(session, "mail"));
  },
  onRcptTo(_address, session, done) {
    done(refusal(session, "rcpt"));
  },
  onData(stream, session, done) {
    const chunks = [];
    let dropped = false;
    stream.on("data", (chunk) => {
      chunks.push(chunk);
      if (plan(session) === "drop_in_data" && !dropped) {
        dropped = true;
        drop(session);
      }
    });
    stream.on("end", () => {
      if (dropped) return;
      const refused = refusal(session, "data");
      if (refused) return done(refused);
      const { envelope, secure, user } = session;
      say({
        mail: {
          from: envelope.mailFrom.address,
          to: envelope.rcptTo.map((to) => to.address),
          asked: askedBy.get(session.id) ?? null,
          body: Buffer.concat(chunks).toString("base64"),
          utf8: Boolean(envelope.smtpUtf8),
          tls: Boolean(secure),
          user: user ?? null,
        },
      });
      const [kind, wait] = plan(session).split(":");
      if (kind === "lose_answer") return drop(session);
      if (kind === "answer_never") return;
      setTimeout(() => done(null, "Message queued as ABCDEF123456"), kind === "answer_late" ? Number(wait) : 0);
    });
  },
});
// Clients that end a connection in the middle are what tests are about.
server.on("error", () => {});
const listening = server.listen(0, "127.0.0.1", () => say({ port: listening.address().port }));
// Ends with whoever started it.
process.stdin.resume();
process.stdin.on("end", () => process.exit(0));
