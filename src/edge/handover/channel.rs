//! The channel between two processes: one word a line, as JSON.

use std::io;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::timeout;

/// Bytes of a word; the longest are refusals, which quote a configuration.
const LONGEST: usize = 64 << 10;

/// How long the other side may take no byte of a word.
const SEND: Duration = Duration::from_secs(10);

/// One end.
pub(super) struct Channel {
    read: BufReader<OwnedReadHalf>,
    write: OwnedWriteHalf,
    /// The part of a word that has come.
    line: Vec<u8>,
}

impl Channel {
    /// Needs a tokio runtime.
    pub(super) fn new(stream: UnixStream) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        let (read, write) = tokio::net::UnixStream::from_std(stream)?.into_split();
        Ok(Self {
            read: BufReader::new(read),
            write,
            line: Vec::new(),
        })
    }

    /// Says words, all of them or an error.
    pub(super) async fn say<W: Serialize>(
        &mut self,
        words: impl IntoIterator<Item = W>,
    ) -> io::Result<()> {
        let mut lines = Vec::new();
        for word in words {
            serde_json::to_writer(&mut lines, &word)?;
            lines.push(b'\n');
            if lines.len() >= LONGEST {
                self.send(&lines).await?;
                lines.clear();
            }
        }
        self.send(&lines).await
    }

    /// The next word that we know; `None` when the other side has ended. Words that we do not know are
    /// those of another version, and passed over.
    ///
    /// # Cancel safety
    /// Nothing is lost when it is dropped.
    pub(super) async fn hear<W: DeserializeOwned>(&mut self) -> io::Result<Option<W>> {
        loop {
            let room = LONGEST.saturating_sub(self.line.len());
            let mut bounded = (&mut self.read).take(room as u64);
            bounded.read_until(b'\n', &mut self.line).await?;
            if !self.line.ends_with(b"\n") {
                if self.line.len() >= LONGEST {
                    return Err(io::ErrorKind::InvalidData.into());
                }
                // What is left is half a word.
                return Ok(None);
            }
            let line = std::mem::take(&mut self.line);
            match serde_json::from_slice(&line) {
                Ok(word) => return Ok(Some(word)),
                Err(error) => log::debug!("a word of another version: {error}"),
            }
        }
    }

    async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        timeout(SEND, self.write.write_all(bytes)).await?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> (Channel, Channel) {
        let (one, other) = UnixStream::pair().unwrap();
        (Channel::new(one).unwrap(), Channel::new(other).unwrap())
    }

    #[tokio::test]
    async fn words_arrive_in_order_and_then_the_end() {
        let (mut one, mut other) = pair();
        one.say(["a", "b"]).await.unwrap();
        one.say(["c"]).await.unwrap();
        drop(one);
        for word in ["a", "b", "c"] {
            assert_eq!(other.hear::<String>().await.unwrap().unwrap(), word);
        }
        assert_eq!(other.hear::<String>().await.unwrap(), None);
    }

    #[tokio::test]
    async fn what_is_no_word_of_ours_is_passed_over_and_half_a_word_is_none() {
        let (mut one, mut other) = pair();
        one.send(b"{\"later\": 1}\nnonsense\n\"word\"\n\"half")
            .await
            .unwrap();
        drop(one);
        assert_eq!(other.hear::<String>().await.unwrap().unwrap(), "word");
        assert_eq!(other.hear::<String>().await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_word_without_end_is_an_error() {
        let (mut one, mut other) = pair();
        let endless = tokio::spawn(async move { one.send(&vec![b'x'; 2 * LONGEST]).await });
        assert!(other.hear::<String>().await.is_err());
        endless.abort();
    }

    #[tokio::test]
    async fn a_word_that_comes_in_two_parts_is_heard_although_the_listener_was_interrupted() {
        let (mut one, mut other) = pair();
        one.send(b"\"wo").await.unwrap();
        let first = timeout(Duration::from_millis(50), other.hear::<String>()).await;
        assert!(first.is_err());
        one.send(b"rd\"\n").await.unwrap();
        assert_eq!(other.hear::<String>().await.unwrap().unwrap(), "word");
    }
}
