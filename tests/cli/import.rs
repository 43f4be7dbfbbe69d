//! `segue import litellm`: a file is written, a file is never lost, and what is lost is told.

use std::fs;
use std::path::Path;

use crate::segue;

const CONFIG: &str = "\
model_list:
  - model_name: chat
    litellm_params: {model: openai/gpt-4o, api_key: sk-canary, temperature: 0}
";

/// Exit code, standard output, standard error.
fn import(config: &Path, options: &[&str]) -> (Option<i32>, String, String) {
    let mut command = segue(&["import", "litellm", config.to_str().unwrap()]);
    let output = command.args(options).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}

#[test]
fn the_file_goes_to_standard_output_and_what_is_lost_to_standard_error() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config.yaml");
    fs::write(&config, CONFIG).unwrap();
    let (code, text, said) = import(&config, &[]);
    assert_eq!(code, Some(0), "{said}");
    assert!(text.contains("\n  chat: openai/gpt-4o\n"), "{text}");
    assert_eq!(
        said,
        "\
segue: model_list[0].litellm_params.api_key: the secret is not written out: put it into the variable OPENAI_API_KEY
segue: model_list[0].litellm_params.temperature: segue sends what the client sends: set it there
"
    );
    assert!(!text.contains("canary"), "{text}");
}

#[test]
fn a_file_that_is_there_stays_unless_it_is_forced() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config.yaml");
    fs::write(&config, CONFIG).unwrap();
    let output = folder.path().join("segue.yaml");
    let options = ["-o", output.to_str().unwrap()];
    assert_eq!(import(&config, &options).0, Some(0));
    let written = fs::read_to_string(&output).unwrap();
    assert!(written.contains("routes:"), "{written}");

    fs::write(&output, "mine").unwrap();
    let (code, _, said) = import(&config, &options);
    assert_eq!(code, Some(1));
    assert!(
        said.contains("is there already; --force writes over it"),
        "{said}"
    );
    assert_eq!(fs::read_to_string(&output).unwrap(), "mine");

    let forced = [options.as_slice(), &["--force"]].concat();
    assert_eq!(import(&config, &forced).0, Some(0));
    assert_eq!(fs::read_to_string(&output).unwrap(), written);
}

#[test]
fn what_is_no_such_config_ends_with_one() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config.yaml");
    for text in ["listen: []", "model_list: [sk-canary", "model_list: []"] {
        fs::write(&config, text).unwrap();
        let (code, text, said) = import(&config, &[]);
        assert_eq!((code, text.as_str()), (Some(1), ""), "{said}");
        assert!(!said.contains("canary"), "{said}");
    }
    fs::write(&config, [0xff; 8]).unwrap();
    assert!(import(&config, &[]).2.contains("it is not UTF-8"));
    fs::write(&config, vec![b' '; 2 << 20]).unwrap();
    assert!(import(&config, &[]).2.contains("larger than 1024 KiB"));
    assert!(
        import(&folder.path().join("none"), &[])
            .2
            .contains("cannot read")
    );
}
