//! Frames to bytes, with LF line ends.

use bytes::{BufMut, Bytes, BytesMut};

use super::{LF, lines::lines};

/// What is written around data: both names, their colons and spaces, and the line ends.
const AROUND: usize = "event: \ndata: \n\n".len();

/// A whole frame, with its closing blank line. Data goes out in one line for each of its own,
/// so that a CR or CRLF in it comes back as LF. A name ends at its first newline: none can
/// smuggle a field in.
pub fn encode(event: Option<&str>, data: &[u8]) -> Bytes {
    let name = event.unwrap_or_default();
    let mut out = BytesMut::with_capacity(name.len() + data.len() + AROUND);
    if let Some(line) = event.and_then(|name| lines(name.as_bytes()).next()) {
        put_line(&mut out, b"event: ", line);
    }
    for line in lines(data) {
        put_line(&mut out, b"data: ", line);
    }
    out.put_u8(LF);
    out.freeze()
}

/// A comment, one line for each of its own, without a blank line after it: it joins the frame
/// that follows, as some clients take a block of comments alone for an empty event.
/// Send it between frames only.
pub fn comment(text: &str) -> Bytes {
    let mut out = BytesMut::with_capacity(text.len() + ": \n".len());
    for line in lines(text.as_bytes()) {
        put_line(&mut out, b": ", line);
    }
    out.freeze()
}

fn put_line(out: &mut BytesMut, name: &[u8], line: &[u8]) {
    out.extend_from_slice(name);
    out.extend_from_slice(line);
    out.put_u8(LF);
}
