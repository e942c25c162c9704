//! Settings as people type them, kind by kind.

use super::*;

const STRICT: fn() -> Policy = Policy::strict;

fn object(value: Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap()
}

fn made(kind: Kind, given: Value) -> Result<Checked, Invalid> {
    check(kind, Before::default(), object(given), &STRICT())
}

fn wrong(kind: Kind, given: Value) -> Vec<(String, String)> {
    let refused = made(kind, given).unwrap_err();
    let errors = refused.errors.into_iter();
    errors.map(|error| (error.pointer, error.code)).collect()
}

/// Settings of every kind as its provider gives them.
fn sound(kind: Kind) -> Value {
    let from = json!({"email": "reports@example.org", "name": "Reports"});
    match kind {
        Kind::Default | Kind::Outbox => json!({}),
        Kind::Smtp => json!({"host": "smtp.example.org", "username": "ada", "password": "s p",
                             "from": from, "reply_to": "ada@example.org"}),
        Kind::Sendgrid => json!({"api_key": "SG.x", "region": "eu", "from": from}),
        Kind::Ses => json!({"region": "eu-central-1", "access_key_id": "AKIAX",
                            "secret_access_key": "a/b+c", "from": from}),
        Kind::Resend => json!({"api_key": "re_x", "from": from,
                               "events_secret": signature::secret([7; 32])}),
        Kind::CloudflareEmail => json!({"account_id": "0a1b", "api_token": "t", "from": from}),
        Kind::Slack | Kind::Teams => json!({"url": "https://hooks.slack.com/services/T/B/x"}),
        Kind::Twilio => json!({"account_sid": "AC0", "auth_token": "t", "from": "+1 415 555 0123"}),
        Kind::Webhook => json!({"url": "https://hooks.example.org/in"}),
        Kind::Pagerduty => json!({"routing_key": "r", "region": "eu"}),
        Kind::Opsgenie => json!({"api_key": "k"}),
    }
}

#[test]
fn every_kind_is_set_up_and_no_secret_is_among_what_is_shown() {
    for kind in Kind::ALL {
        let checked = made(*kind, sound(*kind)).unwrap();
        for field in of(*kind).iter().filter(|field| field.secret) {
            assert!(!checked.settings.contains_key(field.name), "{kind:?}");
        }
        let shown = Value::Object(checked.settings).to_string();
        for secret in checked.secrets.values().flatten() {
            assert!(
                secret.len() < 3 || !shown.contains(secret),
                "{kind:?} shows {secret}"
            );
        }
    }
}

#[test]
fn every_kind_misses_each_of_its_required_settings() {
    for kind in Kind::ALL {
        for field in of(*kind).iter().filter(|field| field.required) {
            let mut given = object(sound(*kind));
            given.remove(field.name);
            let pointer = format!("/settings/{}", field.name);
            let expected = [(pointer, "required".to_owned())];
            assert_eq!(wrong(*kind, Value::Object(given)), expected, "{kind:?}");
        }
    }
}

#[test]
fn what_is_unknown_or_of_another_type_is_named() {
    let given = json!({"host": 7, "pass/word": "x", "from": "ada@example.org", "port": "587"});
    let mut errors = wrong(Kind::Smtp, given);
    errors.sort();
    let expected = [
        ("/settings/from", "wrong_type"),
        ("/settings/host", "wrong_type"),
        ("/settings/pass~1word", "unknown_field"),
        ("/settings/port", "port_not_allowed"),
    ];
    assert_eq!(
        errors,
        expected.map(|(at, code)| (at.to_owned(), code.to_owned()))
    );
    let from = json!({"email": "no", "name": "a\nb", "phone": "x"});
    let errors = wrong(Kind::Sendgrid, json!({"api_key": "k", "from": from}));
    let pointers: Vec<_> = errors.iter().map(|(at, _)| at.as_str()).collect();
    assert_eq!(
        pointers,
        [
            "/settings/from/phone",
            "/settings/from/email",
            "/settings/from/name"
        ]
    );
}

#[test]
fn a_mail_server_is_encrypted_and_on_a_port_for_users() {
    let with = |extra: Value| {
        let mut given = object(sound(Kind::Smtp));
        given.extend(object(extra));
        made(Kind::Smtp, Value::Object(given)).map(|checked| {
            (
                checked.settings["port"].clone(),
                checked.settings["security"].clone(),
            )
        })
    };
    let expected = |port: u16, security: &str| Ok((json!(port), json!(security)));
    assert_eq!(with(json!({})), expected(465, "tls"));
    assert_eq!(with(json!({"port": 587})), expected(587, "starttls"));
    assert_eq!(with(json!({"port": 2525})), expected(2_525, "starttls"));
    assert_eq!(
        with(json!({"security": "starttls"})),
        expected(587, "starttls")
    );
    assert_eq!(
        with(json!({"port": 2525, "security": "tls"})),
        expected(2_525, "tls")
    );
    let code = |extra| with(extra).unwrap_err().errors[0].code.clone();
    assert_eq!(code(json!({"security": "none"})), "not_encrypted");
    assert_eq!(code(json!({"port": 25})), "port_not_allowed");
    assert_eq!(code(json!({"port": 0})), "port_not_allowed");
    assert_eq!(code(json!({"port": 65_536 + 465})), "port_not_allowed");
    assert_eq!(code(json!({"host": "10.0.0.1"})), "url_address_not_public");
    assert_eq!(
        code(json!({"host": "mail.internal"})),
        "url_host_not_public"
    );
    assert_eq!(code(json!({"password": null})), "required");
    let open = Policy::open();
    let local = json!({"host": "localhost", "port": 25, "security": "none",
                       "from": {"email": "a@b.c"}});
    check(Kind::Smtp, Before::default(), object(local), &open).unwrap();
}

