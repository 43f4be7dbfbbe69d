//! Who is not in a plan, and why.

use crate::exchange::Need;

/// A target that is not in a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Omission {
    /// Its place in [`Route::targets`].
    pub target: usize,
    /// Why.
    pub reason: LeftOut,
}

/// Why a target is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeftOut {
    /// Its provider is gone.
    NoProvider,
    /// The client turned fallback off.
    FallbackOff,
    /// The route is `fail_closed` and this is another model.
    FailClosed,
    /// Another model's vectors do not go with those of the first target's.
    OtherVectors,
    /// The request needs what it cannot do.
    Lacks(Need),
    /// The route has `strict_params`, and it would not hear of a parameter.
    StrictParams,
}

impl LeftOut {
    /// The name in log, headers and `explain`.
    pub fn name(self) -> &'static str {
        match self {
            Self::NoProvider => "no_provider",
            Self::FallbackOff => "fallback_off",
            Self::FailClosed => "fail_closed",
            Self::OtherVectors => "other_vectors",
            Self::Lacks(need) => need.name(),
            Self::StrictParams => "strict_params",
        }
    }
}
