//! Requests of chat completions.
//!
//! Invariant: only what every server of this kind knows is sent; what some do not know can be left
//! out (see [`Dialect`]).
//! Failure: none.

use serde::Serialize;
use serde_json::{Value, json};

use super::{Call, tool};

/// A message as it is sent.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "role", rename_all = "snake_case")]
pub enum Wire {
    /// The rules.
    System {
        /// Their text.
        content: String,
    },
    /// What was asked.
    User {
        /// Its text.
        content: String,
    },
    /// What the model answered.
    Assistant {
        /// Its text.
        content: Option<String>,
        /// The tools it called.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        tool_calls: Vec<WireCall>,
    },
    /// What a tool answered.
    Tool {
        /// The call it is the answer to.
        tool_call_id: String,
        /// Its text.
        content: String,
    },
}

/// A call as it is sent back.
#[derive(Clone, Debug, Serialize)]
pub struct WireCall {
    id: String,
    #[serde(rename = "type")]
    kind: &'static str,
    function: WireFunction,
}

#[derive(Clone, Debug, Serialize)]
struct WireFunction {
    name: String,
    arguments: String,
}

impl From<&Call> for WireCall {
    fn from(call: &Call) -> Self {
        // Servers read the arguments they made again, so what was no JSON is sent back as none.
        let sound =
            serde_json::from_str::<Value>(&call.arguments).is_ok_and(|json| json.is_object());
        Self {
            id: call.id.clone(),
            kind: "function",
            function: WireFunction {
                name: call.name.clone(),
                arguments: match sound {
                    true => call.arguments.clone(),
                    false => "{}".to_owned(),
                },
            },
        }
    }
}

/// In what servers differ. Begins with what the newest want; what is refused is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dialect {
    /// `max_completion_tokens`, or `max_tokens` as it was before.
    pub completion_tokens: bool,
    /// `stream_options`, which asks for the usage of a streamed answer.
    pub stream_options: bool,
    /// Answers come in pieces.
    pub streamed: bool,
}

impl Dialect {
    /// The newest.
    pub fn new(streamed: bool) -> Self {
        Self {
            completion_tokens: true,
            stream_options: true,
            streamed,
        }
    }

    /// What to try instead after a refusal with these words, if they are about it.
    pub fn without(mut self, said: &str) -> Option<Self> {
        if self.completion_tokens && said.contains("max_completion_tokens") {
            self.completion_tokens = false;
        } else if self.streamed && self.stream_options && said.contains("stream_options") {
            self.stream_options = false;
        } else {
            return None;
        }
        Some(self)
    }
}

/// The body of a request.
pub fn body(
    model: &str,
    messages: &[Wire],
    closing: bool,
    answer_tokens: u32,
    dialect: Dialect,
) -> String {
    let mut body = json!({
        "model": model,
        "messages": messages,
        "tools": tool::definitions(),
        "tool_choice": if closing { "none" } else { "auto" },
        "stream": dialect.streamed,
    });
    if let Some(fields) = body.as_object_mut() {
        let length = match dialect.completion_tokens {
            true => "max_completion_tokens",
            false => "max_tokens",
        };
        fields.insert(length.to_owned(), answer_tokens.into());
        if dialect.streamed && dialect.stream_options {
            let options = json!({"include_usage": true});
            fields.insert("stream_options".to_owned(), options);
        }
    }
    body.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_have_the_form_of_chat_completions() {
        let call = Call {
            id: "c1".to_owned(),
            name: "run_query".to_owned(),
            arguments: "{\"sql\":".to_owned(),
        };
        let messages = [
            Wire::System {
                content: "s".to_owned(),
            },
            Wire::Assistant {
                content: None,
                tool_calls: vec![WireCall::from(&call)],
            },
            Wire::Tool {
                tool_call_id: "c1".to_owned(),
                content: "t".to_owned(),
            },
        ];
        let sent = body("m", &messages, false, 100, Dialect::new(true));
        let sent: Value = serde_json::from_str(&sent).unwrap();
        assert_eq!(
            sent["messages"],
            json!([
                {"role": "system", "content": "s"},
                {"role": "assistant", "content": null, "tool_calls": [{"id": "c1", "type": "function",
                    "function": {"name": "run_query", "arguments": "{}"}}]},
                {"role": "tool", "tool_call_id": "c1", "content": "t"},
            ])
        );
        assert_eq!(sent["tool_choice"], "auto");
        assert_eq!(sent["max_completion_tokens"], 100);
        assert_eq!(sent["stream_options"], json!({"include_usage": true}));
        assert_eq!(sent["tools"].as_array().map(Vec::len), Some(3));
    }

    #[test]
    fn what_a_server_does_not_know_is_left_out() {
        let newest = Dialect::new(true);
        let older = newest
            .without("Unsupported parameter: 'max_completion_tokens'")
            .unwrap();
        let oldest = older.without("extra field stream_options").unwrap();
        let sent: Value = serde_json::from_str(&body("m", &[], true, 7, oldest)).unwrap();
        assert_eq!(
            (&sent["max_tokens"], &sent["tool_choice"]),
            (&json!(7), &json!("none"))
        );
        assert!(
            sent.get("max_completion_tokens").is_none() && sent.get("stream_options").is_none()
        );
        assert_eq!(oldest.without("max_completion_tokens stream_options"), None);
        assert_eq!(newest.without("no such model"), None);
        assert_eq!(Dialect::new(false).without("stream_options"), None);
    }
}
