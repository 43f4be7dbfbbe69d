//! The invariants of the layout, kept by reading the source: who may import whom, where Pingora and
//! HTTP statuses may be named, how long a file may grow.
//!
//! Only shipped code is judged: `#[cfg(test)]` items and the files they declare are left out.

use std::io;

use crate::graph::Graph;
use crate::source::Source;
use crate::tree::{Tree, root, rust_files, shown, strs};

#[path = "architecture/graph.rs"]
mod graph;
#[path = "architecture/source.rs"]
mod source;
#[path = "architecture/token.rs"]
mod token;
#[path = "architecture/tree.rs"]
mod tree;

/// The rooms from top to bottom. An import goes to a lower floor; only on the lowest floor may rooms
/// lean on one another, and even there never in a ring.
const FLOORS: [&[&str]; 9] = [
    &["main"],
    &["cli"],
    &["config"],
    &["edge"],
    &["relay"],
    &["route"],
    &["dialect", "account", "telemetry"],
    &["exchange"],
    &["upstream", "sse", "json", "hex", "units", "secret", "sim"],
];
const NAMES_PINGORA: [&str; 4] = ["edge", "upstream", "main", "cli"];
const NAMES_STATUS: [&str; 5] = ["edge", "upstream", "sim", "cli", "main"];
const EMPTY_NAMES: [&str; 8] = [
    "util", "utils", "helper", "helpers", "common", "misc", "manager", "managers",
];
/// Lines of code in a file: tests, comments and blank lines do not count.
const LONGEST_FILE: usize = 400;
/// What builds an answer or an error from a bare status number.
const STATUS_MAKERS: [&str; 6] = [
    "build",
    "build_no_case",
    "from_u16",
    "respond_error",
    "set_status",
    "HTTPStatus",
];

#[test]
fn imports_run_down_only() -> io::Result<()> {
    let tree = Tree::read()?;
    let mut wrong = Vec::new();
    for source in &tree.sources {
        for import in tree.imports(source) {
            let Some(to) = import.target.first().filter(|room| tree.is_room(room)) else {
                continue;
            };
            let from = source.room();
            if from == to || from == "lib" {
                continue;
            }
            match (floor(from), floor(to)) {
                (Some(above), Some(below)) if above < below => {}
                (Some(same), Some(lowest)) if same == lowest && same + 1 == FLOORS.len() => {}
                (Some(_), Some(_)) => wrong.push(format!(
                    "{}: `{from}` must not import `{to}`, which is not on a floor below it: {}",
                    source.at(import.line),
                    import.written
                )),
                (None, _) => wrong.push(format!("{}: `{from}` has no floor", source.at(1))),
                (_, None) => wrong.push(format!("{}: `{to}` has no floor", source.at(import.line))),
            }
        }
    }
    report("imports run down only: see FLOORS", &wrong);
    Ok(())
}

#[test]
fn every_room_has_a_floor() -> io::Result<()> {
    let tree = Tree::read()?;
    let wrong: Vec<_> = tree
        .sources
        .iter()
        .filter(|source| source.room() != "lib" && floor(source.room()).is_none())
        .map(|source| format!("{}: `{}` is missing in FLOORS", source.at(1), source.room()))
        .collect();
    report("every room has a floor", &wrong);
    Ok(())
}

#[test]
fn nothing_imports_in_a_ring() -> io::Result<()> {
    let tree = Tree::read()?;
    let (mut files, mut rooms) = (Graph::default(), Graph::default());
    for source in &tree.sources {
        for import in tree.imports(source).filter(|import| !import.opens_a_door) {
            let Some(target) = tree.file_of(&import.target) else {
                continue;
            };
            let place = format!("{} ({})", source.at(import.line), import.written);
            files.add(&source.path, &target.path, &place);
            if target.room() != "lib" {
                rooms.add(source.room(), target.room(), &place);
            }
        }
    }
    let mut wrong = rooms.rings();
    wrong.extend(files.rings());
    report(
        "no ring, neither of rooms nor of the files of one room",
        &wrong,
    );
    Ok(())
}

#[test]
fn no_dialect_imports_another() -> io::Result<()> {
    let tree = Tree::read()?;
    let mut wrong = Vec::new();
    for source in &tree.sources {
        let ["dialect", own, ..] = strs(&source.module)[..] else {
            continue;
        };
        for import in tree.imports(source) {
            let ["dialect", other, ..] = strs(&import.target)[..] else {
                continue;
            };
            if own != other
                && tree.is_folder(&["dialect", own])
                && tree.is_folder(&["dialect", other])
            {
                wrong.push(format!(
                    "{}: dialect `{own}` must not import dialect `{other}`",
                    source.at(import.line)
                ));
            }
        }
    }
    report("no dialect imports another", &wrong);
    Ok(())
}

#[test]
fn only_the_doors_name_pingora() -> io::Result<()> {
    let tree = Tree::read()?;
    let mut wrong = Vec::new();
    for source in tree
        .sources
        .iter()
        .filter(|source| !NAMES_PINGORA.contains(&source.room()))
    {
        for token in source
            .tokens
            .iter()
            .filter(|token| token.text.starts_with("pingora"))
        {
            wrong.push(format!(
                "{}: `{}` must not name `{}`",
                source.at(token.line),
                source.room(),
                token.text
            ));
        }
    }
    report(
        "only `edge`, `upstream`, `main` and `cli` name Pingora",
        &wrong,
    );
    Ok(())
}

