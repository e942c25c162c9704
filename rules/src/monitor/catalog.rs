//! What the catalogue of a replica says of its tables: the texts that ask, and the answers.
//!
//! Invariant: only `pg_catalog` is read, because `information_schema` hides what a role may not
//! change, and statistics views are empty on a standby while `pg_class.reltuples` replicates. Every
//! text answers one row with one column `answer`: JSON as text. Sizes are those of the files, so a
//! table that was never analysed is not taken for a small one.
//! Failure: no answer means that there is no such table.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::sql_guard::TableName;

/// The schemas that are not the system's, and whether they may be used.
pub const SCHEMAS: &str = "\
select coalesce(json_agg(json_build_object(
    'name', n.nspname, 'usage', has_schema_privilege(n.oid, 'usage')) order by n.nspname), '[]')::text
    as answer
from pg_catalog.pg_namespace n
where n.nspname !~ '^pg_' and n.nspname <> 'information_schema'";

/// The tables of schema `$1` behind the name `$2`, at most `$3`.
pub const TABLES: &str = "\
select coalesce(json_agg(t order by t.name), '[]')::text as answer
from (
    select c.relname as name, c.relkind as kind, nullif(c.reltuples, -1)::float8 as rows,
           c.relpages as pages, has_table_privilege(c.oid, 'select') as \"select\",
           left(obj_description(c.oid, 'pg_class'), 500) as comment
    from pg_catalog.pg_class c
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where n.nspname = $1::text and c.relname::text > $2::text
      and c.relkind in ('r', 'p', 'v', 'm', 'f') and not c.relispartition
    order by c.relname::text collate \"C\"
    limit $3::int8
) as t";

/// Everything that is to be known of table `$2` of schema `$1`.
pub const FACTS: &str = "\
with own as (
    select c.oid, c.relkind, n.nspname, n.oid as schema
    from pg_catalog.pg_class c
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where n.nspname = $1::text and c.relname = $2::text
      and c.relkind in ('r', 'p', 'v', 'm', 'f')
), leaf as (
    select c.oid, c.reltuples, c.relpages, c.relkind
    from own
    join pg_catalog.pg_class c on c.oid = own.oid
    where own.relkind <> 'p'
    union all
    select c.oid, c.reltuples, c.relpages, c.relkind
    from own
    cross join lateral pg_partition_tree(own.oid) p
    join pg_catalog.pg_class c on c.oid = p.relid
    where own.relkind = 'p' and p.isleaf
)
select json_build_object(
    'kind', own.relkind,
    'rows', (select sum(reltuples) filter (where reltuples >= 0) from leaf),
    'pages', (select coalesce(sum(greatest(relpages, case when relkind in ('r', 'm', 'p') then
                  pg_relation_size(oid) / current_setting('block_size')::int8 else 0 end)), 0)
              from leaf),
    'usage', has_schema_privilege(own.schema, 'usage'),
    'select', has_table_privilege(own.oid, 'select'),
    'writes', has_table_privilege(own.oid, 'insert, update, delete, truncate'),
    'columns', coalesce((
        select json_agg(json_build_object(
            'number', a.attnum, 'name', a.attname,
            'type', format_type(a.atttypid, a.atttypmod),
            'base', coalesce(b.typname, t.typname),
            'operators', case when t.typtype = 'b' and ts.nspname <> 'pg_catalog'
                              and t.typelem = 0 then ts.nspname end,
            'nullable', not a.attnotnull,
            'select', has_column_privilege(own.oid, a.attnum, 'select')) order by a.attnum)
        from pg_catalog.pg_attribute a
        join pg_catalog.pg_type t on t.oid = a.atttypid
        join pg_catalog.pg_namespace ts on ts.oid = t.typnamespace
        left join pg_catalog.pg_type b on t.typtype = 'd' and b.oid = t.typbasetype
        where a.attrelid = own.oid and a.attnum > 0 and not a.attisdropped), '[]'),
    'indexes', coalesce((
        select json_agg(json_build_object(
            'name', x.relname, 'method', m.amname, 'unique', i.indisunique,
            'usable', i.indisvalid and i.indisready and i.indislive,
            'partial', i.indpred is not null,
            'columns', (select json_agg(a.attname order by k.place)
                        from unnest(i.indkey::int2[]) with ordinality k(number, place)
                        left join pg_catalog.pg_attribute a
                          on a.attrelid = i.indrelid and a.attnum = k.number and k.number > 0
                        where k.place <= i.indnkeyatts)) order by x.relname)
        from pg_catalog.pg_index i
        join pg_catalog.pg_class x on x.oid = i.indexrelid
        join pg_catalog.pg_am m on m.oid = x.relam
        where i.indrelid = own.oid), '[]')
)::text as answer
from own";

