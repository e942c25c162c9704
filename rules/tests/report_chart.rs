//! Charts are drawn from any data without a panic, within their picture, the same bytes each time.
//!
//! Invariant: seeded; a failure names its seed.
//! Failure: the first chart that is wrong stops the test.

mod report_support;

use report_support::{Random, dataset, utc};
use rules::report::chart::scene::{Scene, Shape};
use rules::report::chart::{Chart, Form, HEIGHT, Missing, Series, Spec, WIDTH};
use rules::report::{Column, Dataset, Kind};
use serde_json::{Value, json};

const FORMS: [Form; 5] = [
    Form::Bar,
    Form::Stacked,
    Form::Horizontal,
    Form::Line,
    Form::Sparkline,
];

fn orders() -> Dataset {
    dataset(
        "orders",
        &[
            ("day", Kind::Time),
            ("total", Kind::Number),
            ("refunds", Kind::Number),
        ],
        json!([
            ["2026-11-24", 120, 4],
            ["2026-11-25", 95, 7],
            ["2026-11-26", 143, 0]
        ]),
    )
}

fn chart(destination: &str, data: &[Dataset]) -> Result<Chart, Missing> {
    let spec = Spec::parse(destination).expect("a chart")?;
    Chart::of(&spec, "Orders by day", data, &utc())
}

#[test]
fn a_chart_is_named_by_the_destination_of_a_picture() {
    let spec = Spec {
        dataset: "orders".into(),
        form: Form::Line,
        x: Some("day (local)".into()),
        y: vec!["total".into(), "refunds & more".into()],
    };
    let destination = spec.destination();
    assert_eq!(
        destination,
        "chart:orders?form=line&x=day+%28local%29&y=total&y=refunds+%26+more"
    );
    assert_eq!(Spec::parse(&destination), Some(Ok(spec)));
    assert_eq!(Spec::parse("https://example.org/a.png"), None);
}

#[test]
fn what_is_not_there_is_named() {
    let data = [orders()];
    for (destination, why) in [
        ("chart:sales", "there is no dataset sales"),
        ("chart:orders?y=profit", "there is no column profit"),
        ("chart:orders?x=hour", "there is no column hour"),
        (
            "chart:orders?form=pie",
            "the form of a chart is bar, stacked, horizontal, line or sparkline",
        ),
        ("chart:orders?colour=red", "a chart takes form, x and y"),
    ] {
        assert_eq!(
            chart(destination, &data),
            Err(Missing(why.into())),
            "{destination}"
        );
    }
}

#[test]
fn columns_are_chosen_when_nobody_names_them() {
    let chart = chart("chart:orders", &[orders()]).unwrap();
    assert_eq!(chart.labels, ["24 Nov", "25 Nov", "26 Nov"]);
    assert_eq!(chart.series.len(), 1);
    assert_eq!(chart.series[0].name, "total");
    assert_eq!(
        chart.series[0].values,
        [Some(120.0), Some(95.0), Some(143.0)]
    );
    assert_eq!(chart.alt(), "Orders by day: total from 95 to 143");
}

#[test]
fn bars_are_as_high_as_their_numbers() {
    let chart = chart("chart:orders?form=bar", &[orders()]).unwrap();
    let bars: Vec<f64> = chart
        .scene()
        .shapes
        .iter()
        .skip(1)
        .filter_map(|shape| match shape {
            Shape::Rect { height, .. } => Some(*height),
            _ => None,
        })
        .collect();
    assert_eq!(bars.len(), 3);
    for (bar, number) in bars.iter().zip([120.0, 95.0, 143.0]) {
        assert!((bar / bars[0] - number / 120.0).abs() < 1e-9, "{bars:?}");
    }
}

#[test]
fn the_svg_of_a_chart_is_what_it_was() {
    let svg = |form| {
        let chart = chart(
            &format!("chart:orders?form={form}&y=total&y=refunds"),
            &[orders()],
        )
        .unwrap();
        chart.scene().svg(&chart.alt())
    };
    for form in ["bar", "stacked", "horizontal", "line", "sparkline"] {
        report_support::fixture(&format!("report/chart_{form}.svg"), &svg(form));
    }
}

