//! `segue explain`: the plan of a request, to the byte.

use std::fs;

use tempfile::TempDir;

use crate::segue;

/// Three targets in two tiers; nothing listens anywhere.
const CONFIG: &str = "\
listen: [{ address: \"127.0.0.1:0\" }]
admin: off
providers:
  a: { dialect: openai, base_url: \"https://a.example/v1\" }
  b: { dialect: openai, base_url: \"http://b.example:8000/v1\" }
routes:
  support:
    tiers: [[{ target: a/big, timeouts: { first_token: 8s } }], { balance: round_robin, targets: [b/one, b/two] }]
  closed: { fail_closed: true, tiers: [[a/big], [b/one], [b/big]] }
  alone: a/big
";

/// A request whose bytes must survive: odd spaces, a field that nobody knows, a number too large.
const BODY: &str =
    r#"{ "x" : 1e400,"model":"support",  "messages":[{"role":"user","content":"h\u00e9"}]}"#;

struct Files {
    folder: TempDir,
}

impl Files {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("segue.yaml"), CONFIG).unwrap();
        Self { folder }
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// Exit code, standard output, standard error.
    fn explain(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        let config = self.folder.path().join("segue.yaml");
        let mut command = segue(&["explain", "--config", config.to_str().unwrap()]);
        let output = command.args(arguments).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (
            output.status.code(),
            text(output.stdout),
            text(output.stderr),
        )
    }

    /// The lines of a good explanation that begin with one of these.
    fn lines(&self, arguments: &[&str], beginnings: &[&str]) -> Vec<String> {
        let (code, said, wrong) = self.explain(arguments);
        assert_eq!((code, wrong.as_str()), (Some(0), ""), "{arguments:?}");
        let lines = said.lines().filter(|line| {
            let line = line.trim_start();
            beginnings
                .iter()
                .any(|beginning| line.starts_with(beginning))
        });
        lines.map(|line| line.trim_start().to_owned()).collect()
    }
}

#[test]
fn the_plan_is_told_in_the_order_in_which_it_is_walked() {
    let files = Files::new();
    let numbers = ["1.", "2.", "3.", "left"];
    for (turn, expected) in [
        ("0", ["1. a/big", "2. b/one", "3. b/two"]),
        ("1", ["1. a/big", "2. b/two", "3. b/one"]),
    ] {
        let arguments = ["--route", "support", "--turn", turn];
        assert_eq!(files.lines(&arguments, &numbers), expected, "{turn}");
    }
    let bounds = files.lines(&["--route", "support"], &["connect", "holds"]);
    assert_eq!(
        bounds,
        [
            "holds     12 tokens, at most 400ms, but for the last target",
            "connect 5s, first token 8s, stall 30s, in all 10m",
            "connect 5s, first token 1m, stall 30s, in all 10m",
            "connect 5s, first token 1m, stall 30s, in all 10m",
        ]
    );
    let alone = files.lines(&["--route", "alone"], &["holds", "1.", "left"]);
    let nothing = "holds     nothing: there is nowhere else to go";
    assert_eq!(alone, [nothing, "1. a/big"]);
}

#[test]
fn whoever_is_left_out_has_a_reason() {
    let files = Files::new();
    let told = ["1.", "2.", "3.", "left"];
    assert_eq!(
        files.lines(&["--route", "closed"], &told),
        ["1. a/big", "2. b/big", "left out: b/one (fail_closed)"]
    );
    assert_eq!(
        files.lines(&["--route", "support", "--no-fallback"], &told),
        [
            "1. a/big",
            "left out: b/one (fallback_off)",
            "left out: b/two (fallback_off)",
        ]
    );
}

#[test]
fn a_body_is_shown_as_each_target_would_get_it() {
    let files = Files::new();
    let body = files.file("body.json", BODY);
    let sent = |model: &str| BODY.replace("\"support\"", &format!("\"{model}\""));
    assert_eq!(
        files.lines(&["--body", &body], &["POST", "{"]),
        [
            "POST https://a.example:443/v1/chat/completions",
            &sent("big"),
            "POST http://b.example:8000/v1/chat/completions",
            &sent("one"),
            "POST http://b.example:8000/v1/chat/completions",
            &sent("two"),
        ]
    );
    // The route that is asked for comes before the body's.
    let bodies = files.lines(&["--body", &body, "--route", "alone"], &["{"]);
    assert_eq!(bodies, [sent("big")]);
}

#[test]
fn what_cannot_be_explained_is_one_line_and_exit_code_1() {
    let files = Files::new();
    let strange = files.file(
        "strange.json",
        r#"{"model":"nobody","messages":[{"role":"user","content":"hi"}]}"#,
    );
    let broken = files.file("broken.json", "{");
    let missing = files.folder.path().join("missing.json");
    let missing = missing.to_str().unwrap();
    for (arguments, expected) in [
        (
            ["--route", "nobody"],
            "there is no route \"nobody\"".to_owned(),
        ),
        (
            ["--body", &strange],
            "there is no route \"nobody\"".to_owned(),
        ),
        (["--body", &broken], format!("{broken} is no request: ")),
        (["--body", missing], format!("cannot read {missing}: ")),
    ] {
        let (code, said, wrong) = files.explain(&arguments);
        assert_eq!((code, said.as_str()), (Some(1), ""), "{arguments:?}");
        assert!(wrong.starts_with(&format!("segue: {expected}")), "{wrong}");
        assert_eq!(wrong.lines().count(), 1, "{wrong}");
    }
    assert_eq!(files.explain(&[]).0, Some(2), "a slip of usage");
}