/// What is known of several tables.
pub type Catalog = BTreeMap<TableName, TableFacts>;

/// A schema of the database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = ReplicaSchema))]
pub struct Schema {
    /// Its name.
    pub name: String,
    /// Whether the role may look into it.
    pub usage: bool,
}

/// A table in a list of tables.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = ReplicaTable))]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// How many rows it had when it was last analysed; none when it never was.
    pub rows: Option<f64>,
    /// How many pages it had then.
    pub pages: i64,
    /// Whether the role may read it.
    pub select: bool,
    /// Its comment.
    pub comment: Option<String>,
}

/// What can be selected from, by the letter of `pg_class.relkind`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = ReplicaTableKind))]
pub enum Kind {
    /// A table.
    #[serde(rename = "r")]
    Table,
    /// A partitioned table.
    #[serde(rename = "p")]
    Partitioned,
    /// A view.
    #[serde(rename = "v")]
    View,
    /// A materialized view.
    #[serde(rename = "m")]
    Materialized,
    /// A foreign table: reading it reads another server.
    #[serde(rename = "f")]
    Foreign,
}

/// What the catalogue says of a table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct TableFacts {
    /// What it is.
    pub kind: Kind,
    /// Rows of it and its partitions, as last analysed; none when they never were.
    pub rows: Option<f64>,
    /// Pages of it and its partitions, the larger of what was counted and what the files have.
    pub pages: i64,
    /// Whether the role may look into its schema.
    pub usage: bool,
    /// Whether the role may read all of it.
    pub select: bool,
    /// Whether the role may change it, which it should not.
    pub writes: bool,
    /// Its columns, in order.
    pub columns: Vec<ColumnFacts>,
    /// Its indexes.
    pub indexes: Vec<IndexFacts>,
}

/// A column.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ColumnFacts {
    /// `attnum`: stays when the column is renamed.
    pub number: i16,
    /// Its name.
    pub name: String,
    /// Its type as it is written: `numeric(10,2)`.
    #[serde(rename = "type")]
    pub type_name: String,
    /// The short name of its type, of a domain's that of what it is about: `timestamptz`.
    pub base: String,
    /// The schema of the operators of a type that does not come with Postgres.
    pub operators: Option<String>,
    /// Whether it may be null.
    pub nullable: bool,
    /// Whether the role may read it.
    pub select: bool,
}

/// An index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct IndexFacts {
    /// Its name.
    pub name: String,
    /// `btree`, `brin`, …
    pub method: String,
    /// Whether it keeps keys unique.
    pub unique: bool,
    /// Whether it is complete.
    pub usable: bool,
    /// Whether it is about some rows only.
    pub partial: bool,
    /// Its key: columns, none for an expression.
    pub columns: Vec<Option<String>>,
}

impl TableFacts {
    /// A column by its name.
    pub fn column(&self, name: &str) -> Option<&ColumnFacts> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// Whether rows can be found by this column alone without reading the others. `ordered`: also
    /// the first and last of them.
    pub fn is_indexed(&self, column: &str, ordered: bool) -> bool {
        self.indexes.iter().any(|index| {
            let method = match ordered {
                true => index.method == "btree",
                false => matches!(index.method.as_str(), "btree" | "brin"),
            };
            let first = index.columns.first().and_then(Option::as_deref);
            method && index.usable && !index.partial && first == Some(column)
        })
    }

