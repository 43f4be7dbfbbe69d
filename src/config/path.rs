//! How a key's place is written: `routes.support.tiers[0][1]`, `routes."gpt-5.5".deadline`.

/// The longest piece of the file that a message repeats, in characters.
const SHOWN: usize = 80;

/// The way to `key` below `parent`.
pub(super) fn join(parent: &str, key: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'/');
    let key = match key {
        plainly if !plainly.is_empty() && plainly.len() <= SHOWN && plainly.bytes().all(plain) => {
            plainly.to_owned()
        }
        other => quoted(other),
    };
    if parent.is_empty() {
        key
    } else {
        format!("{parent}.{key}")
    }
}

/// The way to an item of the list at `parent`.
pub(super) fn index(parent: &str, index: usize) -> String {
    format!("{parent}[{index}]")
}

/// A piece of the file in quotes, escaped and cut. Never to be used on a secret.
pub(super) fn quoted(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{:?}…", text.get(..end).unwrap_or_default()),
        None => format!("{text:?}"),
    }
}
