//! A provider simulator with scripted faults, over raw sockets: for tests, benches, and for
//! rehearsing an outage. docs/simulator.md has the language of its scripts.
//!
//! A request's way: `server` accepts, `http1` or `http2` (behind `link`) carries, `serve` reads (`intake`) and
//! chooses the script, `deliver` answers, `outlet` sends. `endpoint` tells the format by the path, `steps` is the
//! order of an answer, `speech` what it says, `openai`, `anthropic` and `gemini` (behind `spoken`) its words.

mod anthropic;
mod asked;
mod body;
mod catalog;
mod control;
mod deliver;
mod encode;
mod endpoint;
mod entry;
mod gemini;
mod head;
mod heard;
mod http1;
mod http2;
mod intake;
mod journal;
mod link;
mod openai;
mod outlet;
mod picture;
mod pieces;
mod reply;
mod scenario;
mod serve;
mod server;
mod speech;
mod spoken;
mod state;
mod steps;
mod tally;
mod text;
mod tls;
mod tokens;
mod trouble;
mod truth;
mod voice;
mod wire;

pub mod script;

pub use control::to_json;
pub use entry::{End, Entry, KEPT_BODY, Stage};
pub use head::Version;
pub use journal::{Journal, NotSeen};
pub use scenario::{Scenario, ScenarioError};
pub use script::Script;
pub use server::{Options, Sim, Snapshot};
pub use speech::Counts;
pub use state::{ANY, INLINE};
pub use tally::Tally;
pub use text::{GARBAGE, answer_text, scripted_calls, scripted_text};
pub use tls::server_config;
pub use truth::Truth;

#[cfg(test)]
mod tests;
