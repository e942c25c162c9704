//! Sessions: login and its limits, refresh and its rotation, logout.
//!
//! Invariant: one used-up refresh token ends its session; too many failures wait, right or wrong.
//! Failure: each test names what it found instead.

use pulse_tests::prelude::*;

/// A client whose failed logins count for a source of its own.
fn from_source(address: &str) -> Client {
    Client::anonymous().with_header("cf-connecting-ip", address)
}

/// A source address nobody else uses.
fn source() -> String {
    let bytes = *uuid::Uuid::new_v4().as_bytes();
    let groups: Vec<_> = bytes[..12]
        .chunks(2)
        .map(|pair| format!("{:02x}{:02x}", pair[0], pair[1]))
        .collect();
    format!("2001:db8:{}", groups.join(":"))
}

fn attempt(email: &str, password: &str) -> Value {
    json!({"email": email, "password": password})
}

#[tokio::test]
async fn login_opens_a_session_with_the_right_password_only() {
    let tenant = Tenant::new().await;
    let client = from_source(&source());
    let address = &tenant.admin.email;
    let good = client
        .post("/api/auth/login", &attempt(address, PASSWORD))
        .await
        .expect_status(200);
    assert_eq!(good.at("/tenant/id"), *tenant.id);
    assert_ne!(
        good.at("/refresh_token"),
        tenant.admin.session["refresh_token"]
    );
    let upper = attempt(&address.to_uppercase(), PASSWORD);
    client
        .post("/api/auth/login", &upper)
        .await
        .expect_status(200);
    let wrong = client
        .post("/api/auth/login", &attempt(address, "wrong horse battery"))
        .await;
    let nobody = client
        .post("/api/auth/login", &attempt(&email("nobody"), PASSWORD))
        .await;
    let (wrong, nobody) = (wrong.problem_of(401), nobody.problem_of(401));
    for member in ["/code", "/detail", "/title"] {
        assert_eq!(
            wrong.at(member),
            nobody.at(member),
            "an answer tells who has an account"
        );
    }
}

#[tokio::test]
async fn login_to_a_tenant_that_is_not_ones_own_is_refused() {
    let (mine, other) = (Tenant::new().await, Tenant::new().await);
    let mut body = attempt(&mine.admin.email, PASSWORD);
    body["tenant_id"] = json!(other.id);
    let reply = from_source(&source()).post("/api/auth/login", &body).await;
    reply.problem_of(401);
}

#[tokio::test]
async fn a_refresh_token_is_exchanged_for_new_ones() {
    let tenant = Tenant::new().await;
    let body = json!({"refresh_token": tenant.admin.refresh()});
    let reply = Client::anonymous()
        .post("/api/auth/refresh", &body)
        .await
        .expect_status(200);
    let next = User::of(&reply);
    assert_ne!(next.refresh(), tenant.admin.refresh());
    assert_eq!(next.text("/tenant/id"), tenant.id);
    next.client.get("/api/auth/me").await.expect_status(200);
    tenant.client().get("/api/auth/me").await.expect_status(200);
}

#[tokio::test]
async fn a_used_up_refresh_token_ends_the_session_for_everyone_who_holds_it() {
    let tenant = Tenant::new().await;
    let first = tenant.admin.refresh();
    let client = Client::anonymous();
    let mut token = first.clone();
    for _ in 0..2 {
        let body = json!({"refresh_token": token});
        let reply = client
            .post("/api/auth/refresh", &body)
            .await
            .expect_status(200);
        token = reply.text_at("/refresh_token");
    }
    let stolen = client
        .post("/api/auth/refresh", &json!({"refresh_token": first}))
        .await;
    stolen.problem(401, "refresh_token_reused");
    client
        .post("/api/auth/refresh", &json!({"refresh_token": token}))
        .await
        .problem_of(401);
    tenant
        .client()
        .get("/pulse/tables")
        .await
        .problem(401, "session_revoked");
    let again = client
        .post("/api/auth/login", &attempt(&tenant.admin.email, PASSWORD))
        .await;
    again.expect_status(200);
}

