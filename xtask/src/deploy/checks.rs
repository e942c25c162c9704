//! The checks of `wrangler.toml`, each with one name and one outcome.
//!
//! Invariant: pure functions of the file and of what the code needs.
//! Failure: a failed check says what is wrong and where.

use super::code::{Needs, is_cron};
use std::collections::BTreeSet;
use toml::{Table, Value};

/// What is set with `wrangler secret put` and never written into a file. The first three are
/// needed, the next three switch Supabase sign-in on, then what mail goes out by, and a model that
/// writes reports.
pub const SECRETS: [&str; 10] = [
    "TOKEN_SECRET",
    "DATA_KEYS",
    "OPERATOR_TOKEN",
    "SUPABASE_JWT_SECRET",
    "SUPABASE_JWKS_URL",
    "SUPABASE_ISSUER",
    "MAIL_CHANNEL",
    "CHAT_BASE_URL",
    "CHAT_MODEL",
    "CHAT_API_KEY",
];
/// What the Worker answers: these paths must reach it before the file server.
const API: [&str; 10] = [
    "/",
    "/api/*",
    "/pulse",
    "/pulse/*",
    "/live/*",
    "/health",
    "/metrics",
    "/openapi.json",
    "/docs",
    "/docs/*",
];
/// Test switches that must be off in production.
const TEST_ONLY: [&str; 2] = ["TEST_CLOCK", "OUTBOUND_ALLOW_PRIVATE"];

/// What a check found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// As it should be.
    Good,
    /// Not wrong, but to be filled in before the first deploy.
    Open,
    /// Wrong.
    Bad,
}

/// One check and its outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What was checked, as a claim.
    pub what: String,
    /// Whether the claim holds.
    pub state: State,
    /// What is wrong; empty when nothing is.
    pub detail: String,
}

impl Finding {
    /// A claim that holds or not.
    pub fn of(what: &str, holds: bool, detail: impl Into<String>) -> Self {
        let state = if holds { State::Good } else { State::Bad };
        let detail = if holds { String::new() } else { detail.into() };
        Self {
            what: what.to_owned(),
            state,
            detail,
        }
    }

    /// A claim that holds when nothing is listed against it.
    fn none(what: &str, against: Vec<String>) -> Self {
        Self::of(what, against.is_empty(), against.join("; "))
    }
}

/// All checks.
pub fn all(config: &Table, code: &Needs, runtime: &str) -> Vec<Finding> {
    vec![
        entry(config),
        date(config, runtime),
        bindings(config, code),
        objects(config, code),
        migrations(config, code),
        hyperdrive(config),
        queues(config),
        crons(config, code),
        assets(config),
        settings(config, code),
        Finding::none("no secret stands in the file", secrets(config)),
        public_url(config, code),
        test_only(config),
    ]
}

fn entry(config: &Table) -> Finding {
    let good = text(config, &["main"]) == "build/index.js"
        && text(config, &["build", "command"]).starts_with("cargo xtask build")
        && !text(config, &["build", "command"]).contains("--dev")
        && !text(config, &["name"]).is_empty();
    let detail = "name, main = \"build/index.js\" and build.command = \"cargo xtask build --release\" \
                  are needed";
    Finding::of("the release build is what is deployed", good, detail)
}

fn date(config: &Table, runtime: &str) -> Finding {
    let date = text(config, &["compatibility_date"]);
    let form = date.len() == 10 && date.chars().all(|c| c.is_ascii_digit() || c == '-');
    let detail = format!("{date:?} must be a date up to {runtime}, the pinned workerd");
    let what = "compatibility_date is not newer than the runtime of the tests";
    Finding::of(what, form && date.as_str() <= runtime, detail)
}

/// Every binding by its name, with its kind.
fn declared(config: &Table) -> Vec<(String, &'static str)> {
    let mut found = Vec::new();
    let mut add = |values: Vec<&Value>, key: &str, kind| {
        found.extend(values.into_iter().map(|value| (field(value, key), kind)));
    };
    add(list(config, &["hyperdrive"]), "binding", "hyperdrive");
    add(
        list(config, &["durable_objects", "bindings"]),
        "name",
        "object",
    );
    add(list(config, &["queues", "producers"]), "binding", "queue");
    add(
        config.get("assets").into_iter().collect(),
        "binding",
        "assets",
    );
    for kind in ["kv_namespaces", "r2_buckets", "d1_databases", "services"] {
        add(list(config, &[kind]), "binding", "other");
    }
    found
}

fn bindings(config: &Table, code: &Needs) -> Finding {
    let declared: Vec<String> = declared(config).into_iter().map(|(name, _)| name).collect();
    let mut against = Vec::new();
    for name in &code.bindings {
        match declared.iter().filter(|known| *known == name).count() {
            0 => against.push(format!("the code uses {name}, the file does not bind it")),
            1 => {}
            _ => against.push(format!("{name} is bound twice")),
        }
    }
    for name in declared
        .iter()
        .filter(|name| !code.bindings.contains(*name))
    {
        against.push(format!("the file binds {name:?}, the code does not use it"));
    }
    Finding::none("the bindings are those that the code uses", against)
}

