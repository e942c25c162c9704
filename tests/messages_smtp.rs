//! E-mail to a real mail server: encrypted both ways, with log-in, and when things go wrong.
//!
//! Invariant: what certainly did not arrive is sent again; what may have is not.
//! Failure: the mail that came, and the delivery as it stands.

use mail_parser::MimeHeaders as _;
use pulse_tests::mail_server::{MailServer, Setup};
use pulse_tests::messages::{Channel, Posted};
use pulse_tests::prelude::*;
use std::time::Duration;

/// A channel that leads to the server; `extra` settings.
async fn channel(tenant: &Tenant, server: &MailServer, extra: Value) -> Channel {
    let mut settings = server.settings();
    for (name, value) in extra.as_object().expect("settings") {
        settings[name] = value.clone();
    }
    Channel::with(tenant, "smtp", settings).await
}

fn tls() -> Value {
    json!({"security": "tls"})
}

#[tokio::test]
async fn mail_goes_out_encrypted_from_the_first_byte_or_from_starttls_on() {
    let tenant = Tenant::new().await;
    for (setup, security) in [(Setup::tls(), "tls"), (Setup::starttls(), "starttls")] {
        let server = setup.user("ada", "s3cret pässword").start();
        let settings =
            json!({"security": security, "username": "ada", "password": "s3cret pässword"});
        let channel = channel(&tenant, &server, settings).await;
        let sent = channel.post("bob@example.org").await.ends("sent").await;
        assert_eq!(sent["last_status"], 250);
        assert_eq!(sent["provider_id"], "ABCDEF123456");
        let mail = server.received(1).await.remove(0);
        assert!(mail.tls, "{security}");
        assert_eq!(mail.user.as_deref(), Some("ada"));
        assert_eq!(
            (mail.from.as_str(), mail.to.as_slice()),
            ("reports@example.org", &["bob@example.org".to_owned()][..])
        );
    }
}

#[tokio::test]
async fn a_mail_has_everything_that_mail_programs_look_for() {
    let tenant = Tenant::new().await;
    let server = Setup::tls().start();
    let channel = channel(
        &tenant,
        &server,
        json!({"security": "tls", "reply_to": "desk@example.org"}),
    )
    .await;
    let files = json!([
        {"name": "chart.png", "content_type": "image/png", "content": "iVBORw0KGgo=", "content_id": "chart-1"},
        {"name": "données.csv", "content_type": "text/csv; charset=utf-8", "content": "YSxiCjEsMgo=", "content_id": null},
    ]);
    let posted = Posted::with(
        &tenant,
        json!({
            "subject": "Umsätze: Woche 22 — 42 %", "attachments": files,
            "html": "<p>Grüße <img src=\"cid:chart-1\"> <a href=\"{unsubscribe_url}\">weg</a></p>",
            "text": ".one dot\n..two dots\nGrüße\n{unsubscribe_url}\n.\n",
            "recipients": [{"channel_id": channel.id, "address": "bob@example.org"}],
        }),
    )
    .await;
    posted.ends("sent").await;
    let mail = server.received(1).await.remove(0);
    assert!(mail.body.is_ascii());
    let message = mail.parsed();
    assert_eq!(message.subject(), Some("Umsätze: Woche 22 — 42 %"));
    let text = message.body_text(0).expect("a text");
    assert!(
        text.starts_with(".one dot\r\n..two dots\r\nGrüße\r\n")
            || text.starts_with(".one dot\n..two dots\nGrüße\n"),
        "{text:?}"
    );
    assert!(
        text.trim_end().ends_with('.'),
        "a lone dot is no end: {text:?}"
    );
    let html = message.body_html(0).expect("HTML");
    let link = mail.header("List-Unsubscribe");
    let link = link.trim_start_matches('<').trim_end_matches('>');
    assert!(html.contains(link) && text.contains(link), "{link}");
    assert_eq!(
        mail.header("List-Unsubscribe-Post"),
        "List-Unsubscribe=One-Click"
    );
    assert_eq!(mail.header("Reply-To"), "<desk@example.org>");
    assert!(mail.header("From").contains("<reports@example.org>"));
    assert!(mail.header("Message-ID").ends_with("@example.org>"));
    let names: Vec<_> = message
        .attachments()
        .map(|part| part.attachment_name())
        .collect();
    assert!(names.contains(&Some("données.csv")), "{names:?}");
    let csv = message
        .attachments()
        .find(|part| part.attachment_name().is_some())
        .expect("a file");
    assert_eq!(csv.contents(), b"a,b\n1,2\n");
    assert!(String::from_utf8_lossy(&mail.body).contains("Content-ID: <chart-1>"));
}

