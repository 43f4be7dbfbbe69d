//! `x-segue-drill`: who may ask for trouble, and for what.

use http::{HeaderMap, HeaderValue};

use crate::account::Key;
use crate::edge::Drills;
use crate::exchange::{Fault, FaultKind};
use crate::relay::{Drill, NoDrill};

/// The header.
const NAME: &str = "x-segue-drill";

/// The trouble that a request asks for. Where nobody may, it asks for none.
pub(super) fn asked(
    drills: &Drills,
    key: Option<&Key>,
    headers: &HeaderMap,
) -> Result<Option<Drill>, Fault> {
    let allowed = match drills {
        Drills::Off => return Ok(None),
        Drills::Anybody => true,
        Drills::Of(names) => key.is_some_and(|key| names.contains(&key.name)),
    };
    let Some(text) = headers.get(NAME) else {
        return Ok(None);
    };
    let bad = |message| Fault::new(FaultKind::BadRequest, message);
    if !allowed {
        return Err(bad("x-segue-drill is not for this key".to_owned()));
    }
    let text = HeaderValue::to_str(text).unwrap_or_default();
    let drill = text
        .parse()
        .map_err(|error: NoDrill| bad(error.to_string()))?;
    Ok(Some(drill))
}