fn objects(config: &Table, code: &Needs) -> Finding {
    let mut against = Vec::new();
    let mut bound = BTreeSet::new();
    for binding in list(config, &["durable_objects", "bindings"]) {
        let class = field(binding, "class_name");
        if !code.classes.contains(&class) {
            against.push(format!(
                "{} names the class {class:?}",
                field(binding, "name")
            ));
        }
        bound.insert(class);
    }
    for class in code.classes.iter().filter(|class| !bound.contains(*class)) {
        against.push(format!("{class} has no binding"));
    }
    Finding::none("every object class of the code is bound", against)
}

fn migrations(config: &Table, code: &Needs) -> Finding {
    let mut against = Vec::new();
    let mut tags = BTreeSet::new();
    let mut classes: Vec<String> = Vec::new();
    for migration in list(config, &["migrations"]) {
        let tag = field(migration, "tag");
        if tag.is_empty() || !tags.insert(tag.clone()) {
            against.push(format!("the tag {tag:?} is missing or there twice"));
        }
        if migration.get("new_classes").is_some() {
            against.push(format!(
                "{tag}: objects need SQLite storage: new_sqlite_classes"
            ));
        }
        let names = |key: &str| -> Vec<String> {
            let values = migration.get(key).and_then(Value::as_array).cloned();
            let values = values.unwrap_or_default();
            values
                .iter()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect()
        };
        classes.extend(names("new_sqlite_classes"));
        let deleted = names("deleted_classes");
        classes.retain(|class| !deleted.contains(class));
        for renamed in migration
            .get("renamed_classes")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            classes.retain(|class| *class != field(renamed, "from"));
            classes.push(field(renamed, "to"));
        }
    }
    for class in &code.classes {
        if classes.iter().filter(|known| *known == class).count() != 1 {
            against.push(format!("{class} is not made by exactly one migration"));
        }
    }
    for class in classes
        .iter()
        .filter(|class| !code.classes.contains(*class))
    {
        against.push(format!("{class} is made, but the code has no such class"));
    }
    Finding::none(
        "the migrations make exactly the code's object classes",
        against,
    )
}

fn hyperdrive(config: &Table) -> Finding {
    let mut finding = Finding::of("Hyperdrive has its configuration's id", true, "");
    for binding in list(config, &["hyperdrive"]) {
        let id = field(binding, "id");
        if id.len() != 32 || !id.chars().all(|c| c.is_ascii_hexdigit()) {
            finding.state = State::Bad;
            finding.detail = format!("{id:?} is not 32 hex digits");
        } else if id.chars().all(|c| c == '0') && finding.state == State::Good {
            finding.state = State::Open;
            finding.detail = format!("{}: the id of step 3 goes here", field(binding, "binding"));
        }
    }
    finding
}

fn queues(config: &Table) -> Finding {
    let consumers = list(config, &["queues", "consumers"]);
    let consumed: BTreeSet<String> = consumers
        .iter()
        .map(|queue| field(queue, "queue"))
        .collect();
    let mut against = Vec::new();
    for producer in list(config, &["queues", "producers"]) {
        let queue = field(producer, "queue");
        if !consumed.contains(&queue) {
            against.push(format!("nobody takes from {queue:?}"));
        }
    }
    let letters: BTreeSet<String> = consumers
        .iter()
        .map(|queue| field(queue, "dead_letter_queue"))
        .collect();
    for consumer in &consumers {
        let (queue, dead) = (
            field(consumer, "queue"),
            field(consumer, "dead_letter_queue"),
        );
        if dead.is_empty() && !letters.contains(&queue) {
            against.push(format!("{queue} has no dead-letter queue"));
        }
        if !dead.is_empty() && !consumed.contains(&dead) {
            against.push(format!(
                "nobody takes from {dead:?}, where {queue} drops its failures"
            ));
        }
        for (key, most) in [
            ("max_batch_size", 100),
            ("max_batch_timeout", 60),
            ("max_retries", 100),
        ] {
            let value = consumer.get(key).and_then(Value::as_integer).unwrap_or(0);
            if value > most {
                against.push(format!("{queue}: {key} is at most {most}"));
            }
        }
    }
    Finding::none(
        "every queue has a consumer and a place for what fails",
        against,
    )
}

