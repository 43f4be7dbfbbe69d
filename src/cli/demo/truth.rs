//! What a provider says when it is asked without the proxy: what a client must get through it, byte
//! for byte.

use std::collections::BTreeMap;
use std::sync::Arc;

use memchr::memmem;

use crate::cli::client::{self, ClientError};
use crate::cli::demo::stage::{Provider, Stage};
use crate::cli::demo::step::Step;

/// What stands before an answer's id, which alone differs from answer to answer.
const ID: &[u8] = b"\"id\":\"";

/// What the providers have said to whom.
#[derive(Default)]
pub(super) struct Truths(BTreeMap<(Provider, String), Arc<[u8]>>);

impl Truths {
    /// The body that the client of this step must get from its provider, without its id. `None` for
    /// a step in which no provider speaks.
    pub(super) async fn of(
        &mut self,
        stage: &Stage,
        step: &Step,
    ) -> Result<Option<Arc<[u8]>>, ClientError> {
        let Some(provider) = step.speaker() else {
            return Ok(None);
        };
        let Some(script) = stage.script(step.model, provider) else {
            return Ok(None);
        };
        let name = |model: &str| format!(r#""model":"{model}""#);
        let body = step.body().replace(&name(step.model), &name(script));
        let key = (provider, body);
        if let Some(known) = self.0.get(&key) {
            return Ok(Some(Arc::clone(known)));
        }
        let mut answer = client::post(stage.sim(provider).address(), &key.1).await?;
        match answer.whole().await {
            // A script may well end in a cut.
            Ok(_) | Err(ClientError::Ended) => {}
            Err(error) => return Err(error),
        }
        let said: Arc<[u8]> = without_id(answer.body()).into();
        self.0.insert(key, Arc::clone(&said));
        Ok(Some(said))
    }
}

/// The body without its first id, wherever that stands. One that has another id somewhere keeps it:
/// an answer has one.
pub(super) fn without_id(body: &[u8]) -> Vec<u8> {
    let found = memmem::find(body, ID).and_then(|at| {
        let value = body.get(at.checked_add(ID.len())?..)?;
        value.get(..memmem::find(value, b"\"")?)
    });
    let Some(value) = found else {
        return body.to_owned();
    };
    let id = [ID, value].concat();
    let mut clean = Vec::with_capacity(body.len());
    let mut rest = body;
    while let Some((before, after)) =
        memmem::find(rest, &id).and_then(|at| rest.split_at_checked(at))
    {
        clean.extend_from_slice(before);
        clean.extend_from_slice(ID);
        rest = after.get(id.len()..).unwrap_or_default();
    }
    clean.extend_from_slice(rest);
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answers_own_id_is_left_out_and_no_other() {
        for (body, expected) in [
            (
                r#"{"id":"a","x":1}{"id":"a"}"#,
                r#"{"id":"","x":1}{"id":""}"#,
            ),
            (r#"{"id":"a"}{"id":"b"}"#, r#"{"id":""}{"id":"b"}"#),
            (r#"{"id":"a"#, r#"{"id":"a"#),
            ("", ""),
        ] {
            let clean = without_id(body.as_bytes());
            assert_eq!(String::from_utf8(clean).unwrap(), expected);
        }
    }
}
