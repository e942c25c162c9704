//! Which figures of a report are true: notations, units, rounding, derivations, and what is no figure.
//!
//! Invariant: each line of a table is one claim. `✓` follows a figure that is traced, `✗` one that is
//! not, nothing else is a figure.
//! Failure: the first report that is judged otherwise.

mod report_support;

use report_support::dataset;
use rules::civil::Zone;
use rules::report::figures::{Amount, Checked, Context, Derivation, Unit, check, mark};
use rules::report::{Dataset, Kind};
use serde_json::json;

const PROMPT: &str = "Compare with our target of 500 orders and 12 % refunds since 1 March 2026. Cover the last 7 days.";

fn data() -> Vec<Dataset> {
    let mut days = dataset(
        "days",
        &[
            ("day", Kind::Time),
            ("orders", Kind::Number),
            ("revenue_eur", Kind::Number),
            ("refunds", Kind::Number),
        ],
        json!([
            ["2026-11-20", 1180, 41230.10, 17],
            ["2026-11-21", 1312, 45871.25, 23],
            ["2026-11-22", 987, 33110.00, 9],
            ["2026-11-23", 1044, 36402.95, 14],
            ["2026-11-24", 1391, 50120.40, 31],
            ["2026-11-25", 1275, 44210.75, 26],
            ["2026-11-26", 1467, 52903.15, 19]
        ]),
    );
    days.sql =
        Some("select … where day > now() - interval '14 days' and total > 250 limit 90".into());
    vec![
        days,
        dataset(
            "gates",
            &[
                ("gate", Kind::Text),
                ("scans", Kind::Number),
                ("refused", Kind::Number),
                ("show_rate", Kind::Number),
                ("wait_ms", Kind::Number),
            ],
            json!([
                ["North", 12045, 112, 0.8734, 1204],
                ["South", 8730, 305, 0.7921, 890],
                ["East 2", 4411, 58, 0.9105, 2310.5],
                ["VIP", 502, -3, 0.66, 415]
            ]),
        ),
        dataset(
            "totals",
            &[
                ("guests", Kind::Number),
                ("checked_in", Kind::Number),
                ("pct_paid", Kind::Number),
                ("fee_cents", Kind::Number),
                ("note", Kind::Text),
            ],
            json!([[31204, 25688, 94.25, 1999, "Gala 2019 reboot for 4 sponsors"]]),
        ),
        dataset(
            "last_week",
            &[("checked_in", Kind::Number)],
            json!([[23310]]),
        ),
    ]
}

fn checked(report: &str) -> Checked {
    let (zone, data) = (Zone::parse("Europe/Berlin").unwrap(), data());
    let scheduled_for = "2026-11-26T08:00:00Z".parse().unwrap();
    check(
        report,
        &data,
        &Context {
            zone: &zone,
            scheduled_for,
            prompt: PROMPT,
        },
    )
}

/// The report with a sign behind each figure.
fn judged(report: &str) -> String {
    let (mut out, mut from) = (String::new(), 0);
    for figure in checked(report).figures {
        out.push_str(&report[from..figure.end]);
        out.push(if figure.traced.is_some() {
            '✓'
        } else {
            '✗'
        });
        from = figure.end;
    }
    out + &report[from..]
}

#[track_caller]
fn claims(lines: &[&str]) {
    for line in lines {
        let report = line.replace(['✓', '✗'], "");
        assert_eq!(judged(&report), *line);
    }
}

#[test]
fn numbers_are_read_in_every_notation() {
    claims(&[
        "North had 12,045✓ scans.",
        "North had 12045✓ scans.",
        "North had 12 045✓ scans.",
        "North had 12\u{202f}045✓ scans.",
        "North had 12'045✓ scans, South 8’730✓.",
        "Nord: 12.045✓ Scans bei 44.210,75✓ Umsatz am 25. November✓.",
        "North had **12,045✓** scans and South `8,730✓`.",
        "North had 12,054✗ scans.",
        "North had 12.0k✓ scans, South 8.7k✓, East 2✓ had 4.5k✗.",
        "North had 12k✓ scans.",
        "On 26 November✓ revenue was 52.9 thousand euros✓.",
        "VIP: -3✓ refused, North (112✓), South −305✗.",
        "VIP: (3✓) refused.",
    ]);
}

#[test]
fn rounding_is_understood() {
    claims(&[
        "Revenue on 2026-11-24✓ was 50,120.40✓, or 50,120.4✓, or 50,120✓.",
        "Revenue on 2026-11-24✓ was 50,121✗.",
        "Revenue on 2026-11-25✓ was 44,211✓ and not 44,210✗.",
        "North has a show rate of 87.34 %✓, that is 87.3 %✓ or 87 %✓, not 87.4 %✗.",
        "East 2✓ waited 2,310✓ or 2,311✓ ms.",
        "About 12,000✓ scans at North, nearly 1,500✓ orders on 26 November✓, over 31,000✓ guests.",
        "12,000✗ scans at North.",
        "About 14,000✗ scans at North.",
    ]);
}

