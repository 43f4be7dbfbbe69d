//! A value for a person to read, with a mark where it is the shipped one.

use std::fmt::Display;
use std::time::Duration;

use crate::config::show_duration;

/// The value.
pub(super) fn marked<T: Display + PartialEq>(value: &T, shipped: &T) -> String {
    if value == shipped {
        format!("{value} (default)")
    } else {
        value.to_string()
    }
}

/// A duration.
pub(super) fn time(value: Duration, shipped: Duration) -> String {
    marked(&show_duration(value), &show_duration(shipped))
}
