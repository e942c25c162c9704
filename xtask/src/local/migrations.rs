//! Brings a database to the state that `migrations/` describes.
//!
//! Invariant: forward only; each file runs once, in its own transaction, in the order of its
//! number, and never changes afterwards. Two at once wait for each other.
//! Failure: a changed, missing or out-of-order file is refused by name before anything runs; a
//! failing file leaves the database as the file before it.

use super::database::Address;
use crate::project;
use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use std::path::Path;
use tokio_postgres::Client;

/// The Worker's role: signs in, owns nothing, stays under row-level security.
pub const APP_ROLE: &str = "pulse_app";
/// Key of the advisory lock, "pulse" in ASCII.
const LOCK: i64 = 0x70_75_6c_73_65;

/// One file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Migration {
    /// Its number, from its name.
    pub number: i32,
    /// Its file name.
    pub name: String,
    /// What it does.
    pub sql: String,
    /// SHA-256 of the file in hex.
    pub sha256: String,
}

/// What was done.
#[derive(Debug)]
pub struct Outcome {
    /// Names of the files that ran now.
    pub applied: Vec<String>,
    /// How many are in place in all.
    pub total: usize,
}

/// Reads `NNNN_name.sql` files, in order.
pub fn read(folder: &Path) -> Result<Vec<Migration>> {
    let entries =
        std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut found: BTreeMap<i32, Migration> = BTreeMap::new();
    for entry in entries {
        let path = entry?.path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if !name.ends_with(".sql") {
            continue;
        }
        let number = match name.split_once('_') {
            Some((digits, _)) if digits.len() == 4 => digits.parse().ok(),
            _ => None,
        };
        let Some(number) = number else {
            bail!("migrations/{name}: a migration is named NNNN_what_it_does.sql");
        };
        let sql = std::fs::read_to_string(&path)?;
        let sha256 = project::sha256(&sql);
        if let Some(other) = found.insert(
            number,
            Migration {
                number,
                name: name.clone(),
                sql,
                sha256,
            },
        ) {
            bail!(
                "migrations/{name} and migrations/{} have the same number",
                other.name
            );
        }
    }
    Ok(found.into_values().collect())
}

/// Applies what is missing, and gives the Worker's role its password when there is one.
pub async fn migrate(
    owner: &Address,
    folder: &Path,
    app_password: Option<&str>,
) -> Result<Outcome> {
    let files = read(folder)?;
    let mut client = owner.connect().await?;
    client
        .execute("select pg_advisory_lock($1)", &[&LOCK])
        .await?;
    let result = locked(&mut client, &files, app_password).await;
    client
        .execute("select pg_advisory_unlock($1)", &[&LOCK])
        .await?;
    result
}

async fn locked(
    client: &mut Client,
    files: &[Migration],
    app_password: Option<&str>,
) -> Result<Outcome> {
    client
        .batch_execute("set client_min_messages = warning")
        .await?;
    client
        .batch_execute(
            "create table if not exists public.app_migrations (
               number int constraint app_migrations_pkey primary key,
               name text not null,
               sha256 text not null,
               applied_at timestamptz not null default now()
             )",
        )
        .await?;
    let recorded = client
        .query(
            "select number, name, sha256 from public.app_migrations order by number",
            &[],
        )
        .await?;
    let recorded: Vec<(i32, String, String)> = recorded
        .iter()
        .map(|row| (row.get(0), row.get(1), row.get(2)))
        .collect();
    let mut applied = Vec::new();
    for file in pending(files, &recorded)? {
        apply(client, file).await?;
        applied.push(file.name.clone());
    }
    check_app_role(client).await?;
    if let Some(password) = app_password {
        set_app_password(client, password).await?;
    }
    Ok(Outcome {
        applied,
        total: files.len(),
    })
}

/// The files that have not run, after checking those that have.
fn pending<'a>(
    files: &'a [Migration],
    recorded: &[(i32, String, String)],
) -> Result<Vec<&'a Migration>> {
    for (number, name, sha256) in recorded {
        match files.iter().find(|file| file.number == *number) {
            None => bail!("{name} was applied to this database but is not in migrations/"),
            Some(file) if file.sha256 != *sha256 => bail!(
                "migrations/{} changed after it was applied (as {name}): put it back, and make \
                 the change in a new file",
                file.name
            ),
            Some(_) => {}
        }
    }
    let last = recorded
        .iter()
        .map(|(number, ..)| *number)
        .max()
        .unwrap_or(i32::MIN);
    let known = |file: &&Migration| !recorded.iter().any(|(number, ..)| *number == file.number);
    let pending: Vec<&Migration> = files.iter().filter(known).collect();
    if let Some(late) = pending.iter().find(|file| file.number < last) {
        bail!(
            "migrations/{} comes before {last:04}, which was applied: give it a new number",
            late.name
        );
    }
    Ok(pending)
}

