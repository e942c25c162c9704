//! Labels are checked field by field, and drawn so that nothing leaves its place.

use super::*;

fn label(elements: serde_json::Value) -> Template {
    let template = serde_json::json!({"width_mm": 60, "height_mm": 40, "elements": elements});
    serde_json::from_value(template).unwrap()
}

fn wrong(elements: serde_json::Value) -> Vec<(String, String)> {
    let invalid = label(elements).check().unwrap_err();
    let told = invalid.errors.into_iter();
    told.map(|error| (error.pointer, error.code)).collect()
}

fn drawn(element: serde_json::Value, name: &str) -> String {
    let template = label(serde_json::json!([element])).check().unwrap();
    svg(
        &template,
        &Content {
            name,
            code: Some("A-1"),
            ..Content::default()
        },
    )
}

#[test]
fn the_default_is_a_label_like_any_other() {
    let template = Template::default();
    assert_eq!(template.clone().check(), Ok(template.clone()));
    let content = Content {
        name: "Ada Lovelace",
        category: Some("vip"),
        code: Some("ADA-1"),
        table: "Gala",
        ..Content::default()
    };
    let picture = svg(&template, &content);
    for part in [
        r#"width="86mm" height="54mm" viewBox="0 0 86 54""#,
        ">Ada Lovelace</text>",
        ">vip</text>",
        ">Gala</text>",
        "<path d=\"M4 4h7v1h-7z",
    ] {
        assert!(picture.contains(part), "{part} in {picture}");
    }
    assert_eq!(picture.matches("<text").count(), 3, "no gate, no text");
}

#[test]
fn every_wrong_field_is_named() {
    let text = serde_json::json!({"kind": "text", "x_mm": 1, "y_mm": 1, "width_mm": 10});
    assert_eq!(
        wrong(serde_json::json!([text])),
        [("/elements/0/field".into(), "required".into())]
    );
    let all = wrong(serde_json::json!([
        {"kind": "text", "field": "text", "x_mm": -1, "y_mm": 301, "width_mm": 0, "size_mm": 0.5},
        {"kind": "qr", "field": "code", "x_mm": 50, "y_mm": 30, "width_mm": 20, "size_mm": 3, "text": "x"},
        {"kind": "line", "field": "name", "x_mm": 0, "y_mm": 0, "width_mm": 0},
        {"kind": "text", "field": "name", "x_mm": 0, "y_mm": 38, "width_mm": 60},
        {"kind": "text", "field": "name", "x_mm": 0, "y_mm": 30, "width_mm": 60, "height_mm": 11},
        {"kind": "qr", "x_mm": 0, "y_mm": 0, "width_mm": 4}
    ]));
    let all: Vec<_> = all
        .iter()
        .map(|(pointer, code)| format!("{pointer} {code}"))
        .collect();
    for expected in [
        "/elements/0/x_mm out_of_range",
        "/elements/0/y_mm out_of_range",
        "/elements/0/width_mm out_of_range",
        "/elements/0/size_mm out_of_range",
        "/elements/0/text required",
        "/elements/1/width_mm outside_label",
        "/elements/1/y_mm outside_label",
        "/elements/1/size_mm not_here",
        "/elements/1/text not_here",
        "/elements/2/field not_here",
        "/elements/2/width_mm out_of_range",
        "/elements/3/y_mm outside_label",
        "/elements/4/height_mm outside_label",
        "/elements/5/width_mm out_of_range",
    ] {
        assert!(
            all.iter().any(|told| told == expected),
            "{expected}: {all:?}"
        );
    }
    assert_eq!(all.len(), 14, "{all:?}");
}

