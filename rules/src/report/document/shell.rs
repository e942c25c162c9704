//! What stands around a report in a message.
//!
//! Invariant: tables carry the layout and styles stand on the elements, for Outlook; colours are
//! given for light and dark; nothing is loaded. The link to unsubscribe is the only part that is
//! filled in later.
//! Failure: none.

use super::UNSUBSCRIBE;
use super::style::font;
use super::text::{WIDTH, wrap};
use crate::xml::escaped;

/// Width of the card, in pixels.
const CARD: &str = "640";

const STYLE: &str = ":root{color-scheme:light dark;supported-color-schemes:light dark}
@media (max-width:640px){.card{padding:20px 16px!important}}
@media (prefers-color-scheme:dark){
.page{background-color:#111827!important}.card{background-color:#1f2937!important}
.ink{color:#f3f4f6!important}.faint{color:#9ca3af!important}.link{color:#8ab4f8!important}
.soft{background-color:#374151!important}.line{border-color:#4b5563!important}}
[data-ogsc] .ink{color:#f3f4f6!important}[data-ogsc] .faint{color:#9ca3af!important}
[data-ogsc] .link{color:#8ab4f8!important}[data-ogsb] .page{background-color:#111827!important}
[data-ogsb] .card{background-color:#1f2937!important}[data-ogsb] .soft{background-color:#374151!important}";

const FAINT: &str = concat!(
    font!(),
    ";font-size:13px;line-height:20px;color:#4b5563;margin:0 0 4px 0"
);

/// The HTML part.
pub fn html(subject: &str, preheader: &str, body: &str, notes: &[String]) -> String {
    let (title, preheader) = (escaped(subject), escaped(preheader));
    // Without it, programs fill the line up with what follows.
    let filler = "&#847;&zwnj;&nbsp;".repeat(60);
    let faint = |note: &String| {
        format!(
            "<p class=\"faint\" style=\"{FAINT}\">{}</p>\n",
            escaped(note)
        )
    };
    let notes: String = notes.iter().map(faint).collect();
    format!(
        r##"<!DOCTYPE html>
<html lang="en" xmlns:o="urn:schemas-microsoft-com:office:office">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="x-apple-disable-message-reformatting">
<meta name="format-detection" content="telephone=no, date=no, address=no, email=no, url=no">
<meta name="color-scheme" content="light dark">
<meta name="supported-color-schemes" content="light dark">
<title>{title}</title>
<!--[if mso]><xml><o:OfficeDocumentSettings><o:PixelsPerInch>96</o:PixelsPerInch></o:OfficeDocumentSettings></xml><style>p,h1,h2,h3,li,td,th{{font-family:Arial,sans-serif!important}}.line{{font-size:14px;line-height:20px}}</style><![endif]-->
<style>{STYLE}</style>
</head>
<body class="page" style="margin:0;padding:0;width:100%;background-color:#f3f4f6">
<div style="display:none;font-size:1px;line-height:1px;max-height:0;max-width:0;opacity:0;overflow:hidden;mso-hide:all">{preheader}{filler}</div>
<table role="presentation" class="page" width="100%" cellpadding="0" cellspacing="0" border="0" style="background-color:#f3f4f6"><tr><td align="center" style="padding:24px 12px">
<!--[if mso]><table role="presentation" width="{CARD}" cellpadding="0" cellspacing="0" border="0"><tr><td><![endif]-->
<table role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0" style="max-width:{CARD}px"><tr><td class="card" align="left" style="padding:32px;background-color:#ffffff;border-radius:8px">
{body}</td></tr>
<tr><td align="left" style="padding:16px 32px">
{notes}<p class="faint" style="{FAINT}"><a class="faint" href="{UNSUBSCRIBE}" style="color:#4b5563;text-decoration:underline">Unsubscribe</a></p>
</td></tr></table>
<!--[if mso]></td></tr></table><![endif]-->
</td></tr></table>
</body>
</html>
"##
    )
}

/// The plain part.
pub fn text(body: &str, notes: &[String]) -> String {
    let mut out = format!("{body}\n-- \n");
    for note in notes {
        for line in wrap(note, WIDTH) {
            out.push_str(&line);
            out.push('\n');
        }
    }
    out.push_str(&format!("Unsubscribe: {UNSUBSCRIBE}\n"));
    out
}
