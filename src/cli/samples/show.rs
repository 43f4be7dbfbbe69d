//! Samples as a person reads them: a line an exchange, a line an attempt with its place in time,
//! and the bodies below them.

use std::io::{self, Write};
use std::time::Duration;

use super::found::{Found, Sample, Try};

/// Cells of a bar.
const CELLS: u64 = 24;

/// What stands at the end of a body that was cut.
const CUT: &str = "… (cut)";

/// The narrowest column that a body is wrapped into.
const NARROWEST: usize = 20;

/// Prints all of them, the oldest first.
pub(super) fn print(found: &Found, width: usize, out: &mut impl Write) -> io::Result<()> {
    if found.samples.is_empty() {
        return writeln!(out, "no samples");
    }
    for (at, (_, sample)) in found.samples.iter().enumerate() {
        if at > 0 {
            writeln!(out)?;
        }
        exchange(sample, width, out)?;
    }
    Ok(())
}

fn exchange(sample: &Sample, width: usize, out: &mut impl Write) -> io::Result<()> {
    let route = sample.route.as_deref().unwrap_or("-");
    let variant = sample.variant.as_deref();
    let variant = variant.map(|variant| format!("/{variant}"));
    let why = sample.reason.as_ref().or(sample.fallback_reason.as_ref());
    let why = why.map(|why| format!(" ({why})"));
    let head = format!(
        "{}  {route}{}  {} {}{}  {}",
        sample.time,
        variant.unwrap_or_default(),
        sample.status,
        sample.outcome,
        why.unwrap_or_default(),
        time(sample.total_ms),
    );
    writeln!(out, "{}", clean(&head))?;
    let key = sample.key.as_deref();
    let key = key.map(|key| format!("key {key}, "));
    let about = format!(
        "  {}{}, sampled as {}",
        key.unwrap_or_default(),
        sample.request_id,
        sample.sampled
    );
    writeln!(out, "{}", clean(&about))?;
    let request = &sample.request;
    let mut asked = format!(
        "  {} {}, {} bytes",
        request.method, request.path, request.length
    );
    if !request.headers.is_empty() {
        asked = format!("{asked}, forwarded: {}", request.headers.join(", "));
    }
    writeln!(out, "{}", clean(&asked))?;
    body(
        request.body.as_deref(),
        request.cut.then_some(CUT),
        width,
        out,
    )?;
    for attempt in &sample.attempts {
        tried(attempt, sample.total_ms, width, out)?;
    }
    for (target, reason) in &sample.left_out {
        let line = format!("  left out  {target}: {reason}");
        writeln!(out, "{}", clean(&line))?;
    }
    Ok(())
}

fn tried(attempt: &Try, total: f64, width: usize, out: &mut impl Write) -> io::Result<()> {
    let status = attempt.status.map(|status| status.to_string());
    let words = [&status, &attempt.error, &attempt.provider_code];
    let mut words: Vec<&str> = words.into_iter().flatten().map(String::as_str).collect();
    if let Some(verdict) = &attempt.verdict {
        words.extend(["→", verdict]);
    }
    let line = format!(
        "  {:<8} {} {:>8}  {}  {}",
        attempt.kind,
        bar(attempt, total),
        time(attempt.total_ms),
        attempt.target,
        words.join(" ")
    );
    writeln!(out, "{}", clean(line.trim_end()))?;
    let Some(response) = &attempt.response else {
        return Ok(());
    };
    let media = response.media.as_deref().unwrap_or("no type");
    let line = format!("           {media}, {} bytes", response.length);
    writeln!(out, "{}", clean(&line))?;
    body(
        response.body.as_deref(),
        response.cut.then_some(CUT),
        width,
        out,
    )
}

/// Where in its exchange an attempt was: waiting for its first token, then answering.
fn bar(attempt: &Try, total: f64) -> String {
    let cell = |ms: f64| micros(ms) * CELLS / micros(total).max(1);
    let from = attempt.begun_ms.unwrap_or_default();
    let begun = cell(from).min(CELLS - 1);
    let ended = cell(from + attempt.total_ms).clamp(begun + 1, CELLS);
    let token = attempt.first_token_ms.map(|ms| cell(from + ms));
    let cells = (0..CELLS).map(|at| match token {
        _ if at < begun || at >= ended => '·',
        Some(token) if at >= token => '█',
        _ => '░',
    });
    cells.collect()
}

/// A body, wrapped, and what is to stand at its end. Its own line ends stay.
fn body(
    text: Option<&str>,
    end: Option<&str>,
    width: usize,
    out: &mut impl Write,
) -> io::Result<()> {
    let Some(text) = text else {
        return Ok(());
    };
    let width = width.saturating_sub(6).max(NARROWEST);
    for line in text.trim_end().lines() {
        let characters: Vec<char> = clean(line).chars().collect();
        for piece in characters.chunks(width) {
            let piece: String = piece.iter().collect();
            writeln!(out, "    │ {piece}")?;
        }
    }
    if let Some(end) = end {
        writeln!(out, "    │ {end}")?;
    }
    Ok(())
}

/// Without what a terminal would obey.
fn clean(text: &str) -> String {
    let plain = |each: char| match each {
        '\t' => ' ',
        // Control characters, and those that turn the direction of writing around.
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
        each if each.is_control() => '\u{fffd}',
        each => each,
    };
    text.chars().map(plain).collect()
}

fn micros(ms: f64) -> u64 {
    let duration = Duration::try_from_secs_f64(ms / 1e3).unwrap_or_default();
    // Of hours of microseconds the cells can still be counted.
    u64::try_from(duration.as_micros())
        .unwrap_or(u64::MAX)
        .min(u64::MAX / CELLS)
}

fn time(ms: f64) -> String {
    match ms {
        ..10.0 => format!("{ms:.1} ms"),
        ..1e3 => format!("{ms:.0} ms"),
        _ => format!("{:.2} s", ms / 1e3),
    }
}
