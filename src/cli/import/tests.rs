//! Whole configs in, whole files out: what is written must pass the config room's own check.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{fs, iter};

use proptest::prelude::*;

use super::litellm::{self, Imported};
use super::tree::Unreadable;
use crate::cli::check;
use crate::config;
use crate::edge::Settings;

/// Whether config takes `dialect: anthropic` and `gemini`, `profile`, `api_version` and `auth`. While it
/// does not, the fixtures from 40 on are only written, and of the others the profiles are left out.
const CONFIG_KNOWS_DIALECTS: bool = true;

fn outside(name: &str) -> Option<String> {
    (name == "SET_OUTSIDE").then(|| "https://outside.example/v1".to_owned())
}

fn import(text: &str) -> Imported {
    litellm::convert(text, &outside)
        .unwrap_or_else(|failed| panic!("{}\n{:?}", failed.error, failed.notes))
}

/// Reads what was written as `segue check` does, with a stand-in for every variable.
fn settings(text: &str) -> Result<Settings, String> {
    let known = |line: &&str| CONFIG_KNOWS_DIALECTS || !line.starts_with("    profile: ");
    let text: String = text
        .lines()
        .filter(known)
        .flat_map(|line| [line, "\n"])
        .collect();
    let environment = |name: &str| Some(format!("stand-in-{name}"));
    let settings = config::parse(&text, Path::new("segue.yaml"), &environment);
    let settings = settings.map_err(|errors| format!("{errors}\n{text}"))?;
    check::print(&settings, &mut Vec::new()).unwrap();
    Ok(settings)
}

fn fixtures() -> Vec<(String, String)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/litellm");
    let mut fixtures: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (name, fs::read_to_string(path).unwrap())
        })
        .collect();
    fixtures.sort();
    fixtures
}

/// The route's targets, tier by tier, with their weights.
fn tiers(settings: &Settings, route: &str) -> Vec<Vec<(String, u32)>> {
    let route = settings
        .routes
        .get(route)
        .unwrap_or_else(|| panic!("no route {route}"));
    let targets = |tier: &crate::route::Tier| {
        let target = |target: &crate::route::Target| (target.name.to_string(), target.weight);
        tier.targets.iter().map(target).collect()
    };
    route.tiers.iter().map(targets).collect()
}

/// The route's targets in order, without their weights.
fn chain(text: &str, route: &str) -> Vec<String> {
    let settings = settings(&import(text).text).unwrap();
    let targets = tiers(&settings, route).into_iter().flatten();
    targets.map(|(name, _)| name).collect()
}

#[test]
fn what_is_written_passes_the_check() {
    let mut checked = 0;
    for (name, text) in fixtures() {
        if !CONFIG_KNOWS_DIALECTS && name.as_str() >= "40" {
            continue;
        }
        let imported = import(&text);
        settings(&imported.text).unwrap_or_else(|errors| panic!("{name}: {errors}"));
        checked += 1;
    }
    assert!(checked >= 30, "{checked}");
}

#[test]
fn each_fixture_comes_to_this_file() {
    for (name, text) in fixtures() {
        insta::assert_snapshot!(name, import(&text).text);
    }
}

#[test]
fn no_secret_is_written_wherever_it_stood() {
    for (name, text) in fixtures() {
        let Imported { text, notes } = import(&text);
        let all = text + &notes.join("\n");
        assert!(!all.contains("canary"), "{name}: {all}");
    }
}

#[test]
fn every_note_is_in_the_file_and_is_one_line() {
    for (name, text) in fixtures() {
        let Imported { text, notes } = import(&text);
        for note in &notes {
            assert!(text.contains(&format!("\n#   {note}\n")), "{name}: {note}");
            assert!(
                note.contains(": ") && !note.contains('\n'),
                "{name}: {note}"
            );
        }
    }
}

#[test]
fn what_is_no_such_config_is_refused() {
    let cases = [
        ("", "no LiteLLM config"),
        ("a: b", "no LiteLLM config"),
        ("[]", "no LiteLLM config"),
        ("model_list: {}", "no LiteLLM config"),
        ("model_list: [", "not YAML"),
        ("model_list: []", "no model in it"),
        (
            "model_list: [{model_name: a, litellm_params: {model: bedrock/x}}]",
            "no model in it",
        ),
        (
            "model_list: [{model_name: \"*\", litellm_params: {model: \"openai/*\"}}]",
            "no model in it",
        ),
    ];
    for (text, expected) in cases {
        let failed = litellm::convert(text, &outside).unwrap_err();
        assert!(
            failed.error.to_string().contains(expected),
            "{text}: {}",
            failed.error
        );
    }
    let failed = litellm::convert(
        "model_list: [{model_name: a, litellm_params: {model: bedrock/x}}]",
        &outside,
    );
    let notes = failed.unwrap_err().notes;
    assert_eq!(
        notes,
        ["model_list[0].litellm_params.model: segue does not speak the format of bedrock"]
    );
}

