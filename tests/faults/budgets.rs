//! What a tenant may take in a day of what the deployment pays for: its model and its mail.
//!
//! Invariant: what is over a budget is told as such, costs nothing and is not tried again; whoever
//! brings a model of their own goes on.
//! Failure: the request that went out all the same.

use super::alone;
use pulse_tests::chat::{self, Chat, says};
use pulse_tests::control::Control;
use pulse_tests::prelude::*;
use pulse_tests::receiver::{Receiver, status};
use pulse_tests::report::Report;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_over_the_budget_fails_and_says_so_and_mail_over_it_is_not_sent() {
    let _alone = alone().await;
    let (model, control) = (Chat::with([says("All is well.")]).await, Control::here());
    let mail =
        Receiver::with((0..9).map(|n| status(200).json(&json!({"id": n.to_string()})))).await;
    let settings = json!({"api_key": "re_key", "from": {"email": "pulse@example.org"}, "base_url": mail.base()});
    let report =
        Report::about_lists(json!({"recipients": ["a@example.org", "b@example.org"]})).await;
    // One answer of the model is 110 tokens; one mail of two is one too many.
    control
        .set_vars(&json!({
            "CHAT_BASE_URL": model.url, "CHAT_MODEL": chat::MODEL, "CHAT_API_KEY": chat::KEY, "CHAT_BUDGET": "100",
            "MAIL_CHANNEL": json!({"kind": "resend", "settings": settings}).to_string(), "MAIL_BUDGET": "1",
        }))
        .await;
    let job = report.publish().await;
    let first = job.finished().await;
    let deliveries = eventually("the mails are settled", || async {
        let counts = job.show().await.at("/deliveries");
        (counts["pending"] == json!(null) && counts["sending"] == json!(null)).then_some(counts)
    })
    .await;
    let second = report.publish().await.finished().await;
    let own = Chat::with([says("From my own.")]).await;
    own.writes_for(&report.tenant).await;
    let third = report.publish().await.finished().await;
    control
        .set_vars(
            &json!({"CHAT_BASE_URL": "", "CHAT_MODEL": "", "CHAT_API_KEY": "", "CHAT_BUDGET": "",
                          "MAIL_CHANNEL": "", "MAIL_BUDGET": ""}),
        )
        .await;
    assert_eq!(first.at("/result"), "success", "{first}");
    assert_eq!(
        (deliveries["sent"].clone(), deliveries["failed"].clone()),
        (json!(1), json!(1))
    );
    assert_eq!(
        (second.at("/result"), second.at("/errorCode")),
        (json!("error"), json!("tokens_of_the_day_spent"))
    );
    assert_eq!(
        (model.requests().len(), second.at("/attemptCount")),
        (1, json!(1))
    );
    assert_eq!(
        (third.at("/result"), own.requests().len()),
        (json!("success"), 1),
        "{third}"
    );
    assert_eq!(mail.hooks().len(), 1);
}
