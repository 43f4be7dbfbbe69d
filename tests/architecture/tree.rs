//! `src/` as a tree of modules, and what a path in one of its files leads to.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::source::{Kind, Source};

/// All of `src/` that ships.
pub(crate) struct Tree {
    pub(crate) sources: Vec<Source>,
    by_module: BTreeMap<Vec<String>, usize>,
}

/// A path in the source, followed to what it means inside the crate.
pub(crate) struct Import {
    pub(crate) target: Vec<String>,
    pub(crate) line: usize,
    pub(crate) written: String,
    /// `pub use child::Name`: offers what is below, needs nothing of it.
    pub(crate) opens_a_door: bool,
}

impl Tree {
    pub(crate) fn read() -> io::Result<Self> {
        let mut sources = Vec::new();
        for path in rust_files(&root().join("src"))? {
            sources.push(Source::parse(&shown(&path), &fs::read_to_string(&path)?));
        }
        let tests: BTreeSet<_> = sources
            .iter()
            .flat_map(|source| source.test_modules.iter().cloned())
            .collect();
        sources.retain(|source| {
            !tests.iter().any(|test| source.module.starts_with(test)) && !source.all_tests
        });
        let by_module = sources
            .iter()
            .enumerate()
            .filter(|(_, source)| source.room() != "main")
            .map(|(at, source)| (source.module.clone(), at))
            .collect();
        Ok(Self { sources, by_module })
    }

    pub(crate) fn imports<'a>(&'a self, source: &'a Source) -> impl Iterator<Item = Import> + 'a {
        source.paths.iter().filter_map(|path| {
            let target = self.absolute(source, &path.segments)?;
            let opens_a_door = path.kind == Kind::PubUse && target.starts_with(&source.module);
            Some(Import {
                target,
                line: path.line,
                written: path.written(),
                opens_a_door,
            })
        })
    }

    /// A path from the crate's root, or none when it leads out of the crate.
    fn absolute(&self, source: &Source, segments: &[String]) -> Option<Vec<String>> {
        let (first, rest) = segments.split_first()?;
        let mut base = match first.as_str() {
            "crate" => Vec::new(),
            "segue" if source.room() == "main" => Vec::new(),
            "self" | "super" => source.module.clone(),
            _ => {
                let mut child = source.module.clone();
                child.push(first.clone());
                return self.by_module.contains_key(&child).then(|| {
                    child.extend(rest.iter().cloned());
                    child
                });
            }
        };
        if first == "super" {
            base.pop();
        }
        for segment in rest {
            if segment == "super" {
                base.pop();
            } else {
                base.push(segment.clone());
            }
        }
        Some(base)
    }

    /// The file that defines what a path names: through the doors that only pass it on.
    pub(crate) fn file_of(&self, path: &[String]) -> Option<&Source> {
        let mut path = path.to_vec();
        for _ in 0..8 {
            let (source, name) = (0..=path.len()).rev().find_map(|length| {
                let source = self
                    .sources
                    .get(*self.by_module.get(path.get(..length)?)?)?;
                Some((source, path.get(length)))
            })?;
            let Some(onward) = name.and_then(|name| source.passed_on(name)) else {
                return Some(source);
            };
            path = self.absolute(source, onward)?;
        }
        None
    }

    pub(crate) fn is_room(&self, name: &str) -> bool {
        self.by_module.contains_key(&vec![name.to_owned()])
    }

    pub(crate) fn is_folder(&self, module: &[&str]) -> bool {
        let module: Vec<_> = module.iter().map(|&segment| segment.to_owned()).collect();
        self.by_module
            .get(&module)
            .and_then(|&at| self.sources.get(at))
            .is_some_and(|source| source.path.ends_with("/mod.rs"))
    }
}

pub(crate) fn strs(segments: &[String]) -> Vec<&str> {
    segments.iter().map(String::as_str).collect()
}

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub(crate) fn shown(path: &Path) -> String {
    path.strip_prefix(root())
        .unwrap_or(path)
        .display()
        .to_string()
}

pub(crate) fn rust_files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(rust_files(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
