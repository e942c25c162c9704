// The realtime client: one socket, several channels, recovery without gap or repeat.
//
// Invariant: the events of a channel reach its handler in the order of their offsets, each once.
// A channel whose server says `"kind":"latest"` carries values that replace each other: it may skip.
// Failure: below close code 3500 it reconnects with full-jitter backoff and recovers from the last
// offset; when the server no longer has that history, `resync` reads the snapshot. From 3500 on it stops.

import { backoff } from "./http.js";

const PING_EVERY = 25_000;
const PONG_WITHIN = 10_000;
const CONNECTED_WITHIN = 10_000;
const STEADY_AFTER = 5_000;

/**
 * `url`: path or address of the socket. `token({refused, life})`: a promise of a token.
 * `channels`: name → `{position: {epoch, offset} | null, onEvent(event, recovered)}`.
 * `resync()`: reads the snapshot again, answers name → position for every channel. `onState(state, detail)`:
 * `connecting`, `live`, `reconnecting` or `stopped`.
 */
export class Live {
  #options;
  #channels = new Map();
  #socket = null;
  #opened = false;
  #refused = null;
  #attempt = 0;
  #nextId = 1;
  #asked = new Map();
  #timers = {};
  #resync = null;
  #stopped = true;

  constructor(options) {
    this.#options = options;
    for (const [name, { position, onEvent }] of Object.entries(options.channels)) {
      this.#channels.set(name, { name, position: position ?? null, latest: false, ready: false, held: null, onEvent });
    }
    addEventListener("online", () => this.#hurry());
    document.addEventListener("visibilitychange", () => document.hidden || this.#hurry());
  }

  open() {
    this.#stopped = false;
    this.#options.onState("connecting");
    this.#connect();
  }

  close() {
    this.#stopped = true;
    this.#drop();
  }

  /** Tells the channel that a snapshot already holds everything up to `position`. */
  moveTo(name, position) {
    const channel = this.#channels.get(name);
    if (!channel || !position) return;
    if (channel.position?.epoch === position.epoch && channel.position.offset >= position.offset) return;
    channel.position = { epoch: position.epoch, offset: position.offset };
  }

  position(name) {
    return this.#channels.get(name)?.position ?? null;
  }

  async #connect() {
    clearTimeout(this.#timers.retry);
    this.#timers.retry = null;
    const refused = this.#refused;
    this.#refused = null;
    let token;
    try {
      token = await this.#options.token({ refused });
    } catch (problem) {
      if (problem.status === 401) return this.#stop("signed_out");
      return this.#retry();
    }
    if (this.#stopped || this.#socket) return;
    const url = new URL(this.#options.url, location.href);
    url.protocol = url.protocol.replace("http", "ws");
    const socket = new WebSocket(url, ["pulse.v1", token]);
    this.#socket = socket;
    this.#opened = false;
    socket.onopen = () => this.#onOpen();
    socket.onmessage = (message) => this.#socket === socket && this.#onFrame(message.data);
    socket.onclose = (event) => this.#socket === socket && this.#onClose(event, token);
  }

  #onOpen() {
    this.#opened = true;
    this.#timers.steady = setTimeout(() => (this.#attempt = 0), STEADY_AFTER);
    this.#timers.ping = setInterval(() => this.#ping(), PING_EVERY);
    this.#timers.connected = setTimeout(() => this.#recoverAnew(), CONNECTED_WITHIN);
  }

  /** The token was accepted; `ttl` in seconds. */
  #onConnected({ ttl }) {
    clearTimeout(this.#timers.connected);
    this.#renewBefore(ttl);
    for (const channel of this.#channels.values()) this.#subscribe(channel);
  }

  #onClose(event, token) {
    const opened = this.#opened;
    this.#drop();
    if (event.code >= 3500) return this.#stop(event.reason || `closed_${event.code}`);
    if (!opened) this.#refused = token; // a refused upgrade and a dead network look the same
    this.#retry();
  }

  #drop() {
    for (const timer of Object.values(this.#timers)) clearTimeout(timer);
    this.#timers = {};
    this.#asked.clear();
    for (const channel of this.#channels.values()) Object.assign(channel, { ready: false, held: null });
    const socket = this.#socket;
    this.#socket = null;
    if (socket && socket.readyState < WebSocket.CLOSING) socket.close(1000);
  }

  #stop(reason) {
    this.close();
    this.#options.onState("stopped", reason);
  }

  #retry(wait = backoff(this.#attempt++)) {
    if (this.#stopped || this.#timers.retry) return;
    this.#options.onState("reconnecting");
    this.#timers.retry = setTimeout(() => this.#connect(), wait);
  }

  #hurry() {
    if (!this.#stopped && this.#timers.retry) this.#connect();
    else if (this.#socket && this.#opened) this.#ping();
  }

  /** Drops a socket that missed something and recovers over a new one. */
  #recoverAnew() {
    this.#drop();
    this.#retry();
  }

  #ping() {
    this.#say("ping");
    this.#timers.pong ??= setTimeout(() => this.#recoverAnew(), PONG_WITHIN);
  }

  /** A socket that is about to end takes nothing any more; its end is told by an event of its own. */
  #say(text) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(text);
  }

  #ask(request, context) {
    const id = this.#nextId++;
    this.#asked.set(id, context);
    this.#say(JSON.stringify({ id, ...request }));
  }

  #subscribe(channel) {
    const position = channel.position;
    const recover = position?.epoch ? { epoch: position.epoch, offset: position.offset } : undefined;
    this.#ask({ subscribe: { channel: channel.name, recover } }, { channel, recover });
  }

