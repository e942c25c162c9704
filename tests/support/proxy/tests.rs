//! The proxy against a fake server that answers by script, and against a real one when
//! `PULSE_PG_ADMIN` names it.
//!
//! Invariant: the fake server answers a unit by its statement text, so each test says what it needs.
//! Failure: a panic with the frames that came instead.

use super::wire::{self, Frame, Stream};
use super::{Proxy, ProxyOptions};
use bytes::BytesMut;
use postgres_protocol::IsNull;
use postgres_protocol::message::frontend;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};

/// Serves the protocol: `two rows` answers two rows, `slow` waits, `die` hangs up, `open` stays in
/// a transaction, anything else is one row holding how many units this connection has done.
async fn fake() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            tokio::spawn(async move { fake_session(Stream::new(socket)).await });
        }
    });
    format!("postgres://pulse_app:secret@127.0.0.1:{port}/pulse")
}

async fn fake_session(mut stream: Stream) -> Option<()> {
    stream.startup().await.ok()??;
    let mut out = BytesMut::new();
    wire::put(&mut out, b'R', &[0; 4]);
    wire::parameter(&mut out, "server_version", "17.0");
    wire::put(&mut out, b'K', &[0, 0, 0, 9, 0, 0, 0, 9]);
    wire::ready(&mut out);
    stream.send(&out).await.ok()?;
    let mut units = 0;
    loop {
        let mut said = String::new();
        loop {
            let frame = stream.frame().await.ok()??;
            said += &String::from_utf8_lossy(frame.body());
            if matches!(frame.tag, b'S' | b'Q') {
                break;
            }
        }
        units += 1;
        let mut out = BytesMut::new();
        let row = format!("\0\x01\0\0\0\x01{units}");
        match () {
            () if said.contains("die") => return None,
            () if said.contains("slow") => tokio::time::sleep(Duration::from_millis(200)).await,
            () if said.contains("two rows") => wire::put(&mut out, b'D', row.as_bytes()),
            () if said.contains("copied") => wire::put(&mut out, b'G', &[0, 0, 0]),
            () => {}
        }
        wire::put(&mut out, b'D', row.as_bytes());
        wire::put(&mut out, b'C', b"SELECT 1\0");
        wire::put(
            &mut out,
            b'Z',
            if said.contains("open") { b"T" } else { b"I" },
        );
        stream.send(&out).await.ok()?;
    }
}

async fn proxy(upstream: &str) -> Proxy {
    let options = ProxyOptions {
        upstream: upstream.to_owned(),
        port: 0,
        strict: true,
        pool_size: 4,
    };
    Proxy::start(options).await.unwrap()
}

struct Client(Stream);

impl Client {
    async fn to(proxy: &Proxy) -> Self {
        let socket = TcpStream::connect(("127.0.0.1", proxy.port()))
            .await
            .unwrap();
        let mut stream = Stream::new(socket);
        let mut packet = BytesMut::from(&[0, 0, 0, 8, 4, 210, 22, 47][..]);
        stream.send(&packet.split()).await.unwrap();
        stream.fill().await.unwrap();
        assert_eq!(stream.pending(), b"N", "TLS is declined");
        let mut stream = Client(stream.past(1));
        frontend::startup_message([("user", "pulse_app"), ("database", "pulse")], &mut packet)
            .unwrap();
        let greeting = stream.ask(&packet).await;
        assert_eq!(tags(&greeting), "RSKZ");
        stream
    }

    /// Sends bytes and takes everything up to ReadyForQuery, or what came before the end.
    async fn ask(&mut self, bytes: &[u8]) -> Vec<Frame> {
        self.0.send(bytes).await.unwrap();
        self.answer().await
    }

    async fn answer(&mut self) -> Vec<Frame> {
        let mut frames = Vec::new();
        while let Ok(Some(frame)) = self.0.frame().await {
            let tag = frame.tag;
            frames.push(frame);
            if tag == b'Z' {
                break;
            }
        }
        frames
    }
}

