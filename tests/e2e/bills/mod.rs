//! What the access log says was taken, held against what the providers know was taken.

mod plays;
mod stage;

use self::plays::{Play, play};
use self::stage::{Stage, judge};

/// Plays so many exchanges and holds each line of the log against the providers' truth.
async fn agrees(count: usize) {
    let stage = Stage::open().await;
    let plays: Vec<Play> = (0..count).map(Play::nth).collect();
    for some in plays.chunks(16) {
        let playing = some.iter().map(|one| play(&stage.world, one));
        futures_util::future::join_all(playing).await;
    }
    let told = stage.close().await;
    judge(&plays, &told);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_attempt_is_billed_by_its_providers_word_or_within_a_twentieth() {
    agrees(240).await;
}
