//! segue: an LLM edge proxy whose users never hear the switch from one provider to another.
//!
//! The rooms, in the order a request meets them. Imports run down only, floor by floor
//! (`tests/architecture.rs` keeps it so): `cli`, `config`, `edge`, `relay`, `route`, then
//! `dialect`, `account` and `telemetry`, then `exchange`, and at the bottom `upstream`, `sse`,
//! `json`, `hex`, `units`, `secret` and `sim`.
//!
//! Fuzz targets are built without the rooms that none of them enters: it halves their build.

pub mod account;
#[cfg(not(fuzzing))]
pub mod cli;
#[cfg(not(fuzzing))]
pub mod config;
pub mod dialect;
#[cfg(not(fuzzing))]
pub mod edge;
#[cfg(fuzzing)]
pub mod edge {
    //! What reads a head, and no more of the room.
    mod head;
    pub use head::{Framing, HeadLimits, HeadScan, Refusal, Rule, check};
}
pub mod exchange;
pub mod hex;
pub mod json;
pub mod relay;
pub mod route;
pub mod secret;
#[cfg(not(fuzzing))]
pub mod sim;
pub mod sse;
pub mod telemetry;
pub mod units;
pub mod upstream;
