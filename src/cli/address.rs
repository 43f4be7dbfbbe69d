//! Addresses on the command line.

use std::net::SocketAddr;

/// Reads an address with a port; the error tells how one looks.
pub(super) fn parse(text: &str) -> Result<SocketAddr, String> {
    text.parse()
        .map_err(|_| "expected an address with a port, such as 127.0.0.1:9000".to_owned())
}
