//! Secrets: where they may come from, and that no message shows them.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Command;
use std::time::SystemTime;

use super::{Errors, LISTEN, ROUTES, read_in, top};
use crate::edge::Settings;

fn with_credential(folder: &Path, credential: &str) -> Result<Settings, Errors> {
    let provider = "dialect: openai, base_url: https://a.example";
    let text =
        format!("{LISTEN}{ROUTES}providers: {{a: {{{provider}, credential: {credential}}}}}\n");
    read_in(folder, &text)
}

fn write(path: &Path, bytes: &[u8], mode: u32) {
    fs::write(path, bytes).unwrap();
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// What the provider is sent.
fn sent(settings: &Settings) -> String {
    let credential = settings.providers[0].spec.credential.clone().unwrap();
    assert!(credential.value.is_sensitive());
    format!(
        "{}: {}",
        credential.header,
        credential.value.to_str().unwrap()
    )
}

#[test]
fn a_credential_becomes_a_sensitive_bearer_header() {
    let folder = tempfile::tempdir().unwrap();
    let settings = with_credential(folder.path(), "env:GOOD").unwrap();
    assert_eq!(sent(&settings), "authorization: Bearer sk-good-canary");
    assert!(!format!("{settings:?}").contains("canary"));
}

#[test]
fn a_secret_file_may_end_in_one_line_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    for text in ["sk-canary", "sk-canary\n", "sk-canary\r\n"] {
        write(&path, text.as_bytes(), 0o600);
        let settings = with_credential(folder.path(), "file:key").unwrap();
        assert_eq!(
            sent(&settings),
            "authorization: Bearer sk-canary",
            "{text:?}"
        );
    }
    symlink(&path, folder.path().join("link")).unwrap();
    assert!(with_credential(folder.path(), "file:link").is_ok());
    assert!(with_credential(folder.path(), &format!("file:{}", path.display())).is_ok());
}

#[test]
fn a_secret_file_that_others_can_open_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    for mode in [0o640, 0o604, 0o620, 0o602, 0o660, 0o644, 0o777] {
        write(&path, b"sk-canary", mode);
        let error = with_credential(folder.path(), "file:key")
            .unwrap_err()
            .to_string();
        let expected = format!("has mode {mode:04o}: it must be its owner's alone, such as 0600");
        assert!(error.ends_with(&expected), "{error}");
    }
}

#[test]
fn a_secret_that_cannot_be_one_is_refused_and_not_shown() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    let visible = "must hold visible ASCII only, without spaces";
    let cases: [(&[u8], &str); 9] = [
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"sk-canary\n\n", visible),
        (b"sk canary", visible),
        (b" sk-canary", visible),
        (b"sk-canary\t", visible),
        (b"sk-canary\0", visible),
        ("sk-canary-é".as_bytes(), visible),
        (b"sk-canary-\xff", visible),
    ];
    for (bytes, expected) in cases {
        write(&path, bytes, 0o600);
        let error = with_credential(folder.path(), "file:key")
            .unwrap_err()
            .to_string();
        assert!(
            error.ends_with(expected) && !error.contains("canary"),
            "{bytes:?}: {error}"
        );
    }
    write(&path, &vec![b'k'; 64 << 10], 0o600);
    assert!(with_credential(folder.path(), "file:key").is_ok());
    write(&path, &vec![b'k'; (64 << 10) + 1], 0o600);
    let error = with_credential(folder.path(), "file:key")
        .unwrap_err()
        .to_string();
    assert!(error.ends_with("is larger than 64 KiB"), "{error}");
}

#[test]
fn a_named_pipe_does_not_hold_up_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    assert!(
        Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    for path in ["pipe", "."] {
        let error = with_credential(folder.path(), &format!("file:{path}")).unwrap_err();
        assert!(
            error.to_string().ends_with("is not a regular file"),
            "{error}"
        );
    }
}

#[test]
fn a_literal_needs_leave() {
    let folder = tempfile::tempdir().unwrap();
    assert!(with_credential(folder.path(), "sk-canary").is_err());
    let text = top("allow_literal_secrets: true\nkeys: [{name: k, secret: sk-canary}]\n");
    let settings = read_in(folder.path(), &text).unwrap();
    assert_eq!(
        settings
            .keys
            .find(b"sk-canary", None, SystemTime::now())
            .unwrap()
            .name
            .as_ref(),
        "k"
    );
    assert!(!format!("{settings:?}").contains("canary"));
}

#[test]
fn no_message_shows_a_secret_wherever_it_was_put() {
    let folder = tempfile::tempdir().unwrap();
    let pieces = [
        "keys: [{name: k, secret: CANARY}]",
        "keys: [{name: k, secret: 'CANARY two'}]",
        "keys: [{name: k, secret: evn:CANARY}]",
        "keys: [{name: k, secret: 'env:CANARY-'}]",
        "keys: [{name: k, secrets: [CANARY, {x: CANARY}]}]",
        "keys: [{name: k, digest: CANARY}]",
        "keys: [{name: k, digest: 'sha256:CANARY'}]",
        "keys: [{name: k, digests: [CANARY]}]",
        "keys: CANARY",
        "keys: [CANARY]",
        "keys: [{name: [CANARY], secret: {a: CANARY}}]",
        "keys: [{name: k, secret: CANARY",
        "keys: [{name: k, secret: *CANARY}]",
        "keys: [{name: k, secret: &CANARY x}]",
        "keys: [{name: k, secret: !CANARY x}]",
        "keys: [{name: k, secret: \"CANARY\\q\"}]",
        "keys: [{name: k, secret: CANARY: b: c}]",
        "keys: [{name: k, unknown: CANARY}]",
        "defaults: {timeouts: [CANARY]}",
    ];
    for allowed in ["", "allow_literal_secrets: true\n"] {
        for piece in pieces {
            let error = match read_in(folder.path(), &top(&format!("{allowed}{piece}\n"))) {
                Ok(settings) => format!("{settings:?}"),
                Err(errors) => format!("{errors} {errors:?}"),
            };
            assert!(!error.contains("CANARY"), "{piece}: {error}");
        }
    }
    for url in [
        "https://CANARY@a.example",
        "https://a.example?k=CANARY",
        "https://a#CANARY",
    ] {
        let text = format!("{LISTEN}{ROUTES}providers: {{a: {{base_url: '{url}'}}}}");
        let error = read_in(folder.path(), &text).unwrap_err().to_string();
        assert!(!error.contains("CANARY"), "{error}");
    }
}
