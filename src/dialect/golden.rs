//! What the tests of every dialect start from, recorded bytes, and what they compare with, snapshots.

use std::fs;
use std::path::Path;

use bytes::Bytes;

use crate::sse::{Decoder, Frame};
use crate::units::ByteSize;

/// The recorded bytes in a folder below `tests/fixtures`, by name.
pub(super) fn fixtures(folder: &str, extension: &str) -> Vec<(String, Bytes)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let mut found: Vec<_> = fs::read_dir(root.join(folder))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .map(|path| {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (name, fs::read(path).unwrap().into())
        })
        .collect();
    found.sort();
    found
}

/// The frames of a stream that comes in these pieces.
pub(super) fn frames(pieces: &[Bytes]) -> Vec<Frame> {
    let mut decoder = Decoder::new(ByteSize::kib(64));
    let mut frames = Vec::new();
    for piece in pieces {
        decoder.push(piece.clone());
        while let Some(frame) = decoder.next_frame().unwrap() {
            frames.push(frame);
        }
    }
    while let Some(frame) = decoder.finish().unwrap() {
        frames.push(frame);
    }
    frames
}

/// Compares a text with its snapshot among those of a dialect.
pub(super) fn golden(dialect: &str, name: &str, text: &str) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/dialect");
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(root.join(dialect).join("snapshots"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, text));
}
