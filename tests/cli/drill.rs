//! `segue drill`.

use std::fs;

use tempfile::TempDir;

use crate::segue;

const CONFIG: &str = "
listen: [{ address: \"127.0.0.1:0\" }]
providers:
  a: { dialect: openai, base_url: \"https://a.example/v1\", credential: env:SEGUE_TEST_NOT_SET }
  b: { dialect: anthropic, base_url: \"https://b.example\", credential: env:SEGUE_TEST_NOT_SET_EITHER }
defaults: { timeouts: { first_token: 300ms } }
routes:
  support: { tiers: [[a/gpt-5.5], [b/claude-sonnet-4-6]] }
  draft: a/gpt-5.5
";

fn config(folder: &TempDir) -> String {
    let path = folder.path().join("segue.yaml");
    fs::write(&path, CONFIG).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn a_drill_needs_no_secret_and_writes_both_reports() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(&folder);
    let page = folder.path().join("drill.html");
    let page_argument = page.to_str().unwrap();
    let arguments = [
        "drill",
        "-c",
        &config,
        "--html",
        page_argument,
        "--fault",
        "hang",
        "--fault",
        "bad_key",
    ];
    let output = segue(&arguments)
        .env("TMPDIR", folder.path())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}{said}");
    assert_eq!(said, "");
    assert!(text.contains("b/claude-sonnet-4-6 answers"), "{text}");
    assert!(
        text.contains("warning: no fallback for hang, bad_key at a"),
        "{text}"
    );
    assert!(
        text.contains("SEGUE_TEST_NOT_SET, SEGUE_TEST_NOT_SET_EITHER"),
        "{text}"
    );
    assert!(fs::read_to_string(&page).unwrap().contains("</html>"));
    let left: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(left.len(), 2, "nothing is left behind: {left:?}");
}

#[test]
fn with_strict_a_warning_is_exit_code_1() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(&folder);
    for (route, code) in [("draft", 1), ("support", 0)] {
        let arguments = [
            "drill", "-c", &config, "--strict", "--route", route, "--fault", "refused",
        ];
        let output = segue(&arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{output:?}");
    }
}

#[test]
fn what_is_not_there_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(&folder);
    for (arguments, said) in [
        (["--route", "other"], "segue: there is no route \"other\"\n"),
        (
            ["--fault", "other"],
            "segue: there is no fault \"other\"; try --fault list\n",
        ),
    ] {
        let output = segue(&["drill", "-c", &config])
            .args(arguments)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert_eq!(String::from_utf8(output.stderr).unwrap(), said);
    }
    let output = segue(&["drill", "--fault", "list"]).output().unwrap();
    assert!(
        String::from_utf8(output.stdout)
            .unwrap()
            .contains("\nhang ")
    );
}
