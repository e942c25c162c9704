//! Frames are read strictly and written as the protocol says.

use serde_json::{Value, json};

use super::*;
use crate::live::log::Kind;

fn read(text: &str) -> String {
    format!("{:?}", parse(text))
}

#[test]
fn every_frame_of_the_protocol_is_read() {
    assert!(
        read(r#"{"id":1,"connect":{"token":"t","client":"dashboard/1.4"}}"#)
            .contains("dashboard/1.4")
    );
    assert!(read(r#"{"id":1,"connect":{"token":"t"}}"#).contains("client: None"));
    assert!(read(r#"{"id":2,"subscribe":{"channel":"scans"}}"#).contains("recover: None"));
    let with =
        read(r#"{"id":3,"subscribe":{"channel":"scans","recover":{"epoch":"k3f9","offset":41}}}"#);
    assert!(with.contains("k3f9") && with.contains("41"));
    assert!(read(r#"{"id":4,"unsubscribe":{"channel":"crm.deals"}}"#).contains("Unsubscribe"));
    assert!(read(r#"{"id":5,"presence":{"channel":"scans"}}"#).contains("Presence"));
    assert!(read(r#"{"id":6,"refresh":{"token":"t2"}}"#).contains("Refresh"));
    assert!(read(r#"{"id":7,"ack":{"channel":"scans","offset":9}}"#).contains("offset: 9"));
    assert!(matches!(
        parse("\"ping\""),
        Ok(ClientFrame::Ping { answer: "\"pong\"" })
    ));
    assert!(matches!(
        parse("ping"),
        Ok(ClientFrame::Ping { answer: "pong" })
    ));
}

#[test]
fn a_scan_is_passed_on_unread() {
    let Ok(ClientFrame::Scan { id: 9, body }) =
        parse(r#" {"id":9,"scan":{"barcode": "A\u00e9", "nope":[1e999]}}"#)
    else {
        panic!("a scan");
    };
    assert_eq!(body.get(), r#"{"barcode": "A\u00e9", "nope":[1e999]}"#);
}

#[test]
fn a_batch_is_passed_on_unread() {
    let text = r#"{"id":9,"sync":{"items":[{"nonce": 1e999}],"sent_at":"soon"}}"#;
    let Ok(ClientFrame::Sync { id: 9, body }) = parse(text) else {
        panic!("a batch");
    };
    assert_eq!(
        body.get(),
        r#"{"items":[{"nonce": 1e999}],"sent_at":"soon"}"#
    );
    for bad in [
        r#"{"id":9,"sync":[]}"#,
        r#"{"id":9,"sync":null}"#,
        r#"{"id":9,"sync":{},"scan":{}}"#,
    ] {
        assert!(parse(bad).is_err(), "{bad}");
    }
    assert_eq!(
        value(synced(9, r#"{"results":[],"seq":4}"#)),
        json!({"id":9,"synced":{"results":[],"seq":4}})
    );
}

#[test]
fn a_status_is_passed_on_unread_and_noted() {
    let Ok(ClientFrame::Status { id: 7, body }) = parse(r#"{"id":7,"status":{"battery":"x"}}"#)
    else {
        panic!("a status");
    };
    assert_eq!(body.get(), r#"{"battery":"x"}"#);
    for bad in [
        r#"{"id":7,"status":[]}"#,
        r#"{"id":7,"status":null}"#,
        r#"{"id":7,"status":{},"scan":{}}"#,
    ] {
        assert!(parse(bad).is_err(), "{bad}");
    }
    assert_eq!(value(noted(7)), json!({"id":7,"noted":{}}));
}

#[test]
fn a_frame_that_breaks_the_protocol_is_malformed() {
    let deep = format!(
        r#"{{"id":1,"scan":{}{}}}"#,
        r#"{"a":"#.repeat(4_000),
        "}".repeat(4_000)
    );
    let deep_array = format!("{}{}", "[".repeat(50_000), "]".repeat(50_000));
    let long = format!(
        r#"{{"id":1,"connect":{{"token":"{}"}}}}"#,
        "t".repeat(MAX_FRAME)
    );
    let channel = format!(
        r#"{{"id":1,"subscribe":{{"channel":"{}"}}}}"#,
        "c".repeat(65)
    );
    let epoch = format!(
        r#"{{"id":1,"subscribe":{{"channel":"a","recover":{{"epoch":"{}","offset":1}}}}}}"#,
        "e".repeat(65)
    );
    for bad in [
        "",
        " ",
        "pong",
        "PING",
        "null",
        "1",
        "[]",
        "{}",
        "{",
        "\"pin\"",
        "hello",
        r#"{"id":1}"#,
        r#"{"connect":{"token":"t"}}"#,
        r#"{"id":0,"connect":{"token":"t"}}"#,
        r#"{"id":-1,"connect":{"token":"t"}}"#,
        r#"{"id":1.5,"connect":{"token":"t"}}"#,
        r#"{"id":"1","connect":{"token":"t"}}"#,
        r#"{"id":9007199254740992,"connect":{"token":"t"}}"#,
        r#"{"id":1,"connect":{}}"#,
        r#"{"id":1,"connect":null}"#,
        r#"{"id":1,"connect":{"token":7}}"#,
        r#"{"id":1,"connect":{"token":"t","extra":1}}"#,
        r#"{"id":1,"connect":{"token":"t"},"extra":1}"#,
        r#"{"id":1,"connect":{"token":"t"},"subscribe":{"channel":"a"}}"#,
        r#"{"id":1,"presence":{"channel":"a"},"scan":{}}"#,
        r#"{"id":1,"id":2,"connect":{"token":"t"}}"#,
        r#"{"id":1,"connect":{"token":"t"}} {"id":2}"#,
        r#"[1,{"token":"t"}]"#,
        r#"{"id":1,"subscribe":{"channel":""}}"#,
        r#"{"id":1,"subscribe":{"channel":"a b"}}"#,
        r#"{"id":1,"subscribe":{"channel":"a","recover":{"epoch":"e"}}}"#,
        r#"{"id":1,"subscribe":{"channel":"a","recover":{"epoch":"e","offset":-1}}}"#,
        r#"{"id":1,"subscribe":{"channel":"a","recover":{"epoch":"e","offset":1,"x":1}}}"#,
        r#"{"id":1,"subscribe":{"channel":"a","recover":{"epoch":1,"offset":1}}}"#,
        r#"{"id":1,"scan":null}"#,
        r#"{"id":1,"scan":[]}"#,
        r#"{"id":1,"scan":"x"}"#,
        r#"{"id":1,"scan":{}"#,
        &deep,
        &deep_array,
        &long,
        &channel,
        &epoch,
    ] {
        assert!(
            parse(bad).is_err(),
            "{}",
            bad.chars().take(90).collect::<String>()
        );
    }
}

#[test]
fn a_clients_own_name_is_cut_and_cleaned() {
    let text =
        json!({"id": 1, "connect": {"token": "t", "client": format!("a\nb{}", "x".repeat(100))}})
            .to_string();
    let Ok(ClientFrame::Connect {
        client: Some(client),
        ..
    }) = parse(&text)
    else {
        panic!("connect")
    };
    assert!(client.starts_with("abx") && client.len() == MAX_CLIENT);
}

#[test]
fn random_text_never_panics() {
    let mut seed = 7u64;
    let alphabet = br#"{}[]":,0123456789.-eE\u idconetsubrp"#;
    for _ in 0..20_000 {
        let mut text = String::new();
        for _ in 0..(seed % 60) {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            text.push(char::from(alphabet[(seed >> 33) as usize % alphabet.len()]));
        }
        seed = seed.wrapping_add(1);
        let _ = parse(&text);
    }
}

fn value(text: String) -> Value {
    serde_json::from_str(&text).unwrap()
}

#[test]
fn what_the_server_says_is_as_written_in_the_protocol() {
    let at = time::from_ms(1_717_266_600_007);
    let iso = "2024-06-01T18:30:00.007Z";
    assert_eq!(
        value(connected(1, "s1", 900, at)),
        json!({"id":1,"connected":{"session":"s1","ttl":900,"server_time":iso}})
    );
    assert_eq!(
        value(refreshed(6, 899)),
        json!({"id":6,"refreshed":{"ttl":899}})
    );
    assert_eq!(
        value(unsubscribed(4, "scans")),
        json!({"id":4,"unsubscribed":{"channel":"scans"}})
    );
    assert_eq!(
        value(error(3, "forbidden", "say \"please\"\n", false)),
        json!({"id":3,"error":{"code":"forbidden","message":"say \"please\"\n","temporary":false}})
    );
    let one = Event {
        channel: "scans",
        offset: 45,
        kind: "checkin.accepted",
        at,
        data: r#"{"seq":45}"#,
    };
    let inner =
        json!({"channel":"scans","offset":45,"type":"checkin.accepted","at":iso,"data":{"seq":45}});
    assert_eq!(value(event(&one)), json!({"event": inner}));
    let two = Event { offset: 46, ..one };
    let answer = value(subscribed(
        3,
        "scans",
        Kind::Counted,
        &Position::new("k\"9", 46),
        true,
        [one, two],
    ));
    assert_eq!(answer["subscribed"]["events"][0], inner);
    assert_eq!(answer["subscribed"]["events"][1]["offset"], 46);
    assert_eq!(answer["subscribed"]["epoch"], "k\"9");
    assert_eq!(
        value(subscribed(
            2,
            "scans",
            Kind::Counted,
            &Position::new("k", 0),
            false,
            []
        )),
        json!({"id":2,"subscribed":{"channel":"scans","kind":"counted","epoch":"k","offset":0,"recovered":false,"events":[]}})
    );
    let watchers = [Watcher {
        session: "s1",
        kind: "user",
        id: "u1",
        client: None,
    }];
    assert_eq!(
        value(presence(5, "scans", &watchers)),
        json!({"id":5,"presence":{"channel":"scans","watchers":[{"session":"s1","kind":"user","id":"u1"}]}})
    );
    assert_eq!(
        value(verdict(9, r#"{"verdict":"accepted"}"#)),
        json!({"id":9,"verdict":{"verdict":"accepted"}})
    );
}
