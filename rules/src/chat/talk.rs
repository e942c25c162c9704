//! The conversation with a model, step by step, without any I/O.
//!
//! Invariant: every call of a tool gets exactly one result, under its id and in order; after the
//! bounds are reached nothing but a report is taken.
//! Failure: the [`Failed`] of a step.

use serde::Serialize;

use super::prompt::{self, Brief};
use super::request::{self, Dialect, Wire, WireCall};
use super::{Answer, Call, Failed, Finish, Usage, failed};

/// How much a report may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Rounds of asking the model; the last can only be the report.
    pub rounds: u32,
    /// Tokens in all, read and written.
    pub tokens: u64,
    /// Tokens of one answer.
    pub answer_tokens: u32,
    /// Bytes of the conversation.
    pub bytes: usize,
    /// Calls of tools.
    pub calls: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            rounds: 16,
            tokens: 200_000,
            answer_tokens: 16_000,
            bytes: 400_000,
            calls: 40,
        }
    }
}

/// How often an answer that is no report is asked for again.
const AGAIN: u32 = 1;
/// Longest text of a call that is kept in the conversation, in characters.
const KEPT_CALL: usize = 2_000;

/// What follows an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Ask the model again.
    Ask,
    /// Run these tools, tell each result, and ask again.
    Run(Vec<Call>),
    /// This is the report.
    Done(String),
    /// There will be none.
    Failed(Failed),
}

/// What a tool answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// To the model.
    pub full: String,
    /// To whoever reads the conversation later.
    pub short: String,
}

impl Told {
    /// The same to both.
    pub fn both(text: impl Into<String>) -> Self {
        let full = text.into();
        Self {
            short: full.clone(),
            full,
        }
    }
}

/// A message as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Kept {
    /// `system`, `user`, `assistant` or `tool`.
    pub role: &'static str,
    /// Its text.
    pub content: String,
}

/// A conversation.
#[derive(Clone, Debug)]
pub struct Talk {
    limits: Limits,
    messages: Vec<Wire>,
    kept: Vec<Kept>,
    bytes: usize,
    rounds: u32,
    calls: u32,
    usage: Usage,
    again: u32,
    closing: bool,
}

impl Talk {
    /// Begins one.
    pub fn new(brief: &Brief<'_>, limits: Limits) -> Self {
        let mut talk = Self {
            limits,
            messages: Vec::new(),
            kept: Vec::new(),
            bytes: 0,
            rounds: 0,
            calls: 0,
            usage: Usage::default(),
            again: 0,
            closing: false,
        };
        let content = prompt::rules(brief);
        talk.keep("system", content.clone());
        talk.bytes += content.len();
        talk.messages.push(Wire::System { content });
        talk.say(prompt::request(brief));
        talk
    }

    /// The body of the next request.
    pub fn request(&self, model: &str, dialect: Dialect) -> String {
        request::body(
            model,
            &self.messages,
            self.closing,
            self.limits.answer_tokens,
            dialect,
        )
    }

    /// Takes the answer to it.
    pub fn take(&mut self, answer: Answer) -> Next {
        self.rounds += 1;
        self.count(&answer);
        if let Some(refusal) = &answer.refusal {
            let said = failed::quoted(refusal);
            let detail = format!("The model refuses to write this report. It says: {said}");
            return Next::Failed(Failed::for_good("model_refuses", detail));
        }
        match answer.finish {
            Finish::Filtered => Next::Failed(Failed::for_good(
                "model_filtered",
                "The model's provider held the answer back (content filter).",
            )),
            Finish::Length => {
                self.answered(answer.text, &[]);
                self.once_more(
                    "Your answer was cut off because it is too long. Answer again, shorter.",
                    "model_answer_too_long",
                    "The model's answers are longer than they may be.",
                )
            }
            _ if !answer.calls.is_empty() && !self.closing => {
                self.answered(answer.text, &answer.calls);
                Next::Run(answer.calls)
            }
            _ => match report(&answer.text) {
                "" => {
                    self.answered(answer.text, &[]);
                    self.once_more(
                        "You wrote nothing. Write the report now.",
                        "model_silent",
                        "The model writes no report.",
                    )
                }
                report => {
                    let report = report.to_owned();
                    self.keep("assistant", report.clone());
                    Next::Done(report)
                }
            },
        }
    }