fn tags(frames: &[Frame]) -> String {
    frames.iter().map(|frame| char::from(frame.tag)).collect()
}

fn message(frames: &[Frame]) -> String {
    let error = frames
        .iter()
        .find(|frame| frame.tag == b'E')
        .expect("an ErrorResponse");
    String::from_utf8_lossy(error.body()).into_owned()
}

/// A unit of the unnamed statement with text parameters.
fn unit(sql: &str, parameters: &[&str]) -> BytesMut {
    named("", "", sql, parameters)
}

fn named(statement: &str, portal: &str, sql: &str, parameters: &[&str]) -> BytesMut {
    let mut out = BytesMut::new();
    frontend::parse(statement, sql, [25_u32; 0], &mut out).unwrap();
    bind(statement, portal, parameters, &mut out);
    frontend::execute(portal, 0, &mut out).unwrap();
    frontend::sync(&mut out);
    out
}

fn bind(statement: &str, portal: &str, parameters: &[&str], out: &mut BytesMut) {
    let put = |text: &&str, out: &mut BytesMut| {
        out.extend_from_slice(text.as_bytes());
        Ok(IsNull::No)
    };
    let bound = frontend::bind(portal, statement, [1], parameters.iter(), put, [1], out);
    assert!(bound.is_ok());
}

const CALL: &str = "select app.call($1, $2, $3, $4, $5, $6)";

#[tokio::test]
async fn one_unit_is_one_round_trip_of_its_request() {
    let proxy = proxy(&fake().await).await;
    let mut client = Client::to(&proxy).await;
    for _ in 0..2 {
        let frames = client
            .ask(&unit(CALL, &["{}", "{}", "select 1", "{}", "", "req-1"]))
            .await;
        assert_eq!(tags(&frames), "DCZ");
    }
    client.ask(&unit("select app.health()", &[])).await;
    let stats = proxy.stats();
    assert_eq!(
        (stats.connections, stats.statements, stats.round_trips),
        (1, 3, 3)
    );
    assert_eq!(stats.by_request["req-1"], 2);
    assert_eq!(stats.violations, []);
}

#[tokio::test]
async fn clients_share_a_connection_between_units() {
    let proxy = proxy(&fake().await).await;
    let (mut one, mut two) = (Client::to(&proxy).await, Client::to(&proxy).await);
    one.ask(&unit("select 1", &[])).await;
    let frames = two.ask(&unit("select 1", &[])).await;
    assert_eq!(
        frames[0].body().last(),
        Some(&b'2'),
        "the second unit of one connection"
    );
    assert_eq!(proxy.stats().upstream_connections, 1);
}

#[tokio::test]
async fn what_hyperdrive_cannot_carry_is_refused_by_name_and_the_client_goes_on() {
    let proxy = proxy(&fake().await).await;
    let mut client = Client::to(&proxy).await;
    let mut stale = BytesMut::new();
    bind("", "", &[], &mut stale);
    frontend::execute("", 0, &mut stale).unwrap();
    frontend::sync(&mut stale);
    let mut typed = BytesMut::new();
    frontend::parse("", "select $1", [16_384], &mut typed).unwrap();
    frontend::sync(&mut typed);
    let mut twice = unit("select 1", &[]);
    twice.truncate(twice.len() - 5);
    twice.extend_from_slice(&unit("select 2", &[]));
    let mut simple = BytesMut::new();
    frontend::query("select 1", &mut simple).unwrap();
    for (bytes, rule) in [
        (named("s0", "", "select 1", &[]), "named_statement"),
        (named("", "p0", "select 1", &[]), "named_portal"),
        (unit("listen x", &[]), "listen_notify"),
        (unit("begin", &[]), "explicit_transaction"),
        (unit("select pg_advisory_lock(1)", &[]), "advisory_lock"),
        (
            unit(CALL, &["", "", "select pg_notify($1)", "", "", "r"]),
            "listen_notify",
        ),
        (stale, "statement_outlives_unit"),
        (typed, "user_type"),
        (twice, "several_statements"),
        (simple, "mixed_protocols"),
    ] {
        let mut client = Client::to(&proxy).await;
        if rule == "mixed_protocols" {
            client.ask(&unit("select 1", &[])).await;
        }
        let frames = client.ask(&bytes).await;
        assert_eq!(tags(&frames), "EZ", "{rule}");
        assert!(message(&frames).contains(rule), "{}", message(&frames));
        let last = proxy.stats().violations.pop().unwrap();
        assert_eq!(last.rule, rule);
    }
    assert_eq!(tags(&client.ask(&unit("select 1", &[])).await), "DCZ");
    assert_eq!(proxy.stats().violations.len(), 10);
}

