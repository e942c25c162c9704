//! Access tokens that must not count, in the manner of Wycheproof: one thing is wrong with each.
//!
//! Invariant: the same token without the fault is accepted, so a test fails for its fault alone.
//! Failure: each test names the token that was taken.

use pulse_tests::prelude::*;
use pulse_tests::supabase;
use pulse_tests::token::Forgery;

/// Asks for something every member may read.
async fn ask(token: &str) -> Reply {
    Client::anonymous()
        .with_token(token)
        .get("/pulse/tables")
        .await
}

async fn refused(what: &str, token: &str) {
    let reply = ask(token).await;
    assert_eq!(reply.status, 401, "{what} was taken: {reply}");
    assert!(
        reply
            .header("www-authenticate")
            .is_some_and(|value| value.starts_with("Bearer")),
        "{what}"
    );
    reply.problem_of(401);
}

/// A user's token to break.
async fn genuine() -> Forgery {
    supabase::publish();
    let tenant = Tenant::new().await;
    let forgery = Forgery::of(tenant.client().token());
    ask(&forgery.sign()).await.expect_status(200);
    forgery
}

#[tokio::test]
async fn a_token_without_a_signature_does_not_count() {
    let forgery = genuine().await;
    for none in ["none", "None", "NONE", "nOnE", ""] {
        let unsigned = forgery.clone().header("alg", json!(none));
        refused("alg none, unsigned", &unsigned.signed_as(b"")).await;
        refused("alg none, signed", &unsigned.sign()).await;
    }
    refused("an empty signature", &forgery.signed_as(b"")).await;
    refused("a signature of zeros", &forgery.signed_as(&[0; 32])).await;
}

#[tokio::test]
async fn the_algorithm_is_the_keys_not_the_tokens() {
    let forgery = genuine().await;
    for alg in [
        "HS384", "HS512", "RS256", "PS256", "ES256", "EdDSA", "hs256", "HS256 ",
    ] {
        refused(alg, &forgery.clone().header("alg", json!(alg)).sign()).await;
    }
    refused("no alg", &forgery.clone().header("alg", Value::Null).sign()).await;
    refused(
        "alg as a list",
        &forgery.clone().header("alg", json!(["HS256"])).sign(),
    )
    .await;
}

#[tokio::test]
async fn a_key_in_the_token_is_never_looked_at() {
    let forgery = genuine().await;
    let jwk = json!({"kty": "oct", "k": "YXR0YWNrZXI"});
    let own = forgery
        .key(b"attacker")
        .header("jwk", jwk)
        .header("jku", json!("http://127.0.0.1/jwks"));
    refused("an embedded key", &own.clone().sign()).await;
    refused(
        "a key id that is a path",
        &own.header("kid", json!("../../dev/null")).key(b"").sign(),
    )
    .await;
}

#[tokio::test]
async fn a_token_of_another_key_does_not_count() {
    let forgery = genuine().await;
    for key in [&b""[..], b"secret", &[0; 32], supabase::secret().as_bytes()] {
        refused("another key", &forgery.clone().key(key).sign()).await;
    }
}

#[tokio::test]
async fn a_token_counts_between_its_times_only() {
    let forgery = genuine().await;
    refused(
        "expired an hour ago",
        &forgery.clone().time("exp", -3_600).sign(),
    )
    .await;
    refused("expired just now", &forgery.clone().time("exp", -1).sign()).await;
    refused("no end", &forgery.clone().claim("exp", Value::Null).sign()).await;
    refused(
        "an end that is no number",
        &forgery.clone().claim("exp", json!("never")).sign(),
    )
    .await;
    refused(
        "an endless number",
        &forgery.clone().claim("exp", json!(1e300)).sign(),
    )
    .await;
    refused(
        "not valid for an hour",
        &forgery.clone().time("nbf", 3_600).sign(),
    )
    .await;
    ask(&forgery.clone().time("nbf", 5).sign())
        .await
        .expect_status(200);
}

#[tokio::test]
async fn a_token_for_somebody_else_does_not_count() {
    let forgery = genuine().await;
    for aud in ["pulse:device", "pulse", "authenticated", "", "PULSE:USER"] {
        refused(aud, &forgery.clone().claim("aud", json!(aud)).sign()).await;
    }
    refused(
        "no audience",
        &forgery.clone().claim("aud", Value::Null).sign(),
    )
    .await;
    let both = json!(["pulse:device", "pulse:admin"]);
    refused(
        "other audiences",
        &forgery.clone().claim("aud", both).sign(),
    )
    .await;
}

