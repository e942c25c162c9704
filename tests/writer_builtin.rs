//! The builtin writer: SQL blocks in, a report out, no model anywhere.
//!
//! Invariant: every number in the report is one that a query found.
//! Failure: the report, or the problem with its line.

use pulse_tests::chat::attempt;
use pulse_tests::prelude::*;

async fn event() -> Event {
    let event = Event::with_guests(["Ada:vip", "Bob:vip", "Cy:press", "Di"])
        .open()
        .await;
    for name in ["Ada", "Bob", "Cy"] {
        event.door().scan(name).await.accepted();
    }
    event.recorded().await;
    event
}

#[tokio::test]
async fn blocks_are_run_and_shown_where_they_stand() {
    let event = event().await;
    let prompt = "Good morning.\n\n```sql name=by_category title=\"By category\"\n\
                  select coalesce(category, 'none') as category, count(*) as n\n\
                  from check_ins group by 1 order by n desc, 1\n```\n\nThat is all.";
    let reply = attempt(event.client(), prompt).await.expect_status(200);
    assert_eq!(reply.at("/writer"), "builtin");
    let report = reply.text_at("/report");
    assert!(
        report.starts_with("# Try\n\nGood morning.") && report.contains("By category"),
        "{report}"
    );
    assert!(
        report.contains("vip") && report.trim_end().ends_with("That is all."),
        "{report}"
    );
    assert!(!report.contains("```"), "{report}");
    assert_eq!(reply.at("/data/0/name"), "by_category");
    assert_eq!(reply.at("/data/0/rows"), json!([["vip", 2], ["press", 1]]));
    assert_eq!(
        (reply.at("/usage/queries"), reply.at("/usage/requests")),
        (json!(1), json!(0))
    );
    let roles: Vec<_> = reply
        .list_at("/messages")
        .iter()
        .map(|m| m["role"].clone())
        .collect();
    assert_eq!(roles, ["user", "tool", "assistant"]);
    assert_eq!(
        reply.at("/messages/1/content"),
        "by_category: 2 rows of category, n. [[\"vip\",2],[\"press\",1]]"
    );
}

#[tokio::test]
async fn a_template_is_filled_with_what_the_prompt_finds() {
    let event = event().await;
    let body = json!({
        "title": "Doors",
        "prompt": "```sql name=doors\nselect count(*) as admitted from check_ins\n```",
        "template": "# {{ title }}\n\nAdmitted: {{ doors.admitted|number }}.\n\n\
                     ```sql name=guests\nselect count(*) as n from guests\n```\n",
    });
    let reply = event
        .client()
        .post("/api/writer/try", &body)
        .await
        .expect_status(200);
    let report = reply.text_at("/report");
    assert!(
        report.starts_with("# Doors\n\nAdmitted: 3.") && report.contains('4'),
        "{report}"
    );
    let names: Vec<_> = reply
        .list_at("/data")
        .iter()
        .map(|set| set["name"].clone())
        .collect();
    assert_eq!(names, ["doors", "guests"]);
}

#[tokio::test]
async fn now_is_the_time_the_report_is_about() {
    let tenant = Tenant::new().await;
    let client = tenant.key("manager").await.0;
    let client = client.at(time("2026-06-01T22:15:00Z"));
    let prompt = "```sql name=now\nselect current_date as today, now() as now\n```";
    let reply = attempt(&client, prompt).await.expect_status(200);
    assert_eq!(
        reply.at("/data/0/rows/0"),
        json!(["2026-06-02", "2026-06-02T00:15:00+02:00"])
    );
}

#[tokio::test]
async fn a_text_without_a_query_says_that_nothing_was_looked_up() {
    let tenant = Tenant::new().await;
    let reply = attempt(tenant.client(), "How many came?")
        .await
        .expect_status(200);
    let report = reply.text_at("/report");
    assert!(
        report.contains("How many came?") && report.contains("Nothing was looked up"),
        "{report}"
    );
    assert_eq!(reply.at("/data"), json!([]));
}

#[tokio::test]
async fn what_is_wrong_with_a_block_is_told_with_its_line() {
    let tenant = Tenant::new().await;
    for (prompt, code, told) in [
        (
            "Hi\n\n```sql name=a\nselect * from pg_user\n```",
            "sql_source",
            "The query a on line 4 of the prompt: Line 1, column 15: pg_user is no source",
        ),
        (
            "```sql\nselect 1 / 0 as x\n```",
            "query_failed",
            "The query query_1 on line 2 of the prompt: The query fails: division by zero",
        ),
        (
            "```sql name=No!\nselect 1\n```",
            "dataset_name",
            "Line 1, column",
        ),
        (
            "```sql name=a\nselect 1 as x\n```\n\n```sql name=a\nselect 2 as x\n```",
            "",
            "a",
        ),
        ("Total: {{ nothing.here }}", "unknown_variable", "Line 1"),
    ] {
        let reply = attempt(tenant.client(), prompt).await.problem_of(422);
        if !code.is_empty() {
            assert_eq!(reply.at("/code"), code, "{reply}");
        }
        assert!(reply.text_at("/detail").contains(told), "{reply}");
    }
    let body = json!({"prompt": "```sql name=a\nselect 1 as x\n```", "template": "```sql name=a\nselect 2 as x\n```"});
    let reply = tenant.client().post("/api/writer/try", &body).await;
    reply.problem(422, "duplicate_dataset");
}
