//! What processes tell each other of a name: whether it is left alone, and for how long. Pure.

use std::sync::Arc;
use std::time::Duration;

use redis::Cmd;

use crate::account::shared::words::call;

/// What is said of a name on the board that processes share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// Nothing.
    None,
    /// It is left alone for so long, and then probed.
    Open(Duration),
    /// It is left alone for so long, and then free.
    Cooling(Duration),
    /// It is left alone no longer, by who said that it was.
    Over,
}

/// Puts notices up and reads all, in one call.
pub(super) fn post(script: &str, root: &str, node: &str, notices: &[(Arc<str>, Notice)]) -> Cmd {
    let keys: Vec<String> = notices
        .iter()
        .map(|(name, _)| format!("{root}shut:{name}"))
        .collect();
    let mut cmd = call(script, root, keys.iter().map(String::as_str));
    cmd.arg("board").arg(node);
    for (_, notice) in notices {
        // Less than a millisecond is over before it is read.
        let millis = |left: Duration| left.as_millis().max(1);
        cmd.arg(match notice {
            Notice::None => String::new(),
            Notice::Open(left) => format!("o{}", millis(*left)),
            Notice::Cooling(left) => format!("c{}", millis(*left)),
            Notice::Over => "-".to_owned(),
        });
    }
    cmd
}

/// What the answer to [`post`] means for one name: milliseconds, below zero for a cool-down.
pub(super) fn read(word: i64) -> Notice {
    let left = Duration::from_millis(word.unsigned_abs());
    match word {
        0 => Notice::None,
        1.. => Notice::Open(left),
        _ => Notice::Cooling(left),
    }
}
