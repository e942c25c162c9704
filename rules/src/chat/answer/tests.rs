//! Answers of servers of all kinds.

use super::*;

fn streamed(events: &[&str]) -> Result<Answer, Failed> {
    let mut partial = Partial::default();
    for event in events {
        if partial.add(event)? {
            break;
        }
    }
    partial.end()
}

#[test]
fn whole_and_in_pieces_read_the_same() {
    let whole = whole(
        r#"{"id":"x","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant",
            "content":"Two calls.","refusal":null,"tool_calls":[
              {"id":"a","type":"function","function":{"name":"list_sources","arguments":"{}"}},
              {"id":"b","type":"function","function":{"name":"run_query","arguments":"{\"sql\":\"select 1\"}"}}]},
            "finish_reason":"tool_calls"}],"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}}"#,
    );
    let pieces = streamed(&[
        r#"{"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}"#,
        r#"{"choices":[{"index":0,"delta":{"content":"Two "}}]}"#,
        r#"{"choices":[{"index":0,"delta":{"content":"calls."}}]}"#,
        r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"list_sources","arguments":""}}]}}]}"#,
        r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{}"}}]}}]}"#,
        r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":1,"id":"b","type":"function","function":{"name":"run_query","arguments":"{\"sql\":"}}]}}]}"#,
        r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":1,"function":{"arguments":"\"select 1\"}"}}]}}]}"#,
        r#"{"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}"#,
        r#"{"choices":[],"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}}"#,
        "[DONE]",
    ]);
    assert_eq!(whole, pieces);
    let answer = whole.unwrap();
    assert_eq!(answer.finish, Finish::Tools);
    assert_eq!(answer.calls[1].arguments, r#"{"sql":"select 1"}"#);
    assert_eq!(
        answer.usage,
        Some(Usage {
            read: 10,
            written: 5
        })
    );
}

#[test]
fn calls_without_numbers_or_ids_are_told_apart() {
    let answer = streamed(&[
        r#"{"choices":[{"delta":{"tool_calls":[{"id":"a","function":{"name":"x","arguments":"{}"}}]}}]}"#,
        r#"{"choices":[{"delta":{"tool_calls":[{"id":"b","function":{"name":"y","arguments":{"n":1}}}]},"finish_reason":"tool_calls"}]}"#,
    ]);
    let calls = answer.unwrap().calls;
    assert_eq!((calls[0].id.as_str(), calls[1].id.as_str()), ("a", "b"));
    assert_eq!(calls[1].arguments, r#"{"n":1}"#);
    let answer = whole(
        r#"{"choices":[{"message":{"content":null,"tool_calls":[{"function":{"name":"x","arguments":"{}"}}]},"finish_reason":"stop"}]}"#,
    );
    assert_eq!(answer.unwrap().calls[0].id, "call_0");
}

#[test]
fn how_an_answer_ended_is_told() {
    for (reason, finish) in [
        ("stop", Finish::Stop),
        ("length", Finish::Length),
        ("content_filter", Finish::Filtered),
        ("eos", Finish::Stop),
    ] {
        let body = format!(
            r#"{{"choices":[{{"message":{{"content":[{{"type":"text","text":"a"}}]}},"finish_reason":"{reason}"}}]}}"#
        );
        let answer = whole(&body).unwrap();
        assert_eq!(
            (answer.finish, answer.text.as_str()),
            (finish, "a"),
            "{reason}"
        );
    }
    let refused = r#"{"choices":[{"message":{"content":null,"refusal":"I cannot."},"finish_reason":"stop"}]}"#;
    assert_eq!(
        whole(refused).unwrap().refusal.as_deref(),
        Some("I cannot.")
    );
}

#[test]
fn what_is_no_answer_or_only_half_is_worth_another_try() {
    for body in [
        "",
        "{}",
        "<html>",
        "[1]",
        r#"{"choices":[]}"#,
        r#"{"choices":"x"}"#,
    ] {
        assert_eq!(whole(body).unwrap_err().retry, Some(None), "{body}");
    }
    let half = streamed(&[r#"{"choices":[{"delta":{"content":"The rep"}}]}"#]).unwrap_err();
    assert_eq!((half.code, half.retry), ("model_cut_off", Some(None)));
    let reported = streamed(&[r#"{"error":{"message":"overloaded"}}"#]).unwrap_err();
    assert!(reported.detail.contains("overloaded"));
}

#[test]
fn a_flood_of_calls_is_cut() {
    let many: Vec<String> = (0..100)
        .map(|n| {
            format!(r#"{{"index":{n},"id":"c{n}","function":{{"name":"x","arguments":"{{}}"}}}}"#)
        })
        .collect();
    let body = format!(
        r#"{{"choices":[{{"message":{{"tool_calls":[{}]}},"finish_reason":"tool_calls"}}]}}"#,
        many.join(",")
    );
    assert_eq!(whole(&body).unwrap().calls.len(), CALLS);
    let far = r#"{"choices":[{"delta":{"tool_calls":[{"index":4000000000,"id":"c"}]},"finish_reason":"stop"}]}"#;
    assert_eq!(streamed(&[far]).unwrap().calls, []);
}
