//! Tokens that must not count do not count.

use super::*;
use crate::roles::Profile;

fn token(header: &str) -> String {
    format!("{}.e30.c2ln", URL_SAFE_NO_PAD.encode(header))
}

fn id(n: u8) -> uuid::Uuid {
    crate::id::new(1, [n; 10])
}

#[test]
fn the_right_header_passes() {
    let good = token(r#"{"alg":"HS256","typ":"pulse-user+jwt","kid":"k1"}"#);
    assert_eq!(
        check_header(&good, &USER).unwrap().kid.as_deref(),
        Some("k1")
    );
    assert!(check_header(&token(r#"{"alg":"ES256"}"#), &SUPABASE_ES256).is_ok());
    assert!(check_header(&token(r#"{"alg":"HS256","typ":"JWT"}"#), &SUPABASE_HS256).is_ok());
}

#[test]
fn algorithms_and_types_are_compared_exactly() {
    for alg in [
        "none", "None", "NONE", "", "hs256", "HS384", "HS512", "ES256", "RS256", "EdDSA", "HS256 ",
    ] {
        let bad = token(&format!(r#"{{"alg":"{alg}","typ":"pulse-user+jwt"}}"#));
        assert_eq!(
            check_header(&bad, &USER),
            Err(Refused::WrongAlgorithm),
            "{alg}"
        );
    }
    for typ in [
        r#""JWT""#,
        r#""pulse-device+jwt""#,
        r#""PULSE-USER+JWT""#,
        r#""""#,
        "null",
    ] {
        let bad = token(&format!(r#"{{"alg":"HS256","typ":{typ}}}"#));
        assert_eq!(check_header(&bad, &USER), Err(Refused::WrongType), "{typ}");
    }
    assert_eq!(
        check_header(&token(r#"{"alg":"HS256"}"#), &USER),
        Err(Refused::WrongType)
    );
    let ours = token(r#"{"alg":"HS256","typ":"pulse-user+jwt"}"#);
    assert_eq!(
        check_header(&ours, &SUPABASE_HS256),
        Err(Refused::WrongType)
    );
    assert_eq!(check_header(&ours, &DEVICE), Err(Refused::WrongType));
}

#[test]
fn malformed_and_oversized_tokens_are_refused() {
    let good = token(r#"{"alg":"HS256","typ":"pulse-user+jwt"}"#);
    let parts: Vec<&str> = good.split('.').collect();
    let crit = token(r#"{"alg":"HS256","typ":"pulse-user+jwt","crit":["exp"],"exp":1}"#);
    let twice = token(r#"{"alg":"none","alg":"HS256","typ":"pulse-user+jwt"}"#);
    let list = token("[]");
    let padded = format!("{}=.e30.c2ln", parts[0]);
    for bad in [
        "",
        ".",
        "..",
        "...",
        "a.b.c",
        "Bearer x",
        parts[0],
        &format!("{}.e30", parts[0]),
        &format!("{}.e30.", parts[0]),
        &format!("{}..c2ln", parts[0]),
        &format!("{good}.x"),
        &format!("{good} "),
        &format!("{} .e30.c2ln", parts[0]),
        &format!("{}.e3+.c2ln", parts[0]),
        &format!("{}.e30.c2/n", parts[0]),
        &padded,
        &crit,
        &twice,
        &list,
        &token(r#"{"typ":"pulse-user+jwt"}"#),
        &token(r#"{"alg":7}"#),
        &token("{"),
    ] {
        assert_eq!(check_header(bad, &USER), Err(Refused::Malformed), "{bad}");
    }
    let long = format!("{}.{}.c2ln", parts[0], "A".repeat(MAX_BYTES));
    assert_eq!(check_header(&long, &USER), Err(Refused::TooLarge));
}

#[test]
fn keys_named_inside_a_token_are_never_looked_at() {
    let sneaky = token(
        r#"{"alg":"HS256","typ":"pulse-user+jwt","jku":"https://x","jwk":{"k":"AA"},"x5c":[]}"#,
    );
    assert!(check_header(&sneaky, &USER).is_ok(), "ignored, not used");
}

#[test]
fn claims_count_from_nbf_with_leeway_until_exp_without() {
    let claims = UserClaims::new(id(1), id(2), id(3), Jurisdiction::Eu, 1_000);
    assert_eq!(claims.exp, 1_900);
    assert_eq!(claims.check(1_000), Ok(()));
    assert_eq!(claims.check(970), Ok(()));
    assert_eq!(claims.check(969), Err(Refused::NotYetValid));
    assert_eq!(claims.check(1_899), Ok(()));
    assert_eq!(claims.check(1_900), Err(Refused::Expired));
    assert_eq!(claims.check(i64::MAX), Err(Refused::Expired));
    assert_eq!(claims.check(i64::MIN), Err(Refused::NotYetValid));
}

#[test]
fn a_token_of_one_purpose_is_no_token_of_another() {
    let user = UserClaims::new(id(1), id(2), id(3), Jurisdiction::None, 1_000);
    let device = DeviceClaims::new(
        id(1),
        id(3),
        id(4),
        Profile::Kiosk,
        3,
        Jurisdiction::None,
        1_000,
    );
    assert_eq!(device.check(1_000), Ok(()));
    for (iss, aud, why) in [
        ("pulse", "pulse:device", Refused::WrongAudience),
        ("pulse", "pulse:user2", Refused::WrongAudience),
        ("pulse", "", Refused::WrongAudience),
        ("Pulse", "pulse:user", Refused::WrongIssuer),
        ("", "pulse:user", Refused::WrongIssuer),
    ] {
        let other = UserClaims {
            iss: iss.to_owned(),
            aud: aud.to_owned(),
            ..user.clone()
        };
        assert_eq!(other.check(1_000), Err(why));
    }
    assert!(serde_json::from_value::<UserClaims>(serde_json::to_value(&device).unwrap()).is_err());
    assert!(serde_json::from_value::<DeviceClaims>(serde_json::to_value(&user).unwrap()).is_err());
    let mut json = serde_json::to_value(&device).unwrap();
    assert_eq!(json["gen"].as_u64(), Some(3));
    // A token from before there were generations is of the first.
    json.as_object_mut().unwrap().remove("gen");
    let old: DeviceClaims = serde_json::from_value(json.clone()).unwrap();
    assert_eq!((old.generation, old.check(1_000)), (0, Ok(())));
    assert_eq!(
        (json["prf"].as_str(), json["jur"].as_str()),
        (Some("kiosk"), Some("none"))
    );
}

#[test]
fn supabase_needs_its_issuer_and_the_audience_of_signed_in_users() {
    let read = |text: &str| serde_json::from_str::<SupabaseClaims>(text).unwrap();
    let issuer = "https://x.supabase.co/auth/v1";
    let good = read(
        r#"{"iss":"https://x.supabase.co/auth/v1","aud":"authenticated","sub":"u1","email":"a@b.c","exp":2000,"role":"authenticated","iat":1}"#,
    );
    assert_eq!(good.check(issuer, 1_999), Ok(()));
    assert_eq!(good.check(issuer, 2_000), Err(Refused::Expired));
    assert_eq!(
        good.check("https://y.supabase.co/auth/v1", 1),
        Err(Refused::WrongIssuer)
    );
    assert_eq!(
        SupabaseClaims {
            iss: String::new(),
            ..good.clone()
        }
        .check("", 1),
        Err(Refused::WrongIssuer)
    );
    let many = SupabaseClaims {
        aud: Audience::Many(vec!["x".into(), "authenticated".into()]),
        ..good.clone()
    };
    assert_eq!(many.check(issuer, 1), Ok(()));
    let anon = SupabaseClaims {
        aud: Audience::One("anon".into()),
        ..good
    };
    assert_eq!(anon.check(issuer, 1), Err(Refused::WrongAudience));
    assert!(
        serde_json::from_str::<SupabaseClaims>(r#"{"iss":"x","aud":"authenticated","sub":"u"}"#)
            .is_err()
    );
}
