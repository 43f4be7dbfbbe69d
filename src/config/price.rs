//! `price` of a target: what it charges for a million tokens.

use std::ops::RangeInclusive;

use super::cursor::{Cursor, Read};
use super::section::Section;
use crate::route::Price;
use crate::units::MicroUsd;

/// Up to 10,000 USD: more than ten times the dearest model there is. 0 is a model of one's own.
const RANGE: RangeInclusive<MicroUsd> = MicroUsd(0)..=MicroUsd(10_000_000_000);

/// Reads a price, in USD.
pub(super) fn read(cursor: &Cursor<'_>) -> Read<Price> {
    let mut section = Section::open(cursor)?;
    let input = section.required("input").and_then(|at| at.usd(&RANGE));
    let output = section.required("output").and_then(|at| at.usd(&RANGE));
    section.close();
    Ok(Price {
        input: input?,
        output: output?,
    })
}
