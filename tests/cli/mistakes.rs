//! What is wrong is said once, on standard error, with the exit code that scripts go by: 1, or 2 for
//! a slip of usage.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use tempfile::TempDir;

use crate::segue;

/// Nothing listens here yet, and on no port that a test in parallel could want.
const CONFIG: &str = "listen: [{ address: \"127.0.0.1:0\" }]\nadmin: off\n\
    providers: { p: { dialect: openai, base_url: \"http://127.0.0.1:9/v1\", private_peers: true } }\n\
    routes: { m: p/m }\n";

/// The exit code, and standard error; standard output must stay empty.
fn said(arguments: &[&str]) -> (Option<i32>, String) {
    let output = segue(arguments).output().unwrap();
    assert_eq!(output.stdout, b"", "{arguments:?}");
    let text = String::from_utf8(output.stderr).unwrap();
    (output.status.code(), text)
}

fn file(folder: &TempDir, name: &str, text: impl AsRef<[u8]>) -> String {
    let path = folder.path().join(name);
    fs::write(&path, text).unwrap();
    shown(&path)
}

fn shown(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

/// One line, and exit code 1.
fn fails_with(arguments: &[&str], message: &str) {
    let expected = (Some(1), format!("segue: {message}\n"));
    assert_eq!(said(arguments), expected, "{arguments:?}");
}

#[test]
fn a_config_that_cannot_be_read_is_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let missing = shown(&folder.path().join("missing.yaml"));
    let here = shown(folder.path());
    let latin = file(&folder, "latin.yaml", b"listen: \xe9");
    for command in ["run", "check"] {
        fails_with(
            &[command, "-c", &missing],
            &format!("{missing}: the file cannot be read: No such file or directory (os error 2)"),
        );
        fails_with(
            &[command, "-c", &here],
            &format!("{here}: the file is not a regular file"),
        );
        fails_with(
            &[command, "-c", &latin],
            &format!("{latin}: the file is not UTF-8"),
        );
    }
}

#[test]
fn a_config_that_this_user_may_not_read_is_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(&folder, "secret.yaml", CONFIG);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
    if fs::read(&path).is_ok() {
        // Root reads everything.
        return;
    }
    let message = format!("{path}: the file cannot be read: Permission denied (os error 13)");
    fails_with(&["run", "-c", &path], &message);
    fails_with(&["check", "-c", &path], &message);
}

#[test]
fn mistakes_in_a_config_are_counted_and_listed() {
    let folder = tempfile::tempdir().unwrap();
    let one = file(&folder, "one.yaml", format!("{CONFIG}drains: 1s\n"));
    let two = file(
        &folder,
        "two.yaml",
        format!("{CONFIG}drains: 1s\nlogs: off\n"),
    );
    for command in ["run", "check"] {
        let (code, text) = said(&[command, "-c", &one]);
        assert_eq!(code, Some(1));
        let start =
            format!("segue: the configuration has a mistake\n{one}:5:1: drains: unknown key");
        assert!(text.starts_with(&start), "{text}");
        let (code, text) = said(&[command, "-c", &two]);
        assert_eq!(code, Some(1));
        assert!(
            text.starts_with("segue: the configuration has 2 mistakes\n"),
            "{text}"
        );
        assert_eq!(text.lines().count(), 3, "{text}");
    }
}

#[test]
fn a_chain_at_one_provider_is_a_warning_beside_a_good_check() {
    let folder = tempfile::tempdir().unwrap();
    let chain = CONFIG.replace("m: p/m", "m: { tiers: [[p/m], [p/n]] }");
    for (text, warning) in [
        (CONFIG, ""),
        (
            chain.as_str(),
            "segue: warning: route m: all 2 targets are at the provider p, \
             and when it is down, so are they\n",
        ),
    ] {
        let config = file(&folder, "good.yaml", text);
        let output = segue(&["check", "-c", &config]).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{text}");
        assert!(output.stdout.starts_with(b"listen "), "{text}");
        assert_eq!(String::from_utf8(output.stderr).unwrap(), warning, "{text}");
    }
}

#[test]
fn a_port_that_is_taken_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let folder = tempfile::tempdir().unwrap();
    let clients = file(
        &folder,
        "clients.yaml",
        CONFIG.replace("127.0.0.1:0", &address),
    );
    let admin = format!("admin: {{ address: \"{address}\" }}");
    let admin = file(&folder, "admin.yaml", CONFIG.replace("admin: off", &admin));
    let message = format!("cannot listen on {address}: Address already in use (os error 98)");
    fails_with(&["run", "-c", &clients], &message);
    fails_with(&["run", "-c", &admin], &message);
    fails_with(&["sim", "--listen", &address], &message);
    fails_with(&["demo", "--listen", &address], &message);
}

#[test]
fn an_access_log_that_cannot_be_opened_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let log = shown(&folder.path().join("nowhere/access.log"));
    let config = file(
        &folder,
        "log.yaml",
        format!("{CONFIG}log: {{ access: {log} }}\n"),
    );
    fails_with(
        &["run", "-c", &config],
        &format!("cannot open the access log {log}: No such file or directory (os error 2)"),
    );
}

#[test]
fn what_the_simulator_cannot_read_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let missing = shown(&folder.path().join("missing.yaml"));
    let here = shown(folder.path());
    let gone = format!("{missing}: No such file or directory (os error 2)");
    let a_folder = format!("{here}: Is a directory (os error 21)");
    fails_with(&["sim", "--scenario", &missing], &gone);
    fails_with(&["sim", "--scenario", &here], &a_folder);
    fails_with(&["sim", "--journal", &here], &a_folder);
}

#[test]
fn a_slip_of_usage_ends_with_2_and_a_hint() {
    for (arguments, hint) in [
        (&["srve"][..], "unrecognized subcommand 'srve'"),
        (&["run", "--conf", "x"], "'--config'"),
        (&["check", "x"], "unexpected argument 'x'"),
        (&["sim", "--model", "m"], "expected NAME=SCRIPT"),
        (
            &["sim", "--model", "m=statsu=500"],
            "did you mean \"status\"?",
        ),
        (&["sim", "--listen", "9000"], "such as 127.0.0.1:9000"),
        (&["demo", "--listen", "0.0.0.0:0"], "not a loopback address"),
        (&[], "Usage: segue <COMMAND>"),
    ] {
        let (code, text) = said(arguments);
        assert_eq!(code, Some(2), "{arguments:?}: {text}");
        assert!(text.contains(hint), "{arguments:?}: {text}");
    }
}

#[test]
fn every_help_fits_a_narrow_terminal() {
    for command in [
        "run", "check", "explain", "schema", "sim", "drill", "demo", "help",
    ] {
        for flag in ["-h", "--help"] {
            let arguments = if command == "help" {
                vec![flag]
            } else {
                vec![command, flag]
            };
            let output = segue(&arguments).output().unwrap();
            let text = String::from_utf8(output.stdout).unwrap();
            assert_eq!(output.status.code(), Some(0), "{arguments:?}");
            assert!(text.lines().all(|line| line.len() <= 80), "{text}");
        }
    }
}

#[test]
fn output_that_goes_nowhere_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let config = file(&folder, "good.yaml", CONFIG);
    for arguments in [
        &["schema"][..],
        &["check", "-c", &config],
        &["explain", "-c", &config, "--route", "m"],
        &["demo", "--tour"],
    ] {
        let full = fs::File::options().write(true).open("/dev/full").unwrap();
        let output = segue(arguments).stdout(full).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(
            text,
            "segue: cannot write: No space left on device (os error 28)\n"
        );
    }
}
