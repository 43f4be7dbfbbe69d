//! Reading numbers and what has a unit: durations, sizes, money. Each has its range.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::cursor::{Cursor, Read};
use super::measure;
use super::path::quoted;
use crate::units::{ByteSize, MicroUsd};

impl Cursor<'_> {
    /// A whole number.
    pub(super) fn number(&self, range: &RangeInclusive<u32>) -> Read<u32> {
        let text = self.numeric("a whole number")?;
        match text.parse() {
            Ok(value) => self.within(value, range, |value| value.to_string()),
            Err(_) if text.bytes().all(|byte| byte.is_ascii_digit()) => {
                self.out_of_range(text, range, |value| value.to_string())
            }
            Err(_) => self.fail(format_args!("{} is not a whole number", quoted(text))),
        }
    }

    /// A duration with its unit.
    pub(super) fn duration(&self, range: &RangeInclusive<Duration>) -> Read<Duration> {
        let text = self.scalar("a duration such as 400ms, 8s, 2m or 1h")?;
        match measure::duration(text) {
            Some(value) => self.within(value, range, measure::show_duration),
            None => self.fail(format_args!(
                "{} is not a duration: write a whole number and ms, s, m or h, such as 400ms",
                quoted(text)
            )),
        }
    }

    /// A duration, or the word that stands for none.
    pub(super) fn duration_or(
        &self,
        word: &str,
        range: &RangeInclusive<Duration>,
    ) -> Read<Option<Duration>> {
        let text = self.scalar(&format!("{word} or a duration such as 400ms or 8s"))?;
        if text == word {
            return Ok(None);
        }
        match measure::duration(text) {
            Some(value) => self.within(value, range, measure::show_duration).map(Some),
            None => self.fail(format_args!(
                "{} is neither {word} nor a duration: write a whole number and ms, s, m or h, \
                 such as 400ms",
                quoted(text)
            )),
        }
    }

    /// A number that may have decimals.
    pub(super) fn decimal(&self, range: &RangeInclusive<f64>) -> Read<f64> {
        let text = self.numeric("a number")?;
        match measure::decimal(text) {
            Some(value) => self.within(value, range, |value| value.to_string()),
            None => self.fail(format_args!(
                "{} is not a number such as 0.5 or 10",
                quoted(text)
            )),
        }
    }

    /// An amount of USD, exact to the millionth.
    pub(super) fn usd(&self, range: &RangeInclusive<MicroUsd>) -> Read<MicroUsd> {
        let text = self.numeric("an amount of USD such as 1.25")?;
        match measure::usd(text) {
            Some(value) => self.within(value, range, measure::show_usd),
            None => self.fail(format_args!(
                "{} is not an amount of USD: a number with at most six decimals, such as 1.25",
                quoted(text)
            )),
        }
    }

    /// A size with its unit.
    pub(super) fn size(&self, range: &RangeInclusive<ByteSize>) -> Read<ByteSize> {
        let text = self.scalar("a size such as 64KiB or 32MiB")?;
        match measure::size(text) {
            Some(value) => self.within(value, range, measure::show_size),
            None => self.fail(format_args!(
                "{} is not a size: write a whole number and B, KiB, MiB or GiB, such as 32MiB",
                quoted(text)
            )),
        }
    }

    fn within<T: PartialOrd + Copy>(
        &self,
        value: T,
        range: &RangeInclusive<T>,
        show: impl Fn(T) -> String,
    ) -> Read<T> {
        if range.contains(&value) {
            return Ok(value);
        }
        self.out_of_range(&show(value), range, show)
    }

    fn out_of_range<T: Copy, U>(
        &self,
        value: &str,
        range: &RangeInclusive<T>,
        show: impl Fn(T) -> String,
    ) -> Read<U> {
        let (least, most) = (show(*range.start()), show(*range.end()));
        self.fail(format_args!("{value} is out of range: {least} to {most}"))
    }
}