#[tokio::test]
async fn a_made_up_refresh_token_is_refused() {
    let tenant = Tenant::new().await;
    let real = tenant.admin.refresh();
    // A secret may hold `_` itself: what stands before it is `rt_<session>`.
    let (at, _) = real.match_indices('_').nth(1).expect("a refresh token");
    let (start, secret) = (&real[..at], &real[at + 1..]);
    let reversed: String = secret.chars().rev().collect();
    let nobody = format!("rt_{}_{secret}", uuid::Uuid::new_v4());
    for token in [
        "",
        "x",
        "rt_x_y",
        &*format!("{start}_{reversed}"),
        &*nobody,
        tenant.client().token(),
    ] {
        let body = json!({"refresh_token": token});
        let reply = Client::anonymous().post("/api/auth/refresh", &body).await;
        reply.problem_of(401);
    }
    tenant.client().get("/api/auth/me").await.expect_status(200);
}

#[tokio::test]
async fn logout_ends_this_session_and_no_other() {
    let tenant = Tenant::new().await;
    let other = tenant.admin.login().await;
    tenant
        .client()
        .call("POST", "/api/auth/logout")
        .await
        .expect_status(204);
    tenant
        .client()
        .get("/pulse/tables")
        .await
        .problem(401, "session_revoked");
    tenant.client().get("/api/auth/me").await.problem_of(401);
    let body = json!({"refresh_token": tenant.admin.refresh()});
    Client::anonymous()
        .post("/api/auth/refresh", &body)
        .await
        .problem_of(401);
    other.client.get("/pulse/tables").await.expect_status(200);
}

#[tokio::test]
async fn an_access_token_lives_fifteen_minutes() {
    let tenant = Tenant::new().await;
    let within = tenant.client().at(seconds_from_now(14 * 60));
    within.get("/pulse/tables").await.expect_status(200);
    let after = tenant.client().at(seconds_from_now(15 * 60 + 1));
    after.get("/pulse/tables").await.problem_of(401);
}

/// How many failures of one kind it takes until the answer is 429; the answer that was.
async fn until_limited(mut fail: impl AsyncFnMut() -> Reply) -> (u32, Reply) {
    for failures in 0..200 {
        let reply = fail().await;
        if reply.status == 429 {
            return (failures, reply.problem_of(429));
        }
        reply.problem_of(401);
    }
    panic!("200 failed logins and no limit");
}

#[tokio::test]
async fn failures_on_one_account_are_limited_wherever_they_come_from() {
    let tenant = Tenant::new().await;
    let wrong = attempt(&tenant.admin.email, "wrong horse battery");
    let failed = async || from_source(&source()).post("/api/auth/login", &wrong).await;
    let (failures, limited) = until_limited(failed).await;
    assert!((3..=20).contains(&failures), "limited after {failures}");
    let wait: u32 = limited
        .header("retry-after")
        .expect("Retry-After")
        .parse()
        .expect("seconds");
    assert!(wait >= 1);
    let right = attempt(&tenant.admin.email, PASSWORD);
    let client = from_source(&source());
    client.post("/api/auth/login", &right).await.problem_of(429);
    let other = attempt(&Tenant::new().await.admin.email, PASSWORD);
    client
        .post("/api/auth/login", &other)
        .await
        .expect_status(200);
    tenant.client().get("/api/auth/me").await.expect_status(200);
    let later = client.at(seconds_from_now(i64::from(wait) + 1));
    later
        .post("/api/auth/login", &right)
        .await
        .expect_status(200);
}

#[tokio::test]
async fn failures_of_one_source_are_limited_whichever_account_they_try() {
    let (here, elsewhere) = (from_source(&source()), from_source(&source()));
    let failed = async || {
        here.post("/api/auth/login", &attempt(&email("guess"), PASSWORD))
            .await
    };
    until_limited(failed).await;
    let tenant = Tenant::new().await;
    let right = attempt(&tenant.admin.email, PASSWORD);
    here.post("/api/auth/login", &right).await.problem_of(429);
    elsewhere
        .post("/api/auth/login", &right)
        .await
        .expect_status(200);
}

#[tokio::test]
async fn logging_in_again_and_again_with_the_right_password_is_no_attack() {
    let tenant = Tenant::new().await;
    let client = from_source(&source());
    for _ in 0..12 {
        let right = attempt(&tenant.admin.email, PASSWORD);
        client
            .post("/api/auth/login", &right)
            .await
            .expect_status(200);
    }
}
