//! What a message looks like: every style that may stand in it.
//!
//! Invariant: styles stand on the elements themselves, because mail programs drop style sheets; the
//! classes only change colours in the dark. No other style passes the sanitiser.
//! Failure: none.

/// The font of everything.
macro_rules! font {
    () => {
        "font-family:-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif"
    };
}
pub(super) use font;

pub const P: &str = concat!(
    font!(),
    ";font-size:16px;line-height:24px;color:#1f2937;margin:0 0 16px 0"
);
pub const H1: &str = concat!(
    font!(),
    ";font-size:24px;line-height:32px;font-weight:bold;color:#111827;margin:0 0 16px 0"
);
pub const H2: &str = concat!(
    font!(),
    ";font-size:20px;line-height:28px;font-weight:bold;color:#111827;margin:24px 0 12px 0"
);
pub const H3: &str = concat!(
    font!(),
    ";font-size:16px;line-height:24px;font-weight:bold;color:#111827;margin:16px 0 8px 0"
);
pub const LIST: &str = concat!(
    font!(),
    ";font-size:16px;line-height:24px;color:#1f2937;margin:0 0 16px 0;padding:0 0 0 24px"
);
pub const ITEM: &str = "margin:0 0 4px 0";
pub const QUOTE: &str = "margin:0 0 16px 0;padding:8px 0 0 16px;border-left:4px solid #d1d5db";
pub const PRE: &str = "font-family:Consolas,Menlo,monospace;font-size:13px;line-height:20px;color:#1f2937;background-color:#f3f4f6;margin:0 0 16px 0;padding:12px;white-space:pre-wrap;word-break:break-word";
pub const CODE: &str =
    "font-family:Consolas,Menlo,monospace;font-size:14px;color:#1f2937;background-color:#f3f4f6";
pub const LINK: &str = "color:#0b57d0;text-decoration:underline";
pub const RULE: &str = "border:0;border-top:1px solid #d1d5db;margin:24px 0";
pub const TABLE: &str = concat!(
    font!(),
    ";font-size:14px;line-height:20px;color:#1f2937;border-collapse:collapse;margin:0 0 16px 0"
);
pub const TH: &str = "background-color:#f3f4f6;border-bottom:2px solid #d1d5db;padding:6px 10px;vertical-align:bottom";
pub const TD: &str = "border-bottom:1px solid #e5e7eb;padding:6px 10px;vertical-align:top";
pub const IMG: &str =
    "display:block;border:0;width:100%;max-width:576px;height:auto;background-color:#ffffff";
pub const SUP: &str = "font-size:11px;line-height:1";
pub const NOTE: &str = concat!(
    font!(),
    ";font-size:13px;line-height:20px;color:#4b5563;margin:0 0 8px 0"
);

/// Every style that content may have.
pub const ALL: [&str; 17] = [
    P, H1, H2, H3, LIST, ITEM, QUOTE, PRE, CODE, LINK, RULE, TABLE, TH, TD, IMG, SUP, NOTE,
];

/// Every class that content may have.
pub const CLASSES: [&str; 5] = ["ink", "faint", "soft", "line", "link"];
