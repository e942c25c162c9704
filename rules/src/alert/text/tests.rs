//! Messages: what they say, that both forms say it, and that nothing that was given gets out of its
//! place.

use chrono::TimeDelta;

use super::super::evidence::{Evidence, Unit};
use super::super::route::Receiver;
use super::super::step::{Ack, Alert, Policy, Recovery, Seen, State, step};
use super::super::target::{Kind, Severity, Subject, Target};
use super::*;
use crate::time;

const START: i64 = 1_796_000_000_000;

fn target(n: u128, kind: Kind) -> Target {
    let whole = matches!(kind, Kind::Lag | Kind::ConnectionDown);
    Target {
        connection: Uuid::from_u128(1),
        table: (!whole).then(|| Uuid::from_u128(100 + n)),
        check: (!whole).then(|| Uuid::from_u128(1_000 + n)),
        kind,
    }
}

fn alert(n: u128, kind: Kind, severity: Severity) -> Alert {
    let evidence = Evidence {
        value: Some(7_200.0),
        low: None,
        high: Some(1_800.0),
        unit: Unit::Seconds,
        as_of: Some(time::from_ms(START - 1_000)),
        said: "No row is newer.".to_owned(),
    };
    let seen = Seen::Breach(severity, evidence);
    step(
        None,
        &target(n, kind),
        &Policy::default(),
        seen,
        time::from_ms(START),
    )
    .0
    .unwrap()
}

fn notification(lines: Vec<(News, Alert)>, reason: Reason, over: bool) -> Notification {
    let line = |(news, alert): (News, Alert)| Line {
        id: alert.id,
        news,
        alert: Some(alert),
    };
    Notification {
        id: Uuid::from_u128(5),
        key: "k".to_owned(),
        incident: Uuid::from_u128(6),
        number: 1,
        receiver: Receiver {
            channel_id: None,
            address: None,
        },
        route: None,
        reason,
        lines: lines.into_iter().map(line).collect(),
        over,
        at: time::from_ms(START),
    }
}

fn subject_of(target: Target, text: &str) -> Subject {
    let n = target.table.map_or(0, |table| table.as_u128() - 100);
    Subject {
        target,
        connection: format!("shop{text}"),
        table: target.table.map(|_| format!("public.t{n}{text}")),
        check: target.check.map(|_| format!("Freshness{text}")),
        labels: Default::default(),
        owner: Some(format!("Ada{text}")),
        description: Some(format!("Orders of the shop{text}")),
        runbook: Some(format!("https://example.org/run?a=1&b={text}")),
    }
}

fn made_with(notification: &Notification, text: &str) -> Message {
    let lines = notification
        .lines
        .iter()
        .filter_map(|line| line.alert.as_ref());
    let subjects: Vec<Subject> = lines.map(|alert| subject_of(alert.target, text)).collect();
    let zone = Zone::parse("Europe/Berlin").unwrap();
    message(&MessageIn {
        notification,
        subject: &|target| subjects.iter().find(|subject| subject.target == *target),
        zone: &zone,
        link: Some("https://pulse.example/incidents/6"),
    })
}

fn made(lines: Vec<(News, Alert)>, reason: Reason, over: bool) -> Message {
    made_with(&notification(lines, reason, over), "")
}

fn one(news: News, kind: Kind, severity: Severity) -> Vec<(News, Alert)> {
    vec![(news, alert(1, kind, severity))]
}

#[test]
fn a_message_says_what_fails_what_was_expected_as_of_when_and_what_to_do() {
    let message = made(
        one(News::Fired, Kind::Check, Severity::Fail),
        Reason::News,
        false,
    );
    assert_eq!(message.subject, "Failing: Freshness of public.t1 (shop)");
    assert_eq!(
        message.text,
        "New: Freshness of public.t1 (shop).

FAILING NOW (1)

Freshness of public.t1 [fail]
  Value: 2 h
  Expected: at most 30 min
  No row is newer.
  Data as of: 30 November 2026, 01:53
  Failing since: 30 November 2026, 01:53
  What it is for: Orders of the shop
  Owner: Ada
  Runbook: https://example.org/run?a=1&b=

Look at it: https://pulse.example/incidents/6

-- 
Times are those of Europe/Berlin.
Unsubscribe: {unsubscribe_url}
"
    );
    assert_eq!(
        serde_json::to_value(&message.alert).unwrap(),
        serde_json::json!({
            "severity": "error",
            "dedup_key": "pulse-incident-00000000000000000000000000000006",
            "status": "firing",
        })
    );
}

