// A customer's database for the tests of the monitor's page, on a primary and its standby.
//
// `cargo xtask test --only browser` starts both and says where they are: PULSE_REPLICA_PRIMARY is the
// address of a superuser of the primary, PULSE_REPLICA_PORT the port of the standby on this machine.
//
// Invariant: each test has a database and a role of its own; what is written has been replayed when
// `make` is done.
// Failure: without a replica the test fails and says how to get one.

import postgres from "postgres";
import { unique } from "./support.mjs";

const PATIENCE = 30_000;

/** `make(sql)` writes on the primary. `reader` is who the monitor comes as, and where. `primaryPort` is whom it must not ask. */
export async function customer() {
  const primary = process.env.PULSE_REPLICA_PRIMARY;
  const port = Number(process.env.PULSE_REPLICA_PORT);
  if (!primary || !port) throw new Error("There is no replica: run the tests with `cargo xtask test --only browser`.");
  const [name, role, password] = [`browser_${unique()}`, `reader_${unique()}`, `pass'word ${unique()}`];
  const admin = session(primary);
  await admin.unsafe(`create database ${name}`);
  await admin.end();
  const own = session(at(primary, { database: name }));
  const standby = session(at(primary, { database: "postgres", port }));
  const make = async (sql) => {
    await own.unsafe(sql);
    const [{ lsn }] = await own`select pg_current_wal_insert_lsn()::text as lsn`;
    await own.unsafe("select txid_current()"); // something to replay behind it
    await replayed(standby, lsn);
  };
  await make(`create role ${role} login connection limit 1 password '${password.replaceAll("'", "''")}';
    grant pg_read_all_stats to ${role}; grant connect on database ${name} to ${role}; grant usage on schema public to ${role}`);
  return {
    make, role,
    reader: { host: "127.0.0.1", port, database: name, username: role, password },
    primaryPort: Number(new URL(primary).port),
    end: () => Promise.all([own.end(), standby.end()]),
  };
}

/** Orders of the last half hour, of which every fifth has no e-mail address. */
export async function orders(customer) {
  await customer.make(`create table orders (id bigint primary key, email text, total numeric not null, created_at timestamptz not null);
    comment on table orders is 'What people bought';
    insert into orders select n, case when n % 5 > 0 then 'ada@example.org' end, n, now() - (300 - n) * interval '6 seconds' from generate_series(1, 300) n;
    create index on orders (created_at);
    create table payroll (id int);
    grant select on orders to ${customer.role}`);
  await customer.make("analyze orders");
}

const session = (address) => postgres(address, { max: 1, onnotice: () => {} });

function at(address, { database, port }) {
  const url = new URL(address);
  url.pathname = `/${database}`;
  if (port) url.port = port;
  return url.href;
}

async function replayed(standby, lsn) {
  const until = Date.now() + PATIENCE;
  while (Date.now() < until) {
    const [{ there }] = await standby`select pg_last_wal_replay_lsn() >= ${lsn}::text::pg_lsn as there`;
    if (there) return;
    await new Promise((done) => setTimeout(done, 50));
  }
  throw new Error(`the standby has not replayed ${lsn}`);
}
