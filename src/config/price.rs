//! `price` of a target: what it charges for a million tokens.

use std::ops::RangeInclusive;

use super::cursor::{Cursor, Read};
use super::section::Section;
use crate::account::{LongPrice, Price};
use crate::units::{MicroUsd, Tokens};

/// Up to 10,000 USD: more than ten times the dearest model there is. 0 is a model of one's own.
const RANGE: RangeInclusive<MicroUsd> = MicroUsd(0)..=MicroUsd(10_000_000_000);
/// Prompts of which length may have a price of their own.
const PROMPT: RangeInclusive<u32> = 1..=100_000_000;

/// Reads a price, in USD.
pub(super) fn read(cursor: &Cursor<'_>) -> Read<Price> {
    let mut section = Section::open(cursor)?;
    let input = section.required("input").and_then(|at| at.usd(&RANGE));
    let output = section.required("output").and_then(|at| at.usd(&RANGE));
    let cached = section.maybe("cache_read", |at| at.usd(&RANGE));
    let cache_write = section.maybe("cache_write", |at| at.usd(&RANGE));
    let long = section.maybe("above", long);
    section.close();
    Ok(Price {
        input: input?,
        output: output?,
        cached: cached?,
        cache_write: cache_write?,
        long: long?,
    })
}

/// Reads what long prompts cost.
fn long(cursor: &Cursor<'_>) -> Read<LongPrice> {
    let mut section = Section::open(cursor)?;
    let above = section
        .required("input_tokens")
        .and_then(|at| at.number(&PROMPT));
    let input = section.required("input").and_then(|at| at.usd(&RANGE));
    let output = section.required("output").and_then(|at| at.usd(&RANGE));
    let cached = section.maybe("cache_read", |at| at.usd(&RANGE));
    let cache_write = section.maybe("cache_write", |at| at.usd(&RANGE));
    section.close();
    Ok(LongPrice {
        above: Tokens(u64::from(above?)),
        input: input?,
        output: output?,
        cached: cached?,
        cache_write: cache_write?,
    })
}
