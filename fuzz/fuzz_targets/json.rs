//! The index accepts what serde_json accepts (see the oracle for what differs on purpose), finds
//! the same fields, and a splice leaves the fields that editing the list of them leaves.
//!
//! An input is a byte that picks the edits, then the document.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use segue::json::{Edit, Fields, string};

#[path = "../../src/json/oracle.rs"]
mod oracle;

/// What fields are set to: no value that a document is likely to have.
const VALUE: &[u8] = b"{\"set\":[-1.5e3,\"\\\"\"]}";

fuzz_target!(|input: &[u8]| {
    let [pick, document @ ..] = input else {
        return;
    };
    if let Ok(text) = std::str::from_utf8(document) {
        assert_eq!(
            serde_json::from_slice::<String>(&string(text)).unwrap(),
            text
        );
    }
    let expected = oracle::index(document);
    let Ok(fields) = Fields::index(document) else {
        assert_eq!(expected, None);
        return;
    };
    let found: Vec<_> = fields
        .names()
        .map(|name| (name.to_owned(), fields.span(name).unwrap()))
        .collect();
    assert_eq!(Some(&found), expected.as_ref());
    splice(*pick, document, &fields);
});

/// Sets or removes some of the fields that are there, and one that may not be.
fn splice(pick: u8, document: &[u8], fields: &Fields) {
    let mut expected: Vec<(&str, &[u8])> = Vec::new();
    let mut edits = Vec::new();
    for (at, name) in fields.names().enumerate() {
        match pick.rotate_right(2 * (at % 4) as u32) % 4 {
            0 => edits.push(Edit::Remove(name)),
            1 => {
                edits.push(Edit::Set(name, Bytes::from_static(VALUE)));
                expected.push((name, VALUE));
            }
            _ => expected.push((name, fields.value(document, name).unwrap())),
        }
    }
    let added = "added \"field\"";
    if pick > 127 && fields.span(added).is_none() {
        edits.push(Edit::Set(added, Bytes::from_static(VALUE)));
        expected.push((added, VALUE));
    }
    let document = Bytes::copy_from_slice(document);
    let spliced = fields.splice(&document, &edits).concat();
    let Ok(after) = Fields::index(&spliced) else {
        assert_eq!(expected.len(), 1025, "{}", spliced.escape_ascii());
        return;
    };
    let left: Vec<_> = after
        .names()
        .map(|name| (name, after.value(&spliced, name).unwrap()))
        .collect();
    assert_eq!(left, expected);
}
