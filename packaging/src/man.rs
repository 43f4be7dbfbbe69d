//! A man page for the program and one for each of its commands.

use std::fs;
use std::io;
use std::path::Path;

use clap::Command;
use clap_mangen::Man;

/// Writes `segue.1`, `segue-run.1`, …
pub(crate) fn write(command: &Command, folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    for (name, page) in pages(command)? {
        fs::write(folder.join(format!("{name}.1")), page)?;
    }
    Ok(())
}

/// The pages by their names.
fn pages(command: &Command) -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut command = command.clone().disable_help_subcommand(true);
    command.build();
    let mut pages = Vec::new();
    collect(&command, None, &mut pages)?;
    Ok(pages)
}

fn collect(
    command: &Command,
    above: Option<&str>,
    pages: &mut Vec<(String, Vec<u8>)>,
) -> io::Result<()> {
    let own = command.get_name();
    let name = above.map_or_else(|| own.to_owned(), |above| format!("{above}-{own}"));
    let mut page = Vec::new();
    // A command's name lives as long as the program, which writes its pages and ends.
    let title: &'static str = Box::leak(name.clone().into_boxed_str());
    Man::new(command.clone().name(title))
        .manual("segue")
        .render(&mut page)?;
    for below in command.get_subcommands() {
        collect(below, Some(&name), pages)?;
    }
    pages.push((name, page));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_page_with_its_own_options() {
        let pages = pages(&segue::cli::command()).unwrap();
        let page = |name: &str| {
            let (_, page) = pages.iter().find(|(own, _)| own == name).unwrap();
            String::from_utf8(page.clone()).unwrap()
        };
        for (name, part) in [
            ("segue", "segue\\-run(1)"),
            ("segue-run", "\\-\\-config"),
            ("segue-drill", "\\-\\-html"),
            ("segue-key-new", "segue\\-key\\-new"),
        ] {
            assert!(page(name).contains(part), "{name}: {}", page(name));
        }
        assert!(pages.len() > 10);
        assert!(pages.iter().all(|(name, _)| !name.contains("help")));
    }
}
