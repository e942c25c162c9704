//! What a bearer credential must be, case by case.

use chrono::TimeZone;
use serde_json::{Value, json};

use super::*;

const SECRET: &str = "a token secret of thirty-two bytes";

fn config() -> Config {
    Config {
        token_secret: SECRET.to_owned(),
        ..Config::default()
    }
}

fn at(seconds: i64) -> DateTime<Utc> {
    Utc.timestamp_opt(seconds, 0).unwrap()
}

fn user_claims() -> UserClaims {
    let id = Uuid::from_u128;
    UserClaims::new(id(1), id(2), id(3), token::Jurisdiction::Eu, 1_000)
}

fn user_token() -> String {
    sign(&token::USER, &user_claims(), SECRET.as_bytes()).unwrap()
}

/// A token with this header, signed with HS256 whatever the header says.
fn forged(header: &Value, claims: &Value, secret: &str) -> String {
    let part = |value: &Value| crypto::base64url(value.to_string().as_bytes());
    let message = format!("{}.{}", part(header), part(claims));
    let signature = Hs256.sign(&Hs256Key::new(secret), message.as_bytes());
    format!("{message}.{}", crypto::base64url(&signature.as_bytes()))
}

fn refusal(token: &str) -> (u16, String) {
    let error = verify(&config(), token, at(1_000)).unwrap_err();
    (error.status, error.context.unwrap_or_default())
}

#[test]
fn a_user_token_names_its_user() {
    let expected = Credential::User {
        user: Uuid::from_u128(1),
        session: Uuid::from_u128(2),
        tenant: Uuid::from_u128(3),
        jurisdiction: Jurisdiction::Eu,
    };
    assert_eq!(verify(&config(), &user_token(), at(1_000)), Ok(expected));
}

#[test]
fn a_device_token_names_its_session_and_table() {
    let id = Uuid::from_u128;
    let claims = DeviceClaims::new(
        id(1),
        id(2),
        id(3),
        Profile::Kiosk,
        2,
        token::Jurisdiction::None,
        1_000,
    );
    let token = sign(&token::DEVICE, &claims, SECRET.as_bytes()).unwrap();
    let expected = Credential::Device {
        session: id(1),
        tenant: id(2),
        table: id(3),
        generation: 2,
        jurisdiction: Jurisdiction::None,
    };
    assert_eq!(verify(&config(), &token, at(1_000)), Ok(expected));
}

#[test]
fn an_expired_token_says_so_and_nothing_else_does() {
    let error = verify(&config(), &user_token(), at(1_900)).unwrap_err();
    assert_eq!((error.status, error.code.as_ref()), (401, "token_expired"));
    let error = verify(&config(), &user_token(), at(900)).unwrap_err();
    assert_eq!((error.status, error.code.as_ref()), (401, "token_invalid"));
}

#[test]
fn no_algorithm_and_another_algorithm_are_refused() {
    let claims = json!(user_claims());
    for alg in ["none", "NONE", "HS512", "RS256", "ES256", ""] {
        let token = forged(
            &json!({"alg": alg, "typ": "pulse-user+jwt"}),
            &claims,
            SECRET,
        );
        assert_eq!(
            refusal(&token),
            (401, "token_wrong_algorithm".into()),
            "{alg}"
        );
    }
    let bare = user_token();
    let (message, _) = bare.rsplit_once('.').unwrap();
    assert_eq!(
        refusal(&format!("{message}.")),
        (401, "token_malformed".into())
    );
}

#[test]
fn a_wrong_key_and_a_changed_byte_are_refused() {
    let other = sign(
        &token::USER,
        &user_claims(),
        b"another secret, as long as the first",
    )
    .unwrap();
    assert_eq!(refusal(&other), (401, "token_wrong_signature".into()));
    let token = user_token();
    for at in (0..token.len()).filter(|at| token.as_bytes()[*at] != b'.') {
        let mut changed = token.clone().into_bytes();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(changed).unwrap();
        assert_eq!(refusal(&changed).0, 401, "{changed}");
    }
}

#[test]
fn truncated_padded_and_oversized_tokens_are_refused() {
    let token = user_token();
    for length in 0..token.len() {
        assert_eq!(refusal(&token[..length]).0, 401, "{length}");
    }
    for bad in [
        format!("{token}="),
        format!("{token}.x"),
        format!(" {token}"),
    ] {
        assert_eq!(refusal(&bad).0, 401, "{bad}");
    }
    let long = format!("pulse_none_{}_{}", Uuid::from_u128(1), "x".repeat(5_000));
    assert_eq!(refusal(&long), (401, "token_too_large".into()));
}

#[test]
fn a_token_of_one_purpose_is_no_token_of_another() {
    let user = forged(
        &json!({"alg": "HS256", "typ": "pulse-device+jwt"}),
        &json!(user_claims()),
        SECRET,
    );
    assert_eq!(refusal(&user).0, 401);
    let mut claims = json!(user_claims());
    claims["aud"] = json!("pulse:device");
    let header = json!({"alg": "HS256", "typ": "pulse-user+jwt"});
    assert_eq!(
        refusal(&forged(&header, &claims, SECRET)),
        (401, "token_wrong_audience".into())
    );
    let plain = forged(
        &json!({"alg": "HS256", "typ": "JWT"}),
        &json!(user_claims()),
        SECRET,
    );
    assert_eq!(refusal(&plain), (401, "token_wrong_type".into()));
}

#[test]
fn an_api_key_is_its_id_and_the_hash_of_its_secret() {
    let id = Uuid::from_u128(9);
    let secret = "a_secret-with_underscores";
    let key = verify(&config(), &format!("pulse_eu_{id}_{secret}"), at(0));
    let hash = crypto::sha256_hex(secret.as_bytes());
    assert_eq!(
        key,
        Ok(Credential::Key {
            id,
            hash,
            jurisdiction: Jurisdiction::Eu
        })
    );
    for bad in [
        "pulse_",
        "pulse_eu",
        "pulse_us_x_y",
        &format!("pulse_eu_{id}_short"),
    ] {
        assert_eq!(refusal(bad), (401, "token_malformed".into()), "{bad}");
    }
}

#[test]
fn a_guest_key_is_taken_as_it_is() {
    let guest = verify(&config(), "guest_abc123", at(0));
    assert_eq!(
        guest,
        Ok(Credential::Anonymous {
            guest_key: "abc123".to_owned(),
            device: None,
        })
    );
    let id = Uuid::from_u128(7);
    assert_eq!(
        verify(&config(), &format!("guest_abc123.{id}"), at(0)),
        Ok(Credential::Anonymous {
            guest_key: "abc123".to_owned(),
            device: Some(id),
        })
    );
    for bad in [
        "guest_abc123.",
        "guest_abc123.phone",
        "guest_.",
        "guest_a.b.c",
    ] {
        assert_eq!(refusal(bad).0, 401, "{bad}");
    }
    assert_eq!(refusal("guest_").0, 401);
    assert_eq!(refusal("guest_a b").0, 401);
}

#[test]
fn only_the_bearer_scheme_is_read() {
    assert_eq!(bearer(""), Ok(None));
    assert_eq!(bearer("bearer x"), Ok(Some("x")));
    assert_eq!(bearer("Basic eA==").unwrap_err().status, 401);
    assert_eq!(bearer("Bearer").unwrap_err().status, 401);
}

#[test]
fn a_short_secret_signs_nothing() {
    let config = Config {
        token_secret: "short".to_owned(),
        ..Config::default()
    };
    assert_eq!(
        verify(&config, &user_token(), at(1_000))
            .unwrap_err()
            .status,
        500
    );
}
