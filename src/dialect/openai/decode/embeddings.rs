//! A whole answer of vectors: that it is one, what it took, and that nothing of it is missing.

use super::answer::{Answer, Choices, Part};
use super::{read, usage};
use crate::dialect::carry::{Malformed, Sink};
use crate::dialect::leaf::Leaf;
use crate::dialect::name::Name;
use crate::exchange::{Event, Finish};

/// The most vectors of one answer: `OpenAI` takes 2,048 texts at once, others more.
const MOST: usize = 1 << 20;

/// Reads the answer and tells the sink its events: the vectors themselves are the client's alone.
pub(super) fn whole(text: &str, sink: &mut Sink<'_>) -> Result<(), Malformed> {
    let mut document = Answer::new(Part::Message);
    read::read(text, &mut document)?;
    if let Some(failure) = document.failure() {
        sink(Event::Failed(failure));
        return Ok(());
    }
    if document.choices != Choices::Absent {
        return Err(Malformed::Shape);
    }
    let mut list = List::default();
    let mut used = None;
    Leaf::parse(text)
        .ok_or(Malformed::Shape)?
        .fields(|name, value| match name {
            Name::Data => list = List::read(value),
            Name::Usage => used = usage::read(value),
            _ => {}
        });
    list.check()?;
    sink(Event::Started);
    sink(Event::Media { choice: 0 });
    sink(Event::Finished {
        choice: 0,
        reason: Finish::Stop,
    });
    if let Some(used) = used {
        sink(Event::Usage(used));
    }
    Ok(())
}

/// What `data` holds.
#[derive(Default)]
struct List {
    /// The index of each vector; its place where it names none.
    indexes: Vec<usize>,
    is_broken: bool,
}

impl List {
    fn read(data: Leaf<'_>) -> Self {
        let mut list = Self::default();
        data.items(|item| {
            let place = list.indexes.len();
            let (mut index, mut is_vector) = (place, false);
            item.fields(|name, value| match name {
                Name::Index => index = value.json().parse().unwrap_or(usize::MAX),
                Name::Embedding => is_vector = has_numbers(value),
                _ => {}
            });
            list.is_broken |= !is_vector || place >= MOST;
            if place < MOST {
                list.indexes.push(index);
            }
        });
        list
    }

    /// Each index once, from 0 on without a gap: a client finds the vector of a text by it.
    fn check(mut self) -> Result<(), Malformed> {
        self.indexes.sort_unstable();
        let whole = self.indexes.iter().copied().eq(0..self.indexes.len());
        if whole && !self.is_broken && !self.indexes.is_empty() {
            Ok(())
        } else {
            Err(Malformed::Shape)
        }
    }
}

/// A list of numbers, or base64; an object of lists is another vendor's way to answer for several
/// types at once.
fn has_numbers(vector: Leaf<'_>) -> bool {
    match vector.json().as_bytes() {
        [b'[', inner @ .., b']'] => !inner.trim_ascii().is_empty(),
        [b'"', inner @ .., b'"'] => !inner.is_empty(),
        _ => vector.is_object(),
    }
}