#[tokio::test]
async fn a_lone_empty_simple_query_passes_and_any_other_does_not() {
    let proxy = proxy(&fake().await).await;
    for (sql, expected) in [("", "DCZ"), ("select 1", "EZ")] {
        let mut client = Client::to(&proxy).await;
        let mut out = BytesMut::new();
        frontend::query(sql, &mut out).unwrap();
        assert_eq!(tags(&client.ask(&out).await), expected);
    }
}

#[tokio::test]
async fn a_second_row_is_refused() {
    let proxy = proxy(&fake().await).await;
    let mut client = Client::to(&proxy).await;
    let frames = client.ask(&unit("select two rows", &[])).await;
    assert_eq!(tags(&frames), "DEZ");
    assert_eq!(proxy.stats().violations[0].rule, "several_rows");
    assert_eq!(proxy.stats().violations[0].statement, "select two rows");
    assert_eq!(tags(&client.ask(&unit("select 1", &[])).await), "DCZ");
}

#[tokio::test]
async fn an_open_transaction_or_a_copy_is_not_handed_to_the_next_client() {
    let proxy = proxy(&fake().await).await;
    for (sql, rule, expected) in [
        ("select open", "explicit_transaction", "DCEZ"),
        ("select copied", "copy", "EZ"),
    ] {
        let mut client = Client::to(&proxy).await;
        assert_eq!(tags(&client.ask(&unit(sql, &[])).await), expected);
        assert_eq!(proxy.stats().violations.pop().unwrap().rule, rule);
        let frames = client.ask(&unit("select 1", &[])).await;
        assert_eq!(
            frames[0].body().last(),
            Some(&b'1'),
            "a new connection's first unit"
        );
    }
}

