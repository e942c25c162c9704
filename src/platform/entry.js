// What the runtime calls: the Worker and its objects. `cargo xtask build` puts this in front of what
// worker-build makes of the Rust side.
//
// The Worker asks an object by calling its method `command` instead of sending it a request: a third
// less CPU for a scan (docs/decisions.md). Only a WebSocket upgrade has to be a request.
import { DurableObject } from 'cloudflare:workers';
import Worker, { CheckinTable as Table, Replica as Connection, Tenant as Staff } from '../../build/index.js';

export default Worker;

// An object of the Rust side with its events, and `command`, as the runtime wants it.
const reachable = (Rust) =>
  class extends DurableObject {
    #rust;

    constructor(state, env) {
      super(state, env);
      this.#rust = new Rust(state, env);
    }

    // Answers "status\nbody".
    command(name, body) {
      return this.#rust.command(name, body);
    }

    fetch(request) {
      return this.#rust.fetch(request);
    }

    alarm() {
      return this.#rust.alarm();
    }

    webSocketMessage(socket, message) {
      return this.#rust.webSocketMessage(socket, message);
    }

    webSocketClose(socket, code, reason, clean) {
      return this.#rust.webSocketClose(socket, code, reason, clean);
    }

    webSocketError(socket, error) {
      return this.#rust.webSocketError(socket, error);
    }
  };

// The live object of a check-in table: see checkin/live.
export const CheckinTable = reachable(Table);

// The object of a connection to a read replica: see monitor/replica.
export const Replica = reachable(Connection);

// The live object of a tenant: see tenant.
export const Tenant = reachable(Staff);
