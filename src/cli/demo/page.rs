//! The tour on a terminal: aligned lines of at most 100 columns, with a little colour where there is
//! a terminal to show it.
//!
//! Nothing is ever erased or written over, so a log of it reads as well.

use std::env;
use std::io::{self, IsTerminal as _, Write};
use std::time::Duration;

/// The columns of a terminal of usual width.
const WIDTH: usize = 100;

/// Where a line's words begin, and those of an answer: after its status.
const INDENT: usize = 15;
const ANSWER: usize = INDENT + 5;

/// What a step's last line may say before the time begins.
const SAID: usize = 72;

/// Whether lines are coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Paint {
    /// Not at all.
    Plain,
    /// By ANSI sequences.
    Colours,
}

impl Paint {
    /// Colours for a terminal, unless it or its user (<https://no-color.org>) wants none.
    pub(super) fn of_stdout() -> Self {
        let unwanted = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = env::var_os("TERM").is_none_or(|name| name == "dumb");
        if unwanted || dumb || !io::stdout().is_terminal() {
            Self::Plain
        } else {
            Self::Colours
        }
    }
}

/// What a piece of text is; it decides its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ink {
    Title,
    Label,
    Good,
    Bad,
}

impl Ink {
    /// The parameter of the sequence "select graphic rendition" (ECMA-48 section 8.3.117).
    fn code(self) -> u8 {
        match self {
            Self::Title => 1,
            Self::Label => 2,
            Self::Good => 32,
            Self::Bad => 31,
        }
    }
}

/// The page that the tour writes on.
pub(super) struct Page<W> {
    out: W,
    paint: Paint,
    /// How far the line of an answer has come; 0 without one.
    column: usize,
}

impl<W: Write> Page<W> {
    pub(super) fn new(out: W, paint: Paint) -> Self {
        Self {
            out,
            paint,
            column: 0,
        }
    }

    /// A line in bold.
    pub(super) fn title(&mut self, text: &str) -> io::Result<()> {
        self.ink(Ink::Title, text)?;
        self.line("")
    }

    /// A line, or the rest of one.
    pub(super) fn line(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.out, "{text}")?;
        self.out.flush()
    }

    /// The heading of a step.
    pub(super) fn step(&mut self, number: usize, title: &str) -> io::Result<()> {
        self.line("")?;
        write!(self.out, "{number:>2}  ")?;
        self.title(title)
    }

    /// A line of a step: what a provider does, or what was measured.
    pub(super) fn line_of(&mut self, label: &str, text: &str) -> io::Result<()> {
        self.label(Ink::Label, label)?;
        self.line(text)
    }

    /// Begins the line of what the client sees, with the status that it sees first.
    pub(super) fn client(&mut self, status: u16) -> io::Result<()> {
        self.label(Ink::Label, "client")?;
        write!(self.out, "{status:<5}")?;
        self.column = ANSWER;
        self.out.flush()
    }

    /// Goes on with that line, at once; it is wrapped between words.
    pub(super) fn word(&mut self, word: &str) -> io::Result<()> {
        let word = word.trim();
        let gap = usize::from(self.column > ANSWER);
        if self.column + gap + word.len() > WIDTH {
            write!(self.out, "\n{:ANSWER$}{word}", "")?;
            self.column = ANSWER + word.len();
        } else {
            write!(self.out, "{:gap$}{word}", "")?;
            self.column += gap + word.len();
        }
        self.out.flush()
    }

    /// Ends that line with these words.
    pub(super) fn words(&mut self, text: &str) -> io::Result<()> {
        text.split_whitespace()
            .try_for_each(|word| self.word(word))?;
        self.end()
    }

    /// Ends that line.
    pub(super) fn end(&mut self) -> io::Result<()> {
        self.column = 0;
        self.line("")
    }

    /// Ends a step that went as promised.
    pub(super) fn kept(&mut self, promise: &str, took: Duration) -> io::Result<()> {
        self.verdict(Ink::Good, "ok", promise, took)
    }

    /// Ends a step that did not.
    pub(super) fn broken(&mut self, why: &str, took: Duration) -> io::Result<()> {
        if self.column > 0 {
            self.end()?;
        }
        self.verdict(Ink::Bad, "FAILED", why, took)
    }

    fn verdict(&mut self, ink: Ink, word: &str, said: &str, took: Duration) -> io::Result<()> {
        self.label(ink, word)?;
        let time = milliseconds(took);
        self.line(&format!("{said:<SAID$} {time:>10}"))
    }

    fn label(&mut self, ink: Ink, label: &str) -> io::Result<()> {
        write!(self.out, "    ")?;
        self.ink(ink, label)?;
        let rest = INDENT.saturating_sub(4).saturating_sub(label.len());
        write!(self.out, "{:rest$}", "")
    }

    fn ink(&mut self, ink: Ink, text: &str) -> io::Result<()> {
        match self.paint {
            Paint::Plain => self.out.write_all(text.as_bytes()),
            Paint::Colours => write!(self.out, "\x1b[{}m{text}\x1b[0m", ink.code()),
        }
    }
}

/// A time as it is shown: two digits at least, where there are any.
pub(super) fn milliseconds(time: Duration) -> String {
    let milliseconds = time.as_secs_f64() * 1e3;
    if milliseconds < 9.95 {
        format!("{milliseconds:.1} ms")
    } else {
        format!("{milliseconds:.0} ms")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(paint: Paint, write: impl FnOnce(&mut Page<Vec<u8>>) -> io::Result<()>) -> String {
        let mut page = Page::new(Vec::new(), paint);
        write(&mut page).unwrap();
        String::from_utf8(page.out).unwrap()
    }

    #[test]
    fn an_answer_is_wrapped_between_words_within_100_columns() {
        let text = written(Paint::Plain, |page| {
            page.client(200)?;
            (0..60).try_for_each(|number| page.word(&format!(" w{number}")))?;
            page.end()
        });
        let lines: Vec<_> = text.lines().collect();
        assert!(lines.len() > 2 && lines.iter().all(|line| line.len() <= WIDTH));
        assert!(lines[0].starts_with("    client     200  w0 w1 "), "{text}");
        assert!(lines[1].starts_with(&format!("{:ANSWER$}w", "")), "{text}");
        let words: Vec<_> = text.split_whitespace().skip(2).collect();
        assert_eq!(words.len(), 60, "{text}");
    }

    #[test]
    fn times_are_short() {
        for (micros, expected) in [
            (0, "0.0 ms"),
            (640, "0.6 ms"),
            (9_940, "9.9 ms"),
            (9_960, "10 ms"),
            (12_345_678, "12346 ms"),
        ] {
            assert_eq!(milliseconds(Duration::from_micros(micros)), expected);
        }
    }

    #[test]
    fn colours_change_nothing_but_colours() {
        let show = |page: &mut Page<Vec<u8>>| {
            page.step(1, "a step")?;
            page.line_of("provider", "says something")?;
            page.kept("kept", Duration::from_millis(5))?;
            page.broken("broken", Duration::from_secs(12))
        };
        let mut coloured = written(Paint::Colours, show);
        assert!(coloured.contains("\x1b[32mok\x1b[0m"), "{coloured:?}");
        for code in ["1", "2", "31", "32", "0"] {
            coloured = coloured.replace(&format!("\x1b[{code}m"), "");
        }
        assert_eq!(coloured, written(Paint::Plain, show));
    }
}
