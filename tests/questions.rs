//! Questions at the door: who is asked, what holds a guest up, and where the answers are seen.
//!
//! Invariant: nobody is asked twice; answers stand with their record and nowhere else.
//! Failure: each test names the answer that came instead.

use pulse_tests::prelude::*;
use pulse_tests::receiver::Receiver;
use pulse_tests::webhook::Webhook;

fn asking(questions: Value) -> Value {
    json!({"allow_reentry": true, "questions": questions})
}

fn age_and_shirt() -> Value {
    json!([
        {"id": "age", "text": "How old are you?", "kind": "number", "required": true},
        {"id": "shirt", "text": "Which size?", "kind": "choice", "choices": ["S", "M", "L"]},
    ])
}

fn answering(event: &Event, guest: &str, answers: Value) -> Value {
    json!({"barcode": event.code(guest), "answers": answers})
}

/// 36: a required question holds the guest up until it is answered.
#[tokio::test]
async fn a_required_question_is_asked_before_the_guest_enters() {
    let event = Event::with_guests(["Ada"]).settings(asking(age_and_shirt()));
    let event = event.open().await;
    let asked = event.door().scan("Ada").await.refused("incomplete");
    let asked = asked.explains("How old are you?");
    let ids: Vec<_> = asked
        .at("/questions")
        .as_array()
        .expect("questions")
        .clone();
    let ids: Vec<_> = ids.iter().map(|one| one["id"].clone()).collect();
    assert_eq!(ids, ["age", "shirt"]);
    assert_eq!(asked.at("/questions/1/choices"), json!(["S", "M", "L"]));
    event
        .dashboard()
        .await
        .counts(|c| c.checked_in == 0 && c.refused["incomplete"] == 1);
    let body = answering(&event, "Ada", json!({"age": 36, "shirt": "M"}));
    let answer = event.door().scan_with(body).await.accepted();
    let answer = answer.has("/check_in/answers", json!({"age": 36, "shirt": "M"}));
    assert_eq!(answer.at("/questions"), json!([]));
    event.recorded().await.counts(|c| c.checked_in == 1);
    let records = event.check_ins("verdict=accepted").await;
    assert_eq!(records[0]["answers"], json!({"age": 36, "shirt": "M"}));
}

/// 36: what was answered once is not asked again, also after the object slept.
#[tokio::test]
async fn a_guest_who_comes_back_is_not_asked_again() {
    let event = Event::with_guests(["Ada"]).settings(asking(age_and_shirt()));
    let event = event.open().await;
    let body = answering(&event, "Ada", json!({"age": 36}));
    event.door().scan_with(body).await.accepted();
    event.door().exit("Ada").await.accepted();
    event.recorded().await;
    pulse_tests::control::Control::here()
        .evict(&event.table)
        .await;
    let again = event.door().scan("Ada").await.accepted();
    again.has("/check_in/answers", json!({}));
}

/// 36: what is not required holds nobody up.
#[tokio::test]
async fn optional_questions_hold_nobody_up() {
    let optional = json!([{"id": "vegan", "text": "Vegan?", "kind": "yes_no"}]);
    let event = Event::with_guests(["Ada", "Bob"]).settings(asking(optional));
    let event = event.open().await;
    event.door().scan("Ada").await.accepted();
    let body = answering(&event, "Bob", json!({"vegan": null}));
    let bob = event.door().scan_with(body).await.accepted();
    bob.has("/check_in/answers", json!({}));
}

/// 37: a device that cannot ask does not hold its guests up; the next one that can asks.
#[tokio::test]
async fn a_device_that_cannot_ask_lets_the_guest_in() {
    let event = Event::with_guests(["Ada"]).settings(asking(age_and_shirt()));
    let event = event.open().await;
    let body = json!({"barcode": event.code("Ada"), "questions_supported": false});
    event.door().scan_with(body).await.accepted();
    event.door().exit("Ada").await.accepted();
    event.door().scan("Ada").await.refused("incomplete");
}

/// 38: an answer that does not fit is told, and the guest stays outside.
#[tokio::test]
async fn an_answer_that_does_not_fit_is_named() {
    let all = json!([
        {"id": "text", "text": "Remark?", "kind": "text"},
        {"id": "yes", "text": "Vegan?", "kind": "yes_no"},
        {"id": "number", "text": "How many?", "kind": "number"},
        {"id": "choice", "text": "Which size?", "kind": "choice", "choices": ["S", "M"]},
        {"id": "date", "text": "When born?", "kind": "date"},
    ]);
    let event = Event::with_guests(["Ada"])
        .settings(asking(all))
        .open()
        .await;
    let door = event.door();
    for (wrong, named) in [
        (json!({"text": 7}), "Remark?"),
        (json!({"text": "x".repeat(1_001)}), "Remark?"),
        (json!({"yes": "yes"}), "Vegan?"),
        (json!({"number": "7"}), "How many?"),
        (json!({"choice": "XXL"}), "Which size?"),
        (json!({"date": "2023-02-29"}), "When born?"),
        (json!({"text": "good", "date": [1]}), "When born?"),
    ] {
        let answer = door.scan_with(answering(&event, "Ada", wrong)).await;
        answer.refused("incomplete").explains(named);
    }
    let right =
        json!({"text": "ok", "yes": false, "number": 2.5, "choice": "S", "date": "2024-02-29"});
    let mut more = right.clone();
    more["unknown"] = json!("not asked");
    let answer = door
        .scan_with(answering(&event, "Ada", more))
        .await
        .accepted();
    answer.has("/check_in/answers", right);
    let long = json!({"text": "x".repeat(9_000)});
    let reply = door.try_scan(answering(&event, "Ada", long)).await;
    reply.problem_of(422).points_at("/answers");
}

