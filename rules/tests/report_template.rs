//! Templates and SQL blocks: what is filled in, and where a text is wrong.
//!
//! Invariant: each line of a table is one claim.
//! Failure: the first that does not hold.

mod report_support;

use chrono::{DateTime, Utc};
use report_support::dataset;
use rules::civil::Zone;
use rules::report::compose::{self, Text, sql_blocks};
use rules::report::template::{self, Variables};
use rules::report::{Dataset, Flaw, Kind};
use serde_json::json;

fn data() -> Vec<Dataset> {
    vec![
        dataset(
            "orders",
            &[
                ("total", Kind::Number),
                ("revenue", Kind::Number),
                ("note", Kind::Text),
            ],
            json!([[1204, 98765.5, "a|b *c* [d](http://e)"]]),
        ),
        dataset(
            "days",
            &[
                ("day", Kind::Time),
                ("n", Kind::Number),
                ("share", Kind::Number),
            ],
            json!([
                ["2026-11-24", 30, 0.125],
                ["2026-11-25T23:30:00Z", 45.5, null]
            ]),
        ),
        dataset("quiet", &[("x", Kind::Number)], json!([])),
    ]
}

fn berlin() -> Zone {
    Zone::parse("Europe/Berlin").unwrap()
}

fn with<T>(then: impl FnOnce(Variables<'_>) -> T) -> T {
    let at: DateTime<Utc> = "2026-11-26T08:00:00Z".parse().unwrap();
    let (zone, data) = (berlin(), data());
    then(Variables {
        title: "Daily *sales*",
        zone: &zone,
        scheduled_for: at,
        data: &data,
        parts: &[],
    })
}

fn filled(text: &str) -> Result<String, Flaw> {
    let template = template::parse(text)?;
    with(|variables| template::render(&template, &variables))
}

fn composed(text: &str) -> Result<String, Flaw> {
    with(|variables| compose::report(&Text { text, variables }))
}

#[test]
fn values_are_filled_in() {
    for (text, expect) in [
        ("{{ title }}", "Daily \\*sales\\*"),
        (
            "{{ date }}, {{ time }} {{ zone }}",
            "26 November 2026, 09:00 Europe/Berlin",
        ),
        ("{{ scheduled_for|date }}", "26 November 2026, 09:00"),
        ("{{ orders.total }} {{ orders[0].total }}", "1204 1204"),
        (
            "{{ orders.total|number }} {{ orders.revenue|number(2) }}",
            "1,204 98,765.50",
        ),
        ("{{ orders.note }}", "a\\|b \\*c\\* \\[d\\]\\(http://e\\)"),
        ("{{ orders.revenue|money('EUR') }}", "98,765.50 EUR"),
        (
            "{{ orders.revenue|money('EUR', minor=true, decimals=1) }}",
            "987.7 EUR",
        ),
        (
            "{% for day in days %}{{ day.day|date('short') }}: {{ day.n|number }}, {{ day.share|percent }}\n{% endfor %}",
            "24 Nov: 30, 12.5 %\n26 Nov 00:30: 45.5, –\n",
        ),
        (
            "{{ days[1].day|date('day') }} {{ days[1].day|date('time') }} {{ days[1].day|date('iso') }}",
            "26 November 2026 00:30 2026-11-26 00:30",
        ),
        (
            "{% if rows(quiet) > 0 %}some{% else %}none{% endif %}",
            "none",
        ),
        (
            "{{ rows(days) }} {{ days|length }} {{ days|map(attribute='n')|sum }}",
            "2 2 75.5",
        ),
        ("{{ quiet.x }}", "–"),
        ("{{ quiet.x|number }}", "–"),
        ("{{ orders.truncated }}", "no"),
        ("{{ 0.1 + 0.2 }}", "0.3"),
        (
            "{{ days|table }}",
            "| day | n | share |\n| --- | --: | --: |\n| 2026-11-24 | 30 | 0.125 |\n| 2026-11-26 00:30 | 45.5 | – |\n",
        ),
        (
            "{{ days|table(1) }}",
            "| day | n | share |\n| --- | --: | --: |\n| 2026-11-24 | 30 | 0.125 |\n\n*… and 1 more rows.*\n",
        ),
        (
            "{{ chart(days, 'line', 'n', x='day', title='Per [day]') }}",
            "![Per \\[day\\]](chart:days?form=line&x=day&y=n)",
        ),
        ("{# 1 > 0 #}plain *text* stays", "plain *text* stays"),
    ] {
        assert_eq!(filled(text).as_deref(), Ok(expect), "{text}");
    }
}

#[test]
fn what_is_wrong_is_told_with_line_and_column() {
    for (text, line, column, code) in [
        ("a\nb {{ sales.total }}", 2, 6, "unknown_variable"),
        ("ä {{ orders.profit }}", 1, 6, "unknown_variable"),
        ("{{ days.n }}", 1, 4, "unknown_variable"),
        ("{{ orders.total|round_up }}", 1, 17, "unknown_filter"),
        ("{{ median(days) }}", 1, 4, "unknown_function"),
        ("{{ orders.total", 1, 1, "template_syntax"),
        ("x\n\n{% if %}", 3, 7, "template_syntax"),
        ("{% for a in days %}", 1, 1, "template_syntax"),
        ("{% include 'secrets' %}", 1, 4, "template_syntax"),
        ("{{ orders.note|number }}", 1, 16, "template_value"),
        ("{{ orders }}", 1, 1, "template_value"),
        ("{{ orders.total|date }}", 1, 17, "template_value"),
        ("{{ chart(days, 'pie') }}", 1, 4, "template_value"),
        ("{{ chart(days, 'bar', 'profit') }}", 1, 4, "template_value"),
    ] {
        let flaw = filled(text).expect_err(text);
        assert_eq!(
            (flaw.line, flaw.code.as_str()),
            (line, code),
            "{text}: {flaw:?}"
        );
        if code != "template_syntax" && code != "template_value" {
            assert_eq!(flaw.column, column, "{text}: {flaw:?}");
        }
        assert!(flaw.column >= 1 && flaw.message.ends_with('.'), "{flaw:?}");
    }
}

#[test]
fn no_template_runs_away() {
    for (text, code) in [
        (
            "{% for a in range(100000) %}{% for b in range(100000) %}{{ a }}{% endfor %}{% endfor %}",
            "template_too_slow",
        ),
        (
            "{% for a in range(90000) %}0123456789{% endfor %}",
            "template_output_too_long",
        ),
        ("{{ 'x' * 100000000 }}", "template_too_slow"),
    ] {
        let flaw = filled(text).expect_err(text);
        assert!(
            flaw.code == code || flaw.code == "template_too_slow" || flaw.code == "template_value",
            "{text}: {flaw:?}"
        );
    }
    let long = "x".repeat(template::MAX_BYTES + 1);
    assert_eq!(
        template::parse(&long).unwrap_err().code,
        "template_too_long"
    );
    let deep = format!("{{{{ {}1{} }}}}", "(".repeat(5_000), ")".repeat(5_000));
    assert!(template::parse(&deep).is_err());
}

#[test]
fn sql_blocks_are_read_with_their_options() {
    let text = "Orders.\n\n```sql\nselect 1\n```\n\n~~~SQL name=by_day chart=line x=day y=n y=m title=\"By `day`\" rows=7\nselect 2\n  from t\n~~~\n\n```json\n{}\n```\n\n```sql name=quiet show=no\nselect 3\n```\n";
    let blocks = sql_blocks(text).unwrap();
    let told: Vec<_> = blocks
        .iter()
        .map(|b| (b.name.as_str(), b.sql.as_str(), b.line, b.rows, b.show))
        .collect();
    assert_eq!(
        told,
        [
            ("query_1", "select 1", 4, 50, true),
            ("by_day", "select 2\n  from t", 8, 7, true),
            ("quiet", "select 3", 17, 50, false),
        ]
    );
    assert_eq!(blocks[1].title.as_deref(), Some("By `day`"));
    let chart = blocks[1].chart.as_ref().unwrap();
    assert_eq!(chart.destination(), "chart:by_day?form=line&x=day&y=n&y=m");
}

#[test]
fn wrong_options_are_told_with_line_and_column() {
    for (text, line, column, code) in [
        ("```sql name=title\nselect 1\n```", 1, 8, "dataset_name"),
        ("```sql name=Orders\nselect 1\n```", 1, 8, "dataset_name"),
        (
            "a\n\n```sql  colour=red\nselect 1\n```",
            3,
            9,
            "unknown_option",
        ),
        ("```sql name\nselect 1\n```", 1, 8, "invalid_option"),
        ("```sql title=\"open\nselect 1\n```", 1, 8, "invalid_option"),
        ("```sql chart=pie\nselect 1\n```", 1, 8, "unknown_chart"),
        ("```sql x=day\nselect 1\n```", 1, 1, "invalid_option"),
        ("```sql rows=many\nselect 1\n```", 1, 8, "invalid_option"),
        (
            "```sql name=a show=maybe\nselect 1\n```",
            1,
            15,
            "invalid_option",
        ),
        ("```sql\n\n```", 1, 1, "empty_block"),
        (
            "```sql name=a\nselect 1\n```\n\n```sql name=a\nselect 2\n```",
            5,
            1,
            "duplicate_name",
        ),
    ] {
        let flaw = sql_blocks(text).expect_err(text);
        assert_eq!(
            (flaw.line, flaw.column, flaw.code.as_str()),
            (line, column, code),
            "{text}: {flaw:?}"
        );
    }
    let many = "```sql\nselect 1\n```\n\n".repeat(21);
    assert_eq!(sql_blocks(&many).unwrap_err().code, "too_many_blocks");
}

#[test]
fn a_text_is_checked_before_it_is_kept() {
    let block = "```sql name=orders\nselect 1\n```\n";
    assert_eq!(
        compose::check(&format!("{block}{{{{ orders.total }}}} {{{{ date }}}}"))
            .unwrap()
            .len(),
        1
    );
    let flaw = compose::check(&format!("{block}\nx {{{{ sales.total }}}}")).unwrap_err();
    assert_eq!(
        (flaw.line, flaw.column, flaw.code.as_str()),
        (5, 6, "unknown_variable")
    );
    assert!(
        flaw.message
            .starts_with("There is no sales; there is orders,"),
        "{flaw}"
    );
}

#[test]
fn a_report_is_composed_of_prose_and_results() {
    let text = "How the day went, {{ date }}.\n\n```sql name=orders title=\"Orders\"\nselect …\n```\n\nIn detail:\n\n```sql name=days chart=bar y=n rows=1\nselect …\n```\n\n```sql name=quiet\nselect …\n```\n\n```sql name=gone\nselect …\n```\n";
    let expect = "# Daily \\*sales\\*\n\nHow the day went, 26 November 2026.\n\n## Orders\n\n- **Total:** 1,204\n- **Revenue:** 98,765.5\n- **Note:** a\\|b \\*c\\* \\[d\\]\\(http://e\\)\n\nIn detail:\n\n## Days\n\n![Days](chart:days?form=bar&y=n)\n\n| day | n | share |\n| --- | --: | --: |\n| 2026-11-24 | 30 | 0.125 |\n\n*… and 1 more rows.*\n\n## Quiet\n\nNo rows.\n\n## Gone\n\nNo result.\n";
    assert_eq!(composed(text).as_deref(), Ok(expect));
}

#[test]
fn a_heading_of_its_own_stays_the_heading() {
    assert_eq!(
        composed("# Mine\n\ntext").as_deref(),
        Ok("# Mine\n\ntext\n")
    );
}

#[test]
fn a_block_may_stand_in_a_condition() {
    let text = "{% if orders.total > 2000 %}\n```sql name=days\nselect 1\n```\n{% else %}\nQuiet: {{ orders.total|number }}.\n{% endif %}\n";
    assert_eq!(
        composed(text).as_deref(),
        Ok("# Daily \\*sales\\*\n\nQuiet: 1,204.\n")
    );
}

#[test]
fn a_mistake_below_a_block_is_told_with_its_own_line() {
    let text = "```sql name=days\nselect 1\n\nfrom t\n```\n\n{{ orders.profit }}";
    let flaw = composed(text).unwrap_err();
    assert_eq!((flaw.line, flaw.column), (7, 4));
}