#[tokio::test]
async fn a_token_from_somebody_else_does_not_count() {
    let forgery = genuine().await;
    for iss in ["pulse.example.com", "Pulse", "", &supabase::issuer()] {
        refused(iss, &forgery.clone().claim("iss", json!(iss)).sign()).await;
    }
    refused(
        "no issuer",
        &forgery.clone().claim("iss", Value::Null).sign(),
    )
    .await;
}

#[tokio::test]
async fn a_token_of_another_type_does_not_count() {
    let forgery = genuine().await;
    for typ in [
        "JWT",
        "jwt",
        "pulse-device+jwt",
        "at+jwt",
        "PULSE-USER+JWT",
        "",
    ] {
        refused(typ, &forgery.clone().header("typ", json!(typ)).sign()).await;
    }
    refused(
        "no type",
        &forgery.clone().header("typ", Value::Null).sign(),
    )
    .await;
    refused(
        "critical extensions",
        &forgery.clone().header("crit", json!(["exp"])).sign(),
    )
    .await;
}

#[tokio::test]
async fn a_token_cut_anywhere_does_not_count() {
    let token = genuine().await.sign();
    let parts: Vec<_> = token.split('.').collect();
    for part in 0..3 {
        let mut shorter = parts.clone();
        shorter[part] = &parts[part][..parts[part].len() - 1];
        refused("a part without its last letter", &shorter.join(".")).await;
        shorter[part] = &parts[part][1..];
        refused("a part without its first letter", &shorter.join(".")).await;
        shorter[part] = "";
        refused("an empty part", &shorter.join(".")).await;
        shorter.remove(part);
        refused("a part missing", &shorter.join(".")).await;
    }
    for other in [
        format!("{token}."),
        format!("{token}.{}", parts[2]),
        format!("{token}="),
        ".".into(),
        "..".into(),
    ] {
        refused("too many or no parts", &other).await;
    }
}

#[tokio::test]
async fn a_token_changed_by_one_bit_does_not_count() {
    let token = genuine().await.sign();
    // Not the last letter: its two low bits are padding.
    for at in (0..token.len() - 1).step_by(7) {
        let mut bytes = token.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        refused(
            "one letter changed",
            &String::from_utf8(bytes).expect("ASCII"),
        )
        .await;
    }
}

#[tokio::test]
async fn a_token_too_large_does_not_count_however_well_signed() {
    let forgery = genuine().await;
    for size in [8_192, 60_000] {
        let reply = ask(&forgery.clone().claim("pad", json!("x".repeat(size))).sign()).await;
        assert_eq!(reply.status, 401, "{size} bytes");
    }
}

#[tokio::test]
async fn claims_that_are_no_ids_do_not_count() {
    let forgery = genuine().await;
    for claim in ["sub", "sid", "ten"] {
        for value in [
            Value::Null,
            json!(""),
            json!("x"),
            json!(7),
            json!("00000000-0000-0000-0000-000000000000"),
        ] {
            // A token of someone who belongs to no tenant yet says so with the nil id.
            if claim == "ten" && value == json!("00000000-0000-0000-0000-000000000000") {
                continue;
            }
            refused(claim, &forgery.clone().claim(claim, value).sign()).await;
        }
    }
    let other = genuine().await;
    refused(
        "somebody else's session",
        &forgery.clone().claim("sid", other.get("sid")).sign(),
    )
    .await;
    refused(
        "somebody else's tenant",
        &forgery.claim("ten", other.get("ten")).sign(),
    )
    .await;
}

#[tokio::test]
async fn a_device_token_is_no_users_and_a_users_no_devices() {
    let event = Event::with_guests(["Ada"]).open().await;
    let device = event.door().client().await;
    for path in ["/api/auth/me", "/api/keys", "/pulse/tables"] {
        let reply = device.get(path).await;
        reply.problem_of(403);
    }
    let (device, user) = (
        Forgery::of(device.token()),
        Forgery::of(event.client().token()),
    );
    for (what, forgery) in [
        (
            "a device as a user",
            device.clone().claim("aud", user.get("aud")),
        ),
        (
            "a device under a user's type",
            device.clone().header("typ", json!("pulse-user+jwt")),
        ),
        (
            "a user as a device",
            user.clone().claim("aud", device.get("aud")),
        ),
        (
            "a user under a device's type",
            user.clone().header("typ", json!("pulse-device+jwt")),
        ),
    ] {
        let client = Client::anonymous().with_token(&forgery.sign());
        let reply = event
            .scan_by(&client, json!({"barcode": event.code("Ada")}))
            .await;
        assert_eq!(reply.status, 401, "{what}: {reply}");
    }
}