/// 36: a question may concern some categories only.
#[tokio::test]
async fn a_question_is_asked_of_the_categories_it_concerns() {
    let dinner = json!([{"id": "diet", "text": "Allergies?", "required": true, "categories": ["dinner", "vip"]}]);
    let event = Event::with_guests(["Ada:dinner", "Bob:standard", "Cleo"]).settings(asking(dinner));
    let event = event.open().await;
    event.door().scan("Ada").await.refused("incomplete");
    event.door().scan("Bob").await.accepted();
    event.door().scan("Cleo").await.accepted();
    let walk_in = json!({"walk_in": {"name": "Eve", "category": "vip"}});
    event.door().scan_with(walk_in).await.refused("incomplete");
    let walk_in =
        json!({"walk_in": {"name": "Eve", "category": "vip"}, "answers": {"diet": "nuts"}});
    let answer = event.door().scan_with(walk_in).await.accepted();
    answer.has("/check_in/answers", json!({"diet": "nuts"}));
}

/// 36: what already happened is recorded without answers, and other reasons come first.
#[tokio::test]
async fn force_goes_past_questions_and_other_reasons_come_first() {
    let event = Event::with_guests(["Ada"]).settings(asking(age_and_shirt()));
    let event = event
        .guest(json!({"name": "Bob", "status": "canceled"}))
        .open()
        .await;
    let door = event.door();
    door.scan("Bob")
        .await
        .refused("canceled")
        .has("/questions", json!([]));
    let forced = json!({"barcode": event.code("Ada"), "force": true, "answers": {"age": "old"}});
    let forced = door.scan_with(forced).await.accepted();
    let forced = forced.has("/check_in/overrode", "incomplete");
    forced.has("/check_in/answers", json!({}));
    door.scan("Ada").await.duplicate();
    door.exit("Ada").await.accepted();
    door.scan("Ada").await.refused("incomplete");
}

/// 36: questions that cannot be asked are refused, each with its pointer.
#[tokio::test]
async fn questions_that_make_no_sense_are_refused_with_their_places() {
    let event = Event::with_guests(["Ada"]).open().await;
    let path = format!("/pulse/{}", event.table);
    let many: Vec<Value> = (0..21)
        .map(|n| json!({"id": format!("q{n}"), "text": "?"}))
        .collect();
    let choices: Vec<String> = (0..51).map(|n| n.to_string()).collect();
    for (questions, pointer) in [
        (json!("why"), "/settings/questions"),
        (json!(many), "/settings/questions"),
        (json!(["why"]), "/settings/questions/0"),
        (json!([{"text": "Why?"}]), "/settings/questions/0/id"),
        (
            json!([{"id": "No Way", "text": "Why?"}]),
            "/settings/questions/0/id",
        ),
        (
            json!([{"id": "a", "text": " "}]),
            "/settings/questions/0/text",
        ),
        (
            json!([{"id": "a", "text": "Why?", "kind": "riddle"}]),
            "/settings/questions/0/kind",
        ),
        (
            json!([{"id": "a", "text": "Why?", "required": "yes"}]),
            "/settings/questions/0/required",
        ),
        (
            json!([{"id": "a", "text": "Why?", "kind": "choice"}]),
            "/settings/questions/0/choices",
        ),
        (
            json!([{"id": "a", "text": "Why?", "choices": ["x"]}]),
            "/settings/questions/0/choices",
        ),
        (
            json!([{"id": "a", "text": "Why?", "kind": "choice", "choices": choices}]),
            "/settings/questions/0/choices",
        ),
        (
            json!([{"id": "a", "text": "Why?", "categories": ["", "b"]}]),
            "/settings/questions/0/categories/0",
        ),
        (
            json!([{"id": "a", "text": "Why?"}, {"id": "a", "text": "How?"}]),
            "/settings/questions/1/id",
        ),
        (
            json!([{"id": "a", "text": "Why?", "hint": "x"}]),
            "/settings/questions/0/hint",
        ),
    ] {
        let body = json!({"settings": {"questions": questions}});
        let reply = event.client().patch(&path, &body).await;
        reply.problem_of(422).points_at(pointer);
    }
    event
        .configure(json!({"settings": {"questions": age_and_shirt()}}))
        .await;
    event.door().scan("Ada").await.refused("incomplete");
    event
        .configure(json!({"settings": {"questions": null}}))
        .await;
    event.door().scan("Ada").await.accepted();
}

/// Answers are personal: whoever watches or is told does not get them.
#[tokio::test]
async fn answers_are_on_no_channel_and_in_no_webhook() {
    let event = Event::with_guests(["Ada"]).settings(asking(age_and_shirt()));
    let event = event.open().await;
    let receiver = Receiver::new().await;
    let hook = Webhook::of(&event, &receiver).await;
    let mut socket = event.socket().await;
    socket.subscribe("scans").await;
    let body = answering(&event, "Ada", json!({"age": 8_675_309}));
    event.door().scan_with(body).await.accepted();
    let seen = socket.event_of("scans").await;
    assert_eq!(seen["type"], "checkin.accepted");
    receiver.received(1).await;
    hook.settled("delivered", 1).await;
    let told = receiver.hooks()[0].json();
    assert_eq!(told["data"]["seq"], seen["data"]["seq"]);
    let recent = event.dashboard().await.at("/recent");
    for text in [seen.to_string(), told.to_string(), recent.to_string()] {
        assert!(
            !text.contains("8675309") && !text.contains("answers"),
            "{text}"
        );
    }
}
