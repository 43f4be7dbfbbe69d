//! What a drill comes to: its scenes by route, and the words that both forms of the report use.

use std::time::Duration;

use crate::cli::drill::clock::Speed;
use crate::cli::drill::fault::Blame;
use crate::cli::drill::play::{Played, Stance};
use crate::cli::drill::seen::Seen;
use crate::cli::drill::told::Try;

/// A drill that is over.
#[derive(Debug)]
pub(super) struct Report {
    /// The config file.
    pub(super) config: String,
    /// When it was, for people.
    pub(super) date: String,
    /// How fast its clocks ran.
    pub(super) speed: Speed,
    /// How long it took.
    pub(super) took: Duration,
    /// Variables of the environment that were not set, and stood in for.
    pub(super) stand_ins: Vec<String>,
    /// A section a route or variant.
    pub(super) sections: Vec<Section>,
}

/// What came of a route or a variant.
#[derive(Debug)]
pub(super) struct Section {
    /// Its name for people.
    pub(super) title: String,
    /// Its targets, tier by tier.
    pub(super) tiers: Vec<Vec<String>>,
    /// Scene by scene.
    pub(super) scenes: Vec<Played>,
    /// What to think about.
    pub(super) warnings: Vec<String>,
}

impl Report {
    /// Warnings in all.
    pub(super) fn warnings(&self) -> usize {
        let sections = self.sections.iter();
        sections.map(|section| section.warnings.len()).sum()
    }

    /// Scenes in all.
    pub(super) fn scenes(&self) -> usize {
        let sections = self.sections.iter();
        sections.map(|section| section.scenes.len()).sum()
    }

    /// Scenes in which a client saw what it must never see.
    pub(super) fn garbled(&self) -> usize {
        let scenes = self.sections.iter().flat_map(|section| &section.scenes);
        scenes
            .filter(|played| matches!(played.seen, Seen::Garbled { .. }))
            .count()
    }

    /// What the drill was, in a line.
    pub(super) fn summary(&self) -> String {
        let (scenes, warnings) = (self.scenes(), self.warnings());
        let took = seconds(self.took);
        let warnings = counted(warnings, "warning");
        match self.garbled() {
            0 => format!("{scenes} scenes in {took}: {warnings}, nothing garbled"),
            garbled => format!("{scenes} scenes in {took}: {warnings}, {garbled} GARBLED"),
        }
    }

    /// What must be known to read it.
    pub(super) fn notes(&self) -> Vec<String> {
        let mut notes = vec![
            "Providers were simulators on this machine; keys, quotas, health checks and TLS were left out."
                .to_owned(),
        ];
        if !self.speed.is_real() {
            notes.push(
                "Clocks ran faster than the file says; times are what they stand for.".to_owned(),
            );
        }
        if !self.stand_ins.is_empty() {
            notes.push(format!(
                "Not set here, and stood in for: {}.",
                self.stand_ins.join(", ")
            ));
        }
        notes
    }
}

impl Section {
    /// Its chain: equals with commas, tiers with `then`.
    pub(super) fn chain(&self) -> String {
        let tiers: Vec<String> = self.tiers.iter().map(|tier| tier.join(", ")).collect();
        tiers.join(", then ")
    }
}

/// Who failed.
pub(super) fn struck(played: &Played) -> &str {
    match (played.fault.blame, &played.struck) {
        (Blame::Nobody, _) => "-",
        (Blame::Provider | Blame::Request, Some(provider)) => provider,
        (Blame::Provider | Blame::Request, None) => "all",
    }
}

/// What the client saw.
pub(super) fn saw(seen: &Seen) -> String {
    match seen {
        Seen::Answer { target, .. } => format!("{target} answers"),
        Seen::Error { status, code, .. } => format!("error {status}, {code}"),
        Seen::Broken {
            target,
            tokens,
            code,
            ..
        } => format!("{tokens} tokens of {target}, then an error event, {code}"),
        Seen::Garbled { what, .. } => format!("GARBLED: {what}"),
    }
}

/// Who was asked, in order, and what came of it; tries of one target in a row stand together.
pub(super) fn tried(tries: &[Try]) -> String {
    let mut told: Vec<(&str, Vec<String>)> = Vec::new();
    for one in tries {
        let error = one.error.as_deref().unwrap_or("served");
        let end = format!("{error} {}", seconds(one.total()));
        match told.last_mut() {
            Some((target, ends)) if *target == one.target => ends.push(end),
            _ => told.push((&one.target, vec![end])),
        }
    }
    let told = told.into_iter();
    let told: Vec<String> = told
        .map(|(target, ends)| format!("{target}: {}", ends.join(", ")))
        .collect();
    told.join("; ")
}

/// How it went on.
pub(super) fn later(played: &Played) -> Option<String> {
    let later = played.later?;
    let before = counted(
        usize::try_from(later.before).unwrap_or_default(),
        "exchange",
    );
    Some(match later.stance {
        Stance::LeftAlone => format!("left alone after {before}"),
        Stance::AskedAgain => format!("still asked after {before}"),
    })
}

/// A time for people: a tenth of a second is fine enough.
pub(super) fn seconds(time: Duration) -> String {
    if time < Duration::from_mins(2) {
        return format!("{:.1} s", time.as_secs_f64());
    }
    let seconds = time.as_secs();
    match (seconds / 60, seconds % 60) {
        (minutes, 0) => format!("{minutes} min"),
        (minutes, seconds) => format!("{minutes} min {seconds} s"),
    }
}

/// `1 warning`, `2 warnings`.
pub(super) fn counted(count: usize, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        _ => format!("{count} {what}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tries(text: &str) -> Vec<Try> {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn tries_of_one_target_stand_together() {
        let told = tried(&tries(
            r#"[{"target":"a/x","error":"connect","total_ms":12.0},
                {"target":"a/x","error":"connect","total_ms":3.0},
                {"target":"b/y","total_ms":1250.0}]"#,
        ));
        assert_eq!(told, "a/x: connect 0.0 s, connect 0.0 s; b/y: served 1.2 s");
    }

    #[test]
    fn times_are_for_people() {
        for (milliseconds, expected) in [
            (0, "0.0 s"),
            (49, "0.0 s"),
            (8_040, "8.0 s"),
            (60_000, "60.0 s"),
            (120_000, "2 min"),
            (605_400, "10 min 5 s"),
        ] {
            assert_eq!(seconds(Duration::from_millis(milliseconds)), expected);
        }
    }
}
