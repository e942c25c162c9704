// The sockets of one object, on the JavaScript side so that one event to many sockets is one
// crossing. See hub.rs.

// A reader that gives no sign of life while this many bytes were sent to it is cut off.
const LIMIT = 4 << 20;

export function openHub(state) {
  state.setWebSocketAutoResponse(new WebSocketRequestResponsePair('ping', 'pong'));
  return { state, channels: new Map(), readers: new Map() };
}

// What is known of a reader. After the object slept that is when its socket was opened, which the
// attachment says, and when it last sent "ping".
function reader(hub, ws) {
  let entry = hub.readers.get(ws);
  if (entry === undefined) hub.readers.set(ws, (entry = { sent: 0, since: openedAt(ws), acks: false }));
  return entry;
}

function openedAt(ws) {
  const attachment = attachmentOf(ws);
  return attachment === '' ? Date.now() : JSON.parse(attachment).o;
}

// Answers an upgrade: accepts the server's end for hibernation and returns the client's.
export function acceptSocket(hub, protocol, attachment) {
  const pair = new WebSocketPair();
  hub.state.acceptWebSocket(pair[1]);
  pair[1].serializeAttachment(attachment);
  const headers = protocol ? { 'sec-websocket-protocol': protocol } : {};
  return [new Response(null, { status: 101, webSocket: pair[0], headers }), pair[1]];
}

export function sockets(hub) {
  return hub.state.getWebSockets();
}

export function attachmentOf(ws) {
  return ws.deserializeAttachment() ?? '';
}

export function keep(ws, attachment) {
  ws.serializeAttachment(attachment);
}

// The reader showed that it reads: by a frame, or by an acknowledgement if it promised those.
export function heard(hub, ws, acknowledged) {
  const entry = reader(hub, ws);
  if (acknowledged) entry.acks = true;
  else if (entry.acks) return;
  entry.sent = 0;
  entry.since = Date.now();
}

export function join(hub, ws, channel) {
  let set = hub.channels.get(channel);
  if (set === undefined) hub.channels.set(channel, (set = new Set()));
  set.add(ws);
}

export function leave(hub, ws, channel) {
  hub.channels.get(channel)?.delete(ws);
}

export function drop(hub, ws) {
  for (const set of hub.channels.values()) set.delete(ws);
  hub.readers.delete(ws);
}

export function watchers(hub, channel) {
  return hub.channels.get(channel)?.size ?? 0;
}

export function send(hub, ws, text) {
  reader(hub, ws).sent += text.length;
  try {
    ws.send(text);
  } catch {
    drop(hub, ws);
  }
}

export function shut(hub, ws, code, reason) {
  drop(hub, ws);
  try {
    ws.close(code, reason);
  } catch {
    // It was closed already.
  }
}

// When the socket last sent "ping" (answered without waking the object) or anything else, in ms.
export function lastSeen(hub, ws) {
  const ping = hub.state.getWebSocketAutoResponseTimestamp(ws);
  return Math.max(reader(hub, ws).since, ping === null ? 0 : ping.getTime());
}

// The open sockets whose attachment holds `mark`: when each was last seen, a space, its attachment; one
// a line.
export function present(hub, mark) {
  let text = '';
  for (const ws of hub.state.getWebSockets()) {
    const attachment = attachmentOf(ws);
    if (ws.readyState === 1 && attachment.includes(mark)) text += `${lastSeen(hub, ws)} ${attachment}\n`;
  }
  return text;
}

export function publish(hub, channel, text) {
  const set = hub.channels.get(channel);
  if (set === undefined) return;
  for (const ws of set) {
    const entry = reader(hub, ws);
    entry.sent += text.length;
    if (entry.sent > LIMIT) {
      const ping = hub.state.getWebSocketAutoResponseTimestamp(ws);
      if (!entry.acks && ping !== null && ping.getTime() > entry.since) {
        entry.sent = text.length;
        entry.since = Date.now();
      } else {
        shut(hub, ws, 3008, 'slow reader');
        continue;
      }
    }
    try {
      ws.send(text);
    } catch {
      drop(hub, ws);
    }
  }
}
