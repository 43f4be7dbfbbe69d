//! The report as one page of HTML that needs nothing else: no script, no font, no picture.

use std::fmt::{self, Write as _};

use crate::cli::drill::play::{Played, Stance};
use crate::cli::drill::report::{Report, Section, later, saw, seconds, struck, tried};
use crate::cli::drill::seen::Seen;

/// How it looks.
const STYLE: &str = include_str!("drill.css");

/// The page.
pub(super) fn page(report: &Report) -> String {
    let mut out = String::new();
    // A string takes all that is written to it.
    let _ = write_page(report, &mut out);
    out
}

fn write_page(report: &Report, out: &mut String) -> fmt::Result {
    let config = Escaped(&report.config);
    write!(
        out,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>Drill of {config}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n\
         <header>\n<h1>Drill of {config}</h1>\n<p class=\"sum\">{}, {}</p>\n",
        Escaped(&report.date),
        Escaped(&report.summary())
    )?;
    for note in report.notes() {
        writeln!(out, "<p>{}</p>", Escaped(&note))?;
    }
    out.push_str("</header>\n<main>\n");
    for section in &report.sections {
        write_section(section, out)?;
    }
    out.push_str("</main>\n</body>\n</html>\n");
    Ok(())
}

fn write_section(section: &Section, out: &mut String) -> fmt::Result {
    write!(
        out,
        "<section>\n<h2>{}</h2>\n<p>{}</p>\n",
        Escaped(&section.title),
        Escaped(&section.chain())
    )?;
    if !section.warnings.is_empty() {
        out.push_str("<ul class=\"warnings\">\n");
        for warning in &section.warnings {
            writeln!(out, "<li>{}</li>", Escaped(warning))?;
        }
        out.push_str("</ul>\n");
    }
    out.push_str(
        "<div class=\"wide\"><table>\n<thead><tr><th scope=\"col\">Fault</th><th scope=\"col\">At</th>\
         <th scope=\"col\">After</th><th scope=\"col\">The client sees</th>\
         <th scope=\"col\">Who was asked</th><th scope=\"col\">Then</th></tr></thead>\n<tbody>\n",
    );
    for played in &section.scenes {
        write_scene(played, out)?;
    }
    out.push_str("</tbody>\n</table></div>\n</section>\n");
    Ok(())
}

fn write_scene(played: &Played, out: &mut String) -> fmt::Result {
    let then = later(played).unwrap_or_default();
    writeln!(
        out,
        "<tr class=\"{}\"><th scope=\"row\">{}<small>{}</small></th><td>{}</td>\
         <td class=\"time\">{}</td><td class=\"saw\">{}</td><td>{}</td><td class=\"{}\">{}</td></tr>",
        kind(&played.seen),
        Escaped(played.fault.name),
        Escaped(played.fault.words),
        Escaped(struck(played)),
        seconds(played.seen.after()),
        Escaped(&saw(&played.seen)),
        Escaped(&tried(&played.tries)),
        match played.later.map(|later| later.stance) {
            Some(Stance::AskedAgain) => "again",
            Some(Stance::LeftAlone) | None => "",
        },
        Escaped(&then)
    )
}

/// The class of a row.
fn kind(seen: &Seen) -> &'static str {
    match seen {
        Seen::Answer { .. } => "answer",
        Seen::Error { .. } => "error",
        Seen::Broken { .. } => "broken",
        Seen::Garbled { .. } => "garbled",
    }
}

/// A text between tags or in a quoted attribute.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|letter| match letter {
            '&' => out.write_str("&amp;"),
            '<' => out.write_str("&lt;"),
            '>' => out.write_str("&gt;"),
            '"' => out.write_str("&quot;"),
            '\'' => out.write_str("&#39;"),
            other => out.write_char(other),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_never_markup() {
        let escaped = Escaped("<b onclick='x'>\"&").to_string();
        assert_eq!(escaped, "&lt;b onclick=&#39;x&#39;&gt;&quot;&amp;");
    }

    #[test]
    fn the_style_asks_for_nothing_from_elsewhere() {
        for word in ["url(", "@import", "http", "</style"] {
            assert!(!STYLE.contains(word), "{word}");
        }
    }
}
