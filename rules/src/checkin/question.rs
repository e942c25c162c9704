//! Questions asked at the door: allergies, consent, a size of shirt.
//!
//! Invariant: ids are unique in their table; an answer that is kept fits its question.
//! Failure: a wrong question is reported with its JSON pointer; a wrong or missing answer makes the
//! scan incomplete, which is an answer.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::reading::Fields;
use crate::invalid::Invalid;
use crate::name;

/// Most questions of one table.
pub const MAX_QUESTIONS: usize = 20;
/// Most choices of one question.
const MAX_CHOICES: usize = 50;
/// Longest answer in characters.
const MAX_TEXT: usize = 1_000;

/// What kind of answer a question takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum QuestionKind {
    /// At most 1,000 characters.
    #[default]
    Text,
    /// True or false.
    YesNo,
    /// A number.
    Number,
    /// One of the choices.
    Choice,
    /// A day, `2027-03-14`.
    Date,
}

/// A question.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Question {
    /// What answers name it by: 1 to 40 of `a-z`, `0-9`, `_` and `-`.
    pub id: String,
    /// What is asked, 1 to 200 characters.
    pub text: String,
    /// What kind of answer it takes.
    #[serde(default)]
    pub kind: QuestionKind,
    /// Nobody enters without an answer.
    #[serde(default)]
    pub required: bool,
    /// The choices of a `choice`, at most 50.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<String>,
    /// Whom it is asked: guests of these categories; empty means all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub categories: Vec<String>,
}

impl Question {
    /// Is a guest of this category asked?
    pub fn concerns(&self, category: Option<&str>) -> bool {
        self.categories.is_empty()
            || category.is_some_and(|category| self.categories.iter().any(|one| one == category))
    }

    /// What is wrong with an answer; null and blank text are no answer.
    pub fn judge(&self, answer: Option<&Value>) -> Judged {
        let answer = match answer {
            None | Some(Value::Null) => return Judged::Missing,
            Some(Value::String(text)) if text.trim().is_empty() => return Judged::Missing,
            Some(answer) => answer,
        };
        let fits = match (self.kind, answer) {
            (QuestionKind::Text, Value::String(text)) => {
                text.chars().count() <= MAX_TEXT && !text.contains('\0')
            }
            (QuestionKind::Choice, Value::String(text)) => self.choices.contains(text),
            (QuestionKind::Date, Value::String(text)) => text.parse::<NaiveDate>().is_ok(),
            (QuestionKind::YesNo, Value::Bool(_)) | (QuestionKind::Number, Value::Number(_)) => {
                true
            }
            _ => false,
        };
        if fits { Judged::Good } else { Judged::Wrong }
    }
}

/// What an answer is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judged {
    /// It can be kept.
    Good,
    /// It does not fit the question.
    Wrong,
    /// There is none.
    Missing,
}

/// The answers that can be kept: those that fit a question. What does not fit, or answers nothing,
/// would pass for an answer at the next entry.
pub(crate) fn kept(questions: &[Question], mut answers: Map<String, Value>) -> Map<String, Value> {
    answers.retain(|id, answer| {
        let asked = questions.iter().find(|question| question.id == *id);
        asked.is_some_and(|question| question.judge(Some(answer)) == Judged::Good)
    });
    answers
}

/// Reads the questions of a table; `base` is their pointer, such as `/settings/questions`.
pub fn parse(value: &Value, base: &str) -> Result<Vec<Question>, Invalid> {
    let items = match value {
        Value::Null => return Ok(Vec::new()),
        Value::Array(items) if items.len() <= MAX_QUESTIONS => items,
        Value::Array(_) => return Err(Invalid::one(base, "too_many", "At most 20 questions.")),
        _ => {
            let wrong = "Must be a list of questions.";
            return Err(Invalid::one(base, "invalid_type", wrong));
        }
    };
    let mut invalid = Invalid::default();
    let mut questions: Vec<Question> = Vec::with_capacity(items.len());
    for (place, item) in items.iter().enumerate() {
        let base = format!("{base}/{place}");
        let Some(question) = invalid.take(one(item, &base)) else {
            continue;
        };
        if questions.iter().any(|other| other.id == question.id) {
            invalid.add(
                format!("{base}/id"),
                "repeated",
                "Two questions have this id.",
            );
        }
        questions.push(question);
    }
    invalid.or(questions)
}

fn one(value: &Value, base: &str) -> Result<Question, Invalid> {
    let mut fields = Fields::of(value, base);
    let mut question = Question::default();
    let id = fields.raw("id").and_then(Value::as_str).unwrap_or_default();
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-');
    if id.is_empty() || id.len() > 40 || !id.chars().all(plain) {
        fields.wrong("id", "invalid_id", "1 to 40 of a-z, 0-9, _ and -.");
    }
    question.id = id.to_owned();
    let pointer = fields.pointer("text");
    let text = fields
        .raw("text")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let text = name::parse(&pointer, text, 200);
    question.text = fields.invalid.take(text).unwrap_or_default();
    match fields.raw("kind").map(QuestionKind::deserialize) {
        None => {}
        Some(Ok(kind)) => question.kind = kind,
        Some(Err(_)) => {
            let kinds = "text, yes_no, number, choice or date.";
            fields.wrong("kind", "invalid_choice", kinds);
        }
    }
    fields.flag("required", false, &mut question.required);
    fields.names("choices", &mut question.choices);
    fields.names("categories", &mut question.categories);
    let choices = question.choices.len();
    if choices > MAX_CHOICES {
        fields.wrong("choices", "too_many", "At most 50.");
    } else if (question.kind == QuestionKind::Choice) != (choices > 0) {
        fields.wrong(
            "choices",
            "choices_of_choice",
            "A choice needs choices, others have none.",
        );
    }
    fields.finish().or(question)
}