#[test]
fn an_output_beyond_what_config_reads_is_refused() {
    let mut text = "model_list:\n".to_owned();
    for number in 0..1_000 {
        writeln!(
            text,
            "  - {{model_name: {}{number}, litellm_params: {{model: openai/{}{number}}}}}",
            "n".repeat(60),
            "m".repeat(60)
        )
        .unwrap();
    }
    text += "litellm_settings: {default_fallbacks: [";
    for number in 0..15 {
        write!(text, "{}{number}, ", "n".repeat(60)).unwrap();
    }
    text += "]}\n";
    let failed = litellm::convert(&text, &outside).unwrap_err();
    assert!(
        matches!(failed.error, Unreadable::Outgrown),
        "{}",
        failed.error
    );
}

const ABC: &str = "model_list:
  - {model_name: a, litellm_params: {model: openai/a}}
  - {model_name: b, litellm_params: {model: groq/b}}
  - {model_name: c, litellm_params: {model: xai/c}}
  - {model_name: d, litellm_params: {model: deepseek/d}}
";

#[test]
fn fallbacks_are_followed_depth_first_and_never_in_a_ring() {
    let cases: [(&str, &[&str]); 6] = [
        ("[{a: [b]}]", &["openai/a", "groq/b"]),
        ("[{a: [b]}, {b: [c]}]", &["openai/a", "groq/b", "xai/c"]),
        (
            "[{a: [b, d]}, {b: [c]}]",
            &["openai/a", "groq/b", "xai/c", "deepseek/d"],
        ),
        (
            "[{a: [b, b, a]}, {b: [a, c]}, {c: [b]}]",
            &["openai/a", "groq/b", "xai/c"],
        ),
        ("{a: [d], d: [c]}", &["openai/a", "deepseek/d", "xai/c"]),
        ("[{\"*\": [d]}, {b: [c]}]", &["openai/a", "deepseek/d"]),
    ];
    for (fallbacks, expected) in cases {
        let text = format!("{ABC}router_settings: {{fallbacks: {fallbacks}}}\n");
        assert_eq!(chain(&text, "a"), expected, "{fallbacks}");
    }
}

#[test]
fn router_settings_go_before_litellm_settings() {
    let text = format!(
        "{ABC}litellm_settings: {{fallbacks: [{{a: [c]}}], num_retries: 7, request_timeout: 5}}\n\
         router_settings: {{fallbacks: [{{a: [b]}}], num_retries: 2}}\n"
    );
    assert_eq!(chain(&text, "a"), ["openai/a", "groq/b"]);
    let settings = settings(&import(&text).text).unwrap();
    let policy = &settings.routes.get("c").unwrap().policy;
    assert_eq!(policy.retries.same_target, 2);
    assert_eq!(config::show_duration(policy.timeouts.total), "5s");
}

#[test]
fn there_are_attempts_enough_to_reach_the_last_target() {
    for retries in 0..=12 {
        for groups in 1..=10_usize {
            let mut text = "model_list:\n".to_owned();
            for group in 0..groups {
                for member in 0..=(group % 3) {
                    writeln!(text, "  - {{model_name: g{group}, litellm_params: {{model: openai/{group}-{member}}}}}"
                    ).unwrap();
                }
            }
            let links: Vec<String> = (1..groups)
                .map(|group| format!("{{g{}: [g{group}]}}", group - 1))
                .collect();
            writeln!(
                text,
                "router_settings: {{num_retries: {retries}, fallbacks: [{}]}}",
                links.join(", ")
            )
            .unwrap();
            let settings = settings(&import(&text).text).unwrap();
            let route = settings.routes.get("g0").unwrap();
            let targets = u32::try_from(route.targets().count()).unwrap();
            let asked = &route.policy.retries;
            assert!(
                asked.max_attempts >= targets * (asked.same_target + 1),
                "{text}"
            );
        }
    }
}

#[test]
fn strategies_become_the_balance_of_every_tier_of_several() {
    let cases = [
        ("simple-shuffle", crate::route::Balance::Weighted),
        ("least-busy", crate::route::Balance::LeastBusy),
        ("latency-based-routing", crate::route::Balance::LeastLatency),
        ("usage-based-routing-v2", crate::route::Balance::LeastCost),
        ("cost-based-routing", crate::route::Balance::LeastCost),
        ("my-own", crate::route::Balance::Weighted),
    ];
    for (strategy, expected) in cases {
        let text = format!(
            "model_list:\n  - {{model_name: a, litellm_params: {{model: openai/a}}}}\n  \
             - {{model_name: a, litellm_params: {{model: groq/b}}}}\nrouter_settings: {{routing_strategy: {strategy}}}\n"
        );
        let settings = settings(&import(&text).text).unwrap();
        assert_eq!(
            settings.routes.get("a").unwrap().tiers[0].balance,
            expected,
            "{strategy}"
        );
    }
}