    /// Whether another call of a tool may be run; if not, what it is told.
    pub fn admit(&mut self) -> Result<(), Told> {
        if self.calls >= self.limits.calls {
            return Err(Told::both(
                "No more calls: write the report from what you have.",
            ));
        }
        self.calls += 1;
        Ok(())
    }

    /// Tells the model what a call came to.
    pub fn tell(&mut self, call: &Call, told: Told) {
        self.bytes += told.full.len();
        self.keep("tool", told.short);
        self.messages.push(Wire::Tool {
            tool_call_id: call.id.clone(),
            content: told.full,
        });
    }

    /// Ends the round; from the last one on nothing but a report is taken.
    pub fn round_over(&mut self, time_left: bool) -> Result<(), Failed> {
        let spent = self.usage.read + self.usage.written;
        let over = self.rounds > self.limits.rounds + AGAIN;
        if over || spent > self.limits.tokens * 2 {
            return Err(Failed::for_good(
                "model_does_not_finish",
                "The model asks for more and more instead of writing the report.",
            ));
        }
        let enough = self.rounds + 1 >= self.limits.rounds
            || self.calls >= self.limits.calls
            || self.bytes >= self.limits.bytes
            || spent >= self.limits.tokens
            || !time_left;
        if enough && !self.closing {
            self.closing = true;
            self.say(
                "No more queries can be run. Write the report now, from what you have.".to_owned(),
            );
        }
        Ok(())
    }

    /// Tokens so far.
    pub fn usage(&self) -> Usage {
        self.usage
    }

    /// Rounds so far.
    pub fn rounds(&self) -> u32 {
        self.rounds
    }

    /// The conversation as it is kept.
    pub fn kept(self) -> Vec<Kept> {
        self.kept
    }

    fn once_more(&mut self, ask: &str, code: &'static str, detail: &str) -> Next {
        if self.again >= AGAIN {
            return Next::Failed(Failed::for_good(code, detail));
        }
        self.again += 1;
        self.say(ask.to_owned());
        Next::Ask
    }

    fn answered(&mut self, text: String, calls: &[Call]) {
        let mut kept = text.clone();
        for call in calls {
            self.bytes += call.arguments.len();
            let arguments: String = call.arguments.chars().take(KEPT_CALL).collect();
            let cut = match arguments.len() < call.arguments.len() {
                true => "…",
                false => "",
            };
            let gap = match kept.is_empty() {
                true => "",
                false => "\n",
            };
            kept += &format!("{gap}{}({arguments}{cut})", call.name);
        }
        self.bytes += text.len();
        self.keep("assistant", kept);
        // Servers want a text or calls; what says nothing is not sent back.
        if !(text.is_empty() && calls.is_empty()) {
            self.messages.push(Wire::Assistant {
                content: (!text.is_empty()).then_some(text),
                tool_calls: calls.iter().map(WireCall::from).collect(),
            });
        }
    }

    fn say(&mut self, content: String) {
        self.bytes += content.len();
        self.keep("user", content.clone());
        self.messages.push(Wire::User { content });
    }

    fn keep(&mut self, role: &'static str, content: String) {
        self.kept.push(Kept { role, content });
    }

    /// A server that counts nothing is counted for: four bytes are about a token.
    fn count(&mut self, answer: &Answer) {
        let usage = answer.usage.unwrap_or_else(|| {
            let calls = answer.calls.iter().map(|call| call.arguments.len());
            let written = answer.text.len() + calls.sum::<usize>();
            Usage {
                read: u64::try_from(self.bytes / 4).unwrap_or(u64::MAX),
                written: u64::try_from(written / 4).unwrap_or(u64::MAX),
            }
        });
        self.usage.read = self.usage.read.saturating_add(usage.read);
        self.usage.written = self.usage.written.saturating_add(usage.written);
    }
}

/// The report in an answer: the whole of it, without the code block that models like to put around.
fn report(text: &str) -> &str {
    let text = text.trim();
    let fenced = text.strip_prefix("```").and_then(|rest| {
        let (language, rest) = rest.split_once('\n')?;
        let body = rest.strip_suffix("```")?;
        let plain = matches!(language.trim(), "" | "markdown" | "md");
        (plain && !body.contains("```")).then_some(body.trim())
    });
    fenced.unwrap_or(text)
}

#[cfg(test)]
mod tests;