    /// Whether a row can be found by these columns.
    pub fn is_found_by(&self, columns: &[String]) -> bool {
        self.indexes.iter().any(|index| {
            let first = index.columns.first().and_then(Option::as_ref);
            index.usable && !index.partial && first.is_some_and(|first| columns.contains(first))
        })
    }

    /// An index that keeps these columns unique by itself.
    pub fn unique_index(&self, columns: &[String]) -> Option<&IndexFacts> {
        self.indexes.iter().find(|index| {
            let within =
                |key: &Option<String>| key.as_ref().is_some_and(|key| columns.contains(key));
            index.unique && index.usable && !index.partial && index.columns.iter().all(within)
        })
    }

    /// Whether some of its pages can be read without the others.
    pub fn can_be_sampled(&self) -> bool {
        matches!(
            self.kind,
            Kind::Table | Kind::Partitioned | Kind::Materialized
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(columns: &[&str]) -> IndexFacts {
        IndexFacts {
            name: "i".to_owned(),
            method: "btree".to_owned(),
            unique: true,
            usable: true,
            partial: false,
            columns: columns
                .iter()
                .map(|name| Some((*name).to_owned()))
                .collect(),
        }
    }

    fn facts(indexes: Vec<IndexFacts>) -> TableFacts {
        TableFacts {
            kind: Kind::Table,
            rows: Some(10.0),
            pages: 1,
            usage: true,
            select: true,
            writes: false,
            columns: Vec::new(),
            indexes,
        }
    }

    fn of(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn an_index_helps_by_its_first_column_and_only_when_it_is_whole() {
        let found = facts(vec![index(&["at", "id"])]);
        assert!(found.is_indexed("at", true) && !found.is_indexed("id", true));
        for broken in [
            IndexFacts {
                usable: false,
                ..index(&["at"])
            },
            IndexFacts {
                partial: true,
                ..index(&["at"])
            },
            IndexFacts {
                method: "hash".to_owned(),
                ..index(&["at"])
            },
            IndexFacts {
                columns: vec![None],
                ..index(&["at"])
            },
        ] {
            assert!(
                !facts(vec![broken.clone()]).is_indexed("at", false),
                "{broken:?}"
            );
        }
        let brin = IndexFacts {
            method: "brin".to_owned(),
            ..index(&["at"])
        };
        let found = facts(vec![brin]);
        assert!(found.is_indexed("at", false) && !found.is_indexed("at", true));
    }

    #[test]
    fn a_unique_index_of_fewer_columns_keeps_more_of_them_unique() {
        let found = facts(vec![index(&["id"])]);
        assert!(found.unique_index(&of(&["id", "at"])).is_some());
        assert!(found.unique_index(&of(&["at"])).is_none());
        let wide = facts(vec![index(&["id", "at"])]);
        assert!(wide.unique_index(&of(&["id"])).is_none());
        let partial = facts(vec![IndexFacts {
            partial: true,
            ..index(&["id"])
        }]);
        assert!(partial.unique_index(&of(&["id"])).is_none());
    }

    #[test]
    fn an_answer_of_the_catalogue_is_read() {
        let answer = r#"{"kind":"p","rows":null,"pages":12,"usage":true,"select":false,"writes":false,
            "columns":[{"number":3,"name":"at","type":"timestamp with time zone","base":"timestamptz",
                        "operators":null,"nullable":false,"select":true}],
            "indexes":[{"name":"i","method":"btree","unique":false,"usable":true,"partial":false,
                        "columns":["at",null]}]}"#;
        let facts: TableFacts = serde_json::from_str(answer).unwrap();
        assert_eq!(facts.column("at").unwrap().number, 3);
        assert_eq!(facts.indexes[0].columns, [Some("at".to_owned()), None]);
        assert!(facts.can_be_sampled() && facts.column("gone").is_none());
    }
}
