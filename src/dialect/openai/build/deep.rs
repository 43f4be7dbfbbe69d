//! Changes below the top of a document: along a JSON pointer, level by level, as bytes.

use bytes::{Bytes, BytesMut};
use serde_json::value::RawValue;

use crate::json::{Edit, Fields};

/// The deepest place that a pointer may name.
pub(super) const DEEPEST: usize = 8;

/// What is done to a field.
#[derive(Clone, Copy, Debug)]
pub(super) enum Doing<'a> {
    Remove,
    Rename(&'a str),
    Set(&'a str),
    List,
}

/// The steps of a pointer below the top, its escapes undone (RFC 6901); `None` if it is too long.
pub(super) fn steps(pointer: &str) -> Option<Vec<String>> {
    let steps = pointer.split('/').skip(1);
    let steps: Vec<_> = steps
        .map(|step| step.replace("~1", "/").replace("~0", "~"))
        .collect();
    (!steps.is_empty() && steps.len() <= DEEPEST).then_some(steps)
}

/// The value with the change made; `None` where it changes nothing.
pub(super) fn change(value: &Bytes, steps: &[String], doing: Doing<'_>) -> Option<Bytes> {
    let (step, rest) = steps.split_first()?;
    if value.first() == Some(&b'[') {
        return at_element(value, step, rest, doing);
    }
    let fields = Fields::index(value).ok()?;
    let inner = fields
        .value(value, step)
        .map(|inner| value.slice_ref(inner));
    let edits = if rest.is_empty() {
        at_field(&fields, step, inner, doing)?
    } else {
        let inner = match (inner, doing) {
            (Some(inner), _) => inner,
            (None, Doing::Set(_)) => Bytes::from_static(b"{}"),
            (None, Doing::Remove | Doing::Rename(_) | Doing::List) => return None,
        };
        vec![Edit::Set(step, change(&inner, rest, doing)?)]
    };
    Some(fields.splice(value, &edits).concat().into())
}

/// What is to be done at a field of an object.
pub(super) fn at_field<'a>(
    fields: &Fields,
    name: &'a str,
    value: Option<Bytes>,
    doing: Doing<'a>,
) -> Option<Vec<Edit<'a>>> {
    Some(match doing {
        Doing::Set(json) => vec![Edit::Set(name, Bytes::copy_from_slice(json.as_bytes()))],
        Doing::Remove => value.map(|_| vec![Edit::Remove(name)])?,
        Doing::Rename(to) => {
            let value = value?;
            let mut edits = vec![Edit::Remove(name)];
            if fields.span(to).is_none() {
                edits.push(Edit::Set(to, value));
            }
            edits
        }
        Doing::List => {
            let value = value.filter(|value| !value.starts_with(b"[") && &**value != b"null")?;
            vec![Edit::Set(name, [b"[", &*value, b"]"].concat().into())]
        }
    })
}

fn at_element(list: &Bytes, step: &str, rest: &[String], doing: Doing<'_>) -> Option<Bytes> {
    // Elements themselves are neither left out nor renamed.
    if rest.is_empty() {
        return None;
    }
    let wanted: Option<usize> = step.parse().ok();
    let mut at = 0;
    elements(list, |element| {
        let own = at;
        at += 1;
        let meant = step == "*" || wanted == Some(own);
        meant.then(|| change(element, rest, doing)).flatten()
    })
}

/// The list with each element as `new` says; `None` where all stay, and for what is no list.
pub(super) fn elements(
    list: &Bytes,
    mut new: impl FnMut(&Bytes) -> Option<Bytes>,
) -> Option<Bytes> {
    let elements: Vec<&RawValue> = serde_json::from_slice(list).ok()?;
    let mut out = BytesMut::with_capacity(list.len() + 64);
    let mut changed = false;
    for (at, element) in elements.iter().enumerate() {
        let before: &[u8] = if at == 0 { b"[" } else { b"," };
        out.extend_from_slice(before);
        let element = list.slice_ref(element.get().as_bytes());
        let instead = new(&element);
        changed |= instead.is_some();
        out.extend_from_slice(&instead.unwrap_or(element));
    }
    out.extend_from_slice(b"]");
    changed.then(|| out.freeze())
}
