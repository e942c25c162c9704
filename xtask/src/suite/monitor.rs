//! What docs/monitor.md tells to run and to type, done against a real primary and its standby: the
//! role and its grants, the connection, a table and its checks, routes and silences, until the alert
//! arrives by the route; and an example of each kind of check.
//!
//! Invariant: the lines are those that stand there; only the host, its port and the password are the
//! step's own.
//! Failure: each expectation that does not hold is one failed check, with what was answered.

use super::Tally;
use super::documents::{Outbox, is_about, told, typed};
use super::migrations::check;
use crate::local::seed::Api;
use crate::say;
use anyhow::{Context, Result};
use pulse_tests::replica::Cluster;
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

/// The replica of the document.
const REPLICA: &str = r#""host":"replica.example.org","port":5432"#;
/// Where a secret stands in it.
const SECRET: &str = "…";
/// What the role may read, as it is on the primary. The newest order is older than the check allows.
const SHOP: &str = "
    create table customers (id int primary key, email text);
    create table orders (id bigint primary key, customer_id int, amount numeric, status text not null,
                         note text, created_at timestamptz not null);
    create index on orders (created_at);
    insert into customers select n, n || '@example.org' from generate_series(1, 100) as n;
    insert into orders
    select n, 1 + n % 100, n % 90, (array['new', 'paid', 'sent'])[1 + n % 3], null,
           now() - interval '2 hours' - n * interval '1 minute'
      from generate_series(1, 5000) as n;
    analyze;";

/// The checks; `guide` is the document, `url` the running stack's.
pub async fn run(guide: &str, url: &str, cluster: &Cluster) -> Result<Tally> {
    let password = Uuid::new_v4().simple().to_string();
    prepare(guide, cluster, &password).await?;
    let user = User::new(url).await?;
    let port = cluster.standby.port();
    let replica = format!(r#""host":"localhost","port":{port}"#);
    let mine = |lines: &str| lines.replace(REPLICA, &replica).replace(SECRET, &password);
    let mut script = format!("P={url}; T={}\n", user.token);
    // Who is told is known before there is something to tell: later it waits for the minute tick, which
    // the stack of the tests does not have.
    for heading in ["Connecting a replica", "Who is told", "Tables and checks"] {
        script += &mine(&blocks(section(guide, heading)?).join("\n"));
    }
    let said = typed(&script, url).await?;
    let mut tally = told(
        "the lines of docs/monitor.md are answered",
        &said,
        |answers| Ok(answers.len() == 7 && !answers.iter().any(is_problem)),
    );
    tally.add(&told(
        "its role may ask the standby, encrypted",
        &said,
        |answers| {
            let tested = answers.first().context("no answer")?;
            Ok(tested["ok"] == true
                && tested["in_recovery"] == true
                && tested["encrypted"] == true
                && tested["advice"] == json!([]))
        },
    ));
    tally.add(&told(
        "its check runs, and finds old orders",
        &said,
        |answers| {
            let runs = answers.iter().filter(|answer| answer["items"].is_array());
            let outcomes = runs.map(|run| run["items"][0]["outcome"].as_str());
            Ok(outcomes.eq([Some("fail"); 2]))
        },
    ));
    let routed = |mails: &[Value]| {
        mails.iter().any(|mail| {
            mail["recipient"] == "you@example.org"
                && is_about(mail, "Orders come in of public.orders")
        })
    };
    let arrived = Outbox::of(url, &user.token)?.comes(routed).await?;
    tally.add(&check("the alert arrives by its route", arrived));
    // What is silenced sooner is told by nobody.
    let ids = user.ids().await?;
    let muted = blocks(section(guide, "Silences and maintenance windows")?).join("\n");
    let script = format!(
        "P={url}; {ids}; A='authorization: Bearer {}'; J='content-type: application/json'\n{muted}",
        user.token
    );
    tally.add(&told(
        "its silences are made",
        &typed(&script, url).await?,
        |answers| Ok(answers.len() == 2 && answers.iter().all(|made| made["id"].is_string())),
    ));
    tally.add(&user.examples(guide).await?);
    user.forget().await?;
    Ok(tally)
}

/// The customer's database, and the role as the document says.
async fn prepare(guide: &str, cluster: &Cluster, password: &str) -> Result<()> {
    let session = cluster.primary.session("postgres").await;
    session.run("create database shop").await;
    let session = cluster.primary.session("shop").await;
    session.run(SHOP).await;
    let role = section(guide, "Connecting a replica")?;
    let role = role.split_once("\n```sql\n");
    let role = role.and_then(|(_, text)| text.split_once("\n```\n"));
    let (role, _) = role.context("no role in docs/monitor.md")?;
    session.run(&role.replace(SECRET, password)).await;
    cluster.replayed().await;
    Ok(())
}

fn is_problem(answer: &Value) -> bool {
    answer["status"].is_u64() && answer["code"].is_string()
}

/// What stands below a heading, up to the next one.
fn section<'a>(document: &'a str, heading: &str) -> Result<&'a str> {
    let (_, text) = document
        .split_once(&format!("# {heading}\n"))
        .with_context(|| format!("no section \"{heading}\" in docs/monitor.md"))?;
    let end = ["\n## ", "\n### "]
        .iter()
        .filter_map(|next| text.find(next));
    Ok(&text[..end.min().unwrap_or(text.len())])
}