#[tokio::test]
async fn a_device_cannot_promote_itself_or_move_to_another_table() {
    let (event, other) = (
        Event::with_guests(["Ada"]).open().await,
        Event::with_guests(["Eve"]).open().await,
    );
    let device = event.door().client().await;
    let scan = json!({"table_id": other.table, "nonce": "n", "barcode": other.code("Eve")});
    let reply = device.post("/pulse/check-ins", &scan).await;
    reply.problem_of(404);
    let moved = Forgery::of(device.token())
        .claim("tab", json!(other.table))
        .key(b"guessed")
        .sign();
    let reply = Client::anonymous()
        .with_token(&moved)
        .post("/pulse/check-ins", &scan)
        .await;
    assert_eq!(reply.status, 401, "{reply}");
    other.dashboard().await.counts(|c| c.checked_in == 0);
}

#[tokio::test]
async fn other_schemes_and_broken_headers_do_not_count() {
    let token = genuine().await.sign();
    for value in [
        format!("Basic {token}"),
        format!("Token {token}"),
        token.clone(),
        "Bearer".into(),
        "Bearer ".into(),
        format!("Bearer {token} {token}"),
    ] {
        let client = Client::anonymous().with_header("authorization", &value);
        client.get("/pulse/tables").await.problem_of(401);
    }
    let in_url = format!("/pulse/tables?access_token={token}");
    let reply = Client::anonymous().get(&in_url).await;
    reply.problem_of(401);
}

/// Registers the somebody of these claims by having them run a tenant.
async fn joined(token: &str) -> Client {
    let client = Client::anonymous().with_token(token);
    client
        .post("/api/tenants", &json!({"name": "From Supabase"}))
        .await
        .expect_status(201);
    client
}

#[tokio::test]
async fn a_supabase_token_counts_in_all_three_algorithms() {
    for sign in [supabase::hs256, supabase::es256, supabase::rs256] {
        let claims = supabase::claims();
        let client = joined(&sign(&claims)).await;
        let me = client.get("/api/auth/me").await.expect_status(200);
        assert_eq!(me.at("/user/email"), claims["email"]);
        assert_eq!(me.at("/role"), "admin");
        client.get("/pulse/tables").await.expect_status(200);
    }
}

#[tokio::test]
async fn the_same_supabase_subject_is_the_same_user() {
    let claims = supabase::claims();
    let client = joined(&supabase::hs256(&claims)).await;
    let mut later = claims.clone();
    later["session_id"] = json!("another");
    let again = Client::anonymous().with_token(&supabase::es256(&later));
    let (one, two) = (
        client.get("/api/auth/me").await,
        again.get("/api/auth/me").await,
    );
    assert_eq!(
        one.expect_status(200).at("/user/id"),
        two.expect_status(200).at("/user/id")
    );
}

#[tokio::test]
async fn a_supabase_token_with_one_thing_wrong_does_not_count() {
    let genuine = supabase::claims();
    joined(&supabase::hs256(&genuine)).await;
    let change = |name: &str, value: Value| {
        let mut claims = genuine.clone();
        claims[name] = value;
        claims
    };
    let expired = change("exp", json!(1_700_000_000));
    for sign in [supabase::hs256, supabase::es256, supabase::rs256] {
        refused("expired", &sign(&expired)).await;
        refused(
            "another issuer",
            &sign(&change("iss", json!("https://evil.supabase.test/auth/v1"))),
        )
        .await;
        refused("another audience", &sign(&change("aud", json!("anon")))).await;
        refused("no subject", &sign(&change("sub", Value::Null))).await;
    }
    let secret = Forgery::new(genuine.clone(), "guessed");
    refused("another secret", &secret.sign()).await;
    refused(
        "our own key",
        &secret
            .key(pulse_tests::stack::variable("PULSE_TOKEN_SECRET").as_bytes())
            .sign(),
    )
    .await;
}

#[tokio::test]
async fn a_published_key_cannot_be_used_as_a_shared_secret() {
    let claims = supabase::claims();
    joined(&supabase::es256(&claims)).await;
    for key in supabase::jwks()["keys"].as_array().expect("keys") {
        let confused = Forgery::new(claims.clone(), "").header("kid", key["kid"].clone());
        for public in [key.to_string(), key["n"].to_string(), key["x"].to_string()] {
            refused(
                "a public key as secret",
                &confused.clone().key(public.as_bytes()).sign(),
            )
            .await;
        }
        let swapped = confused.header("alg", key["alg"].clone());
        refused("a signature of nothing", &swapped.signed_as(&[0; 64])).await;
    }
}