async fn apply(client: &mut Client, file: &Migration) -> Result<()> {
    let transaction = client.transaction().await?;
    transaction
        .batch_execute(&file.sql)
        .await
        .map_err(|error| explain(file, &error))?;
    transaction
        .execute(
            "insert into public.app_migrations (number, name, sha256) values ($1, $2, $3)",
            &[&file.number, &file.name, &file.sha256],
        )
        .await?;
    transaction
        .commit()
        .await
        .map_err(|error| explain(file, &error))
}

/// The file, the line and what Postgres said.
fn explain(file: &Migration, error: &tokio_postgres::Error) -> anyhow::Error {
    let Some(said) = error.as_db_error() else {
        return anyhow::anyhow!("migrations/{}: {error}", file.name);
    };
    let line = match said.position() {
        Some(tokio_postgres::error::ErrorPosition::Original(at)) => {
            let before = file.sql.chars().take(*at as usize);
            format!(":{}", before.filter(|c| *c == '\n').count() + 1)
        }
        _ => String::new(),
    };
    let more = [said.detail(), said.hint(), said.where_()];
    let more: String = more
        .into_iter()
        .flatten()
        .map(|text| format!("\n  {text}"))
        .collect();
    anyhow::anyhow!(
        "migrations/{}{line}: {} ({}){more}",
        file.name,
        said.message(),
        said.code().code()
    )
}

/// The files make the Worker's role; this refuses one that could see every tenant.
async fn check_app_role(client: &Client) -> Result<()> {
    let row = client
        .query_opt(
            "select rolsuper or rolbypassrls from pg_roles where rolname = $1",
            &[&APP_ROLE],
        )
        .await?;
    match row.map(|row| row.get(0)) {
        Some(false) => Ok(()),
        Some(true) => {
            bail!("{APP_ROLE} is a superuser or bypasses row-level security: change that")
        }
        None => bail!("no migration makes the role {APP_ROLE}"),
    }
}

async fn set_app_password(client: &Client, password: &str) -> Result<()> {
    let verifier = verifier(password);
    let statement = format!("alter role {APP_ROLE} login password '{verifier}'");
    client.batch_execute(&statement).await?;
    Ok(())
}

/// What Postgres keeps of a password, so that the password itself is in no statement or log.
pub fn verifier(password: &str) -> String {
    postgres_protocol::password::scram_sha_256(password.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(number: i32, sql: &str) -> Migration {
        let name = format!("{number:04}_x.sql");
        Migration {
            number,
            name,
            sql: sql.to_owned(),
            sha256: project::sha256(sql),
        }
    }

    fn record(file: &Migration) -> (i32, String, String) {
        (file.number, file.name.clone(), file.sha256.clone())
    }

    #[test]
    fn only_new_files_run_and_in_order() {
        let files = [file(1, "a"), file(2, "b"), file(3, "c")];
        let names = |files: Vec<&Migration>| files.iter().map(|f| f.number).collect::<Vec<_>>();
        assert_eq!(names(pending(&files, &[]).unwrap()), [1, 2, 3]);
        assert_eq!(
            names(pending(&files, &[record(&files[0])]).unwrap()),
            [2, 3]
        );
        let all: Vec<_> = files.iter().map(record).collect();
        assert!(pending(&files, &all).unwrap().is_empty());
    }

    #[test]
    fn a_changed_file_is_named() {
        let error = pending(&[file(1, "changed")], &[record(&file(1, "a"))]).unwrap_err();
        assert!(
            error.to_string().contains("migrations/0001_x.sql changed"),
            "{error}"
        );
    }

    #[test]
    fn a_missing_or_late_file_is_named() {
        let gone = pending(&[], &[record(&file(7, "a"))])
            .unwrap_err()
            .to_string();
        assert!(gone.contains("0007_x.sql was applied"), "{gone}");
        let late = pending(&[file(1, "a"), file(2, "b")], &[record(&file(2, "b"))]).unwrap_err();
        assert!(
            late.to_string()
                .contains("migrations/0001_x.sql comes before 0002"),
            "{late}"
        );
    }

    #[test]
    fn names_are_checked_and_numbers_are_unique() {
        let folder = std::env::temp_dir().join(format!("pulse-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("0002_b.sql"), "b").unwrap();
        std::fs::write(folder.join("0001_a.sql"), "a").unwrap();
        std::fs::write(folder.join("README.md"), "").unwrap();
        let names = |files: Vec<Migration>| files.into_iter().map(|f| f.name).collect::<Vec<_>>();
        assert_eq!(names(read(&folder).unwrap()), ["0001_a.sql", "0002_b.sql"]);
        std::fs::write(folder.join("0002_c.sql"), "c").unwrap();
        assert!(
            read(&folder)
                .unwrap_err()
                .to_string()
                .contains("same number")
        );
        std::fs::remove_file(folder.join("0002_c.sql")).unwrap();
        std::fs::write(folder.join("3_c.sql"), "c").unwrap();
        assert!(read(&folder).unwrap_err().to_string().contains("3_c.sql"));
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
