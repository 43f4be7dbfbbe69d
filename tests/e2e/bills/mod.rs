//! What the access log says was taken, held against what the providers know was taken.

mod books;
mod plays;
mod stage;

use self::books::agree;
use self::plays::{Play, play};
use self::stage::{Stage, judge};

/// Plays so many exchanges, some of them at a time, and holds each line of the log against the
/// providers' truth.
async fn agrees(count: usize, at_once: usize) {
    let stage = Stage::open(count).await;
    let plays: Vec<Play> = (0..count).map(Play::nth).collect();
    for some in plays.chunks(at_once) {
        let playing = some.iter().map(|one| play(&stage.world, one));
        futures_util::future::join_all(playing).await;
    }
    let told = stage.close().await;
    judge(&plays, &told);
    agree(&told);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_attempt_is_billed_by_its_providers_word_or_within_a_twentieth() {
    let is_full = std::env::var("SEGUE_GATE").is_ok_and(|how| how == "full");
    let (count, at_once) = if is_full { (10_000, 100) } else { (240, 16) };
    agrees(count, at_once).await;
}
