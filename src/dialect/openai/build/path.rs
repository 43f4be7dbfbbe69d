//! Where a provider takes a request: path and query, below the path of its base URL.

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::dialect::ask::Recipient;
use crate::dialect::profile::Paths;
use crate::exchange::Task;

/// Where a provider takes such a task.
///
/// Azure: REST reference of Azure `OpenAI` ("Data plane inference", and "v1 API").
pub fn path(task: Task, to: &Recipient<'_>) -> Cow<'static, str> {
    let end = match task {
        Task::Completion => "/completions",
        Task::Embedding => "/embeddings",
        Task::Chat | Task::Count => "/chat/completions",
    };
    let version = to.profile.api_version.as_deref();
    let mut path = match (to.profile.paths, version) {
        (Paths::Plain, None) => return Cow::Borrowed(end),
        (Paths::Plain, Some(_)) => end.to_owned(),
        (Paths::AzureV1, _) => format!("/openai/v1{end}"),
        (Paths::AzureDeployments, _) => {
            let mut path = "/openai/deployments/".to_owned();
            put_segment(&mut path, to.model);
            path + end
        }
    };
    if let Some(version) = version {
        path.push_str("?api-version=");
        put_segment(&mut path, version);
    }
    Cow::Owned(path)
}

/// Percent-encodes all but what RFC 3986 calls unreserved.
fn put_segment(path: &mut String, text: &str) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            path.push(char::from(byte));
        } else {
            // A string takes all that is written to it.
            let _ = write!(path, "%{byte:02X}");
        }
    }
}
