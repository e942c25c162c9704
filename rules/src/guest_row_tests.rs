//! What may be a guest, and what a change to one may say.

use super::*;

fn guest(text: &str) -> Result<NewGuest, Vec<(String, String)>> {
    serde_json::from_str::<GuestIn>(text)
        .unwrap()
        .parse()
        .map_err(|invalid| {
            invalid
                .errors
                .into_iter()
                .map(|error| (error.pointer, error.code))
                .collect()
        })
}

#[test]
fn a_guest_is_called_by_name_else_email_else_code() {
    assert_eq!(
        guest(r#"{"name":" Ada ","email":"a@b.c","barcode":"X"}"#)
            .unwrap()
            .name,
        "Ada"
    );
    assert_eq!(
        guest(r#"{"name":"","email":"a@b.c","barcode":"X"}"#)
            .unwrap()
            .name,
        "a@b.c"
    );
    assert_eq!(guest(r#"{"barcode":"X\u001d1"}"#).unwrap().name, "X1");
    assert_eq!(
        guest("{}").unwrap_err(),
        [(String::new(), "empty_guest".to_owned())]
    );
    assert_eq!(
        guest(r#"{"name":"Ada"}"#).unwrap().barcode,
        None,
        "a guest without a code is legal"
    );
}

#[test]
fn every_wrong_field_is_told() {
    let wrong = guest(
        r#"{"name":"a\u0000","email":"x","barcode":"a\u0000b","category":"c\n","status":"maybe","valid_from":"soon",
            "valid_until":"2026-02-30T00:00:00Z","attention_note":"\u0007","data":{"a":["\u0000"]}}"#,
    )
    .unwrap_err();
    let pointers: Vec<&str> = wrong.iter().map(|(pointer, _)| pointer.as_str()).collect();
    assert_eq!(
        pointers,
        [
            "/name",
            "/email",
            "/barcode",
            "/status",
            "/valid_from",
            "/valid_until",
            "/attention_note",
            "/data"
        ]
    );
}

#[test]
fn lengths_are_bounded() {
    for (text, code) in [
        (format!(r#"{{"name":"{}"}}"#, "é".repeat(201)), "too_long"),
        (
            format!(r#"{{"barcode":"{}"}}"#, "1".repeat(513)),
            "too_long",
        ),
        (
            format!(
                r#"{{"name":"a","data":{{"a":"{}"}}}}"#,
                "1".repeat(MAX_DATA_BYTES)
            ),
            "too_large",
        ),
        (
            format!(
                r#"{{"name":"a","data":{{"{}":1}}}}"#,
                "k".repeat(MAX_DATA_KEY + 1)
            ),
            "too_long",
        ),
    ] {
        assert_eq!(guest(&text).unwrap_err()[0].1, code);
    }
    assert!(guest(&format!(r#"{{"name":"{}"}}"#, "é".repeat(200))).is_ok());
}

#[test]
fn validity_has_an_order() {
    let text =
        r#"{"name":"A","valid_from":"2026-06-02T00:00:00Z","valid_until":"2026-06-01T00:00:00Z"}"#;
    assert_eq!(guest(text).unwrap_err()[0].1, "before_valid_from");
}

#[test]
fn a_patch_clears_sets_and_leaves_alone() {
    let read = |text: &str| serde_json::from_str::<GuestPatch>(text).unwrap().parse();
    let patch = read(r#"{"email":null,"category":" VIP ","barcode":"","valid_from":"2026-06-01T02:00:00+02:00","data":null}"#).unwrap();
    assert_eq!(
        serde_json::to_string(&patch).unwrap(),
        r#"{"email":null,"barcode":null,"category":"VIP","valid_from":"2026-06-01T00:00:00.000Z","data":null}"#
    );
    assert_eq!(serde_json::to_string(&read("{}").unwrap()).unwrap(), "{}");
    let wrong =
        read(r#"{"name":null,"status":"x","email":"x","valid_until":"x","data":{"\u0000":1}}"#)
            .unwrap_err();
    let pointers: Vec<&str> = wrong
        .errors
        .iter()
        .map(|error| error.pointer.as_str())
        .collect();
    assert_eq!(
        pointers,
        ["/name", "/email", "/status", "/valid_until", "/data"]
    );
    assert!(serde_json::from_str::<GuestPatch>(r#"{"nam":"x"}"#).is_err());
}
