//! Hexadecimal digits.

/// The lower-case digits of bytes, two each, without the machinery of `format!`: an id of a request
/// took 15 times as long by it.
pub fn digits(bytes: &[u8]) -> impl Iterator<Item = char> {
    let halves = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    halves.filter_map(|half| char::from_digit(half.into(), 16))
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_byte_is_two_lower_case_digits() {
        for byte in 0..=u8::MAX {
            assert_eq!(
                super::digits(&[byte]).collect::<String>(),
                format!("{byte:02x}")
            );
        }
    }
}