  #onFrame(text) {
    clearTimeout(this.#timers.pong);
    this.#timers.pong = null;
    if (text === "pong") return;
    const frame = JSON.parse(text);
    if (frame.event) return this.#onEvent(frame.event);
    if (frame.connected) return this.#onConnected(frame.connected);
    const asked = this.#asked.get(frame.id);
    this.#asked.delete(frame.id);
    if (frame.subscribed) this.#onSubscribed(frame.subscribed, asked?.recover);
    else if (frame.error) this.#onError(frame.error, asked?.channel);
    else if (frame.refreshed) this.#renewBefore(frame.refreshed.ttl);
  }

  #onError(error, channel) {
    if (!channel) return;
    if (error.temporary) {
      this.#timers[`again ${channel.name}`] = setTimeout(() => this.#subscribe(channel), 1000 + backoff(2));
    } else {
      this.#options.onState("stopped", error.code);
    }
  }

  /** Sends a new token in band a minute before the old one ends. */
  #renewBefore(ttl) {
    clearTimeout(this.#timers.renew);
    const wait = Math.max(ttl - 60, ttl / 2) * 1000;
    this.#timers.renew = setTimeout(async () => {
      const socket = this.#socket;
      const token = await this.#options.token({ life: ttl * 1000 - wait + 30_000 }).catch(() => null);
      if (token && socket === this.#socket) this.#ask({ refresh: { token } });
    }, Math.min(wait, 2 ** 31 - 1));
  }

  #onSubscribed(reply, recover) {
    const channel = this.#channels.get(reply.channel);
    if (!channel) return;
    channel.latest = reply.kind === "latest";
    const before = channel.position;
    const events = reply.events ?? [];
    if (channel.latest) {
      const now = { epoch: reply.epoch, offset: reply.offset };
      const stale = events.length === 0 && before && (before.offset < now.offset || (recover && !reply.recovered));
      if (stale) return this.#readSnapshot(channel);
      channel.position = now;
      channel.ready = true;
      for (const event of events) channel.onEvent(event, true);
    } else if (recover && !reply.recovered) {
      return this.#readSnapshot(channel);
    } else {
      const moved = before?.epoch === reply.epoch; // a snapshot may have moved it on since the question
      channel.position = { epoch: reply.epoch, offset: moved ? before.offset : reply.offset };
      channel.ready = true;
      for (const event of events) if (!this.#deliver(channel, event, true)) return;
      if (channel.position.offset < reply.offset) return this.#readSnapshot(channel);
    }
    this.#tellIfLive();
  }

  /** Holds the channel's events while the snapshot is read, then delivers those it does not hold. */
  async #readSnapshot(channel) {
    const socket = this.#socket;
    const held = [];
    channel.held = held;
    channel.ready = true;
    let positions = null;
    try {
      this.#resync ??= this.#options.resync().finally(() => (this.#resync = null));
      positions = await this.#resync;
    } catch {
      if (socket === this.#socket) this.#recoverAnew();
    }
    if (channel.held !== held) return; // another reading took over
    channel.held = null;
    if (!positions || socket !== this.#socket) return;
    channel.position = { ...positions[channel.name] };
    for (const event of held) if (!this.#deliver(channel, event, true)) return;
    this.#tellIfLive();
  }

  #tellIfLive() {
    const all = [...this.#channels.values()];
    if (all.every((channel) => channel.ready && !channel.held)) this.#options.onState("live");
  }

  #onEvent(event) {
    const channel = this.#channels.get(event.channel);
    if (!channel?.ready) return;
    if (channel.held) channel.held.push(event);
    else this.#deliver(channel, event, false);
  }

  /** False when the event left a gap and the socket was dropped. */
  #deliver(channel, event, recovered) {
    const { position } = channel;
    if (channel.latest ? event.offset < position.offset : event.offset <= position.offset) return true;
    if (!channel.latest && event.offset !== position.offset + 1) {
      this.#recoverAnew();
      return false;
    }
    position.offset = event.offset;
    channel.onEvent(event, recovered);
    return true;
  }
}