fn crons(config: &Table, code: &Needs) -> Finding {
    let crons: BTreeSet<String> = list(config, &["triggers", "crons"])
        .into_iter()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect();
    let mut against: Vec<String> = crons
        .iter()
        .filter(|cron| !is_cron(cron))
        .map(|cron| format!("{cron:?} is odd"))
        .collect();
    for cron in code.crons.difference(&crons) {
        against.push(format!(
            "the code handles {cron:?}, the file does not fire it"
        ));
    }
    for cron in crons.difference(&code.crons) {
        against.push(format!(
            "the file fires {cron:?}, the code does not handle it"
        ));
    }
    Finding::none("the crons are those that the code handles", against)
}

fn assets(config: &Table) -> Finding {
    let first: BTreeSet<String> = list(config, &["assets", "run_worker_first"])
        .into_iter()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect();
    let missing: Vec<String> = API
        .iter()
        .filter(|path| !first.contains(**path))
        .map(|path| format!("{path} is missing"))
        .collect();
    Finding::none(
        "the Worker answers API paths before the file server",
        missing,
    )
}

fn settings(config: &Table, code: &Needs) -> Finding {
    let vars = config
        .get("vars")
        .and_then(Value::as_table)
        .cloned()
        .unwrap_or_default();
    let mut against = Vec::new();
    for name in &code.settings {
        if !vars.contains_key(name) && !SECRETS.contains(&name.as_str()) {
            against.push(format!(
                "the code reads {name}, which is neither here nor a secret"
            ));
        }
    }
    for (name, value) in &vars {
        if !code.settings.contains(name) && !SECRETS.contains(&name.as_str()) {
            against.push(format!("the code does not read {name}"));
        }
        if !value.is_str() {
            against.push(format!("{name} must be a text"));
        }
    }
    Finding::none("the variables are those that the code reads", against)
}

fn public_url(config: &Table, code: &Needs) -> Finding {
    let url = text(config, &["vars", "PUBLIC_URL"]);
    let mut finding = Finding::of(
        "links in mail lead here",
        url.is_empty() || url.starts_with("https://"),
        format!("PUBLIC_URL must begin with https://, not {url:?}"),
    );
    if url.is_empty() && code.settings.contains("PUBLIC_URL") {
        finding.state = State::Open;
        finding.detail = "PUBLIC_URL: without it nobody can unsubscribe with one click".to_owned();
    }
    finding
}

fn test_only(config: &Table) -> Finding {
    let on = TEST_ONLY
        .iter()
        .filter(|name| text(config, &["vars", name]) == "1");
    let mut against: Vec<String> = on.map(|name| format!("{name} is on")).collect();
    if text(config, &["vars", "ENVIRONMENT"]) != "production" {
        against.push("ENVIRONMENT is not production".to_owned());
    }
    if text(config, &["vars", "JURISDICTIONS"]) != "1" {
        against.push("JURISDICTIONS is off: tenants in the EU would be placed anywhere".to_owned());
    }
    Finding::none("switches of the tests are off", against)
}

/// Everything in the file that looks like a secret, by the path it stands at.
fn secrets(config: &Table) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest: Vec<(String, &Value)> = config
        .iter()
        .map(|(name, value)| (name.clone(), value))
        .collect();
    while let Some((path, value)) = rest.pop() {
        let name = path.rsplit('.').next().unwrap_or_default();
        match value {
            Value::Table(table) => {
                rest.extend(
                    table
                        .iter()
                        .map(|(key, value)| (format!("{path}.{key}"), value)),
                );
            }
            Value::Array(values) => rest.extend(values.iter().map(|value| (path.clone(), value))),
            Value::String(text) if SECRETS.contains(&name) || looks_secret(name, text) => {
                found.push(path);
            }
            _ => {}
        }
    }
    found
}

/// A password in an address, a key file, or a name that says so with a value behind it.
fn looks_secret(name: &str, text: &str) -> bool {
    let name = name.to_lowercase();
    let words = [
        "secret",
        "password",
        "token",
        "private_key",
        "api_key",
        "connectionstring",
    ];
    let named = words.iter().any(|word| name.contains(word)) && !text.is_empty();
    let address = text.split_once("://").is_some_and(|(_, rest)| {
        let authority = rest.split('/').next().unwrap_or_default();
        authority
            .split_once('@')
            .is_some_and(|(user, _)| user.contains(':'))
    });
    named || address || text.contains("-----BEGIN")
}

/// The text at a path, empty when there is none.
pub fn text(config: &Table, path: &[&str]) -> String {
    at(config, path)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}

fn list<'a>(config: &'a Table, path: &[&str]) -> Vec<&'a Value> {
    at(config, path)
        .and_then(Value::as_array)
        .map(|values| values.iter().collect())
        .unwrap_or_default()
}

fn at<'a>(config: &'a Table, path: &[&str]) -> Option<&'a Value> {
    let (first, rest) = path.split_first()?;
    rest.iter()
        .try_fold(config.get(*first)?, |value, key| value.get(*key))
}

fn field(value: &Value, key: &str) -> String {
    value
        .get(key)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}

#[cfg(test)]
#[path = "checks_tests.rs"]
mod tests;