#[test]
fn another_address_of_a_provider_is_for_tests_only() {
    let mut given = object(sound(Kind::Resend));
    given.insert("base_url".to_owned(), json!("http://127.0.0.1:9/"));
    let errors = wrong(Kind::Resend, Value::Object(given.clone()));
    assert_eq!(errors[0].1, "not_allowed_here");
    let checked = check(Kind::Resend, Before::default(), given, &Policy::open()).unwrap();
    assert_eq!(checked.settings["base_url"], "http://127.0.0.1:9");
}

#[test]
fn a_credential_cannot_smuggle_a_header() {
    for bad in ["", "a b", "a\r\nx: y", "schlüssel", "\u{0}"] {
        let errors = wrong(Kind::Opsgenie, json!({"api_key": bad}));
        assert_eq!(errors[0].1, "invalid_credential", "{bad:?}");
    }
}

#[test]
fn a_change_keeps_what_it_does_not_name() {
    let first = made(Kind::Smtp, sound(Kind::Smtp)).unwrap();
    let before = || Before {
        settings: first.settings.clone(),
        secrets: first.secrets.keys().cloned().collect(),
    };
    let change = |given: Value| check(Kind::Smtp, before(), object(given), &STRICT());
    let changed = change(json!({"port": 587, "security": "starttls"})).unwrap();
    assert_eq!(changed.settings["port"], 587);
    assert_eq!(changed.settings["from"], first.settings["from"]);
    assert!(changed.secrets.is_empty(), "the password stays");
    let changed = change(json!({"password": "new", "reply_to": null})).unwrap();
    assert_eq!(changed.secrets["password"].as_deref(), Some("new"));
    assert!(!changed.settings.contains_key("reply_to"));
    let changed = change(json!({"username": null, "password": null})).unwrap();
    assert_eq!(changed.secrets["password"], None);
    let refused = change(json!({"from": null})).unwrap_err();
    assert_eq!(refused.errors[0].pointer, "/settings/from");
}

#[test]
fn a_sender_of_sms_is_a_number_or_a_short_name() {
    for (good, kept) in [("+1 (415) 555-0123", "+14155550123"), ("Pulse2", "Pulse2")] {
        let mut given = object(sound(Kind::Twilio));
        given.insert("from".to_owned(), json!(good));
        let checked = made(Kind::Twilio, Value::Object(given)).unwrap();
        assert_eq!(checked.settings["from"], kept);
    }
    for bad in ["", "123456", "TooLongAName", "a b"] {
        let mut given = object(sound(Kind::Twilio));
        given.insert("from".to_owned(), json!(bad));
        let errors = wrong(Kind::Twilio, Value::Object(given));
        assert_eq!(errors[0].1, "invalid_phone", "{bad}");
    }
    let either = json!({"account_sid": "AC0", "auth_token": "t", "messaging_service_sid": "MG1"});
    made(Kind::Twilio, either).unwrap();
}

#[test]
fn a_credential_does_not_follow_the_settings_to_another_server() {
    let before = || Before {
        settings: object(
            json!({"host": "smtp.example.org", "port": 465, "security": "tls",
                                "username": "ada", "from": {"email": "a@example.org"}}),
        ),
        secrets: BTreeSet::from(["password".to_owned()]),
    };
    let change = |given: Value| check(Kind::Smtp, before(), object(given), &Policy::open());
    let elsewhere = json!({"host": "smtp.thief.example"});
    let refused = change(elsewhere).unwrap_err().errors;
    assert_eq!(refused.len(), 1, "{refused:?}");
    assert_eq!(
        (refused[0].pointer.as_str(), refused[0].code.as_str()),
        ("/settings/password", "required")
    );
    let known = json!({"host": "smtp.thief.example", "password": "again"});
    let secrets = change(known).unwrap().secrets;
    assert_eq!(secrets["password"].as_deref(), Some("again"));
    let without = json!({"host": "smtp.thief.example", "username": null, "password": null});
    assert_eq!(change(without).unwrap().secrets["password"], None);
    // The same server keeps it, whatever else changes.
    let same = json!({"host": "SMTP.example.org", "port": 587, "security": "starttls"});
    assert!(change(same).unwrap().secrets.is_empty());
}

#[test]
fn a_key_does_not_follow_the_address_of_a_provider_in_either_direction() {
    let address = "https://api.example.org";
    let settings = |base: Option<&str>| {
        let mut settings = object(json!({"from": {"email": "a@example.org"}}));
        settings.extend(base.map(|base| ("base_url".to_owned(), json!(base))));
        settings
    };
    for (was, given) in [
        (None, json!({"base_url": address})),
        (
            Some(address),
            json!({"base_url": "https://other.example.org"}),
        ),
        (Some(address), json!({"base_url": null})),
    ] {
        let before = Before {
            settings: settings(was),
            secrets: BTreeSet::from(["api_key".to_owned(), "events_secret".to_owned()]),
        };
        let refused = check(Kind::Resend, before, object(given), &Policy::open());
        let refused = refused.unwrap_err().errors;
        let pointers: Vec<_> = refused.iter().map(|error| error.pointer.as_str()).collect();
        // The secret of its reports is never sent.
        assert_eq!(pointers, ["/settings/api_key"], "{was:?}");
    }
}