#[test]
fn units_must_agree() {
    claims(&[
        "Revenue on 26 November✓ was €52,903.15✓ (52,903 EUR✓, 52.9k €✓).",
        "Revenue on 26 November✓ was $52,903.15✗.",
        "There were €1,467✗ orders on 26 November✓.",
        "Paid: 94.25 %✓, 94.3 percent✓, 94 per cent✓.",
        "There were 1,467 %✗ orders on 26 November✓.",
        "The fee is 19.99 EUR✓ ($19.99✓), not 1,999 EUR✗.",
        "North waited 1.2✓ s (1,204✓ ms, 1.204✓ seconds), not 1.2✗ min.",
        "USD 52,903✗, EUR 52,903✓, 52,903 euros✓, 52,903 dollars✗ on 26 November✓.",
    ]);
}

#[test]
fn totals_and_averages_are_derived() {
    claims(&[
        "In all there were 8,656✓ orders worth 303,848.60 EUR✓ in 7✓ days.",
        "In all there were 8,666✗ orders worth 303,948.60 EUR✗.",
        "The average was 1,236.6✓ orders a day, the median 1,275✓, at most 1,467✓, at least 987✓.",
        "The average was 1,246.6✗ orders a day.",
        "Across 4✓ gates there were 25,688✓ scans.",
        "Across four✓ gates, three✗ gates.",
        "An order was worth 35.10 EUR✓ on average.",
    ]);
}

#[test]
fn differences_changes_and_shares_are_derived() {
    claims(&[
        "Orders rose by 192✓ to 1,467✓ (+15.1 %✓) on 26 November✓.",
        "Orders rose by 202✗ to 1,467✓ (+16.1 %✗) on 26 November✓.",
        "Compared with 20 November✓, orders were up 287✓, or 24.3 %✓.",
        "From 22✓ to 24 November✓ orders rose by 404✓.",
        "North accounted for 46.9 %✓ of all scans, South for 34 %✓.",
        "North accounted for 48.9 %✗ of all scans.",
        "82.3 %✓ of guests checked in (25,688✓ of 31,204✓); 5,516✓ fewer than invited.",
        "84.1 %✗ of guests checked in.",
        "2,378✓ more than last week's 23,310✓, up 10.2 %✓.",
        "2,478✗ more than last week's 23,310✓, up 11.9 %✗.",
        "North had 1.38 times✓ the scans of South.",
        "North and South together had 20,775✓ scans.",
        "The show rate of East 2✓ was 3.7✓ points higher than that of North.",
    ]);
}

#[test]
fn a_share_explains_a_percentage_and_a_count_does_not() {
    claims(&["12,045 %✗ of guests.", "North had 502 %✗ more."]);
}

#[test]
fn times_are_traced_to_data_and_schedule() {
    claims(&[
        "On 26 November 2026✓ (26.11.2026✓, 11/26/2026✓, Nov 26th✓, 2026-11-26✓).",
        "On 14 April 2026✗.",
        "From 20✓ to 26 November✓.",
        "Since 1 March 2026✓.",
        "Scheduled for 26 November 2026, 09:00✓.",
        "At 17:42✗.",
        "In November 2026✓ and October 2026✓, not June 2026✗.",
        "In 2026✓, in 2025✓, in 1987✗.",
        "Week 48✓, week 12✗.",
    ]);
}

#[test]
fn what_was_asked_is_quoted() {
    claims(&[
        "The target is 500✓ orders, the limit of refunds 12 %✓.",
        "The target is 501✗ orders.",
        "In the last 7✓ days, the past 14✓ days, a 7✓-day window, the last 9✗ days.",
        "Days with more than 250✓ orders, at most 90✓.",
        "We sold 250✗ pens.",
    ]);
}

#[test]
fn what_stands_in_a_text_of_the_data_is_no_claim_of_its_own() {
    claims(&[
        "East 2✓ was quick.",
        "See \"Gala 2019✓ reboot\" for 4 sponsors✓."
            .replace(" sponsors✓", "✓ sponsors")
            .as_str(),
    ]);
}

#[test]
fn what_only_names_something_is_no_figure() {
    claims(&[
        "1. First\n2. Second\n\n3) Third",
        "## 1. Overview\n\n### 2.3 Details\n\n# 4) More",
        "In Q3 at gate A-1, see step 3, table 2 and version 2.1.0 of ISO 8601.",
        "See https://example.org/2026/orders?limit=123 or mail to a1@b2.example, /api/v1/777.",
        "```\n4711\n```\n\n    4712\n\nand `select 4713`.",
        "[orders](https://example.org/4714)",
        "Open 24/7, code 0815, COVID-19, p95, H2O, 1.2.3.",
        "One of them, two reasons, ten ways.",
        "| # | gate |\n|---|---|\n| 1✓ | North |\n| 2✓ | South |",
        "The top 3✓, the 2nd✓ place, the top 3000✗.",
        "<!-- 4715 --> <b title=\"4716\">x</b>",
    ]);
}

