//! The beginning of an HTTP/2 connection. What follows it has framing and limits of its own.

use std::future::poll_fn;
use std::io;

use super::{Guard, Phase};

/// RFC 9113 section 3.4, and the frame header of the SETTINGS that must follow.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const PREFACE_AND_SETTINGS: usize = PREFACE.len() + 9;

impl Guard {
    /// Waits for an HTTP/2 client's preface and the head of its SETTINGS.
    pub(in crate::edge) async fn expect_http2(&mut self) -> io::Result<()> {
        while self.inbox.len() < PREFACE_AND_SETTINGS {
            if poll_fn(|cx| self.poll_inbox(cx)).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        if !self.inbox.starts_with(PREFACE) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "not an HTTP/2 preface",
            ));
        }
        self.phase = Phase::Http2;
        Ok(())
    }
}
