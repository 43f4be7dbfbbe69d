//! The waist: the neutral words that every room above shares. Pure data, no I/O.

mod class;
mod event;
mod fault;
mod request;
mod usage;

pub use class::Class;
pub use event::{Event, Failure, Finish};
pub use fault::{Fault, FaultKind};
pub use request::{Delivery, Request, UsageWish};
pub use usage::Usage;

/// A wire format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// `OpenAI` Chat Completions.
    OpenAi,
}

impl Dialect {
    /// The name used in config, metrics and docs.
    pub fn name(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
        }
    }
}
