// The baseline of `cargo xtask bench checkin`: the least a JavaScript Worker can do with a scan.
//
// One Durable Object makes one durable insert per request and sends the event to every socket in a
// loop. It knows no tokens, guests, rules or nonces, keeps no recovery log and no record in Postgres.
// Failure: none is handled; the bench stops at the first answer that is not 201.
import { DurableObject } from "cloudflare:workers";

export class Table extends DurableObject {
  constructor(ctx, env) {
    super(ctx, env);
    this.sql = ctx.storage.sql;
    this.sql.exec("create table if not exists scans (seq integer primary key, nonce text, data text)");
    this.seq = this.sql.exec("select coalesce(max(seq), 0) as seq from scans").one().seq;
  }

  async fetch(request) {
    if (request.headers.get("upgrade") === "websocket") return this.connect(request);
    const body = await request.text();
    const scan = JSON.parse(body);
    const seq = (this.seq += 1);
    const at = new Date().toISOString();
    this.sql.exec("insert into scans values (?, ?, ?)", seq, scan.nonce, body);
    const check_in_id = crypto.randomUUID();
    this.broadcast({ seq, check_in_id, at, scan });
    return Response.json({ verdict: "accepted", seq, check_in: { id: check_in_id, check_in_time: at } }, { status: 201 });
  }

  /** The fields and the size of the product's event. */
  broadcast({ seq, check_in_id, at, scan }) {
    const sockets = this.ctx.getWebSockets();
    if (sockets.length === 0) return;
    const guest = { name: scan.barcode, category: "standard" };
    const data = {
      type: "checkin.accepted", seq, check_in_id, verdict: "accepted", reason: null, direction: "entry", guest,
      gate: "Main", session_id: scan.table_id, forced: false, walk_in: false, at,
    };
    const text = JSON.stringify({ event: { channel: "scans", offset: seq, type: "checkin.accepted", at, data } });
    for (const socket of sockets) socket.send(text);
  }

  connect() {
    const [client, server] = Object.values(new WebSocketPair());
    this.ctx.acceptWebSocket(server);
    return new Response(null, { status: 101, webSocket: client, headers: { "sec-websocket-protocol": "pulse.v1" } });
  }

  /** A subscribe is answered with the position, as the product answers it. */
  webSocketMessage(socket, message) {
    const { id } = JSON.parse(message);
    socket.send(JSON.stringify({ id, subscribed: { channel: "scans", epoch: "baseline", offset: this.seq } }));
  }

  webSocketClose(socket) {
    socket.close();
  }
}

export default {
  fetch(request, env) {
    return env.TABLE.get(env.TABLE.idFromName("bench")).fetch(request);
  },
};
