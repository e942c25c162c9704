//! The page behind a link to unsubscribe: without scripts, readable by everyone.
//!
//! Invariant: what comes from elsewhere is escaped; the page can neither be framed nor send its
//! visitor's address anywhere.
//! Failure: none.

use super::Shown;
use crate::platform::crypto;
use crate::platform::http::{Body, Reply};

const HTML: &str = "text/html; charset=utf-8";
const STYLE: &str = "body{margin:0;font:1.0625rem/1.5 system-ui,sans-serif;color:#1b1f24;background:#f6f7f9}\
main{max-width:32rem;margin:10vh auto;padding:2rem;background:#fff;border-radius:.75rem}\
h1{margin:0 0 1rem;font-size:1.5rem}p{overflow-wrap:anywhere}\
button{font:inherit;font-weight:600;padding:.75rem 1.25rem;border:0;border-radius:.5rem;\
color:#fff;background:#1f5fd0;cursor:pointer}\
button:focus-visible{outline:3px solid #1b1f24;outline-offset:2px}\
@media(prefers-color-scheme:dark){body{color:#e8eaed;background:#14171b}main{background:#1f242a}\
button{color:#0b1220;background:#8ab4f8}button:focus-visible{outline-color:#e8eaed}}";

/// Asks whether to unsubscribe.
pub fn question(shown: &Shown) -> Reply {
    let (address, what) = (escape(&shown.address), what(shown));
    page(
        "Unsubscribe",
        &format!(
            "<p>Stop sending {what} to <strong>{address}</strong>?</p>\
             <form method=\"post\">\
             <input type=\"hidden\" name=\"List-Unsubscribe\" value=\"One-Click\">\
             <button type=\"submit\">Unsubscribe</button></form>"
        ),
    )
}

/// Says that it is done.
pub fn done(shown: &Shown) -> Reply {
    let (address, what) = (escape(&shown.address), what(shown));
    page(
        "You are unsubscribed",
        &format!(
            "<p role=\"status\">Nothing more of {what} is sent to <strong>{address}</strong>. \
             If that was a mistake, ask whoever sent it to you to subscribe you again.</p>"
        ),
    )
}

fn what(shown: &Shown) -> String {
    match &shown.topic {
        Some(topic) => format!("“{}”", escape(topic)),
        None => "these messages".to_owned(),
    }
}

fn page(title: &str, body: &str) -> Reply {
    let html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"robots\" content=\"noindex\">\n<title>{title}</title>\n\
         <style>{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n{body}\n</main>\n\
         </body>\n</html>\n"
    );
    let hash = crypto::sha256_base64(STYLE.as_bytes());
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{hash}'; form-action 'self'; base-uri 'none'; \
         frame-ancestors 'none'"
    );
    Reply::new(200, Body::Text(HTML, html)).header("content-security-policy", policy)
}

fn escape(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    text.replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn html(reply: Reply) -> String {
        match reply.body {
            Body::Text(_, html) => html,
            _ => String::new(),
        }
    }

    #[test]
    fn what_comes_from_elsewhere_is_text_and_nothing_else() {
        let shown = Shown {
            address: "<b>…@example.org".to_owned(),
            topic: Some("\"><script>alert(1)</script>&".to_owned()),
        };
        for page in [html(question(&shown)), html(done(&shown))] {
            assert!(!page.contains("<script") && !page.contains("<b>"), "{page}");
            assert!(page.contains("&lt;script&gt;"), "{page}");
        }
    }

    #[test]
    fn only_the_question_has_something_to_press() {
        let shown = Shown {
            address: "a…@example.org".to_owned(),
            topic: None,
        };
        assert!(html(question(&shown)).contains("<form method=\"post\">"));
        assert!(!html(done(&shown)).contains("<form"));
        assert!(html(done(&shown)).contains("role=\"status\""));
    }
}
