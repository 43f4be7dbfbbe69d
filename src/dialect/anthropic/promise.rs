//! What a request relies on.

use crate::dialect::promise::Promise;
use crate::exchange::Request;

/// Reads the promise.
pub fn promise(_: &Request) -> Promise {
    Promise::default()
}
