//! Broken configurations, each with the check that must find it.

use super::*;

const GOOD: &str = r#"
name = "pulse"
main = "build/index.js"
compatibility_date = "2026-07-15"
[build]
command = "cargo xtask build --release"
[[hyperdrive]]
binding = "PG"
id = "0123456789abcdef0123456789abcdef"
[[durable_objects.bindings]]
name = "CHECKIN_TABLE"
class_name = "CheckinTable"
[[migrations]]
tag = "v1"
new_sqlite_classes = ["CheckinTable"]
[[queues.producers]]
binding = "JOBS"
queue = "pulse-jobs"
[[queues.consumers]]
queue = "pulse-jobs"
dead_letter_queue = "pulse-dead"
[[queues.consumers]]
queue = "pulse-dead"
[triggers]
crons = ["* * * * *"]
[assets]
directory = "web/public"
binding = "ASSETS"
run_worker_first = ["/", "/api/*", "/pulse", "/pulse/*", "/live/*", "/health", "/metrics", "/openapi.json", "/docs", "/docs/*"]
[vars]
ENVIRONMENT = "production"
JURISDICTIONS = "1"
PUBLIC_URL = "https://pulse.example"
"#;

fn needs() -> Needs {
    let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    Needs {
        bindings: set(&["PG", "JOBS", "ASSETS", "CHECKIN_TABLE"]),
        classes: set(&["CheckinTable"]),
        settings: set(&["ENVIRONMENT", "JURISDICTIONS", "PUBLIC_URL", "TOKEN_SECRET"]),
        crons: set(&["* * * * *"]),
    }
}

/// What is not good in a configuration.
fn wrong(config: &str) -> Vec<Finding> {
    let findings = all(&config.parse().unwrap(), &needs(), "2026-07-22");
    findings
        .into_iter()
        .filter(|finding| finding.state != State::Good)
        .collect()
}

/// Replaces one text of the good configuration and expects exactly one failed check, whose name and
/// detail hold `sign`.
#[track_caller]
fn breaks(from: &str, to: &str, sign: &str) {
    assert!(
        GOOD.contains(from),
        "{from:?} is not in the good configuration"
    );
    let found = wrong(&GOOD.replacen(from, to, 1));
    let bad: Vec<_> = found
        .iter()
        .filter(|finding| finding.state == State::Bad)
        .collect();
    assert_eq!(bad.len(), 1, "{from:?} → {to:?}: {found:#?}");
    let said = format!("{}: {}", bad[0].what, bad[0].detail);
    assert!(said.contains(sign), "{said}");
}

#[test]
fn a_good_configuration_passes() {
    assert_eq!(wrong(GOOD), []);
}

#[test]
fn bindings_are_checked_both_ways() {
    breaks("binding = \"PG\"", "binding = \"DB\"", "the code uses PG");
    breaks(
        "binding = \"ASSETS\"",
        "binding = \"FILES\"",
        "the code does not use it",
    );
    breaks(
        "[triggers]",
        "[[kv_namespaces]]\nbinding = \"CACHE\"\n[triggers]",
        "\"CACHE\"",
    );
}

#[test]
fn objects_and_their_migrations_are_checked() {
    breaks(
        "class_name = \"CheckinTable\"",
        "class_name = \"Other\"",
        "CheckinTable has no binding",
    );
    breaks(
        "new_sqlite_classes = [\"CheckinTable\"]",
        "",
        "exactly one migration",
    );
    breaks("new_sqlite_classes", "new_classes", "SQLite");
    breaks("tag = \"v1\"", "", "tag");
    let again = "[[migrations]]\ntag = \"v1\"\nnew_sqlite_classes = [\"Gone\"]\n[triggers]";
    breaks("[triggers]", again, "no such class");
}

#[test]
fn a_class_may_come_by_another_name() {
    let renamed = GOOD.replace("new_sqlite_classes = [\"CheckinTable\"]", "new_sqlite_classes = [\"Old\"]").replace(
        "[triggers]",
        "[[migrations]]\ntag = \"v2\"\nrenamed_classes = [{from = \"Old\", to = \"CheckinTable\"}]\n[triggers]",
    );
    assert_eq!(wrong(&renamed), []);
}