#[test]
fn names_are_only_text() {
    let data = [dataset(
        "orders",
        &[
            ("<script>", Kind::Text),
            ("a\"b", Kind::Number),
            ("c&d", Kind::Number),
        ],
        json!([
            ["</text><script>alert(1)</script>", 1, 2],
            ["x\u{0}\u{1b}\ny", 2, 3]
        ]),
    )];
    for form in FORMS {
        let spec = Spec {
            dataset: "orders".into(),
            form,
            x: None,
            y: vec!["a\"b".into(), "c&d".into()],
        };
        let chart = Chart::of(&spec, "<b onload=x>", &data, &utc()).unwrap();
        let svg = chart.scene().svg("\"><script>");
        assert!(
            !svg.contains("<script") && !svg.contains("<b ") && !svg.contains('\u{0}'),
            "{svg}"
        );
        assert!(!svg.contains('\u{1b}') && svg.starts_with("<svg ") && svg.ends_with("</svg>"));
    }
}

#[test]
fn any_data_make_a_picture_whose_parts_lie_within_it() {
    for seed in 0..1_000 {
        let mut random = Random::new(seed);
        let count = *random.pick(&[0, 1, 2, 3, 7, 40, 500]);
        let kinds = random.below(4) + 1;
        let number = |random: &mut Random| match random.below(12) {
            0 => Value::Null,
            1 => json!("NaN"),
            2 => json!(f64::MAX),
            3 => json!(-1e15),
            4 => json!("12.50"),
            5 => json!(0),
            6 => json!(1e-9),
            _ => json!((random.unit() - 0.3) * 10f64.powi(i32::try_from(random.below(9)).unwrap())),
        };
        let mut columns = vec![Column {
            name: "label".into(),
            kind: Kind::Text,
        }];
        for at in 0..kinds {
            columns.push(Column {
                name: format!("n{at}"),
                kind: Kind::Number,
            });
        }
        let rows: Vec<Vec<Value>> = (0..count)
            .map(|_| {
                let words = "w".repeat(usize::try_from(random.below(60)).unwrap());
                let mut row = vec![json!(words)];
                row.extend((0..kinds).map(|_| number(&mut random)));
                row
            })
            .collect();
        let data = [Dataset {
            name: "d".into(),
            columns,
            rows,
            ..Dataset::default()
        }];
        let spec = Spec {
            dataset: "d".into(),
            form: *random.pick(&FORMS),
            x: None,
            y: (0..kinds).map(|at| format!("n{at}")).collect(),
        };
        let chart = Chart::of(&spec, &"title ".repeat(30), &data, &utc()).unwrap();
        let scene = chart.scene();
        within(&scene, seed);
        assert_eq!(scene.svg("x"), chart.scene().svg("x"), "seed {seed}");
        assert!(
            !scene.svg("x").contains("NaN") && !scene.svg("x").contains("inf"),
            "seed {seed}"
        );
    }
}

fn within(scene: &Scene, seed: u64) {
    let inside = |x: f64, y: f64| {
        let fits =
            (-0.01..=scene.width + 0.01).contains(&x) && (-0.01..=scene.height + 0.01).contains(&y);
        assert!(fits, "seed {seed}: {x},{y}");
    };
    assert!(scene.width <= WIDTH && scene.height <= HEIGHT);
    for shape in &scene.shapes {
        match shape {
            Shape::Rect {
                x,
                y,
                width,
                height,
                ..
            } => {
                assert!(*width >= 0.0 && *height >= 0.0, "seed {seed}");
                inside(*x, *y);
                inside(x + width, y + height);
            }
            Shape::Line { points, .. } => points.iter().for_each(|(x, y)| inside(*x, *y)),
            Shape::Dot { x, y, .. } | Shape::Text { x, y, .. } => inside(*x, *y),
        }
    }
}

#[test]
fn a_chart_without_numbers_says_so() {
    let chart = Chart {
        form: Form::Bar,
        title: String::new(),
        labels: vec!["a".into()],
        series: vec![Series {
            name: "n".into(),
            values: vec![None],
        }],
        left_out: 0,
    };
    assert!(chart.scene().svg("x").contains(">No data</text>"));
    assert_eq!(chart.alt(), "Chart: no data");
}