#[tokio::test]
async fn addresses_outside_ascii_go_out_as_far_as_the_server_lets_them() {
    let tenant = Tenant::new().await;
    let server = Setup::tls().start();
    let channel = channel(&tenant, &server, tls()).await;
    channel.post("ada@bücher.example").await.ends("sent").await;
    let mail = server.received(1).await.remove(0);
    assert_eq!(
        (mail.asked.as_str(), mail.utf8),
        ("RCPT TO:<ada@xn--bcher-kva.example>", false)
    );
    let posted = channel.post("jürgen@example.org").await;
    posted.ends("sent").await;
    let mail = server.received(2).await.remove(1);
    assert_eq!(
        (mail.asked.as_str(), mail.utf8),
        ("RCPT TO:<jürgen@example.org>", true)
    );
}

#[tokio::test]
async fn log_in_works_where_only_login_is_offered() {
    let tenant = Tenant::new().await;
    let server = Setup::tls().user("ada", "x").methods(["LOGIN"]).start();
    let settings = json!({"security": "tls", "username": "ada", "password": "x"});
    let channel = channel(&tenant, &server, settings).await;
    channel.post("bob@example.org").await.ends("sent").await;
    assert_eq!(server.received(1).await[0].user.as_deref(), Some("ada"));
}

#[tokio::test]
async fn a_wrong_password_fails_at_once_and_says_so() {
    let tenant = Tenant::new().await;
    let server = Setup::starttls().user("ada", "right").start();
    let settings = json!({"security": "starttls", "username": "ada", "password": "wrong"});
    let channel = channel(&tenant, &server, settings).await;
    let failed = channel.post("bob@example.org").await.ends("failed").await;
    assert_eq!(
        (&failed["last_status"], &failed["attempt_count"]),
        (&json!(535), &json!(1))
    );
    assert!(
        failed["attempts"][0]["answer"]
            .as_str()
            .is_some_and(|answer| answer.contains("who are you"))
    );
    assert!(!failed.to_string().contains("wrong"), "{failed}");
    assert!(channel.show().await.at("/failing_since").is_string());
    assert_eq!(server.mails().len(), 0);
}

#[tokio::test]
async fn a_certificate_that_nobody_signed_is_not_spoken_to() {
    let tenant = Tenant::new().await;
    for (setup, security, code) in [
        (Setup::tls(), "tls", "peer_unavailable"),
        (Setup::starttls(), "starttls", "tls_failed"),
    ] {
        let server = setup.untrusted().user("ada", "x").start();
        let settings = json!({"security": security, "username": "ada", "password": "x"});
        let channel = channel(&tenant, &server, settings).await;
        let tried = channel.post("bob@example.org").await.tried(1).await;
        assert_eq!(
            (&tried["status"], &tried["last_error"]),
            (&json!("pending"), &json!(code))
        );
        assert_eq!(server.mails().len(), 0);
    }
}

#[tokio::test]
async fn a_server_without_starttls_is_told_nothing() {
    let tenant = Tenant::new().await;
    let server = Setup::plain().start();
    let channel = channel(&tenant, &server, json!({"security": "starttls"})).await;
    let failed = channel.post("bob@example.org").await.ends("failed").await;
    assert_eq!(failed["last_error"], "starttls_unavailable");
    assert_eq!(server.mails().len(), 0);
    // Where private addresses may be called, one may do without.
    let open = self::channel(&tenant, &server, json!({"security": "none"})).await;
    open.post("bob@example.org").await.ends("sent").await;
}

#[tokio::test]
async fn a_refusal_for_good_is_not_tried_again_and_one_for_now_is() {
    let tenant = Tenant::new().await;
    for (plan, code, failing) in [
        ("rcpt:550", 550, false),
        ("data:552", 552, false),
        ("mail:553", 553, true),
        ("greet:554", 554, true),
    ] {
        let server = Setup::tls().plans([plan]).start();
        let channel = channel(&tenant, &server, tls()).await;
        let failed = channel.post("bob@example.org").await.ends("failed").await;
        assert_eq!(
            (&failed["last_status"], &failed["attempt_count"]),
            (&json!(code), &json!(1)),
            "{plan}"
        );
        assert_eq!(
            channel.show().await.at("/failing_since").is_string(),
            failing,
            "{plan}"
        );
    }
    for (plan, code) in [
        ("rcpt:450", 450),
        ("data:452", 452),
        ("mail:451", 451),
        ("greet:421", 421),
    ] {
        let server = Setup::tls().plans([plan, "take"]).start();
        let posted = channel(&tenant, &server, tls())
            .await
            .post("bob@example.org")
            .await;
        let tried = posted.tried(1).await;
        assert_eq!(
            (&tried["status"], &tried["last_status"]),
            (&json!("pending"), &json!(code)),
            "{plan}"
        );
        posted.make_due().await;
        posted.ends("sent").await;
        assert_eq!(server.received(1).await.len(), 1, "{plan}");
    }
}