#[tokio::test]
async fn a_second_unit_before_the_answer_is_refused_and_the_first_still_answered() {
    let proxy = proxy(&fake().await).await;
    for apart in [false, true] {
        let mut client = Client::to(&proxy).await;
        let mut both = unit("select slow", &[]);
        if apart {
            client.0.send(&both.split()).await.unwrap();
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        both.extend_from_slice(&unit("select 2", &[]));
        assert_eq!(tags(&client.ask(&both).await), "DCZ");
        let second = client.answer().await;
        assert!(message(&second).contains("pipelined"));
        assert_eq!(tags(&client.ask(&unit("select 1", &[])).await), "DCZ");
    }
}

#[tokio::test]
async fn an_answer_is_lost_after_the_work_was_done() {
    let proxy = proxy(&fake().await).await;
    proxy.lose_answers("needle", 1);
    let mut client = Client::to(&proxy).await;
    assert_eq!(tags(&client.ask(&unit("select 1", &[])).await), "DCZ");
    assert_eq!(
        tags(&client.ask(&unit("select 1", &["a needle"])).await),
        ""
    );
    assert_eq!(proxy.stats().lost, 1);
    // The same connection to Postgres has done two units; the third is answered.
    let mut client = Client::to(&proxy).await;
    let third = client.ask(&unit("select 1", &["a needle"])).await;
    assert_eq!(
        (tags(&third).as_str(), third[0].body().last()),
        ("DCZ", Some(&b'3'))
    );
}

#[tokio::test]
async fn a_cut_closes_everyone_until_it_is_restored() {
    let proxy = proxy(&fake().await).await;
    let mut client = Client::to(&proxy).await;
    client.ask(&unit("select 1", &[])).await;
    proxy.cut();
    assert!(!matches!(client.0.frame().await, Ok(Some(_))));
    let socket = TcpStream::connect(("127.0.0.1", proxy.port()))
        .await
        .unwrap();
    assert!(!matches!(Stream::new(socket).fill().await, Ok(true)));
    proxy.restore();
    let frames = Client::to(&proxy).await.ask(&unit("select 1", &[])).await;
    assert_eq!(
        frames[0].body().last(),
        Some(&b'1'),
        "not a connection from before the cut"
    );
    proxy.stop().await;
}

#[tokio::test]
async fn a_lost_or_absent_server_is_told_as_such() {
    let proxy_of_fake = proxy(&fake().await).await;
    let mut client = Client::to(&proxy_of_fake).await;
    assert!(message(&client.ask(&unit("select die", &[])).await).contains("08006"));
    let absent = proxy("postgres://pulse_app@127.0.0.1:1/pulse").await;
    let socket = TcpStream::connect(("127.0.0.1", absent.port()))
        .await
        .unwrap();
    let mut client = Client(Stream::new(socket));
    let mut packet = BytesMut::new();
    frontend::startup_message([("user", "pulse_app")], &mut packet).unwrap();
    assert!(message(&client.ask(&packet).await).contains("08006"));
}

#[tokio::test]
async fn another_role_is_sent_away() {
    let proxy = proxy(&fake().await).await;
    let socket = TcpStream::connect(("127.0.0.1", proxy.port()))
        .await
        .unwrap();
    let mut packet = BytesMut::new();
    frontend::startup_message([("user", "postgres")], &mut packet).unwrap();
    let frames = Client(Stream::new(socket)).ask(&packet).await;
    assert!(message(&frames).contains("only the role pulse_app"));
}

/// Signs in to a real server, runs typed statements of the driver the Worker uses, and cancels one.
/// The driver gives an error back before it has read that the server is ready again, and what it sends
/// until then is a second unit of work in flight, which the proxy refuses.
async fn ready() {
    tokio::time::sleep(Duration::from_millis(100)).await;
}

#[tokio::test]
async fn the_driver_works_through_it_against_a_real_server() {
    let Ok(admin) = std::env::var("PULSE_PG_ADMIN") else {
        return;
    };
    let proxy = proxy(&admin).await;
    let mut config: tokio_postgres::Config = admin.parse().unwrap();
    config = {
        let mut through = tokio_postgres::Config::new();
        through.host("127.0.0.1").port(proxy.port());
        through
            .user(config.get_user().unwrap())
            .dbname(config.get_dbname().unwrap());
        through
    };
    let (client, connection) = config.connect(tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    let row = client.query_typed(
        "select 40 + $1::int",
        &[(&2_i32, tokio_postgres::types::Type::INT4)],
    );
    assert_eq!(row.await.unwrap()[0].get::<_, i32>(0), 42);
    let failed = client.query_typed("select 1 / 0", &[]).await.unwrap_err();
    assert_eq!(failed.code().unwrap().code(), "22012");
    ready().await;
    let several = client
        .query_typed("select generate_series(1, 3)", &[])
        .await
        .unwrap_err();
    assert!(
        several
            .as_db_error()
            .unwrap()
            .message()
            .contains("several_rows")
    );
    ready().await;
    let token = client.cancel_token();
    let (slept, cancelled) = tokio::join!(
        client.query_typed("select pg_sleep(20)::text", &[]),
        async {
            tokio::time::sleep(Duration::from_millis(200)).await;
            token.cancel_query(tokio_postgres::NoTls).await
        }
    );
    cancelled.unwrap();
    assert_eq!(slept.unwrap_err().code().unwrap().code(), "57014");
    ready().await;
    let prepared = client.prepare("select 1").await.unwrap_err();
    assert!(
        prepared
            .as_db_error()
            .unwrap()
            .message()
            .contains("named_statement")
    );
    proxy.stop().await;
}
