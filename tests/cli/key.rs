//! `segue key`: keys are made and digested, and never stored or taken as arguments.

use std::io::Write as _;
use std::process::{Output, Stdio};

use crate::segue;

/// Runs the command with this on standard input.
fn run(arguments: &[&str], input: &[u8]) -> Output {
    let mut command = segue(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut process = command.stderr(Stdio::piped()).spawn().unwrap();
    // A command that does not ask for input may be gone already.
    let _ = process.stdin.take().unwrap().write_all(input);
    process.wait_with_output().unwrap()
}

fn printed(arguments: &[&str], input: &[u8]) -> String {
    let output = run(arguments, input);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(output.stderr, b"");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_new_key_comes_with_its_digest_and_the_lines_for_the_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let mut seen = Vec::new();
    for _ in 0..2 {
        let output = segue(&["key", "new", "--name", "support-app"])
            .current_dir(folder.path())
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let key = text.lines().find(|line| line.starts_with("sk-segue-"));
        let key = key.unwrap_or_else(|| panic!("{text}"));
        assert_eq!(key.len(), "sk-segue-".len() + 64);
        let digest = printed(&["key", "digest"], key.as_bytes());
        let lines = format!(
            "keys:\n  - name: \"support-app\"\n    digest: {}",
            digest.trim_end()
        );
        assert!(text.contains(&lines), "{text}");
        seen.push(key.to_owned());
    }
    assert_ne!(seen.first(), seen.last());
    assert_eq!(folder.path().read_dir().unwrap().count(), 0);
}

#[test]
fn a_digest_is_that_of_one_line() {
    let expected = "sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae\n";
    for input in ["foo", "foo\n", "foo\r\n"] {
        assert_eq!(
            printed(&["key", "digest"], input.as_bytes()),
            expected,
            "{input:?}"
        );
    }
}

#[test]
fn what_is_no_key_is_refused_and_not_shown() {
    let long = vec![b'k'; 70_000];
    for input in [
        &b""[..],
        b"\n",
        b"canary \n",
        b"canary\n\n",
        b"canary\ncanary\n",
        b"canary\xff",
        "canary-\u{e9}".as_bytes(),
        &long,
    ] {
        let output = run(&["key", "digest"], input);
        assert_eq!(output.status.code(), Some(1));
        assert_eq!(output.stdout, b"");
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(
            said.starts_with("segue: ") && !said.contains("canary"),
            "{said}"
        );
    }
}

#[test]
fn a_key_is_no_argument() {
    for arguments in [
        &["key", "digest", "canary"][..],
        &["key", "new", "--name", "a b"],
    ] {
        assert_eq!(run(arguments, b"").status.code(), Some(2), "{arguments:?}");
    }
}
