//! What a model answers, whole or in pieces.
//!
//! Invariant: both ways of sending an answer read to the same; fields that are not known are not
//! looked at, so that servers of all kinds are understood.
//! Failure: an answer that is none, or ends in the middle, is worth another try.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Failed;

/// Most calls of tools that are read from one answer.
const CALLS: usize = 32;

/// An answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// What it says.
    pub text: String,
    /// That it will not, and why.
    pub refusal: Option<String>,
    /// The tools it calls.
    pub calls: Vec<Call>,
    /// Why it ended.
    pub finish: Finish,
    /// What it took, where that is told.
    pub usage: Option<Usage>,
}

/// A call of a tool.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Call {
    /// Names the call; the result goes with it.
    pub id: String,
    /// The tool.
    pub name: String,
    /// The arguments, which should be a JSON object.
    pub arguments: String,
}

/// Why an answer ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Finish {
    /// It is complete.
    #[default]
    Stop,
    /// It waits for tools.
    Tools,
    /// It is as long as it may be.
    Length,
    /// The provider held it back.
    Filtered,
}

impl Finish {
    fn parse(text: &str) -> Self {
        match text {
            "length" | "max_tokens" => Self::Length,
            "tool_calls" | "function_call" => Self::Tools,
            "content_filter" => Self::Filtered,
            _ => Self::Stop,
        }
    }
}

/// Tokens as the provider counts them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Read.
    #[serde(default, rename = "prompt_tokens")]
    pub read: u64,
    /// Written.
    #[serde(default, rename = "completion_tokens")]
    pub written: u64,
}

#[derive(Deserialize)]
struct Body {
    #[serde(default)]
    choices: Vec<Choice>,
    usage: Option<Usage>,
    error: Option<Value>,
}

#[derive(Deserialize)]
struct Choice {
    #[serde(default)]
    index: u64,
    #[serde(alias = "delta")]
    message: Option<Piece>,
    finish_reason: Option<String>,
}

#[derive(Default, Deserialize)]
struct Piece {
    content: Option<Content>,
    refusal: Option<String>,
    tool_calls: Option<Vec<CallPiece>>,
}

/// Text, or parts of which some are text.
#[derive(Deserialize)]
#[serde(untagged)]
enum Content {
    Text(String),
    Parts(Vec<Part>),
}

#[derive(Deserialize)]
struct Part {
    #[serde(default)]
    text: String,
}

#[derive(Deserialize)]
struct CallPiece {
    index: Option<usize>,
    id: Option<String>,
    function: Option<FunctionPiece>,
}

#[derive(Deserialize)]
struct FunctionPiece {
    name: Option<String>,
    /// A text, or from some servers the object itself.
    arguments: Option<Value>,
}

/// Reads an answer that came whole.
pub fn whole(body: &str) -> Result<Answer, Failed> {
    let mut partial = Partial::default();
    partial.add(body)?;
    match partial.begun {
        true => partial.end(),
        false => Err(unreadable()),
    }
}

/// An answer that comes in pieces.
#[derive(Debug, Default)]
pub struct Partial {
    answer: Answer,
    begun: bool,
    finished: bool,
}

impl Partial {
    /// Takes the next event; answers whether it was the last.
    pub fn add(&mut self, event: &str) -> Result<bool, Failed> {
        if event.trim() == "[DONE]" {
            self.finished = true;
            return Ok(true);
        }
        let body: Body = serde_json::from_str(event).map_err(|_| unreadable())?;
        if let Some(error) = body.error.filter(|error| !error.is_null()) {
            return Err(Failed::reported(&error));
        }
        self.answer.usage = body.usage.or(self.answer.usage);
        for choice in body.choices.into_iter().filter(|choice| choice.index == 0) {
            self.begun = true;
            if let Some(reason) = &choice.finish_reason {
                self.answer.finish = Finish::parse(reason);
                self.finished = true;
            }
            if let Some(piece) = choice.message {
                self.piece(piece);
            }
        }
        Ok(false)
    }

    /// The answer, if it has come to its end.
    pub fn end(mut self) -> Result<Answer, Failed> {
        if !self.finished {
            return Err(Failed::for_now(
                "model_cut_off",
                "The model's answer broke off in the middle.",
            ));
        }
        let calls = &mut self.answer.calls;
        calls.retain(|call| !(call.name.is_empty() && call.arguments.is_empty()));
        for (place, call) in calls.iter_mut().enumerate() {
            if call.id.is_empty() {
                call.id = format!("call_{place}");
            }
        }
        Ok(self.answer)
    }

    /// How much text it holds so far, in bytes.
    pub fn len(&self) -> usize {
        let calls = self.answer.calls.iter();
        self.answer.text.len() + calls.map(|call| call.arguments.len()).sum::<usize>()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn piece(&mut self, piece: Piece) {
        match piece.content {
            Some(Content::Text(text)) => self.answer.text.push_str(&text),
            Some(Content::Parts(parts)) => {
                for part in parts {
                    self.answer.text.push_str(&part.text);
                }
            }
            None => {}
        }
        if let Some(refusal) = piece.refusal.filter(|refusal| !refusal.is_empty()) {
            self.answer
                .refusal
                .get_or_insert_default()
                .push_str(&refusal);
        }
        for call in piece.tool_calls.unwrap_or_default() {
            self.call(call);
        }
    }

    fn call(&mut self, piece: CallPiece) {
        let calls = &mut self.answer.calls;
        let new_id = piece.id.as_ref().filter(|id| !id.is_empty());
        // Servers that count nothing begin a call with its id.
        let place = piece.index.unwrap_or_else(|| match new_id {
            Some(id) => {
                let known = calls.iter().position(|call| call.id == *id);
                known.unwrap_or(calls.len())
            }
            None => calls.len().saturating_sub(1),
        });
        if place >= CALLS {
            return;
        }
        while calls.len() <= place {
            calls.push(Call::default());
        }
        let Some(call) = calls.get_mut(place) else {
            return;
        };
        if let Some(id) = new_id {
            call.id.clone_from(id);
        }
        if let Some(function) = piece.function {
            if let Some(name) = function.name {
                call.name.push_str(&name);
            }
            match function.arguments {
                Some(Value::String(text)) => call.arguments.push_str(&text),
                Some(Value::Null) | None => {}
                Some(object) => call.arguments.push_str(&object.to_string()),
            }
        }
    }
}

fn unreadable() -> Failed {
    Failed::for_now(
        "model_answer_unreadable",
        "What the model's provider answers is no chat completion.",
    )
}

#[cfg(test)]
mod tests;
