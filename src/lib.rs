//! segue: an LLM edge proxy whose users never hear the switch from one provider to another.
//!
//! The rooms, in the order a request meets them. Imports run down only, floor by floor
//! (`tests/architecture.rs` keeps it so): `cli`, `config`, `edge`, `relay`, `route`, then
//! `dialect`, `account` and `telemetry`, then `exchange`, and at the bottom `upstream`, `sse`,
//! `json`, `hex`, `units`, `secret` and `sim`.

pub mod account;
pub mod cli;
pub mod config;
pub mod dialect;
pub mod edge;
pub mod exchange;
pub mod hex;
pub mod json;
pub mod relay;
pub mod route;
pub mod secret;
pub mod sim;
pub mod sse;
pub mod telemetry;
pub mod units;
pub mod upstream;
