//! One socket, from its first frame to its end.

use super::*;
use crate::roles::Role;

const CONNECT: &str = r#"{"id":1,"connect":{"token":"t"}}"#;

fn ada() -> Identity {
    Identity {
        kind: "user".into(),
        id: "018f3c1e-7b2a-7c3d-8e4f-0123456789ab".into(),
        sign_in: Some("018f3c1e-7b2a-7c3d-8e4f-0123456789ac".into()),
        tenant: "018f3c1e-7b2a-7c3d-8e4f-0123456789ad".into(),
        role: Role::Manager,
        profile: None,
        generation: None,
        confirmed_ms: Some(5),
    }
}

fn access(_: &Identity, channel: &str) -> Access {
    match channel {
        "scans" | "stats" => Access::Granted,
        "roster" => Access::Forbidden,
        name if name.starts_with("c.") => Access::Granted,
        _ => Access::Unknown,
    }
}

fn connected(expires_ms: i64) -> Session {
    let mut session = Session::new("s1", 0);
    assert!(matches!(
        session.on_text(CONNECT, 5, access),
        Action::Verify { id: 1, .. }
    ));
    session
        .accept(ada(), Some("dashboard/1.4".into()), expires_ms, 5)
        .unwrap();
    session
}

fn answer(session: &mut Session, text: &str) -> String {
    match session.on_text(text, 10, access) {
        Action::Answer(text) => text,
        other => panic!("{other:?}"),
    }
}