#[test]
fn two_secrets_never_share_a_variable_and_one_has_only_one() {
    let text = fixtures()
        .into_iter()
        .find(|(name, _)| name.starts_with("03"))
        .unwrap()
        .1;
    let text = import(&text).text;
    for line in [
        "credential: env:OPENAI_API_KEY\n",
        "credential: env:OPENAI_API_KEY_2\n",
        "credential: env:OPENAI_API_KEY_3\n",
        "secret: env:LITELLM_MASTER_KEY\n",
    ] {
        assert_eq!(text.matches(line).count(), 1, "{line}{text}");
    }
}

/// A config of some models, of vendors that config knows, and of settings that may make no sense.
fn some_config() -> impl Strategy<Value = String> {
    let vendor = prop::sample::select(vec![
        "openai/",
        "groq/",
        "mistral/",
        "ollama/",
        "hosted_vllm/",
        "xai/",
        "bedrock/",
        "",
        "gpt-",
    ]);
    let name = prop::sample::select(vec!["a", "b", "c", "d", "\"e f\"", "\"*\"", "\"x/*\""]);
    let base = prop::sample::select(vec![
        "",
        ", api_base: \"http://h:1/v1\"",
        ", api_base: \"https://h.example/\"",
        ", api_base: x",
        ", api_base: os.environ/B",
        ", api_base: \"https://h.example/?k\"",
    ]);
    let key = prop::sample::select(vec![
        "",
        ", api_key: k1",
        ", api_key: os.environ/K",
        ", api_key: none",
    ]);
    let number = prop_oneof![
        any::<f64>().prop_map(|number| format!("{number:?}")),
        (0..2_000_u32).prop_map(|number| number.to_string()),
        Just("x".to_owned()),
    ];
    let knob = prop::sample::select(vec![
        "weight",
        "rpm",
        "order",
        "timeout",
        "stream_timeout",
        "input_cost_per_token",
        "output_cost_per_token",
    ]);
    let deployment = (name.clone(), vendor, "[a-z0-9:._-]{0,8}", base, key, prop::collection::vec((knob, number.clone()), 0..4))
        .prop_map(|(name, vendor, model, base, key, knobs)| {
            let knobs: Vec<_> = knobs.iter().map(|(knob, number)| format!(", {knob}: {number}")).collect();
            let knobs = knobs.concat();
            format!("  - {{model_name: {name}, litellm_params: {{model: \"{vendor}{model}\"{base}{key}{knobs}}}}}\n")
        });
    let links = prop::collection::vec((name.clone(), prop::collection::vec(name, 0..4)), 0..5);
    let links = links.prop_map(|links| {
        let link = |(from, to): &(&str, Vec<&str>)| format!("{{{from}: [{}]}}", to.join(", "));
        links.iter().map(link).collect::<Vec<_>>().join(", ")
    });
    let setting = prop::sample::select(vec![
        "num_retries",
        "timeout",
        "stream_timeout",
        "allowed_fails",
        "cooldown_time",
        "request_timeout",
    ]);
    let settings = prop::collection::vec((setting, number), 0..4).prop_map(|settings| {
        let setting = |(name, number): &(&str, String)| format!("  {name}: {number}\n");
        settings.iter().map(setting).collect::<Vec<_>>().concat()
    });
    let kinds = [
        "fallbacks",
        "context_window_fallbacks",
        "content_policy_fallbacks",
    ];
    (
        prop::collection::vec(deployment, 1..12),
        prop::collection::vec(links, 3),
        settings,
    )
        .prop_map(move |(deployments, links, settings)| {
            let links: Vec<String> = iter::zip(kinds, links)
                .map(|(kind, links)| format!("  {kind}: [{links}]\n"))
                .collect();
            format!(
                "model_list:\n{}router_settings:\n{}{settings}",
                deployments.concat(),
                links.concat()
            )
        })
}

proptest! {
    #[test]
    fn any_config_comes_to_a_file_that_passes_or_to_none(text in some_config()) {
        match litellm::convert(&text, &outside) {
            Ok(imported) => {
                let checked = settings(&imported.text);
                prop_assert!(checked.is_ok(), "{}\n{}", text, checked.err().unwrap_or_default());
            }
            Err(failed) => prop_assert!(
                matches!(failed.error, Unreadable::Nothing),
                "{}\n{}", text, failed.error
            ),
        }
    }

    #[test]
    fn no_input_panics(text in "(?s:.{0,200})", tail in "[-a-z:\\[\\]{}\n *&<!]{0,80}") {
        let _ = litellm::convert(&text, &outside);
        let _ = litellm::convert(&format!("model_list:\n{tail}"), &outside);
        let _ = litellm::convert(&format!("model_list:\n - model_name: a\n   litellm_params: {{model: openai/x}}\n{tail}"), &outside);
    }
}