#[test]
fn both_forms_say_the_same() {
    let mut lines: Vec<(News, Alert)> = Vec::new();
    for (n, news) in (0..).zip([News::Fired, News::Escalated, News::Resolved, News::Standing]) {
        lines.extend((0..20).map(|m| (news, alert(n * 20 + m, Kind::Check, Severity::Warn))));
    }
    let message = made(lines, Reason::News, false);
    // The HTML without its tags, and without what only mail programs read.
    let body = message
        .html
        .split_once("<body")
        .unwrap()
        .1
        .split_once('>')
        .unwrap()
        .1;
    let mut said = String::new();
    let mut inside = true;
    for c in body.chars() {
        match c {
            '<' => inside = false,
            '>' => {
                inside = true;
                said.push(' ');
            }
            c if inside => said.push(c),
            _ => {}
        }
    }
    let plain = |text: &str| {
        let text = text
            .replace("&amp;", "&")
            .replace("&#39;", "'")
            .replace("&quot;", "\"");
        text.split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
            .to_lowercase()
    };
    let said = plain(&said);
    for line in message
        .text
        .lines()
        .map(|line| line.trim_start_matches([' ', '-']))
    {
        let line = match line.split_once(": ") {
            // Links are under their words there.
            Some(("Look at it" | "Unsubscribe", _)) => continue,
            _ => plain(line),
        };
        assert!(said.contains(&line), "{line}\nis not in\n{said}");
    }
    assert!(
        message
            .html
            .contains("href=\"https://pulse.example/incidents/6\"")
    );
}

#[test]
fn the_subject_says_how_it_stands() {
    let fifty = |news| {
        (0..50)
            .map(|n| (news, alert(n, Kind::Check, Severity::Fail)))
            .collect::<Vec<_>>()
    };
    let both = vec![
        (News::Resolved, alert(1, Kind::Check, Severity::Fail)),
        (News::Fired, alert(2, Kind::Check, Severity::Warn)),
    ];
    for (lines, reason, over, subject) in [
        (
            one(News::Fired, Kind::Check, Severity::Warn),
            Reason::News,
            false,
            "Warning: Freshness of public.t1 (shop)",
        ),
        (
            one(News::Fired, Kind::ConnectionDown, Severity::Fail),
            Reason::News,
            false,
            "Failing: Connection down (shop)",
        ),
        (
            one(News::Fired, Kind::Lag, Severity::Fail),
            Reason::News,
            false,
            "Failing: Replica lag (shop)",
        ),
        (
            one(News::Fired, Kind::Schema, Severity::Fail),
            Reason::News,
            false,
            "Failing: Columns of public.t1 (shop)",
        ),
        (
            one(News::Fired, Kind::Errored, Severity::Fail),
            Reason::News,
            false,
            "Failing: Freshness of public.t1, which cannot run (shop)",
        ),
        (
            one(News::Fired, Kind::Misconfigured, Severity::Fail),
            Reason::News,
            false,
            "Failing: Freshness of public.t1, misconfigured (shop)",
        ),
        (
            one(News::Escalated, Kind::Check, Severity::Fail),
            Reason::News,
            false,
            "Failing: Freshness of public.t1 (shop)",
        ),
        (
            one(News::Resolved, Kind::Check, Severity::Fail),
            Reason::News,
            true,
            "Resolved: Freshness of public.t1 (shop)",
        ),
        (
            one(News::Resolved, Kind::Check, Severity::Fail),
            Reason::News,
            false,
            "Partly resolved: Freshness of public.t1 (shop)",
        ),
        (
            one(News::Standing, Kind::Check, Severity::Fail),
            Reason::Repeat,
            false,
            "Still failing: Freshness of public.t1 (shop)",
        ),
        (
            one(News::Fired, Kind::Check, Severity::Fail),
            Reason::Escalation,
            false,
            "Failing, unacknowledged: Freshness of public.t1 (shop)",
        ),
        (
            fifty(News::Fired),
            Reason::News,
            false,
            "Failing: 50 alerts on 50 tables (shop)",
        ),
        (
            both,
            Reason::News,
            false,
            "Warning: Freshness of public.t2 (shop)",
        ),
    ] {
        assert_eq!(made(lines, reason, over).subject, subject);
    }
}

#[test]
fn incident_services_are_told_how_bad_it_is_and_when_it_is_over() {
    for (kind, severity, over, urgency, status) in [
        (
            Kind::Check,
            Severity::Warn,
            false,
            Urgency::Warning,
            Status::Firing,
        ),
        (
            Kind::Check,
            Severity::Fail,
            false,
            Urgency::Error,
            Status::Firing,
        ),
        (
            Kind::ConnectionDown,
            Severity::Fail,
            false,
            Urgency::Critical,
            Status::Firing,
        ),
        (
            Kind::Check,
            Severity::Fail,
            true,
            Urgency::Error,
            Status::Resolved,
        ),
    ] {
        let news = if over { News::Resolved } else { News::Fired };
        let signal = made(one(news, kind, severity), Reason::News, over).alert;
        assert_eq!((signal.severity, signal.status), (urgency, status));
    }
}

