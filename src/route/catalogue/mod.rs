//! What is known of models: `conf/models.json`, shipped inside the binary and read once.
//!
//! Nothing hangs on a model being known: of one that is not, nothing is known against it.

mod entry;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use self::entry::{Entry, File};
use crate::route::Family;

pub use self::entry::Model;

/// The catalogue as shipped. `docs/models.md` describes its fields.
const SHIPPED: &str = include_str!("../../../conf/models.json");

static MODELS: LazyLock<BTreeMap<(Family, String), Model>> = LazyLock::new(|| {
    // A test reads the shipped file; a build with a broken one would know no model.
    let file = serde_json::from_str::<File>(SHIPPED).unwrap_or_default();
    file.models.into_iter().flat_map(named).collect()
});

/// The model by each of its names.
fn named(entry: Entry) -> Vec<((Family, String), Model)> {
    let model = entry.model();
    let names = entry.aliases.into_iter().chain([entry.id]);
    names
        .map(|name| ((entry.family, name), model.clone()))
        .collect()
}

/// The model that a vendor knows by this name, or by this name but for a date or `-latest` at its
/// end.
pub fn model(family: Family, name: &str) -> Option<&'static Model> {
    let name = name.strip_prefix("models/").unwrap_or(name);
    let find = |name: &str| MODELS.get(&(family, name.to_owned()));
    find(name).or_else(|| find(undated(name)?))
}

/// Whether the name means whichever model the vendor likes on the day.
pub fn is_moving(name: &str) -> bool {
    name.ends_with("-latest") || name.ends_with(":latest")
}

/// The name without what says which edition of the model it is.
fn undated(name: &str) -> Option<&str> {
    if let Some(base) = name.strip_suffix("-latest") {
        return Some(base);
    }
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    // `-20250929`, or on Vertex `@20250929`.
    if let Some((base, date)) = name.rsplit_once(['-', '@'])
        && date.len() == 8
        && digits(date)
    {
        return Some(base);
    }
    // `-2026-04-23`.
    let (base, date) = name.split_at_checked(name.len().checked_sub("-0000-00-00".len())?)?;
    let mut parts = date.strip_prefix('-')?.split('-');
    let lengths = [4, 2, 2];
    let dated = lengths.into_iter().all(|length| {
        let part = parts.next().unwrap_or_default();
        part.len() == length && digits(part)
    });
    (dated && parts.next().is_none()).then_some(base)
}
