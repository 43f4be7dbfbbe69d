//! A client's request: at once only what routing, limits and the gate need, the rest stays bytes;
//! all of it in neutral words when it goes to another format.

mod conversation;
mod message;
mod place;
mod request;
mod source;
mod text;
mod tools;

pub use self::conversation::conversation;
pub use self::request::{chat, request};
