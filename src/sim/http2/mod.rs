//! A connection of HTTP/2 (RFC 9113): many exchanges side by side.
//!
//! `connection` drives the protocol, `stream` is one exchange, `shared` what they tell each other,
//! `socket` the wire under the protocol, `words` the way of a head to the protocol's own form and back.

mod connection;
mod preface;
mod shared;
mod socket;
mod stream;
mod words;

pub(crate) use connection::connection;
pub(crate) use preface::is_spoken;
