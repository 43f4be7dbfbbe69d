//! How soon the first token comes when nothing goes wrong: what a rescue is measured against.

use std::time::{Duration, Instant};

use crate::cli::client::{self, ClientError};
use crate::cli::demo::stage::Stage;
use crate::cli::demo::step::{CALM, stream_body};
use crate::cli::heard::Heard;

/// The time to the first token of an undisturbed stream: the middle one of three requests, which
/// leave as soon as they know.
pub(super) async fn first_token(stage: &Stage) -> Result<Duration, ClientError> {
    let mut times = [Duration::ZERO; 3];
    for time in &mut times {
        *time = once(stage).await?;
    }
    times.sort_unstable();
    let [_, middle, _] = times;
    Ok(middle)
}

async fn once(stage: &Stage) -> Result<Duration, ClientError> {
    let began = Instant::now();
    let mut answer = client::post(stage.address, &stream_body(CALM)).await?;
    loop {
        let data = answer.event().await?.ok_or(ClientError::Ended)?;
        if let Heard::Word(_) = Heard::parse(&data) {
            return Ok(began.elapsed());
        }
    }
}