/// Its fenced lines to type.
fn blocks(section: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut open: Option<(bool, String)> = None;
    for line in section.lines() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(language)) => open = Some((language.is_empty(), String::new())),
            (Some(_), Some(_)) => {
                let done = open.take().filter(|(typed, _)| *typed);
                blocks.extend(done.map(|(_, lines)| lines));
            }
            (Some((_, lines)), None) => {
                lines.push_str(line);
                lines.push('\n');
            }
            (None, None) => {}
        }
    }
    blocks
}

/// Somebody with a tenant.
struct User {
    api: Api,
    token: String,
}

impl User {
    async fn new(url: &str) -> Result<Self> {
        let api = Api::at(url)?;
        let account = json!({
            "email": format!("{}@example.org", Uuid::new_v4().simple()),
            "password": Uuid::new_v4().to_string(), "name": "Reader", "tenant_name": "Reader",
        });
        let session = api.post("/api/auth/register", None, &account).await?;
        let token = session["access_token"].as_str().context("no token")?;
        Ok(Self {
            token: token.to_owned(),
            api,
        })
    }

    async fn get(&self, path: &str) -> Result<Value> {
        let (_, answer) = self
            .api
            .send(Method::GET, path, Some(&self.token), None)
            .await?;
        Ok(answer)
    }

    /// The connection and the table, as the lines call them.
    async fn ids(&self) -> Result<String> {
        let tables = self.get("/api/tables").await?;
        let table = &tables["items"][0];
        let id = |name: &str| table[name].as_str().map(str::to_owned);
        let (connection, id) = (id("connection_id"), id("id"));
        let (connection, id) = connection.zip(id).context("no table")?;
        Ok(format!("C={connection}; B={id}"))
    }

    /// Each example of a kind is a check that runs.
    async fn examples(&self, guide: &str) -> Result<Tally> {
        let tables = self.get("/api/tables").await?;
        let table = tables["items"][0]["id"].as_str().context("no table")?;
        let kinds = rules::monitor::check::KINDS;
        let mut wrong = Vec::new();
        let mut found = Vec::new();
        for row in section(guide, "Kinds")?.lines() {
            let cells: Vec<_> = row.split(" | ").collect();
            let Some(example) = cells.get(3).and_then(|cell| cell.strip_prefix("`{")) else {
                continue;
            };
            let example = format!("{{{}", example.trim_end_matches([' ', '|', '`']));
            let mut body: Value = serde_json::from_str(&example).context(example)?;
            let kind = body["kind"].as_str().unwrap_or_default().to_owned();
            body["name"] = json!(format!("Example of {kind}"));
            let path = format!("/api/tables/{table}/checks");
            let (status, answer) = self
                .api
                .send(Method::POST, &path, Some(&self.token), Some(&body))
                .await?;
            if !status.is_success() {
                wrong.push(answer);
            }
            found.push(kind);
        }
        let mut tally = check(
            "docs/monitor.md has an example of each kind",
            found == kinds,
        );
        let path = format!("/api/tables/{table}/dry-run");
        let ran = self.api.post(&path, Some(&self.token), &json!({})).await?;
        for result in ran["items"].as_array().context("no results")? {
            let outcome = result["outcome"].as_str().unwrap_or_default();
            if !matches!(outcome, "pass" | "warn" | "fail" | "learning") {
                wrong.push(result.clone());
            }
        }
        if !wrong.is_empty() {
            say::note(json!(wrong));
        }
        tally.add(&check("and each runs", wrong.is_empty()));
        Ok(tally)
    }