#[test]
fn a_resolved_alert_says_how_long_it_lasted_and_what_is_seen_now() {
    let mut ended = alert(1, Kind::Check, Severity::Fail);
    ended.recovery = Some(Recovery {
        since: time::from_ms(START + 600_000),
        unsure: false,
        evidence: Evidence {
            value: Some(60.0),
            unit: Unit::Seconds,
            ..Evidence::default()
        },
    });
    ended.state = State::Resolved;
    ended.resolved_at = Some(ended.since + TimeDelta::minutes(125));
    let text = made(vec![(News::Resolved, ended)], Reason::News, true).text;
    assert!(text.contains("Value now: 1 min\n"), "{text}");
    assert!(
        text.contains("Resolved: 30 November 2026, 03:58 after 2 h 5 min\n"),
        "{text}"
    );
    assert!(text.contains("Nothing of this incident is left."), "{text}");
    let mut acked = alert(1, Kind::Check, Severity::Fail);
    acked.ack = Some(Ack {
        by: None,
        at: acked.since,
    });
    let text = made(vec![(News::Standing, acked)], Reason::News, false).text;
    assert!(
        text.contains("Acknowledged: 30 November 2026, 01:53\n"),
        "{text}"
    );
}

#[test]
fn fifty_tables_are_named_and_more_are_counted() {
    let of = |count| {
        (0..count)
            .map(|n| (News::Fired, alert(n, Kind::Check, Severity::Fail)))
            .collect::<Vec<_>>()
    };
    let fifty = made(of(50), Reason::News, false);
    assert!(
        (0..50).all(|n| fifty.text.contains(&format!("public.t{n}\n"))
            || fifty.text.contains(&format!("public.t{n} ")))
    );
    assert!(
        fifty.html.len() < 100_000,
        "mail programs cut there: {}",
        fifty.html.len()
    );
    let many = made(of(1_000), Reason::News, false);
    assert!(many.text.contains("FAILING NOW (1000)") && many.text.contains("… and 925 more."));
    assert!(many.html.contains("… and 925 more."));
}

#[test]
fn whatever_names_hold_is_only_text_in_a_bounded_message() {
    let evil = "\"><script>alert(1)</script><img src=x onerror=y>\r\nBcc: a@b.c\u{202e}\0'&{unsubscribe_url}";
    let long = evil.repeat(400);
    for text in [evil, &long] {
        let lines: Vec<_> = (0..200)
            .map(|n| (News::Fired, alert(n, Kind::Check, Severity::Fail)))
            .collect();
        let mut notification = notification(lines, Reason::News, false);
        for line in &mut notification.lines {
            line.alert.as_mut().unwrap().evidence.said = text.to_owned();
        }
        let message = made_with(&notification, text);
        assert!(message.html.len() < 256_000 && message.text.len() < 64_000);
        assert!(message.subject.chars().count() <= SUBJECT);
        assert!(!message.subject.chars().any(char::is_control));
        for bad in ["<script", "<img", "\u{202e}", "\0", "\r"] {
            assert!(!message.html.contains(bad), "{bad:?}");
        }
        assert!(!message.text.lines().any(|line| line.starts_with("Bcc")));
        // The only links: to the incident, to runbooks, and to unsubscribe.
        for href in message.html.split("href=\"").skip(1) {
            let href = href.split_once('"').unwrap().0;
            assert!(
                href.starts_with("https://") || href == "{unsubscribe_url}",
                "{href}"
            );
        }
        assert_eq!(message.html.matches("{unsubscribe_url}").count(), 1);
        assert_eq!(message.text.matches("{unsubscribe_url}").count(), 1);
        let known = [
            "a", "b", "body", "br", "h", "head", "html", "meta", "p", "strong", "style", "table",
            "td", "title", "tr", "h2", "!DOCTYPE",
        ];
        for tag in message.html.split('<').skip(1) {
            let name: String = tag
                .trim_start_matches('/')
                .chars()
                .take_while(|c| c.is_ascii_alphanumeric() || *c == '!')
                .collect();
            assert!(known.contains(&name.as_str()), "{name}");
        }
    }
}

#[test]
fn a_runbook_that_is_no_address_is_told_and_not_linked() {
    for (given, linked) in [
        ("https://example.org/a", true),
        ("HTTP://example.org/a", true),
        ("javascript:alert(1)", false),
        ("data:text/html,x", false),
        ("see the wiki", false),
        ("https://example.org/a b", false),
    ] {
        assert_eq!(words::link(given).is_some(), linked, "{given}");
    }
}

#[test]
fn lengths_of_time_are_told_in_two_units() {
    for (seconds, told) in [
        (0, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (3_661, "1 h 1 min"),
        (3_605, "1 h"),
        (90_000, "1 d 1 h"),
        (-5, "0 s"),
    ] {
        assert_eq!(words::length(TimeDelta::seconds(seconds)), told);
    }
}

#[test]
fn the_same_notification_makes_the_same_bytes() {
    let lines = || {
        (0..40)
            .map(|n| (News::Fired, alert(n, Kind::Check, Severity::Fail)))
            .collect::<Vec<_>>()
    };
    let mut other = lines();
    other.reverse();
    assert_eq!(
        made(lines(), Reason::News, false),
        made(other, Reason::News, false)
    );
}
