//! Tells other machines which targets are left alone, and hears it from them: once a second, and no
//! exchange waits for it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::edge::exchange::Shared;
use crate::relay::Board;

const EVERY: Duration = Duration::from_secs(1);

/// Runs until its task is ended.
pub(super) async fn run(shared: Arc<Shared>) {
    let mut board = Board::default();
    loop {
        sleep(EVERY).await;
        let states = shared.generations.targets();
        let notices = board.say(&states, Instant::now());
        if let Some(heard) = shared.ledger.board(&notices).await {
            board.hear(&states, &heard, Instant::now());
        }
    }
}
