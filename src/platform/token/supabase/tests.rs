//! What a token of an identity provider must be, case by case.

use chrono::TimeZone;
use jwt_compact::AlgorithmSignature;
use jwt_compact::alg::{Hs256, Hs256Key, SigningKey as _};
use serde_json::{Value, json};

use super::*;
use crate::platform::crypto::base64url;
use crate::platform::token::verify;

const ISSUER: &str = "https://id.example/auth/v1";
const URL: &str = "https://id.example/keys";
const SHARED: &str = "a shared secret of thirty-two bytes";
const RSA_KEY: &str = "01QNAfYiSfbbJXjP6PM_6XkyKTvGDm4YOSTtrXy4Ss52jltoXD1YqlFGWRpHNVTi72aZilXHNG79Cl5a0zT9QWJWT90AQJpsI_jmOTYUKgnqLoFmiR-0QprSzwE83J-hIPT6HG8-hW4QycwXXsEl5LOWK9czX-yhYOjm5zxmzUE_m45CWqImWigj3oXMAXON_K26AvHDCl8r2CXv7J1x904cWZppr-uCLi7rFQke94VZqmoQgu3sSbXOt5mm5qPL1o7-eVm57dFcArpO82mTU0zgtSsJ2omjB6p9n8XJ8IYMn-3d5fEkdsBKHIilASzc8H1wTLHRf-BP-2Es1Jm3DQ";
const WEAK_RSA_KEY: &str = "5ZivLJ-NYJTn7fBFZADXZF2WB5G64d5a7myteyDFFllO3ICDUTdT5gAv1IYX56OA6c8cUBU36Ya9rkIwS93jlhHpLDjUB_zSjVOpejk_vgZzOTD4jPsSGDE2VOaQQ4VpoXChWzWJsTVMhBaT0G_jo6tS8oQtUTm9-gWFSf2Cl3E";
/// `{"iss":ISSUER,"aud":"authenticated","sub":"u-1","email":"ada@example.org","exp":2000}` under kid
/// `rsa`.
const RSA_TOKEN: &str = "eyJhbGciOiJSUzI1NiIsImtpZCI6InJzYSIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUvYXV0aC92MSIsImF1ZCI6ImF1dGhlbnRpY2F0ZWQiLCJzdWIiOiJ1LTEiLCJlbWFpbCI6ImFkYUBleGFtcGxlLm9yZyIsImV4cCI6MjAwMH0.GtJY1VGT1JFUgiLLWY0yrkcE6ZncZwtEZCtsM8-9d8F763_krFNJyHlhsaiCZ-8Iw49-kX0E_tRDbEfPqPiEwei6pJORMBUfcfQ4V5YCj-64GhBp0Hnpn-aCEeKbg0s2hyiN2xxzzXQlh-Uk684Ww_1EHoxb6J1HGVbn-WJe1GpWtkY_nSHVFJO5ALQYOCavlGdlqwQ_hhEwp_rV9r2gZ-7jx2OUC5RW_ExN9PQfZjkNXWWFuCMnf07iT03pd7Z7bYAQhkE38D3EdlRbgrJL93-Fh_QfjMWpLsDEtcH3RyZjpVDVYoRAS6qnd8fbMtArrq_KBdDdcuBkI39CzUdrAw";

fn config() -> Config {
    Config {
        token_secret: "our own secret of thirty-two bytes".to_owned(),
        supabase_secret: SHARED.to_owned(),
        supabase_jwks_url: URL.to_owned(),
        supabase_issuer: ISSUER.to_owned(),
        ..Config::default()
    }
}

fn now() -> DateTime<Utc> {
    Utc.timestamp_opt(1_000, 0).unwrap()
}

fn ada() -> Credential {
    Credential::Supabase {
        subject: "u-1".to_owned(),
        email: "ada@example.org".to_owned(),
    }
}

fn claims() -> Value {
    json!({"iss": ISSUER, "aud": "authenticated", "sub": "u-1", "email": "ada@example.org", "exp": 2000})
}

fn signed_by<A: Algorithm>(alg: &A, key: &A::SigningKey, header: &Value, claims: &Value) -> String {
    let part = |value: &Value| base64url(value.to_string().as_bytes());
    let message = format!("{}.{}", part(header), part(claims));
    let signature = alg.sign(key, message.as_bytes());
    format!("{message}.{}", base64url(&signature.as_bytes()))
}

fn shared(claims: &Value) -> String {
    signed_by(
        &Hs256,
        &Hs256Key::new(SHARED),
        &json!({"alg": "HS256", "typ": "JWT"}),
        claims,
    )
}

