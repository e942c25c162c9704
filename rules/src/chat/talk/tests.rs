//! Conversations of all kinds, played through.

use super::*;
use crate::civil::Zone;

fn talk(limits: Limits) -> Talk {
    let zone = Zone::utc();
    let brief = Brief {
        prompt: "How many guests came?",
        title: "Morning",
        zone: &zone,
        scheduled_for: "2026-11-26T08:00:00Z".parse().unwrap(),
        template: None,
    };
    Talk::new(&brief, limits)
}

fn says(text: &str) -> Answer {
    Answer {
        text: text.to_owned(),
        ..Answer::default()
    }
}

fn calls(count: usize) -> Answer {
    let call = |n| Call {
        id: format!("c{n}"),
        name: "list_sources".to_owned(),
        arguments: "{}".to_owned(),
    };
    Answer {
        calls: (0..count).map(call).collect(),
        finish: Finish::Tools,
        ..Answer::default()
    }
}

fn sent(talk: &Talk) -> serde_json::Value {
    serde_json::from_str(&talk.request("m", Dialect::new(false))).unwrap()
}

#[test]
fn a_report_ends_it() {
    let mut talk = talk(Limits::default());
    let Next::Run(asked) = talk.take(calls(2)) else {
        panic!("tools");
    };
    for call in &asked {
        talk.admit().unwrap();
        talk.tell(
            call,
            Told {
                full: "long".into(),
                short: "short".into(),
            },
        );
    }
    talk.round_over(true).unwrap();
    let body = sent(&talk);
    assert_eq!(body["messages"][3]["tool_call_id"], "c0");
    assert_eq!(body["messages"][4]["tool_call_id"], "c1");
    assert_eq!(body["messages"][4]["content"], "long");
    assert_eq!(
        talk.take(says("# Morning\n")),
        Next::Done("# Morning".to_owned())
    );
    let kept = talk.kept();
    let roles: Vec<_> = kept.iter().map(|kept| kept.role).collect();
    assert_eq!(
        roles,
        ["system", "user", "assistant", "tool", "tool", "assistant"]
    );
    assert_eq!(kept[2].content, "list_sources({})\nlist_sources({})");
    assert_eq!(kept[3].content, "short");
}

#[test]
fn a_code_block_around_the_report_is_taken_off() {
    for (text, expected) in [
        ("```markdown\n# A\n```", "# A"),
        ("```\n# A\n```\n", "# A"),
        ("```sql\nselect 1\n```", "```sql\nselect 1\n```"),
        ("```\na\n```\nb\n```\nc\n```", "```\na\n```\nb\n```\nc\n```"),
    ] {
        assert_eq!(report(text), expected);
    }
}

#[test]
fn refusals_and_filters_are_for_good() {
    let refusal = Answer {
        refusal: Some("I can't\nhelp.".to_owned()),
        ..Answer::default()
    };
    let filtered = Answer {
        finish: Finish::Filtered,
        ..Answer::default()
    };
    for (answer, code) in [(refusal, "model_refuses"), (filtered, "model_filtered")] {
        match talk(Limits::default()).take(answer) {
            Next::Failed(failed) => assert_eq!((failed.code, failed.retry), (code, None)),
            next => panic!("{next:?}"),
        }
    }
}

#[test]
fn what_is_empty_or_too_long_is_asked_for_once_more() {
    let long = Answer {
        text: "The rep".to_owned(),
        finish: Finish::Length,
        ..Answer::default()
    };
    for (answer, code) in [
        (says(" \n"), "model_silent"),
        (long, "model_answer_too_long"),
    ] {
        let mut talk = talk(Limits::default());
        assert_eq!(talk.take(answer.clone()), Next::Ask);
        let last = sent(&talk)["messages"].as_array().unwrap().last().cloned();
        assert_eq!(last.unwrap()["role"], "user");
        assert!(matches!(talk.clone().take(says("Fine.")), Next::Done(_)));
        match talk.take(answer) {
            Next::Failed(failed) => assert_eq!(failed.code, code),
            next => panic!("{next:?}"),
        }
    }
}

#[test]
fn calls_that_were_cut_off_are_not_run() {
    let mut answer = calls(1);
    answer.finish = Finish::Length;
    assert_eq!(talk(Limits::default()).take(answer), Next::Ask);
}

#[test]
fn a_model_that_never_writes_is_stopped() {
    let limits = Limits {
        rounds: 4,
        ..Limits::default()
    };
    let mut talk = talk(limits);
    let mut rounds = 0;
    let failed = loop {
        rounds += 1;
        match talk.take(calls(1)) {
            Next::Run(asked) => {
                for call in &asked {
                    talk.tell(call, Told::both("x"));
                }
            }
            Next::Ask => {}
            Next::Failed(failed) => break failed,
            Next::Done(report) => panic!("{report}"),
        }
        if let Err(failed) = talk.round_over(true) {
            break failed;
        }
        assert!(rounds < 10);
    };
    assert_eq!(failed.retry, None);
    assert!(rounds <= 6, "{rounds}");
    assert_eq!(sent(&talk)["tool_choice"], "none");
}

#[test]
fn when_something_is_used_up_only_the_report_is_left() {
    let limits = Limits::default();
    let spent = |usage| Answer {
        usage: Some(usage),
        ..calls(1)
    };
    let much = Usage {
        read: limits.tokens,
        written: 1,
    };
    for (answer, time_left) in [(spent(much), true), (spent(Usage::default()), false)] {
        let mut talk = talk(limits);
        talk.take(answer);
        talk.round_over(time_left).unwrap();
        assert_eq!(sent(&talk)["tool_choice"], "none");
    }
    let mut talk = talk(Limits { calls: 2, ..limits });
    assert!(talk.admit().is_ok() && talk.admit().is_ok());
    assert!(talk.admit().unwrap_err().full.contains("No more calls"));
}

#[test]
fn what_no_server_counts_is_estimated() {
    let mut talk = talk(Limits::default());
    talk.take(says("x".repeat(400).as_str()));
    assert_eq!(talk.usage().written, 100);
    assert!(talk.usage().read > 100);
}
