//! Values for a person to read, with a mark where one is the shipped one.

use std::fmt::Display;
use std::time::Duration;

use crate::config::show_duration;
use crate::upstream::{BaseUrl, Scheme};

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

/// A URL as it is spoken to, with its port.
pub(in crate::cli) fn url(base: &BaseUrl) -> String {
    let scheme = match base.scheme {
        Scheme::Http => "http",
        Scheme::Https => "https",
    };
    let BaseUrl {
        host, port, prefix, ..
    } = base;
    if host.contains(':') {
        return format!("{scheme}://[{host}]:{port}{prefix}");
    }
    format!("{scheme}://{host}:{port}{prefix}")
}
