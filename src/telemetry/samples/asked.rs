//! What a sample tells of a request.

use std::sync::Arc;

use bytes::Bytes;
use http::HeaderName;

use super::file::SampleFile;
use super::rules::Rules;
use crate::secret::Secret;

/// A request that may come to be sampled.
pub struct Asked {
    /// Where the sample goes.
    pub file: Arc<SampleFile>,
    /// What is sampled, from its beginning to its end.
    pub rules: Arc<Rules>,
    /// The request's method.
    pub method: http::Method,
    /// Its path, without a query.
    pub path: String,
    /// Names of the headers that may go on to a provider.
    pub headers: Vec<HeaderName>,
    /// Its body.
    pub body: Bytes,
    /// What the caller proved itself with, so that it is not told.
    pub key: Option<Secret>,
}