#[test]
fn what_a_store_has_that_is_no_template_counts_as_none() {
    #[derive(serde::Deserialize)]
    struct Kept {
        #[serde(default, deserialize_with = "stored")]
        badge: Option<Template>,
    }
    let read = |text: &str| serde_json::from_str::<Kept>(text).unwrap().badge;
    let good = serde_json::to_string(&Template::default()).unwrap();
    assert_eq!(
        read(&format!(r#"{{"badge":{good}}}"#)),
        Some(Template::default())
    );
    for bad in [
        "{}",
        r#"{"badge":null}"#,
        r#"{"badge":{"x":1}}"#,
        r#"{"badge":[]}"#,
    ] {
        assert_eq!(read(bad), None, "{bad}");
    }
    let small = good.replace("86.0", "1.0");
    assert_eq!(read(&format!(r#"{{"badge":{small}}}"#)), None);
}

#[test]
fn a_label_is_bounded() {
    for (width, height, count, pointers) in [
        (9.99, 300.01, 1, vec!["/width_mm", "/height_mm"]),
        (60.0, 40.0, 0, vec!["/elements"]),
        (60.0, 40.0, 41, vec!["/elements"]),
    ] {
        let line = serde_json::json!({"kind": "line", "x_mm": 0, "y_mm": 0, "width_mm": 5});
        let mut template = label(serde_json::Value::Array(vec![line; count]));
        (template.width_mm, template.height_mm) = (width, height);
        let told = template.check().unwrap_err().errors;
        let told: Vec<_> = told.iter().map(|error| error.pointer.as_str()).collect();
        assert_eq!(told, pointers);
    }
}

#[test]
fn a_name_is_escaped_whatever_it_is() {
    let element = serde_json::json!({"kind": "text", "field": "name", "x_mm": 0, "y_mm": 0, "width_mm": 60, "size_mm": 1});
    let picture = drawn(element, "</text><script>&'\"\u{0}\u{ffff}\n\u{8}");
    assert!(
        picture.contains(
            ">&lt;/text&gt;&lt;script&gt;&amp;&#39;&quot;\u{fffd}\u{fffd} \u{fffd}</text>"
        ),
        "{picture}"
    );
}

#[test]
fn a_long_name_is_shrunk_and_then_cut() {
    let element = serde_json::json!({"kind": "text", "field": "name", "x_mm": 0, "y_mm": 0, "width_mm": 40, "size_mm": 8});
    let size = |picture: &str| -> f64 {
        let from = picture.split("font-size=\"").nth(1).unwrap();
        from.split('"').next().unwrap().parse().unwrap()
    };
    let short = drawn(element.clone(), "Ada");
    assert!(
        size(&short) == 8.0 && !short.contains("textLength"),
        "{short}"
    );
    let longer = drawn(element.clone(), "Ada King Lovelace");
    assert!(size(&longer) < 8.0 && size(&longer) >= 4.0, "{longer}");
    assert!(longer.contains(">Ada King Lovelace</text>") && longer.contains(r#"textLength="40""#));
    let endless = drawn(element.clone(), &"Ada ".repeat(60));
    assert!(
        size(&endless) == 4.0 && endless.contains("…</text>"),
        "{endless}"
    );
    let marks = drawn(element.clone(), &"e\u{301}\u{200d}".repeat(100));
    let cut = marks.split('>').nth(3).unwrap().split('<').next().unwrap();
    assert!(!cut.contains("e…") && !cut.contains("\u{200d}…"), "{cut}");
    let wide = drawn(element, &"漢字".repeat(100));
    assert!(wide.matches('漢').count() <= 10, "{wide}");
}

#[test]
fn nobodys_name_breaks_the_picture() {
    let mut state = 1_u64;
    for _ in 0..500 {
        let name: String = (0..40)
            .map(|_| {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                let wide = u32::try_from(state >> 43).unwrap() % 0x11_0000;
                let narrow = u32::try_from(state >> 57).unwrap();
                let drawn = if state & 2 == 0 { wide } else { narrow };
                char::from_u32(drawn).unwrap_or('<')
            })
            .collect();
        let element = serde_json::json!({"kind": "text", "field": "name", "x_mm": 0, "y_mm": 0, "width_mm": 30, "size_mm": 3});
        let picture = drawn(element, &name);
        assert_eq!(picture.matches('<').count(), picture.matches('>').count());
        assert_eq!(picture.matches("<text").count(), 1);
        assert!(!picture.chars().any(char::is_control));
    }
}

#[test]
fn a_guest_without_a_code_has_none_on_the_badge() {
    let element = serde_json::json!({"kind": "qr", "x_mm": 0, "y_mm": 0, "width_mm": 20});
    assert!(drawn(element.clone(), "Ada").contains("<path"));
    let template = label(serde_json::json!([element])).check().unwrap();
    assert!(!svg(&template, &Content::default()).contains("<path"));
}