fn closed(session: &mut Session, text: &str, now_ms: i64) -> u16 {
    match session.on_text(text, now_ms, access) {
        Action::Close(close) => close.code,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_socket_without_a_token_ends_after_ten_seconds() {
    let mut session = Session::new("s1", 1_000);
    assert_eq!(
        (session.due(10_999), session.due(11_000)),
        (None, Some(close::NO_TOKEN))
    );
    assert_eq!(closed(&mut session, CONNECT, 11_000), 3_502);
}

#[test]
fn the_first_frame_is_the_token() {
    for text in [
        r#"{"id":2,"subscribe":{"channel":"scans"}}"#,
        r#"{"id":9,"scan":{}}"#,
        r#"{"id":9,"sync":{"items":[]}}"#,
        r#"{"id":6,"refresh":{"token":"t"}}"#,
        "nonsense",
    ] {
        assert_eq!(closed(&mut Session::new("s1", 0), text, 1), 3_501, "{text}");
    }
    assert_eq!(answer(&mut Session::new("s1", 0), "\"ping\""), "\"pong\"");
}

#[test]
fn a_token_that_is_past_does_not_connect() {
    let mut session = Session::new("s1", 0);
    assert_eq!(session.accept(ada(), None, 7, 7), Err(close::REVOKED));
    assert!(session.identity().is_none());
    assert_eq!(connected(900_005).deadline_ms(), 925_005);
}

#[test]
fn channels_are_subscribed_once_and_left_once() {
    let mut session = connected(900_000);
    let subscribe =
        r#"{"id":2,"subscribe":{"channel":"scans","recover":{"epoch":"k","offset":4}}}"#;
    match session.on_text(subscribe, 10, access) {
        Action::Subscribed {
            id: 2,
            channel,
            recover: Some(position),
        } => {
            assert_eq!((channel.as_str(), position.offset), ("scans", 4));
        }
        other => panic!("{other:?}"),
    }
    assert!(session.has("scans") && !session.has("stats"));
    assert!(answer(&mut session, subscribe).contains("already_subscribed"));
    assert!(
        answer(
            &mut session,
            r#"{"id":3,"unsubscribe":{"channel":"stats"}}"#
        )
        .contains("not_subscribed")
    );
    assert!(
        answer(
            &mut session,
            r#"{"id":4,"unsubscribe":{"channel":"scans"}}"#
        )
        .contains("\"unsubscribed\"")
    );
    assert!(!session.has("scans"));
}

#[test]
fn a_channel_one_may_not_see_is_an_error_and_the_socket_lives() {
    let mut session = connected(900_000);
    assert!(
        answer(&mut session, r#"{"id":2,"subscribe":{"channel":"roster"}}"#).contains("forbidden")
    );
    assert!(
        answer(&mut session, r#"{"id":3,"subscribe":{"channel":"nope"}}"#)
            .contains("unknown_channel")
    );
    assert!(
        answer(&mut session, r#"{"id":4,"presence":{"channel":"roster"}}"#).contains("forbidden")
    );
    assert!(session.channels().is_empty() && session.due(10).is_none());
    assert!(answer(&mut session, CONNECT).contains("already_connected"));
}

#[test]
fn presence_and_scans_reach_the_shell() {
    let mut session = connected(900_000);
    assert!(matches!(
        session.on_text(r#"{"id":5,"presence":{"channel":"scans"}}"#, 10, access),
        Action::Presence { id: 5, .. }
    ));
    assert!(matches!(
        session.on_text(r#"{"id":9,"scan":{"barcode":"A"}}"#, 10, access),
        Action::Scan {
            id: 9,
            body: r#"{"barcode":"A"}"#
        }
    ));
    assert!(matches!(
        session.on_text(r#"{"id":10,"sync":{"items":[]}}"#, 10, access),
        Action::Sync {
            id: 10,
            body: r#"{"items":[]}"#
        }
    ));
}

#[test]
fn a_token_may_be_renewed_until_25_seconds_past_its_end() {
    let mut session = connected(60_000);
    assert!(matches!(
        session.on_text(r#"{"id":6,"refresh":{"token":"u"}}"#, 84_999, access),
        Action::Renew { id: 6, .. }
    ));
    assert_eq!(session.renew(ada(), 200_000, 84_999), Ok(115));
    assert_eq!(session.due(224_999), None);
    assert_eq!(
        closed(&mut session, r#"{"id":6,"refresh":{"token":"u"}}"#, 225_000),
        3_005
    );
    assert!(close::EXPIRED.reconnect());
}

#[test]
fn a_newer_token_must_be_the_same_readers() {
    let mut session = connected(60_000);
    for other in [
        Identity {
            id: "other".into(),
            ..ada()
        },
        Identity {
            tenant: "other".into(),
            ..ada()
        },
        Identity {
            kind: "device".into(),
            ..ada()
        },
    ] {
        assert_eq!(session.renew(other, 200_000, 10), Err("other_identity"));
    }
    assert_eq!(session.renew(ada(), 10, 10), Err("token_expired"));
    assert_eq!(
        Session::new("s", 0).renew(ada(), 100, 10),
        Err("not_connected")
    );
    assert_eq!(
        session.renew(
            Identity {
                role: Role::ReadOnly,
                ..ada()
            },
            200_000,
            10
        ),
        Ok(199)
    );
    assert_eq!(session.identity().map(|who| who.role), Some(Role::ReadOnly));
}

#[test]
fn a_role_that_was_lowered_loses_its_channels() {
    let mut session = connected(60_000);
    for channel in ["scans", "stats"] {
        let text = format!(r#"{{"id":2,"subscribe":{{"channel":"{channel}"}}}}"#);
        assert!(matches!(
            session.on_text(&text, 10, access),
            Action::Subscribed { .. }
        ));
    }
    assert_eq!(session.drop_channels(|_, name| name == "stats"), ["scans"]);
    assert_eq!(session.channels(), ["stats"]);
}

#[test]
fn a_role_that_changed_elsewhere_is_the_readers_from_then_on() {
    let mut session = connected(1_000);
    session.set_role(Role::ReadOnly);
    let identity = session.identity().unwrap();
    assert_eq!((identity.role, &*identity.id), (Role::ReadOnly, &*ada().id));
    let mut nobody = Session::new("s2", 0);
    nobody.set_role(Role::Admin);
    assert_eq!(nobody.identity(), None);
}

#[test]
fn scans_batches_and_reports_act_and_watching_does_not() {
    let mut session = connected(1_000);
    for (text, expect) in [
        (r#"{"id":7,"scan":{}}"#, Some(7)),
        (r#"{"id":8,"sync":{"items":[]}}"#, Some(8)),
        (r#"{"id":9,"status":{}}"#, Some(9)),
        (r#"{"id":2,"subscribe":{"channel":"scans"}}"#, None),
        (r#"{"id":5,"presence":{"channel":"scans"}}"#, None),
        (r#"{"id":6,"refresh":{"token":"t"}}"#, None),
    ] {
        assert_eq!(session.on_text(text, 10, access).acts(), expect, "{text}");
    }
}

#[test]
fn the_fullest_session_fits_the_hibernation_attachment() {
    let mut session = connected(i64::MAX);
    for n in 0..MAX_CHANNELS {
        let channel = format!("c.{n:0>62}");
        let text = format!(r#"{{"id":2,"subscribe":{{"channel":"{channel}"}}}}"#);
        assert!(matches!(
            session.on_text(&text, 10, access),
            Action::Subscribed { .. }
        ));
    }
    assert!(
        answer(&mut session, r#"{"id":2,"subscribe":{"channel":"scans"}}"#)
            .contains("too_many_channels")
    );
    let text = serde_json::to_string(&session).unwrap();
    assert!(text.len() < 4_096, "{}", text.len());
    assert_eq!(serde_json::from_str::<Session>(&text).unwrap(), session);
}
