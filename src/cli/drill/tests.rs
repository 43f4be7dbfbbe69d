//! Drills from end to end, in this process: real sockets, reports in memory.

use std::path::Path;
use std::time::{Duration, SystemTime};

use super::cast::Form;
use super::clock::Speed;
use super::fault::{Blame, Deed, FAULTS, Fault, Reach, named};
use super::folder::Folder;
use super::play::{Manner, Played, Stance};
use super::rehearse::{Progress, rehearse};
use super::report::{Report, Section};
use super::seen::{self, Seen};
use super::{html, text};
use crate::config;
use crate::telemetry::Timestamp;

/// Providers of all formats, and nobody at home at any of them.
const HEAD: &str = "
listen: [{address: 127.0.0.1:8080}]
providers:
  a: {dialect: openai, base_url: https://a.example/v1, credential: env:A}
  b: {dialect: openai, base_url: https://b.example/v1, credential: env:B}
  azure: {dialect: openai, base_url: https://z.example, profile: azure, credential: env:Z}
  classic: {dialect: openai, base_url: https://y.example, profile: azure, api_version: 2024-10-21, credential: env:Y}
  claude: {dialect: anthropic, base_url: https://c.example, credential: env:C}
  gemini: {dialect: gemini, base_url: https://g.example/v1beta, credential: env:G}
defaults: {timeouts: {first_token: 2s, stall: 2s}, deadline: 40s}
";

async fn drilled(routes: &str, faults: &[&'static Fault], form: seen::Form) -> Vec<Section> {
    let text = format!("{HEAD}routes: {{{routes}}}\n");
    let environment = |name: &str| Some(format!("canary-{name}-0123456789"));
    let settings = config::parse(&text, Path::new("segue.yaml"), &environment).unwrap();
    let folder = Folder::make().unwrap();
    let manner = Manner {
        form,
        speed: Speed::REAL,
    };
    let forms = Form::all(&settings, &[]);
    let played = rehearse(&forms, &settings, faults, manner, &folder, Progress::Silent).await;
    played.unwrap()
}

async fn streamed(routes: &str, faults: &[&str]) -> Vec<Section> {
    let faults: Vec<_> = faults.iter().map(|name| named(name).unwrap()).collect();
    drilled(routes, &faults, seen::Form::Stream).await
}

fn of<'a>(section: &'a Section, fault: &str) -> &'a Played {
    let mut scenes = section.scenes.iter();
    scenes.find(|played| played.fault.name == fault).unwrap()
}

fn answered_by<'a>(section: &'a Section, fault: &str) -> &'a str {
    match &of(section, fault).seen {
        Seen::Answer { target, .. } => target,
        other => panic!("{fault}: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_route_with_a_fallback_answers_whatever_its_first_provider_does() {
    let all: Vec<_> = FAULTS.iter().collect();
    let sections = drilled("r: {tiers: [[a/x], [b/y]]}", &all, seen::Form::Stream).await;
    let [section] = &*sections else {
        panic!("{sections:?}")
    };
    assert_eq!(answered_by(section, "calm"), "a/x");
    let expected = |fault: &&Fault| {
        let stalls = fault.name == "stall_early";
        let early = !matches!(fault.deed, Deed::Late(_)) && !stalls;
        fault.blame == Blame::Provider && fault.reach == Reach::First && early
    };
    for fault in FAULTS.iter().filter(expected) {
        assert_eq!(answered_by(section, fault.name), "b/y");
        let later = of(section, fault.name).later.unwrap();
        assert_eq!(later.stance, Stance::LeftAlone, "{}", fault.name);
    }
    let hang = of(section, "hang");
    assert!(hang.seen.after() >= Duration::from_secs(2), "{hang:?}");
    // The time of the hold is over before the silence is noticed.
    for (fault, expected) in [("cut_late", 42), ("stall_early", 3)] {
        let seen = &of(section, fault).seen;
        let Seen::Broken { tokens, .. } = seen else {
            panic!("{fault}: {seen:?}")
        };
        assert_eq!(*tokens, expected, "{fault}");
    }
    let long = &of(section, "too_long").seen;
    assert!(matches!(long, Seen::Error { status: 400, .. }), "{long:?}");
    for (fault, expected) in [("all_refused", 502), ("all_hang", 504)] {
        let Seen::Error { status, .. } = &of(section, fault).seen else {
            panic!("{fault}: {:?}", of(section, fault))
        };
        assert_eq!(*status, expected, "{fault}");
    }
    assert_eq!(section.warnings, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn whole_answers_are_drilled_as_well() {
    let faults: Vec<_> = ["hang", "cut_early", "error_event", "cut_late"]
        .iter()
        .map(|name| named(name).unwrap())
        .collect();
    let sections = drilled("r: {tiers: [[a/x], [b/y]]}", &faults, seen::Form::Whole).await;
    for section in &sections {
        for fault in &faults {
            assert_eq!(answered_by(section, fault.name), "b/y");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_format_is_played_on_both_sides_of_a_fallback() {
    let routes = "
      azure: {tiers: [[azure/gpt-4o], [classic/gpt-4o]]},
      classic: {tiers: [[classic/gpt-4o], [claude/claude-sonnet-4-6]]},
      claude: {tiers: [[claude/claude-sonnet-4-6], [gemini/gemini-2.5-pro]]},
      gemini: {tiers: [[gemini/gemini-2.5-pro], [azure/gpt-4o]]}
    ";
    let faults = ["overloaded", "error_event", "cut_early", "cut_late"];
    let sections = streamed(routes, &faults).await;
    let found: Vec<_> = sections
        .iter()
        .map(|section| {
            let [first, second] = &*section.tiers else {
                panic!("{section:?}")
            };
            assert_eq!(answered_by(section, "calm"), first[0]);
            for fault in ["overloaded", "error_event", "cut_early"] {
                assert_eq!(answered_by(section, fault), second[0], "{fault}");
            }
            let late = &of(section, "cut_late").seen;
            assert!(matches!(late, Seen::Broken { .. }), "{late:?}");
            section.title.as_str()
        })
        .collect();
    assert_eq!(found, ["azure", "classic", "claude", "gemini"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_chain_lacks_is_a_warning() {
    let routes = "
      alone: a/x,
      closed: {tiers: [[a/x], [b/y]], fail_closed: true},
      place: {tiers: [[a/x], [a/y]]},
      off: {tiers: [[a/x], [b/y]], breaker: off},
      tight: {tiers: [[a/x], [b/y]], deadline: 1s}
    ";
    let sections = streamed(routes, &["refused", "hang"]).await;
    let warnings: Vec<_> = sections
        .iter()
        .map(|section| (section.title.as_str(), section.warnings.join("\n")))
        .collect();
    let expected = [
        (
            "alone",
            "no fallback for refused, hang at a: the route has no other target",
        ),
        (
            "closed",
            "no fallback for refused, hang at a: the route is `fail_closed`",
        ),
        ("off", ""),
        (
            "place",
            "all 2 targets are at the provider a, and when it is down, so are they",
        ),
        (
            "tight",
            "the deadline cannot be met with hang at a: 1s are over before another target has \
             answered; shorten `first_token` and `stall`, or hedge",
        ),
    ];
    let expected = expected.map(|(title, text)| (title, text.to_owned()));
    assert_eq!(warnings, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_route_that_does_not_answer_on_a_good_day_is_not_led_through_faults() {
    let routes = "r: {tiers: [[{target: a/x, capabilities: {lacks: [chat]}}]]}";
    let sections = streamed(routes, &["hang"]).await;
    let [section] = &*sections else {
        panic!("{sections:?}")
    };
    assert_eq!(section.scenes.len(), 1, "{section:?}");
    let [warning] = &*section.warnings else {
        panic!("{section:?}")
    };
    assert!(warning.contains("even when all is well"), "{warning}");
}

#[tokio::test(flavor = "multi_thread")]
async fn both_reports_tell_every_scene_and_no_secret() {
    let report = Report {
        config: "<b>.yaml".to_owned(),
        date: Timestamp(SystemTime::UNIX_EPOCH).to_string(),
        speed: Speed::parse("2").unwrap(),
        took: Duration::from_secs(3),
        stand_ins: vec!["A".to_owned()],
        sections: streamed(
            "r: {tiers: [[a/x], [b/y]]}, s: a/x",
            &["refused", "no_model"],
        )
        .await,
    };
    let mut out = Vec::new();
    text::write(&report, &mut out).unwrap();
    let plain = String::from_utf8(out).unwrap();
    let page = html::page(&report);
    for told in [&plain, &page] {
        for part in [
            "calm",
            "refused",
            "no_model",
            "b/y answers",
            "6 scenes in 3.0 s",
        ] {
            assert!(told.contains(part), "{part}: {told}");
        }
        assert!(told.contains("no fallback for refused, no_model at a"));
        assert!(told.contains("Not set here, and stood in for: A."));
        assert!(!told.contains("canary"), "{told}");
    }
    assert!(page.contains("Drill of &lt;b&gt;.yaml"), "{page}");
    for word in ["<script", "<link", "http:", "https:", "src="] {
        assert!(!page.contains(word), "{word}: {page}");
    }
    assert!(plain.lines().all(|line| line.len() <= 100), "{plain}");
}
