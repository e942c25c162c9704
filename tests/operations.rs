//! What those who run Pulse see: health, metrics, the API document.
//!
//! Invariant: metrics are for holders of the operator token; health is for everyone and tells no
//! numbers of tenants.
//! Failure: the part that is not reported as it is.

use pulse_tests::control::Control;
use pulse_tests::prelude::*;
use pulse_tests::stack;

#[tokio::test]
async fn health_knows_the_last_tick_and_the_last_message() {
    Control::here().cron("* * * * *").await;
    eventually("tick and queue are reported", || async {
        let health = Client::anonymous().get("/health").await;
        let ok = |part: &str| health.at(&format!("/checks/{part}/ok")) == true;
        let age = health.at("/checks/queue/age_seconds").as_f64();
        let all = ["database", "objects", "queue", "cron"].into_iter().all(ok);
        (all && health.at("/status") == "ok" && age.is_some_and(|age| age < 300.0)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn metrics_are_for_operators_and_in_prometheus_text() {
    Client::anonymous().get("/metrics").await.problem_of(401);
    Client::anonymous()
        .with_token("wrong")
        .get("/metrics")
        .await
        .problem_of(401);
    let tenant = Tenant::new().await;
    tenant.client().get("/metrics").await.problem_of(401);
    let operator = Client::anonymous().with_token(&stack::variable("PULSE_OPERATOR_TOKEN"));
    let metrics = operator.get("/metrics").await.expect_status(200);
    assert!(
        metrics
            .header("content-type")
            .is_some_and(|kind| kind.starts_with("text/plain"))
    );
    let text = metrics.text();
    let samples: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
    assert!(samples.len() >= 5, "{text}");
    for sample in samples {
        let (name, value) = sample.rsplit_once(' ').expect("a name and a value");
        assert!(name.starts_with("pulse_"), "{sample}");
        value
            .parse::<f64>()
            .unwrap_or_else(|_| panic!("{sample} is no number"));
    }
}

#[tokio::test]
async fn the_document_describes_every_operation_and_who_may_call_it() {
    let document = Client::anonymous()
        .get("/openapi.json")
        .await
        .expect_status(200)
        .json();
    assert!(
        document["openapi"]
            .as_str()
            .is_some_and(|version| version.starts_with("3.1"))
    );
    let paths = document["paths"].as_object().expect("paths");
    let mut names = Vec::new();
    for (path, operations) in paths {
        for (method, operation) in operations.as_object().expect("operations") {
            names.push(
                operation["operationId"]
                    .as_str()
                    .unwrap_or_default()
                    .to_owned(),
            );
            assert!(operation["x-roles"].is_array(), "{method} {path}");
            assert!(operation["responses"]["429"].is_object(), "{method} {path}");
        }
    }
    let count = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), count, "two operations share a name");
    for path in [
        "/pulse",
        "/pulse/{table_id}",
        "/pulse/check-ins",
        "/pulse/check-ins/{id}",
        "/pulse/sessions",
        "/pulse/sessions/{id}",
        "/pulse/dashboard/{table_id}",
        "/api/pulse",
        "/api/pulse/{configId}",
        "/api/pulse/{configId}/publish",
        "/api/pulse/tick",
        "/api/pulse/dispatch-ticks",
        "/api/pulse-job/{jobId}",
        "/api/pulse-job/{jobId}/run",
        "/api/pulse-job/cleanup",
    ] {
        assert!(paths.contains_key(path), "{path} is not described");
    }
}
