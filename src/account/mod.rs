//! Who may call: client keys and what each may use.

mod key;

pub use key::{Digest, Key, Keys, RouteScope};
