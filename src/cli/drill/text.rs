//! The report for a terminal or a log.

use std::io::{self, Write};

use crate::cli::drill::play::Played;
use crate::cli::drill::report::{Report, Section, later, saw, seconds, struck, tried};
use crate::cli::drill::seen::Seen;

/// The columns of a line, if names are not longer.
const WIDTH: usize = 100;

/// Writes the report.
pub(super) fn write(report: &Report, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "drill of {}, {}", report.config, report.date)?;
    for note in report.notes() {
        writeln!(out, "{note}")?;
    }
    for section in &report.sections {
        write_section(section, out)?;
    }
    writeln!(out, "\n{}", report.summary())
}

fn write_section(section: &Section, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "\nroute {}: {}", section.title, section.chain())?;
    writeln!(
        out,
        "  {:<12} {:<14} {:>9}  the client sees",
        "fault", "at", "after"
    )?;
    for played in &section.scenes {
        write_scene(played, out)?;
    }
    for warning in &section.warnings {
        wrapped("  warning: ", warning, out)?;
    }
    Ok(())
}

fn write_scene(played: &Played, out: &mut impl Write) -> io::Result<()> {
    writeln!(
        out,
        "  {:<12} {:<14} {:>9}  {}",
        played.fault.name,
        struck(played),
        seconds(played.seen.after()),
        saw(&played.seen)
    )?;
    let served = matches!(played.seen, Seen::Answer { .. }) && played.tries.len() == 1;
    if !served && !played.tries.is_empty() {
        wrapped("               ", &tried(&played.tries), out)?;
    }
    match later(played) {
        Some(later) => writeln!(out, "               {later}"),
        None => Ok(()),
    }
}

/// A text in lines, all but the first below its beginning.
fn wrapped(lead: &str, text: &str, out: &mut impl Write) -> io::Result<()> {
    let indent = lead.len();
    write!(out, "{lead}")?;
    let mut column = indent;
    for word in text.split(' ') {
        let fits = column + word.len() < WIDTH;
        if column > indent && fits {
            write!(out, " {word}")?;
            column += word.len() + 1;
            continue;
        }
        if column > indent {
            write!(out, "\n{:indent$}", "")?;
        }
        write!(out, "{word}")?;
        column = indent + word.len();
    }
    writeln!(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_go_on_below_their_beginning() {
        let mut out = Vec::new();
        let long = "word ".repeat(30);
        wrapped("  warning: ", long.trim_end(), &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text.lines().count(), 2);
        assert!(text.lines().all(|line| line.len() <= WIDTH), "{text}");
        assert!(text.lines().nth(1).unwrap().starts_with("           word"));
        assert_eq!(text.matches("word").count(), 30);
    }
}
