//! Servers that are stopped, killed, restarted, promoted and set up; certificates; cleaning up.
//!
//! Invariant: what a killed program leaves is asked of the system, not of the program.
//! Failure: the server, certificate, process or folder that is not as told.

use pulse_tests::authority::Authority;
use pulse_tests::replica::{Cluster, Server, node};
use pulse_tests::stack::within;
use std::collections::BTreeSet;
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

#[tokio::test]
async fn a_program_that_is_killed_leaves_no_process_and_no_folder() {
    let mut program = Command::new(std::env::current_exe().expect("this program"));
    // Any test that has a cluster for seconds.
    program.args([
        "--exact",
        "links::an_idle_primary_makes_the_replay_timestamp_grow_old_and_messages_stay_young",
    ]);
    let mut program = program.stdout(Stdio::null()).spawn().expect("this program");
    let home = within(Duration::from_secs(60), "its servers", || async {
        let data = servers_of(program.id());
        let home = data.first()?.ancestors().nth(2)?.to_owned();
        (data.len() == 2).then_some(home)
    });
    let home = home.await;
    let processes = processes(&home);
    assert!(processes.len() > 2, "{processes:?}");
    program.kill().expect("killed");
    program.wait().expect("ended");
    nothing_left(&home, &processes).await;
}

/// The data folders of the servers that a program started.
fn servers_of(program: u32) -> Vec<PathBuf> {
    let data = |(_, parent, args): (u32, u32, String)| {
        let (_, data) = args.split_once("/postgres -D ")?;
        (parent == program).then(|| PathBuf::from(data))
    };
    living().into_iter().filter_map(data).collect()
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