#[test]
fn statuses_are_chosen_in_edge_fault() -> io::Result<()> {
    let tree = Tree::read()?;
    let mut wrong = Vec::new();
    for source in &tree.sources {
        if !NAMES_STATUS.contains(&source.room()) {
            for token in source
                .tokens
                .iter()
                .filter(|token| token.text == "StatusCode")
            {
                wrong.push(format!(
                    "{}: `{}` must not name StatusCode",
                    source.at(token.line),
                    source.room()
                ));
            }
        }
        let may_fail = strs(&source.module).starts_with(&["edge", "fault"])
            || strs(&source.module).starts_with(&["edge", "admin"]);
        if source.room() == "edge" && !may_fail {
            for window in source.tokens.windows(3) {
                if let [maker, by, status] = window
                    && is_error_status(&maker.text, &by.text, &status.text)
                {
                    wrong.push(format!(
                        "{}: an error status is chosen here: {}{}{}",
                        source.at(status.line),
                        maker.text,
                        by.text,
                        status.text
                    ));
                }
            }
        }
    }
    report("error statuses are chosen in `edge::fault` alone", &wrong);
    Ok(())
}

#[test]
fn every_file_opens_with_its_job() -> io::Result<()> {
    let tree = Tree::read()?;
    let wrong: Vec<_> = tree
        .sources
        .iter()
        .filter(|source| source.text.lines().count() > 1 && !source.text.starts_with("//! "))
        .map(|source| format!("{}: the first line is not a `//!` header", source.at(1)))
        .collect();
    report("every file opens with `//!` and its one job", &wrong);
    Ok(())
}

#[test]
fn no_file_outgrows_its_reader() -> io::Result<()> {
    let tree = Tree::read()?;
    let wrong: Vec<_> = tree
        .sources
        .iter()
        .filter(|source| source.lines_of_code > LONGEST_FILE)
        .map(|source| {
            format!(
                "{}: {} lines of code, {LONGEST_FILE} at most: look for the second job",
                source.at(LONGEST_FILE),
                source.lines_of_code
            )
        })
        .collect();
    report("no file outgrows its reader", &wrong);
    Ok(())
}

#[test]
fn names_say_something() -> io::Result<()> {
    let mut wrong = Vec::new();
    for path in rust_files(&root().join("src"))? {
        let shown = shown(&path);
        for word in shown.trim_end_matches(".rs").split(['/', '_']) {
            if EMPTY_NAMES.contains(&word) {
                wrong.push(format!("{shown}:1: `{word}` names no job"));
            }
        }
    }
    report("room and file names say what is inside", &wrong);
    Ok(())
}

#[test]
fn the_reader_of_these_tests_is_not_fooled() {
    let source = Source::parse(
        "src/route/plan.rs",
        "//! x\nuse crate::{relay::{Gate as G, self}, units}; // use crate::edge::A;\n\
         pub(crate) use crate::exchange::Event;\n\
         const A: &str = r#\"use crate::cli::B; \"quoted\"\"#;\n\
         fn f<'a>(c: char) -> bool { c == '\"' && crate::sim::on() && super::table::on() }\n\
         fn g() -> impl Sized + use<> { 1..2 }\n\
         #[cfg(test)]\nmod tests {\n    use crate::edge::Edge;\n}\nfn h() {}\n",
    );
    let written: Vec<_> = source
        .paths
        .iter()
        .map(|path| (path.line, path.written()))
        .collect();
    let expected = [
        (2, "crate::relay::Gate"),
        (2, "crate::relay"),
        (2, "crate::units"),
        (3, "crate::exchange::Event"),
        (5, "crate::sim::on"),
        (5, "super::table::on"),
    ];
    assert_eq!(
        written,
        expected.map(|(line, path)| (line, path.to_owned()))
    );
    assert_eq!(source.lines_of_code, 6, "a header and tests do not count");
    assert!(is_error_status("StatusCode", "::", "BAD_GATEWAY"));
    assert!(is_error_status("build", "(", "503"));
    assert!(!is_error_status("StatusCode", "::", "OK"));
    assert!(!is_error_status("build", "(", "200"));
}

#[test]
fn a_ring_is_found_and_shown() {
    let mut graph = Graph::default();
    for (from, to) in [("a", "b"), ("b", "c"), ("c", "a"), ("c", "d")] {
        graph.add(from, to, &format!("{from}.rs:1"));
    }
    assert_eq!(graph.rings(), ["a -> b -> c -> a: a.rs:1, b.rs:1, c.rs:1"]);
}

/// A room's floor, counted from the top.
fn floor(room: &str) -> Option<usize> {
    FLOORS.iter().position(|rooms| rooms.contains(&room))
}

/// Whether three tokens choose a 4xx or 5xx: `StatusCode::BAD_GATEWAY` or `build(502`.
fn is_error_status(maker: &str, by: &str, status: &str) -> bool {
    const WELL: [&str; 5] = ["OK", "CREATED", "ACCEPTED", "NO_CONTENT", "CONTINUE"];
    let named = maker == "StatusCode"
        && by == "::"
        && status.chars().all(|c| c.is_ascii_uppercase() || c == '_')
        && !WELL.contains(&status);
    let numbered = STATUS_MAKERS.contains(&maker)
        && by == "("
        && status
            .parse::<u16>()
            .is_ok_and(|status| (400..600).contains(&status));
    named || numbered
}

fn report(rule: &str, wrong: &[String]) {
    assert!(wrong.is_empty(), "{rule}\n  {}\n", wrong.join("\n  "));
}
