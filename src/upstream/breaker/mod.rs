//! Passive health: what is known of a target or a peer by how attempts at it end.
//!
//! [`Breaker`] is the pure machine, [`SharedBreaker`] and [`Permit`] are what many attempts share.

mod machine;
mod permit;

#[cfg(test)]
mod oracle;
#[cfg(test)]
mod tests;

pub use machine::{
    Admission, Ailment, Breaker, BreakerPolicy, BreakerRecord, BreakerState, Settled, Ticket,
};
pub use permit::{Permit, SharedBreaker};
