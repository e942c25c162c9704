//! The migrations on an empty server: two at once, then again, then with a file that changed.
//!
//! Invariant: the server is a throw-away one, or the database on a given one is; nothing else is
//! touched.
//! Failure: each expectation that does not hold is one failed check.

use super::Tally;
use crate::command::block_on;
use crate::local::database::Address;
use crate::local::folder::Folder;
use crate::local::migrations::{APP_ROLE, migrate, read};
use crate::local::postgres::Embedded;
use crate::local::scratch::Scratch;
use crate::project::Project;
use crate::say;
use anyhow::{Context, Result, bail};
use std::path::Path;

/// The step.
pub fn run(project: &Project, server: Option<&Address>) -> Result<Tally> {
    let folder = Folder::fresh(project, "migrate")?;
    let result = block_on(async {
        if let Some(server) = server {
            let database = Scratch::create(server).await?;
            let result = checks(project, &folder.path, &database.address).await;
            database.drop().await;
            return result;
        }
        let mut server = Embedded::start(project, &folder.path, false).await?;
        let result = checks(project, &folder.path, &server.owner()?).await;
        server.stop().await;
        result
    });
    folder.clear()?;
    result
}

async fn checks(project: &Project, folder: &Path, owner: &Address) -> Result<Tally> {
    let files = project.at("migrations");
    let total = read(&files)?.len();
    let mut tally = Tally::default();

    let (one, two) = tokio::join!(
        migrate(owner, &files, Some("secret")),
        migrate(owner, &files, None)
    );
    let (one, two) = (one?, two?);
    let applied = one.applied.len() + two.applied.len();
    tally.add(&check("two at once apply each file once", applied == total));
    let again = migrate(owner, &files, None).await?;
    tally.add(&check(
        "a second run applies nothing",
        again.applied.is_empty(),
    ));
    tally.add(&check("every file is recorded", again.total == total));

    let app = owner.with_role(APP_ROLE, "secret")?;
    let client = app
        .connect()
        .await
        .context("the Worker's role cannot sign in")?;
    let row = client
        .query_one(
            "select count(*) from pg_class where relowner = current_user::regrole",
            &[],
        )
        .await?;
    tally.add(&check(
        "the Worker's role owns nothing",
        row.get::<_, i64>(0) == 0,
    ));

    let changed = folder.join("changed");
    copy(&files, &changed)?;
    let Some(first) = read(&changed)?.into_iter().next() else {
        bail!("no migrations")
    };
    std::fs::write(
        changed.join(&first.name),
        format!("{}\n-- changed\n", first.sql),
    )?;
    let refused = migrate(owner, &changed, None)
        .await
        .err()
        .map(|error| format!("{error:#}"));
    let named = refused.is_some_and(|text| text.contains(&first.name));
    tally.add(&check("a changed file is refused by name", named));

    std::fs::write(changed.join(&first.name), &first.sql)?;
    std::fs::write(
        changed.join("9999_breaks.sql"),
        "create table half_done (); select 1/0;",
    )?;
    let refused = migrate(owner, &changed, None)
        .await
        .err()
        .map(|error| format!("{error:#}"));
    let named = refused.is_some_and(|text| text.contains("9999_breaks.sql"));
    let client = owner.connect().await?;
    let row = client
        .query_one("select to_regclass('half_done') is null", &[])
        .await?;
    tally.add(&check(
        "a failing file leaves nothing behind",
        named && row.get(0),
    ));
    Ok(tally)
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to)?;
    for file in read(from)? {
        std::fs::write(to.join(&file.name), &file.sql)?;
    }
    Ok(())
}

/// Says whether something holds, and counts it.
pub fn check(what: &str, holds: bool) -> Tally {
    let mut tally = Tally::one(holds);
    if holds {
        say::note(what);
    } else {
        let line = format!("NOT SO: {what}");
        say::warn(&line);
        tally.wrong.push(line);
    }
    tally
}
