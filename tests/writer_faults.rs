//! Models and their providers that fail: what is worth another try, and what is not.
//!
//! Invariant: 503 with `Retry-After` for what may pass, 422 for what will not; the key is in no
//! answer.
//! Failure: the answer that came instead.

use pulse_tests::chat::{Chat, KEY, Turn, attempt, fails, queries, says};
use pulse_tests::prelude::*;
use std::time::{Duration, Instant};

async fn scene(script: impl IntoIterator<Item = Turn>) -> (Tenant, Chat) {
    let tenant = Tenant::new().await;
    let chat = Chat::with(script).await;
    chat.writes_for(&tenant).await;
    (tenant, chat)
}

#[tokio::test]
async fn a_busy_provider_says_when_to_come_again() {
    let (tenant, chat) = scene([fails(429).header("retry-after", "17")]).await;
    let reply = attempt(tenant.client(), "Count.")
        .await
        .problem(503, "model_busy");
    assert_eq!(reply.header("retry-after"), Some("17"));
    assert!(reply.text_at("/detail").contains("told to fail"), "{reply}");
    assert_eq!(chat.requests().len(), 1, "it is not asked again at once");
    for status in [500, 502, 503, 529] {
        chat.turns([fails(status)]);
        let reply = attempt(tenant.client(), "Count.").await;
        let reply = reply.problem(503, "model_unavailable");
        assert!(reply.header("retry-after").is_some());
    }
}

#[tokio::test]
async fn what_a_provider_refuses_is_refused_for_good() {
    let (tenant, chat) = scene([]).await;
    for (status, code) in [
        (400, "model_request_refused"),
        (401, "model_key_refused"),
        (403, "model_key_refused"),
        (404, "model_not_found"),
        (302, "model_request_refused"),
    ] {
        let body = json!({"error": {"message": format!("Wrong: {KEY} is not the key.")}});
        let turn = fails(status)
            .raw(&body.to_string())
            .header("location", "http://127.0.0.1:1/");
        chat.turns([turn]);
        let reply = attempt(tenant.client(), "Count.").await.problem(422, code);
        assert!(
            !reply.text().contains(KEY) && reply.text().contains("Wrong: … is not"),
            "{reply}"
        );
    }
    let body = json!({"error": {"code": "insufficient_quota", "message": "Pay first."}});
    chat.turns([fails(429).raw(&body.to_string())]);
    attempt(tenant.client(), "Count.")
        .await
        .problem(422, "model_quota");
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_worth_another_try() {
    let long = "word ".repeat(400);
    let (tenant, chat) = scene([says(&long).breaks_off()]).await;
    for turn in [
        says(&long).breaks_off(),
        says(&long).breaks_off().in_one_piece(),
        says("").raw("<html>Bad gateway</html>"),
        says("").raw(r#"{"error":{"message":"overloaded"}}"#),
        says("").raw("{}"),
    ] {
        chat.turns([turn.clone()]);
        let reply = attempt(tenant.client(), "Count.").await;
        let reply = reply.problem_of(503);
        let code = reply.text_at("/code");
        assert!(code.starts_with("model_"), "{turn:?}\n{reply}");
    }
    chat.turns([says("Fine.")]);
    attempt(tenant.client(), "Count.").await.expect_status(200);
}

#[tokio::test]
async fn a_provider_that_hangs_is_given_up_in_time() {
    let (tenant, chat) = scene([]).await;
    let long = "word ".repeat(400);
    for turn in [says("late").after_ms(60_000), says(&long).hangs()] {
        chat.turns([turn]);
        let began = Instant::now();
        let reply = attempt(tenant.client(), "Count.").await;
        reply.problem(503, "model_timeout");
        let took = began.elapsed();
        assert!((8..40).contains(&took.as_secs()), "{took:?}");
    }
}

#[tokio::test]
async fn a_slow_model_is_stopped_when_the_time_is_used_up() {
    let slow = queries("n", "select 1 as one").after_ms(3_000);
    let (tenant, chat) = scene([slow]).await;
    let began = Instant::now();
    let reply = attempt(tenant.client(), "Count.").await.problem_of(503);
    let code = reply.text_at("/code");
    assert!(
        ["time_used_up", "model_timeout"].contains(&&*code),
        "{reply}"
    );
    assert!(
        began.elapsed() < Duration::from_secs(40),
        "{:?}",
        began.elapsed()
    );
    let requests = chat.requests();
    let last = requests
        .last()
        .map(|request| request["tool_choice"].clone());
    assert_eq!(
        last,
        Some(json!("none")),
        "the last quarter is for the report"
    );
}

#[tokio::test]
async fn a_provider_that_is_not_there_may_come_back() {
    let tenant = Tenant::new().await;
    let body = json!({"kind": "model", "baseUrl": "http://127.0.0.1:9/v1", "model": "m"});
    let put = tenant.client().call("PUT", "/api/writer").json(&body);
    put.await.expect_status(200);
    let reply = attempt(tenant.client(), "Count.").await;
    reply.problem(503, "model_unreachable");
}
