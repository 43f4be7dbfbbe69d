//! Where usage is kept, as `segue check` prints it.

use std::io::{self, Write};

use super::marked::marked;
use crate::account::store::{OnFailure, StoreSettings};
use crate::config;

/// Prints where usage is kept.
pub(super) fn print(store: Option<&StoreSettings>, out: &mut impl Write) -> io::Result<()> {
    let Some(store) = store else {
        return writeln!(out, "store off");
    };
    let days = |hours: u64| format!("{}d", hours / 24);
    let retention = days(store.retention.as_secs() / 3_600);
    let shipped = days(config::RETENTION.as_secs() / 3_600);
    writeln!(
        out,
        "store {}\n  retention {}\n  on_failure {}",
        store.path.display(),
        marked(&retention, &shipped),
        marked(&store.on_failure.name(), &OnFailure::default().name())
    )
}