fn curve_key() -> <Es256 as Algorithm>::SigningKey {
    <Es256 as Algorithm>::SigningKey::from_slice(&[7; 32]).unwrap()
}

/// The set of the source: one P-256 key, one RSA key, and keys that must be passed over.
fn publish() {
    let mut curve = json!(JsonWebKey::from(&curve_key().to_verifying_key()));
    curve["kid"] = json!("curve");
    let rsa = |kid: &str, n: &str| json!({"kty": "RSA", "kid": kid, "n": n, "e": "AQAB"});
    let mut encrypts = curve.clone();
    encrypts["kid"] = json!("encrypts");
    encrypts["use"] = json!("enc");
    let set = json!({"keys": [
        curve, rsa("rsa", RSA_KEY), rsa("weak", WEAK_RSA_KEY), encrypts,
        {"kty": "oct", "kid": "shared", "k": "AAAA"}, {"kty": "OKP"}, 7,
    ]});
    let keys = read_keys(set.to_string().as_bytes()).unwrap();
    let ids: Vec<_> = keys.iter().map(|(id, _)| id.as_str()).collect();
    assert_eq!(ids, ["curve", "rsa"]);
    KEYS.set(Some(Rc::new(KeySet {
        url: URL.to_owned(),
        fetched: 1_000,
        keys,
    })));
}

fn code(token: &str) -> (u16, String) {
    let error = verify(&config(), token, now()).unwrap_err();
    (
        error.status,
        error.context.unwrap_or_else(|| error.code.into_owned()),
    )
}

#[test]
fn the_shared_secret_signs_with_hs256() {
    assert_eq!(verify(&config(), &shared(&claims()), now()), Ok(ada()));
    let off = Config {
        supabase_secret: String::new(),
        ..config()
    };
    assert_eq!(
        verify(&off, &shared(&claims()), now()).unwrap_err().status,
        401
    );
}

#[test]
fn issuer_audience_expiry_and_email_are_asked_for() {
    for (field, value, why) in [
        ("iss", json!("https://other.example"), "token_wrong_issuer"),
        ("aud", json!("anon"), "token_wrong_audience"),
        ("exp", json!(1_000), "token_expired"),
        ("nbf", json!(5_000), "token_not_yet_valid"),
        ("email", Value::Null, "token_without_email"),
        ("email", json!("no address"), "token_without_email"),
        ("sub", json!(""), "token_malformed"),
    ] {
        let mut claims = claims();
        claims[field] = value;
        assert_eq!(code(&shared(&claims)), (401, why.into()), "{field}");
    }
    let nobody = Config {
        supabase_issuer: String::new(),
        ..config()
    };
    assert_eq!(
        verify(&nobody, &shared(&claims()), now())
            .unwrap_err()
            .status,
        401
    );
}

#[test]
fn the_keys_of_the_set_sign_with_their_own_algorithm_only() {
    publish();
    let header = |kid: &str, alg: &str| json!({"alg": alg, "kid": kid, "typ": "JWT"});
    let curve = |header| signed_by(&Es256, &curve_key(), &header, &claims());
    assert_eq!(
        verify(&config(), &curve(header("curve", "ES256")), now()),
        Ok(ada())
    );
    assert_eq!(verify(&config(), RSA_TOKEN, now()), Ok(ada()));
    let swapped = (401, "token_wrong_algorithm".to_owned());
    assert_eq!(code(&curve(header("curve", "RS256"))), swapped);
    assert_eq!(code(&curve(header("rsa", "ES256"))), swapped);
    for kid in ["weak", "encrypts", "unknown"] {
        assert_eq!(
            code(&curve(header(kid, "ES256"))),
            (401, "token_unknown_key".into()),
            "{kid}"
        );
    }
}

#[test]
fn a_public_key_is_no_shared_secret() {
    publish();
    let header = json!({"alg": "HS256", "kid": "rsa", "typ": "JWT"});
    let token = signed_by(&Hs256, &Hs256Key::new(RSA_KEY), &header, &claims());
    assert_eq!(code(&token), (401, "token_wrong_signature".into()));
}

#[test]
fn a_set_that_was_never_read_or_is_too_old_is_asked_for_again() {
    KEYS.set(None);
    assert_eq!(code(RSA_TOKEN).0, 503);
    publish();
    let late = Utc.timestamp_opt(1_000 + USABLE, 0).unwrap();
    assert_eq!(verify(&config(), RSA_TOKEN, late).unwrap_err().status, 503);
}
