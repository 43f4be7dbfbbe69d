//! Bodies: what is no JSON, what could be read in two ways, and fields of the wrong type.

use super::*;

/// A request with one more member, and the rest good.
fn with(member: &str) -> String {
    format!(r#"{{{member},"model":"model","messages":[{{"role":"user","content":"hi"}}]}}"#)
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::too_many_lines, reason = "a table of like entries")]
async fn a_body_that_is_not_one_json_object_is_400_and_spares_the_connection() {
    let deep = |levels: usize| {
        with(&format!(
            "\"x\":{}{}",
            "[".repeat(levels),
            "]".repeat(levels)
        ))
    };
    let many: Vec<_> = (0..1_100).map(|n| format!("\"f{n}\":0")).collect();
    let texts = [
        String::new(),
        " ".to_owned(),
        "null".to_owned(),
        "true".to_owned(),
        "7".to_owned(),
        "\"model\"".to_owned(),
        "[]".to_owned(),
        format!("[{GOOD}]"),
        "{".to_owned(),
        "{}}".to_owned(),
        "{]".to_owned(),
        "{model:1}".to_owned(),
        "{'model':1}".to_owned(),
        "{\"model\" \"x\"}".to_owned(),
        "{\"model\":}".to_owned(),
        "{,}".to_owned(),
        format!("{GOOD}{GOOD}"),
        format!("{GOOD}\n{GOOD}"),
        format!("{GOOD},"),
        format!("{GOOD}\0"),
        format!("{GOOD}x"),
        format!("data: {GOOD}"),
        format!("\u{feff}{GOOD}"),
        format!("// comment\n{GOOD}"),
        GOOD[..GOOD.len() - 1].to_owned(),
        GOOD[..GOOD.len() / 2].to_owned(),
        GOOD.replace("]}", ",]}"),
        GOOD.replace("]}", "],}"),
        with("\"x\":NaN"),
        with("\"x\":Infinity"),
        with("\"x\":-Infinity"),
        with("\"x\":undefined"),
        with("\"x\":True"),
        with("\"x\":01"),
        with("\"x\":.5"),
        with("\"x\":5."),
        with("\"x\":+5"),
        with("\"x\":0x5"),
        with("\"x\":1e"),
        with("\"x\":'y'"),
        with("\"x\":\"\\x41\""),
        with("\"x\":\"\\u12g4\""),
        with("\"x\":\"a\nb\""),
        with("\"x\":\"a\u{0}b\""),
        with("\"x\":\"\u{1f}\""),
        with("\"x\":/*y*/1"),
        with("\"x\":[1 2]"),
        with("\"x\":[1,,2]"),
        with("\"x\":{\"y\"}"),
        deep(128),
        deep(10_000),
        with(&many.join(",")),
    ];
    let mut cases: Vec<_> = texts
        .iter()
        .map(|text| {
            let name = text.chars().take(90).collect::<String>();
            Case::new(name, post(text), 400, Then::Usable)
        })
        .collect();
    for (name, bytes) in [
        ("a byte that is no UTF-8", &b"\xff"[..]),
        ("an overlong NUL", b"\xc0\x80"),
        ("a surrogate as bytes", b"\xed\xa0\x80"),
        ("half a character", b"\xe2\x82"),
        ("beyond Unicode", b"\xf5\x80\x80\x80"),
    ] {
        let body = [b"{\"x\":\"", bytes, b"\",", &GOOD.as_bytes()[1..]].concat();
        cases.push(Case::new(name, post(body), 400, Then::Usable));
    }
    run(&world().await, cases).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_stands_twice_however_written_is_400() {
    let cases = [
        r#""model":"other""#,
        r#""mode\u006c":"other""#,
        r#""\u006dodel":"other""#,
        r#""\u006d\u006f\u0064\u0065\u006c":"other""#,
        r#""messages":[1]"#,
        r#""message\u0073":[1]"#,
        r#""x":1,"x":1"#,
        r#""x":1,"\u0078":2"#,
        r#""stream":true,"stream":false"#,
        r#""stream":false,"strea\u006D":true"#,
        r#""":1,"":2"#,
    ]
    .map(|member| Case::new(member, post(with(member)), 400, Then::Usable));
    let lookalikes = [
        (r#""Model":"other""#, "model"),
        (r#""MODEL":"other""#, "model"),
        (r#""Stream":true"#, "stream"),
        (r#""ſtream":true"#, "stream"),
        (r#""N":2"#, "n"),
    ]
    .map(|(member, param)| Case::new(member, post(with(member)), 400, Then::Usable).param(param));
    run(
        &world().await,
        cases.into_iter().chain(lookalikes).collect(),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::too_many_lines, reason = "a table of like entries")]
async fn a_field_of_the_wrong_type_is_400_and_named() {
    let messages = r#""messages":[{"role":"user","content":"hi"}]"#;
    let mut cases = Vec::new();
    let mut wrong = |body: String, status, param| {
        cases.push(Case::new(body.clone(), post(body), status, Then::Usable).param(param));
    };
    wrong(format!("{{{messages}}}"), 400, "model");
    let long = format!("\"{}\"", "m".repeat(300));
    for model in [
        "null",
        "7",
        "true",
        "[]",
        "{}",
        "\"\"",
        "[\"model\"]",
        r#""a\nb""#,
        r#""\ud800""#,
        &long,
    ] {
        wrong(format!("{{\"model\":{model},{messages}}}"), 400, "model");
    }
    for model in [
        "other",
        "Model",
        "model ",
        " model",
        "sim/m",
        "m",
        "../model",
        "model\\u0020",
    ] {
        wrong(
            format!("{{\"model\":\"{model}\",{messages}}}"),
            404,
            "model",
        );
    }
    wrong(r#"{"model":"model"}"#.to_owned(), 400, "messages");
    for value in ["null", "7", "\"hi\"", "{}", "[]", "[ ]", "true"] {
        wrong(
            format!(r#"{{"model":"model","messages":{value}}}"#),
            400,
            "messages",
        );
    }
    for value in ["1", "0", "\"true\"", "[]", "{}"] {
        wrong(with(&format!("\"stream\":{value}")), 400, "stream");
    }
    for (value, param) in [
        ("true", "stream_options"),
        ("[]", "stream_options"),
        ("\"x\"", "stream_options"),
        (r#"{"include_usage":1}"#, "stream_options.include_usage"),
        (
            r#"{"include_usage":"true"}"#,
            "stream_options.include_usage",
        ),
        (
            r#"{"include_usage":true,"include_usage":false}"#,
            "stream_options",
        ),
        (r#"{"Include_Usage":true}"#, "include_usage"),
    ] {
        wrong(
            with(&format!("\"stream\":true,\"stream_options\":{value}")),
            400,
            param,
        );
    }
    wrong(
        with(r#""stream_options":{"include_usage":true}"#),
        400,
        "stream_options",
    );
    wrong(
        with(r#""stream":false,"stream_options":{}"#),
        400,
        "stream_options",
    );
    for name in ["n", "max_tokens", "max_completion_tokens"] {
        for value in [
            "0",
            "-1",
            "1.5",
            "1e3",
            "\"1\"",
            "true",
            "[]",
            "{}",
            "99999999999999999999",
        ] {
            wrong(with(&format!("\"{name}\":{value}")), 400, name);
        }
    }
    wrong(with("\"n\":129"), 400, "n");
    run(&world().await, cases).await;
}