#[test]
fn tables_of_a_report_are_read_by_row_and_heading() {
    claims(&[
        "| gate | scans | share (%) |\n|---|--:|--:|\n| North | 12,045✓ | 46.9✓ |\n| South | 8,370✗ | 34.0✓ |\n| VIP | 502✓ | 9.9✗ |",
        "| day | orders | change |\n|---|--:|--:|\n| 25 Nov✓ | 1,275✓ | -116✓ |\n| 26 Nov✓ | 1,467✓ | +192✓ |\n| 24 Nov✓ | 1,391✓ | +999✗ |",
    ]);
}

#[test]
fn ranges_share_their_unit() {
    claims(&[
        "Show rates of 66–91 %✓.".replace("66", "66✓").as_str(),
        "Between 987✓ and 1,467✓ orders.",
        "From 33.1✓ to 52.9k EUR✓.",
    ]);
}

#[test]
fn a_figure_tells_where_it_stands_and_comes_from() {
    let report = "Ümläut: **North** had 12,045 scans, 46.9 % of all; €50,120.40 on 24 November 2026; 999,999 more.";
    let checked = checked(report);
    assert_eq!(checked.untraced, 1);
    let told: Vec<_> = checked
        .figures
        .iter()
        .map(|figure| {
            (
                &report[figure.start..figure.end],
                figure.value.clone(),
                figure.unit.clone(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("12,045", Amount::Number(12_045.0), Unit::Plain),
            ("46.9 %", Amount::Number(46.9), Unit::Percent),
            (
                "€50,120.40",
                Amount::Number(50_120.4),
                Unit::Money("EUR".into())
            ),
            (
                "24 November 2026",
                Amount::Time("2026-11-24".into()),
                Unit::Time
            ),
            ("999,999", Amount::Number(999_999.0), Unit::Plain),
        ]
    );
    let cell = checked.figures[0].traced.as_ref().unwrap();
    assert_eq!(
        (cell.derivation, cell.dataset.as_deref()),
        (Derivation::Cell, Some("gates"))
    );
    assert_eq!(
        (cell.columns.as_slice(), cell.rows.as_slice()),
        (&["scans".to_owned()][..], &[0][..])
    );
    assert_eq!(
        checked.figures[1].traced.as_ref().unwrap().derivation,
        Derivation::Share
    );
    let json = serde_json::to_value(&checked).unwrap();
    assert_eq!(json["figures"][2]["unit"], json!({"money": "EUR"}));
    assert_eq!(json["figures"][0]["traced"]["derivation"], "cell");
    assert_eq!(serde_json::from_value::<Checked>(json).unwrap(), checked);
}

#[test]
fn untraced_figures_are_marked_where_they_stand_and_listed_before_all() {
    let report =
        "# Report\n\nNorth had **12,054** scans and (1,234 %) more.\n\n| a |\n|---|\n| 77,777 |\n";
    let marked = mark(report, &checked(report));
    assert_eq!(
        marked,
        "> **3 figures of this report are not explained by its data:** ⚠¹ 12,054 · ⚠² 1,234 % · ⚠³ 77,777\n\n# Report\n\nNorth had **12,054\u{a0}⚠¹** scans and (1,234 %\u{a0}⚠²) more.\n\n| a |\n|---|\n| 77,777\u{a0}⚠³ |\n"
    );
    let fine = "North had 12,045 scans.";
    assert_eq!(mark(fine, &checked(fine)), fine);
}

#[test]
fn a_mark_survives_whatever_is_around_it() {
    for report in [
        "```\nopen",
        "<script>\n",
        "<!--\n",
        "`12,054",
        "*12,054*x **77,777**, ~~66,666~~ [55,555](https://e.org/) [44,444][r]\n\n[r]: https://e.org",
        "- 12,054\n  - 77,777\n\n> 66,666",
        "12,054\n===\n\n![33,333](chart:days)",
    ] {
        let checked = checked(report);
        let html = made(&mark(report, &checked));
        assert_eq!(
            html.matches('⚠').count(),
            2 * checked.untraced,
            "{report}: {html}"
        );
    }
}

fn made(report: &str) -> String {
    use rules::report::document::{DocumentIn, make};
    let (zone, scheduled_for) = (Zone::utc(), "2026-11-26T08:00:00Z".parse().unwrap());
    let html = make(&DocumentIn {
        name: "n",
        subject: None,
        report,
        data: &[],
        zone: &zone,
        scheduled_for,
        footer: "",
        attach_data: false,
        pictures: false,
    })
    .html;
    // The preheader repeats what the body says.
    html[html.find("class=\"card\" align").unwrap()..].to_owned()
}
