// The statements that people run themselves: the role that reads a replica, and its next password.
//
// Invariant: every name is quoted as Postgres quotes it; no password ever stands in them.
// Failure: none; a name that is not typed yet has a placeholder.

const quote = (name) => (/^[a-z_][a-z0-9_]*$/.test(name) ? name : `"${name.replaceAll('"', '""')}"`);

/** The role, with what it is granted. `tables`: `orders, sales.customers`; all of `public` when there are none. */
export function role({ username, database, tables = "" }) {
  const user = quote(username || "pulse");
  const names = tables.split(/[\s,]+/).filter(Boolean).map((name) => (name.includes(".") ? [name.slice(0, name.indexOf(".")), name.slice(name.indexOf(".") + 1)] : ["public", name]));
  const schemas = [...new Set(names.map(([schema]) => schema))];
  const of = names.length ? names.map(([schema, name]) => (schema === "public" ? quote(name) : `${quote(schema)}.${quote(name)}`)).join(", ") : "ALL TABLES IN SCHEMA public";
  return [
    `CREATE ROLE ${user} LOGIN PASSWORD '…' CONNECTION LIMIT 1;`,
    `GRANT pg_read_all_stats TO ${user};`,
    `GRANT CONNECT ON DATABASE ${quote(database || "shop")} TO ${user};`,
    `GRANT USAGE ON SCHEMA ${schemas.length ? schemas.map(quote).join(", ") : "public"} TO ${user};`,
    `GRANT SELECT ON ${of} TO ${user};`,
  ].join("\n");
}

export const rotation = ({ username }) => `ALTER ROLE ${quote(username)} PASSWORD '…';`;

/** What lets the role read a table. */
export const grant = ({ username }, schema, name) =>
  `GRANT USAGE ON SCHEMA ${quote(schema)} TO ${quote(username)};\nGRANT SELECT ON ${quote(schema)}.${quote(name)} TO ${quote(username)};`;
