//! A request head reads the same however it is cut, and an accepted one ends where it says.
#![no_main]

use libfuzzer_sys::fuzz_target;
use segue::edge::{HeadLimits, HeadScan, check};

const LIMITS: HeadLimits = HeadLimits {
    bytes: 4_096,
    fields: 100,
};

fuzz_target!(|bytes: &[u8]| {
    let whole = check(bytes, LIMITS);
    let mut scan = HeadScan::new(LIMITS);
    let step = 1 + bytes.len() % 7;
    let mut ends = (0..bytes.len()).step_by(step).chain([bytes.len()]);
    let cut = ends
        .find_map(|end| scan.scan(&bytes[..end]).transpose())
        .transpose();
    assert_eq!(cut, whole);
    if let Ok(Some(head)) = whole {
        let text = &bytes[..head.length];
        assert!(text.len() <= LIMITS.bytes && text.ends_with(b"\r\n\r\n"));
        let empty_lines = text
            .windows(4)
            .filter(|window| window == b"\r\n\r\n")
            .count();
        assert_eq!(empty_lines, 1);
        let lines = text.split(|byte| *byte == b'\n');
        assert!(
            lines
                .filter(|line| !line.is_empty())
                .all(|line| line.ends_with(b"\r"))
        );
        assert!(!text.iter().any(|byte| *byte == 0 || *byte >= 0x7f));
    }
});
