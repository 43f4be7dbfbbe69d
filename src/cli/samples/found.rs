//! Samples as they are found in files: the last of those that are wanted.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::PathBuf;

use serde::Deserialize;

/// A line that is longer is none of ours.
const LONGEST: u64 = 4 << 20;

/// Which samples are wanted.
pub(super) struct Wanted<'a> {
    pub(super) last: usize,
    pub(super) route: Option<&'a str>,
    pub(super) outcome: Option<&'a str>,
}

impl Wanted<'_> {
    fn has(&self, sample: &Sample) -> bool {
        let outcome = self.outcome.is_none_or(|outcome| outcome == sample.outcome);
        outcome && (self.route.is_none() || self.route == sample.route.as_deref())
    }
}

/// What was found.
#[derive(Default)]
pub(super) struct Found {
    /// Each with the line that it is.
    pub(super) samples: VecDeque<(String, Sample)>,
    /// Lines that are no samples.
    pub(super) unread: usize,
}

/// An exchange that was sampled.
#[derive(Deserialize)]
pub(super) struct Sample {
    pub(super) time: String,
    pub(super) request_id: String,
    pub(super) sampled: String,
    pub(super) key: Option<String>,
    pub(super) route: Option<String>,
    pub(super) variant: Option<String>,
    pub(super) status: u16,
    pub(super) outcome: String,
    pub(super) reason: Option<String>,
    pub(super) fallback_reason: Option<String>,
    pub(super) request: Request,
    pub(super) attempts: Vec<Try>,
    #[serde(default)]
    pub(super) left_out: BTreeMap<String, String>,
    pub(super) total_ms: f64,
}

/// Its request.
#[derive(Deserialize)]
pub(super) struct Request {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) headers: Vec<String>,
    pub(super) length: u64,
    pub(super) body: Option<String>,
    #[serde(default)]
    pub(super) cut: bool,
}

/// One attempt of it.
#[derive(Deserialize)]
pub(super) struct Try {
    pub(super) target: String,
    pub(super) kind: String,
    pub(super) status: Option<u16>,
    pub(super) error: Option<String>,
    pub(super) verdict: Option<String>,
    pub(super) provider_code: Option<String>,
    pub(super) begun_ms: Option<f64>,
    pub(super) first_token_ms: Option<f64>,
    pub(super) total_ms: f64,
    pub(super) response: Option<Response>,
}

/// What came back.
#[derive(Deserialize)]
pub(super) struct Response {
    #[serde(rename = "type")]
    pub(super) media: Option<String>,
    pub(super) length: u64,
    pub(super) body: Option<String>,
    #[serde(default)]
    pub(super) cut: bool,
}

/// Reads files in this order.
pub(super) fn read(files: &[PathBuf], wanted: &Wanted<'_>) -> Result<Found, String> {
    let mut found = Found::default();
    for path in files {
        File::open(path)
            .and_then(|file| lines(&mut BufReader::new(file), wanted, &mut found))
            .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    }
    Ok(found)
}

/// Reads lines. A last one without its end is still being written.
pub(super) fn lines(
    from: &mut impl BufRead,
    wanted: &Wanted<'_>,
    found: &mut Found,
) -> io::Result<()> {
    let mut line = Vec::new();
    loop {
        line.clear();
        from.by_ref().take(LONGEST).read_until(b'\n', &mut line)?;
        let Some((b'\n', text)) = line.split_last() else {
            if line.len() as u64 == LONGEST {
                found.unread += 1;
                continue;
            }
            return Ok(());
        };
        let Ok(sample) = serde_json::from_slice::<Sample>(text) else {
            found.unread += 1;
            continue;
        };
        if !wanted.has(&sample) || wanted.last == 0 {
            continue;
        }
        if found.samples.len() >= wanted.last {
            found.samples.pop_front();
        }
        let text = String::from_utf8_lossy(text).into_owned();
        found.samples.push_back((text, sample));
    }
}