#[test]
fn queues_need_a_consumer_and_a_place_for_failures() {
    breaks(
        "queue = \"pulse-jobs\"\n[[",
        "queue = \"other\"\n[[",
        "nobody takes from \"other\"",
    );
    breaks(
        "dead_letter_queue = \"pulse-dead\"",
        "",
        "no dead-letter queue",
    );
    breaks(
        "dead_letter_queue = \"pulse-dead\"",
        "dead_letter_queue = \"gone\"",
        "gone",
    );
    let many = "dead_letter_queue = \"pulse-dead\"\nmax_batch_size = 101";
    breaks("dead_letter_queue = \"pulse-dead\"", many, "at most 100");
}

#[test]
fn crons_are_checked_both_ways() {
    breaks(
        "\"* * * * *\"",
        "\"*/5 * * * *\"",
        "the code handles \"* * * * *\"",
    );
    breaks(
        "\"* * * * *\"]",
        "\"* * * * *\", \"7 3 * * *\"]",
        "does not handle it",
    );
    breaks("\"* * * * *\"]", "\"* * * * *\", \"daily\"]", "odd");
}

#[test]
fn the_api_must_reach_the_worker_first() {
    breaks("\"/live/*\", ", "", "/live/*");
}

#[test]
fn variables_are_checked_both_ways_and_tests_switches_are_off() {
    breaks(
        "JURISDICTIONS = \"1\"",
        "JURISDICTIONS = \"\"",
        "placed anywhere",
    );
    breaks("[vars]", "[vars]\nOLD = \"x\"", "does not read OLD");
    breaks("\"production\"", "\"local\"", "not production");
    breaks(
        "JURISDICTIONS = \"1\"",
        "JURISDICTIONS = \"1\"\nTOKEN_SECRET = \"x\"",
        "TOKEN_SECRET",
    );
}

#[test]
fn secrets_are_found_wherever_they_stand() {
    let address =
        "id = \"0123456789abcdef0123456789abcdef\"\nlocalConnectionString = \"postgres://a:b@c/d\"";
    breaks(
        "id = \"0123456789abcdef0123456789abcdef\"",
        address,
        "hyperdrive.localConnectionString",
    );
    breaks(
        "name = \"pulse\"",
        "name = \"pulse\"\naccount_token = \"abc\"",
        "account_token",
    );
}

#[test]
fn the_date_may_not_be_newer_than_the_runtime() {
    breaks("2026-07-15", "2026-07-23", "2026-07-22");
    breaks("2026-07-15", "tomorrow", "date");
    assert_eq!(wrong(&GOOD.replace("2026-07-15", "2026-07-22")), []);
}

#[test]
fn an_id_that_is_not_there_yet_is_open_and_a_wrong_one_is_bad() {
    let open = wrong(&GOOD.replace("0123456789abcdef0123456789abcdef", &"0".repeat(32)));
    assert_eq!(
        open.iter().map(|finding| finding.state).collect::<Vec<_>>(),
        [State::Open]
    );
    breaks("0123456789abcdef0123456789abcdef", "todo", "32 hex digits");
}

#[test]
fn the_release_build_is_what_is_deployed() {
    breaks("build --release", "build --dev", "build.command");
    breaks(
        "main = \"build/index.js\"",
        "main = \"src/index.js\"",
        "main",
    );
}

#[test]
fn an_address_that_links_lead_to_is_encrypted_and_filled_in() {
    breaks(
        "https://pulse.example",
        "http://pulse.example",
        "must begin with https://",
    );
    let open = wrong(&GOOD.replace("https://pulse.example", ""));
    assert_eq!(
        open.iter().map(|finding| finding.state).collect::<Vec<_>>(),
        [State::Open]
    );
    assert_eq!(wrong(GOOD), []);
}
