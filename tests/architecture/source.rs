//! One file of `src/`: its module, the paths its code names, and its length.

use std::collections::BTreeSet;

use crate::token::{Token, find, text, tokens};

/// One file.
pub(crate) struct Source {
    pub(crate) path: String,
    pub(crate) text: String,
    pub(crate) module: Vec<String>,
    /// Without comments, literals' contents and tests.
    pub(crate) tokens: Vec<Token>,
    pub(crate) paths: Vec<UsedPath>,
    /// Modules declared under `#[cfg(test)]`.
    pub(crate) test_modules: Vec<Vec<String>>,
    pub(crate) all_tests: bool,
    pub(crate) lines_of_code: usize,
}

impl Source {
    pub(crate) fn parse(path: &str, text: &str) -> Self {
        let module: Vec<String> = path
            .trim_start_matches("src/")
            .trim_end_matches(".rs")
            .split('/')
            .filter(|segment| !["mod", "lib"].contains(segment))
            .map(str::to_owned)
            .collect();
        let all = tokens(text);
        let all_tests = find(&all, 0, &["#", "!", "[", "cfg", "(", "test", ")", "]"]) == Some(0);
        let (tokens, test_names) = without_tests(all);
        let lines: BTreeSet<_> = tokens.iter().map(|token| token.line).collect();
        let test_modules = test_names
            .into_iter()
            .map(|name| [module.clone(), vec![name]].concat());
        Self {
            test_modules: test_modules.collect(),
            path: path.to_owned(),
            paths: used_paths(&tokens),
            lines_of_code: lines.len(),
            text: text.to_owned(),
            module,
            tokens,
            all_tests,
        }
    }

    pub(crate) fn room(&self) -> &str {
        self.module.first().map_or("lib", String::as_str)
    }

    pub(crate) fn at(&self, line: usize) -> String {
        format!("{}:{line}", self.path)
    }

    /// Where a re-export of this file says that `name` lives.
    pub(crate) fn passed_on(&self, name: &str) -> Option<&[String]> {
        self.paths
            .iter()
            .find(|path| path.kind == Kind::PubUse && path.name == name)
            .map(|path| path.segments.as_slice())
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    PubUse,
    Use,
    Inline,
}

/// `crate::a::B` as written, by `use` or in the middle of code.
pub(crate) struct UsedPath {
    pub(crate) segments: Vec<String>,
    /// What it is called here.
    pub(crate) name: String,
    pub(crate) line: usize,
    pub(crate) kind: Kind,
}

impl UsedPath {
    pub(crate) fn written(&self) -> String {
        self.segments.join("::")
    }
}

/// Every path of the code: each leaf of each `use`, and each `a::b` elsewhere.
fn used_paths(tokens: &[Token]) -> Vec<UsedPath> {
    let mut paths = Vec::new();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        let before = at
            .checked_sub(1)
            .and_then(|at| tokens.get(at))
            .map(|token| token.text.as_str());
        let after = text(tokens, at + 1);
        if token.text == "use" && after != "<" {
            // `)` closes `pub(crate)`; attributes end in `]`, items in `;` or `}`.
            let kind = if matches!(before, Some("pub" | ")")) {
                Kind::PubUse
            } else {
                Kind::Use
            };
            at = use_tree(tokens, at + 1, &[], kind, &mut paths);
        } else if token.is_word() && after == "::" && !matches!(before, Some("::" | "in")) {
            let mut segments = vec![token.text.clone()];
            while text(tokens, at + 1) == "::" && tokens.get(at + 2).is_some_and(Token::is_word) {
                segments.push(text(tokens, at + 2).to_owned());
                at += 2;
            }
            let name = segments.last().cloned().unwrap_or_default();
            paths.push(UsedPath {
                segments,
                name,
                line: token.line,
                kind: Kind::Inline,
            });
        }
        at += 1;
    }
    paths
}

/// Reads one branch of a `use` tree and says where it ends: at its `,`, `}` or `;`.
fn use_tree(
    tokens: &[Token],
    mut at: usize,
    prefix: &[String],
    kind: Kind,
    paths: &mut Vec<UsedPath>,
) -> usize {
    let mut segments = prefix.to_vec();
    let mut name = None;
    let line = tokens.get(at).map_or(0, |token| token.line);
    while let Some(token) = tokens.get(at) {
        match token.text.as_str() {
            "::" => {}
            "{" => {
                while !matches!(text(tokens, at), "}" | "") {
                    at = use_tree(tokens, at + 1, &segments, kind, paths);
                }
                return at + 1;
            }
            "as" => {
                name = Some(text(tokens, at + 1).to_owned());
                at += 1;
            }
            "," | "}" | ";" => break,
            "self" if !segments.is_empty() => {}
            segment => segments.push(segment.to_owned()),
        }
        at += 1;
    }
    if segments.len() > prefix.len() || text(tokens, at.saturating_sub(1)) == "self" {
        let name = name
            .or_else(|| segments.last().cloned())
            .unwrap_or_default();
        if segments.last().is_some_and(|last| last == "*") {
            segments.pop();
        }
        paths.push(UsedPath {
            segments,
            name,
            line,
            kind,
        });
    }
    at
}

/// The shipped code, and the names of the modules declared for tests alone.
fn without_tests(tokens: Vec<Token>) -> (Vec<Token>, Vec<String>) {
    const MARK: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
    let (mut kept, mut modules, mut at) = (Vec::new(), Vec::new(), 0);
    while let Some(mark) = find(&tokens, at, &MARK) {
        kept.extend(tokens.get(at..mark).unwrap_or_default().iter().cloned());
        let item = mark + MARK.len();
        at = end_of_item(&tokens, item);
        if text(&tokens, item) == "mod" && text(&tokens, item + 2) == ";" {
            modules.push(text(&tokens, item + 1).to_owned());
        }
    }
    kept.extend(tokens.into_iter().skip(at));
    (kept, modules)
}

/// One past the `;` or `}` that ends the item which starts here, attributes before it included.
fn end_of_item(tokens: &[Token], start: usize) -> usize {
    let mut depth = 0_usize;
    let is_use = text(tokens, start) == "use";
    for (at, token) in tokens.iter().enumerate().skip(start) {
        match token.text.as_str() {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" => depth = depth.saturating_sub(1),
            "}" => {
                depth = depth.saturating_sub(1);
                if depth == 0 && !is_use {
                    return at + 1;
                }
            }
            ";" if depth == 0 => return at + 1,
            _ => {}
        }
    }
    tokens.len()
}
