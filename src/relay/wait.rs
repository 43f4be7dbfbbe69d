//! temporary
use std::time::{Duration, SystemTime};
pub(super) fn wait<'a>(
    header: impl Fn(&str) -> Option<&'a str>,
    _: Option<&str>,
    _: SystemTime,
) -> Option<Duration> {
    header("retry-after")?.parse().ok().map(Duration::from_secs)
}