    /// Removes the connection, which leads nowhere from now on.
    async fn forget(&self) -> Result<()> {
        let known = self.get("/api/connections").await?;
        for connection in known["items"].as_array().into_iter().flatten() {
            let path = format!(
                "/api/connections/{}",
                connection["id"].as_str().unwrap_or("")
            );
            self.api
                .send(Method::DELETE, &path, Some(&self.token), None)
                .await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{blocks, section};
    use std::collections::BTreeSet;
    use std::path::{Path, PathBuf};

    fn project() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
    }

    fn read(path: &str) -> String {
        std::fs::read_to_string(project().join(path)).expect("a document")
    }

    /// The names of all functions below a folder.
    fn functions(folder: &Path, found: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                functions(&path, found);
                continue;
            }
            if path.extension().is_none_or(|kind| kind != "rs") {
                continue;
            }
            let text = std::fs::read_to_string(&path).expect("a source");
            for line in text.lines() {
                let line = line.trim_start();
                let line = line.strip_prefix("async ").unwrap_or(line);
                if let Some((name, _)) = line
                    .strip_prefix("fn ")
                    .and_then(|line| line.split_once('('))
                {
                    found.insert(name.to_owned());
                }
            }
        }
    }

    /// What stands between backticks.
    fn quoted(text: &str) -> impl Iterator<Item = &str> {
        text.split('`').skip(1).step_by(2)
    }

    #[test]
    fn every_promise_of_the_monitor_names_a_test_that_there_is() {
        let mut tests = BTreeSet::new();
        for folder in ["tests", "rules/tests", "rules/src"] {
            functions(&project().join(folder), &mut tests);
        }
        let guide = read("docs/monitor.md");
        let promises = section(&guide, "What we promise never to do").expect("promises");
        let mut rows = 0;
        for row in promises
            .lines()
            .filter(|line| line.starts_with("| "))
            .skip(1)
        {
            let shown: Vec<_> = quoted(row.rsplit(" | ").next().unwrap_or_default()).collect();
            assert!(!shown.is_empty(), "no test shows: {row}");
            for test in shown {
                assert!(tests.contains(test), "there is no test {test}: {row}");
            }
            rows += 1;
        }
        assert!(rows > 5, "{promises}");
    }

    #[test]
    fn tests_that_documents_name_are_there() {
        for entry in std::fs::read_dir(project().join("docs")).expect("documents") {
            let path = entry.expect("an entry").path();
            if path.extension().is_none_or(|kind| kind != "md") {
                continue;
            }
            let text = std::fs::read_to_string(&path).expect("a document");
            let named = quoted(&text).filter(|name| {
                let below = ["tests/", "rules/tests/", "migrations/"];
                below.iter().any(|folder| name.starts_with(folder)) && !name.contains(' ')
            });
            for name in named {
                assert!(project().join(name).exists(), "{}: {name}", path.display());
            }
        }
    }

    #[test]
    fn lines_to_type_are_those_without_a_language() {
        let text = "# A\nx\n```sql\nselect\n```\n```\none\ntwo\n```\n## B\n```\nthree\n```\n";
        assert_eq!(blocks(section(text, "A").unwrap()), ["one\ntwo\n"]);
    }
}
