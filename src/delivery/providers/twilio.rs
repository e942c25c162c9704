//! SMS through Twilio: `POST /2010-04-01/Accounts/{sid}/Messages.json`, a form.
//!
//! Invariant: a message is cut to what Twilio takes, but for the recipient's link to unsubscribe; the
//! address that it reports to names the delivery.
//! Failure: part of the report; Twilio knows no keys, so a request that was lost is not repeated.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rules::delivery::facts::twilio::is_dead;
use rules::delivery::settle::Outcome;
use serde::Deserialize;

use super::api::{self, Post, cut};
use super::{Channel, Report};
use crate::delivery::messages::Letter;
use crate::platform::ctx::Ctx;

const API: &str = "https://api.twilio.com";
/// Longest text, in characters.
const MOST: usize = 1_600;

/// The channel.
#[derive(Deserialize)]
pub struct Twilio {
    account_sid: String,
    auth_token: String,
    from: Option<String>,
    messaging_service_sid: Option<String>,
    base_url: Option<String>,
}

impl Twilio {
    fn body(&self, letter: &Letter) -> Result<String, serde_urlencoded::ser::Error> {
        let text = format!("{}\n{}", letter.content.subject, letter.text.trim_end());
        let mut form = vec![
            ("To", letter.recipient.clone()),
            (
                "Body",
                fitted(text.trim_end(), letter.unsubscribe.as_deref()),
            ),
        ];
        match (&self.messaging_service_sid, &self.from) {
            (Some(service), _) => form.push(("MessagingServiceSid", service.clone())),
            (None, from) => form.push(("From", from.clone().unwrap_or_default())),
        }
        if let Some(reports) = &letter.reports {
            let address = format!("{reports}?delivery={}", letter.delivery);
            form.push(("StatusCallback", address));
        }
        serde_urlencoded::to_string(form)
    }
}

/// The text as far as there is room for it, and the link in any case.
fn fitted(text: &str, link: Option<&str>) -> String {
    let short = cut(text, MOST);
    let Some(link) = link.filter(|link| text.contains(link) && !short.contains(link)) else {
        return short;
    };
    let end = format!("\nUnsubscribe: {link}");
    match MOST.checked_sub(end.chars().count()) {
        Some(room) if room > 0 => cut(text, room) + &end,
        _ => short,
    }
}

impl Channel for Twilio {
    type Message = Letter;

    async fn attempt(&self, ctx: &Ctx, letter: &Letter) -> Report {
        let Ok(body) = self.body(letter) else {
            let error = crate::platform::error::Error::internal("a form that is none");
            return Report::fault(letter.delivery, &error);
        };
        let (base, account) = (api::base(self.base_url.as_ref(), API), &self.account_sid);
        let credentials = STANDARD.encode(format!("{account}:{}", self.auth_token));
        let request = Post {
            url: &format!("{base}/2010-04-01/Accounts/{account}/Messages.json"),
            content_type: "application/x-www-form-urlencoded",
            headers: &[("authorization", &format!("Basic {credentials}"))],
            body: &body,
        };
        match api::post(ctx, &request).await {
            Ok(answer) if answer.status == 400 && is_dead(&answer.code()) => {
                answer.means(Outcome::Bounced)
            }
            Ok(answer) => {
                let id = answer.at("/sid");
                answer.called(id)
            }
            Err(report) => report,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_is_cut_keeps_its_link() {
        let link = "https://p.example/api/unsubscribe/token";
        let long = format!("{}\nUnsubscribe: {link}", "word ".repeat(400));
        let fitting = fitted(&long, Some(link));
        assert_eq!(fitting.chars().count(), MOST);
        assert!(
            fitting.ends_with(&format!("…\nUnsubscribe: {link}")),
            "{fitting}"
        );
        assert_eq!(fitted(&long, None).chars().count(), MOST);
        let short = format!("42 guests.\nUnsubscribe: {link}");
        assert_eq!(fitted(&short, Some(link)), short);
    }
}