#[tokio::test]
async fn an_address_that_the_server_does_not_know_gets_nothing_more() {
    let tenant = Tenant::new().await;
    let server = Setup::tls()
        .plans(["rcpt:550:5.1.1 nobody here", "take"])
        .start();
    let channel = channel(&tenant, &server, tls()).await;
    let failed = channel
        .post("Nobody@example.org")
        .await
        .ends("failed")
        .await;
    assert_eq!(failed["bounce"], "hard");
    let listed = tenant.client().get("/api/suppressions").await;
    let all = listed.list_at("/items");
    assert_eq!(all.len(), 1);
    assert_eq!(all[0]["address"], "nobody@example.org");
    assert_eq!(all[0]["note"], "5.1.1 nobody here");
    channel
        .post("nobody@example.org")
        .await
        .ends("suppressed")
        .await;
    channel.post("ada@example.org").await.ends("sent").await;
}

#[tokio::test]
async fn a_connection_that_ends_before_the_message_does_is_no_doubt() {
    let tenant = Tenant::new().await;
    let refused = json!({"host": "localhost", "port": 9, "security": "tls", "from": {"email": "a@example.org"}});
    let nowhere = Channel::with(&tenant, "smtp", refused).await;
    let tried = nowhere.post("bob@example.org").await.tried(1).await;
    assert_eq!(
        (&tried["status"], &tried["last_error"]),
        (&json!("pending"), &json!("peer_unavailable"))
    );
    // Large enough that the connection ends long before its last bytes are on their way.
    let server = Setup::tls().plans(["drop_in_data", "take"]).start();
    let channel = channel(&tenant, &server, tls()).await;
    let posted = Posted::with(
        &tenant,
        json!({
            "text": "numbers\n".repeat(500_000),
            "recipients": [{"channel_id": channel.id, "address": "bob@example.org"}],
        }),
    )
    .await;
    let tried = posted.tried(1).await;
    assert_eq!(
        (&tried["status"], &tried["last_error"]),
        (&json!("pending"), &json!("peer_unavailable"))
    );
    posted.make_due().await;
    posted.ends("sent").await;
    assert_eq!(server.received(1).await.len(), 1);
}

#[tokio::test]
async fn an_answer_that_is_lost_behind_the_message_leaves_it_unknown() {
    let tenant = Tenant::new().await;
    for (plan, code) in [
        ("lose_answer", "peer_unavailable"),
        ("answer_never", "peer_timeout"),
    ] {
        let server = Setup::tls().plans([plan, "take"]).start();
        let posted = channel(&tenant, &server, tls())
            .await
            .post("bob@example.org")
            .await;
        let unknown = posted.ends("unknown").await;
        assert_eq!(unknown["last_error"], code, "{plan}");
        posted.announce().await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(server.received(1).await.len(), 1, "{plan}");
        let path = format!(
            "/api/messages/{}/retry",
            unknown["id"].as_str().expect("an id")
        );
        tenant.client().call("POST", &path).await.expect_status(200);
        posted.ends("sent").await;
        let mails = server.received(2).await;
        // A mailbox that has the first one knows the second by its identifier.
        assert_eq!(mails[0].header("Message-ID"), mails[1].header("Message-ID"));
    }
}

#[tokio::test]
async fn a_server_that_says_nothing_is_given_up_in_time_and_asked_again() {
    let tenant = Tenant::new().await;
    let server = Setup::tls().plans(["greet_never", "take"]).start();
    let posted = channel(&tenant, &server, tls())
        .await
        .post("bob@example.org")
        .await;
    let tried = posted.tried(1).await;
    assert_eq!(
        (&tried["status"], &tried["last_error"]),
        (&json!("pending"), &json!("peer_timeout"))
    );
    let took = tried["attempts"][0]["duration_ms"]
        .as_i64()
        .expect("a time");
    assert!((9_500..13_000).contains(&took), "{took} ms");
    posted.make_due().await;
    posted.ends("sent").await;
}

#[tokio::test]
async fn a_slow_server_gets_the_time_it_needs() {
    let tenant = Tenant::new().await;
    let server = Setup::starttls().plans(["answer_late:6000"]).start();
    let posted = channel(&tenant, &server, json!({"security": "starttls"}))
        .await
        .post("bob@example.org")
        .await;
    let sent = posted.ends("sent").await;
    assert_eq!(
        (&sent["attempt_count"], server.mails().len()),
        (&json!(1), 1)
    );
}

#[tokio::test]
async fn many_recipients_get_one_mail_each_a_few_at_a_time() {
    let tenant = Tenant::new().await;
    let server = Setup::tls().start();
    let channel = channel(&tenant, &server, tls()).await;
    let recipients: Vec<_> = (0..25)
        .map(|n| json!({"channel_id": channel.id, "address": format!("g{n}@example.org")}))
        .collect();
    let posted = Posted::with(&tenant, json!({"recipients": recipients})).await;
    posted.settled("sent", 25).await;
    let mails = server.mails();
    let mut to: Vec<_> = mails.iter().map(|mail| mail.to.clone()).collect();
    to.sort();
    to.dedup();
    assert_eq!((mails.len(), to.len()), (25, 25));
    assert!(to.iter().all(|one| one.len() == 1), "one recipient each");
    let links: std::collections::BTreeSet<_> = mails
        .iter()
        .map(|mail| mail.header("List-Unsubscribe"))
        .collect();
    assert_eq!(links.len(), 25, "each has a link of their own");
}
