//! Servers that are stopped, killed, restarted, promoted and set up; certificates; cleaning up.

use pulse_tests::authority::Authority;
use pulse_tests::replica::{Cluster, Server, node};
use pulse_tests::stack::within;
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;
use tokio_postgres::NoTls;

async fn connects(server: &Server) -> bool {
    tokio_postgres::connect(&server.url("postgres"), NoTls)
        .await
        .is_ok()
}

#[tokio::test]
async fn a_standby_that_was_stopped_or_killed_comes_back_at_the_same_place() {
    let cluster = Cluster::start().await;
    let customer = cluster.customer().await;
    customer.make("create table t (n int)").await;
    let session = customer.standby().await;
    cluster.standby.stop().await;
    assert!(!connects(&cluster.standby).await);
    assert!(session.attempt("select to_jsonb(1)", &[]).await.is_err());
    customer.run("insert into t values (1)").await;
    cluster.standby.start().await;
    cluster.replayed().await;
    cluster.standby.kill().await;
    assert!(!connects(&cluster.standby).await);
    customer.run("insert into t values (2)").await;
    cluster.standby.start().await;
    cluster.replayed().await;
    let sql = "select to_jsonb(count(*)) from t";
    assert_eq!(customer.standby().await.json(sql, &[]).await, 2);
    cluster.standby.restart().await;
    cluster.streaming().await;
}

#[tokio::test]
async fn without_its_primary_a_standby_goes_on_answering() {
    let cluster = Cluster::start().await;
    let customer = cluster.customer().await;
    customer.orders("t", 10).await;
    cluster.primary.stop().await;
    cluster.not_streaming().await;
    let sql = "select to_jsonb(count(*)) from t";
    assert_eq!(customer.standby().await.json(sql, &[]).await, 10);
    cluster.primary.start().await;
    cluster.streaming().await;
}

#[tokio::test]
async fn a_promoted_standby_is_a_primary() {
    let cluster = Cluster::start().await;
    let customer = cluster.customer().await;
    customer.orders("t", 10).await;
    assert!(cluster.position().await.in_recovery);
    cluster.promote().await;
    assert!(!cluster.position().await.in_recovery);
    let sql = "insert into t values (11, now()) returning to_jsonb(id)";
    assert_eq!(customer.standby().await.json(sql, &[]).await, 11);
}

#[tokio::test]
async fn settings_hold_for_sessions_there_are_and_new_ones() {
    let cluster = Cluster::start().await;
    let old = cluster.standby.session("postgres").await;
    cluster.patience_with_readers("1234ms").await;
    assert_eq!(
        cluster.standby.setting("max_standby_streaming_delay").await,
        "1234"
    );
    let sql =
        "select to_jsonb(setting) from pg_settings where name = 'max_standby_streaming_delay'";
    pulse_tests::stack::eventually("an old session that follows", || async {
        (old.json(sql, &[]).await == "1234").then_some(())
    })
    .await;
    cluster.patience_with_readers("-1").await;
    assert_eq!(
        cluster.standby.setting("max_standby_streaming_delay").await,
        "-1"
    );
}

/// What a client that trusts one authority only thinks of who listens at a port.
fn shown(port: u16, host: &str, authority: &Authority) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("support/replica/tls.mjs");
    let mut asking = Command::new(node());
    asking
        .arg(script)
        .arg(port.to_string())
        .args([host, &authority.pem()]);
    let said = asking.stderr(Stdio::inherit()).output().expect("node");
    String::from_utf8_lossy(&said.stdout).trim().to_owned()
}

#[tokio::test]
async fn servers_show_a_certificate_to_trust_until_told_otherwise() {
    let cluster = Cluster::start().await;
    let ask = |port| shown(port, "localhost", &cluster.authority);
    for port in [
        cluster.primary.port(),
        cluster.standby.port(),
        cluster.door.port(),
    ] {
        assert_eq!(ask(port), "trusted");
    }
    assert_eq!(ask(cluster.plain.port()), "plain");
    let port = cluster.standby.port();
    assert_eq!(
        shown(port, "elsewhere.example", &cluster.authority),
        "ERR_TLS_CERT_ALTNAME_INVALID"
    );
    cluster.standby.present_untrusted().await;
    assert_eq!(ask(port), "UNABLE_TO_VERIFY_LEAF_SIGNATURE");
    cluster.standby.encrypt_nothing().await;
    assert_eq!(ask(port), "plain");
    cluster
        .standby
        .present(&cluster.authority.host("localhost"))
        .await;
    assert_eq!(ask(port), "trusted");
    assert_eq!(ask(cluster.primary.port()), "trusted");
}

#[tokio::test]
async fn a_cluster_that_is_dropped_leaves_no_process_and_no_folder() {
    let cluster = Cluster::start().await;
    let folder = cluster.folder().to_owned();
    let processes = processes(&folder);
    assert!(folder.is_dir() && processes.len() > 8, "{processes:?}");
    drop(cluster);
    nothing_left(&folder, &processes).await;
}

/// The other half of the next test: a program that is killed with its servers running.
#[tokio::test]
#[ignore = "a part of a_program_that_is_killed_leaves_no_process_and_no_folder"]
async fn a_program_that_waits_to_be_killed() {
    let cluster = Cluster::shared().await;
    let _own = Cluster::start().await;
    println!("folder {}", cluster.folder().display());
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn a_program_that_is_killed_leaves_no_process_and_no_folder() {
    let mut program = Command::new(std::env::current_exe().expect("this program"));
    program.args(["--ignored", "--nocapture", "--exact"]);
    program.arg("commands::a_program_that_waits_to_be_killed");
    let mut program = program
        .stdout(Stdio::piped())
        .spawn()
        .expect("this program");
    let output = BufReader::new(program.stdout.take().expect("an output"));
    let folder = output.lines().map_while(Result::ok).find_map(|line| {
        let (_, folder) = line.split_once("folder ")?;
        Some(PathBuf::from(folder))
    });
    let folder = folder.expect("a folder");
    let home = folder.parent().expect("a home");
    let processes = processes(home);
    assert!(processes.len() > 16, "two clusters: {processes:?}");
    program.kill().expect("killed");
    program.wait().expect("ended");
    nothing_left(home, &processes).await;
}

/// Living processes with their parents and command lines.
fn living() -> Vec<(u32, u32, String)> {
    let mut ps = Command::new("ps");
    let listed = ps
        .args(["-A", "-ww", "-o", "pid=,ppid=,stat=,args="])
        .output();
    let listed = listed.expect("ps").stdout;
    let of = |line: &str| {
        let mut words = line.split_whitespace();
        let (pid, parent) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        let dead = words.next()?.starts_with('Z');
        (!dead).then(|| (pid, parent, line.to_owned()))
    };
    String::from_utf8_lossy(&listed)
        .lines()
        .filter_map(of)
        .collect()
}

/// Servers whose data is below a folder, with all that they started.
fn processes(folder: &Path) -> BTreeSet<u32> {
    let (all, folder) = (living(), folder.to_string_lossy().into_owned());
    let servers = all.iter().filter(|(_, _, args)| args.contains(&folder));
    let mut found: BTreeSet<_> = servers.map(|(pid, ..)| *pid).collect();
    for (pid, parent, _) in &all {
        if found.contains(parent) {
            found.insert(*pid);
        }
    }
    found
}

async fn nothing_left(folder: &Path, processes: &BTreeSet<u32>) {
    let patience = Duration::from_secs(20);
    within(patience, "nothing left", || async {
        let left = living().iter().any(|(pid, ..)| processes.contains(pid));
        (!left && !folder.exists()).then_some(())
    })
    .await;
}
