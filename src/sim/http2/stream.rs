//! One exchange on a connection of HTTP/2.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Instant;

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::Response;
use tokio::sync::watch;

use crate::sim::head::Head;
use crate::sim::http2::shared::{Finale, Shared};
use crate::sim::http2::words;
use crate::sim::link::{Broken, Last, Link, Over, Unfit};
use crate::sim::outlet::FULL;
use crate::sim::script::Script;
use crate::sim::serve::After;
use crate::sim::wire::Gone;

/// A stream and its way to the connection that carries it.
pub(super) struct Stream {
    shared: Arc<Shared>,
    /// The last turn of the connection that wrote all it had.
    written: watch::Receiver<u64>,
    request: RecvStream,
    respond: SendResponse<Bytes>,
    /// The head, until something is sent.
    head: Option<Response<()>>,
    /// The body's way, once the head is out.
    body: Option<SendStream<Bytes>>,
    gone: Option<Gone>,
}

impl Stream {
    pub(super) fn new(
        shared: Arc<Shared>,
        written: watch::Receiver<u64>,
        request: RecvStream,
        respond: SendResponse<Bytes>,
    ) -> Self {
        Self {
            shared,
            written,
            request,
            respond,
            head: None,
            body: None,
            gone: None,
        }
    }

    /// Does with the stream, or with the whole connection, what the exchange ended in.
    pub(super) fn end(mut self, after: After) {
        match after {
            // Of this stream nothing is left to do; one that is incomplete is cancelled.
            After::Reuse | After::Close => {}
            After::Reset => self.reset(Reason::INTERNAL_ERROR),
            After::Refuse => self.reset(Reason::REFUSED_STREAM),
            After::Cut => self.shared.finish(Finale::Cut),
            After::Stale => self.shared.finish(Finale::Orderly),
            After::Garbage => self.shared.finish(Finale::Garbage),
        }
    }

    fn reset(&mut self, reason: Reason) {
        match &mut self.body {
            Some(body) => body.send_reset(reason),
            None => self.respond.send_reset(reason),
        }
    }

    fn note_gone(&mut self) -> Gone {
        *self.gone.get_or_insert_with(|| Gone { at: Instant::now() })
    }

    /// Ready when the peer has reset the stream, or the connection is gone.
    fn poll_gone(&mut self, context: &mut Context<'_>) -> Poll<Gone> {
        if let Some(gone) = self.gone {
            return Poll::Ready(gone);
        }
        let reset = match &mut self.body {
            Some(body) => body.poll_reset(context),
            None => self.respond.poll_reset(context),
        };
        reset.map(|_| self.note_gone())
    }

    /// How many bytes may be handed over: what the peer's windows and our own buffer allow.
    fn poll_room(&mut self, wanted: usize, context: &mut Context<'_>) -> Poll<Result<usize, Gone>> {
        if let Poll::Ready(gone) = self.poll_gone(context) {
            return Poll::Ready(Err(gone));
        }
        let Some(body) = &mut self.body else {
            return Poll::Ready(Err(self.note_gone()));
        };
        body.reserve_capacity(wanted.min(FULL));
        loop {
            // Asked first: what was granted before is not told again.
            let room = body.capacity();
            if room > 0 {
                return Poll::Ready(Ok(room.min(wanted)));
            }
            match ready!(body.poll_capacity(context)) {
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Poll::Ready(Err(self.note_gone())),
            }
        }
    }

    fn send_piece(&mut self, piece: Bytes, last: Last) -> Result<(), Gone> {
        let sent = match &mut self.body {
            Some(body) => body.send_data(piece, last == Last::End),
            None => return Err(self.note_gone()),
        };
        sent.map_err(|_| self.note_gone())
    }

    /// Waits until the socket has all that was handed over.
    async fn flush(&mut self) -> Result<(), Gone> {
        let turn = self.shared.next_turn();
        let mut written = self.written.clone();
        tokio::select! {
            // First: a peer may reset what it has received in full.
            biased;
            done = written.wait_for(|done| *done >= turn) => {
                let done = done.map(drop);
                done.map_err(|_| self.note_gone())
            }
            gone = std::future::poll_fn(|context| self.poll_gone(context)) => Err(gone),
        }
    }
}

impl Link for Stream {
    fn suits(&self, script: &Script) -> Result<(), Unfit> {
        match (&script.raw, &script.stray) {
            (Some(_), _) => Err(Unfit("raw is of HTTP/1.1 alone")),
            (_, Some(_)) => Err(Unfit("stray is of HTTP/1.1 alone")),
            (None, None) => Ok(()),
        }
    }

    fn open(&mut self, head: Vec<u8>) -> Result<Vec<u8>, Unfit> {
        let unfit = Unfit("a header of the script cannot be sent over HTTP/2");
        self.head = Some(words::response(&head).ok_or(unfit)?);
        Ok(Vec::new())
    }

    fn head_is_due(&self) -> bool {
        self.head.is_some()
    }

    async fn send(&mut self, bytes: &[u8], last: Last, accepted: &AtomicU64) -> Result<(), Gone> {
        let mut rest = Bytes::copy_from_slice(bytes);
        let mut ended = false;
        if let Some(head) = self.head.take() {
            let size = words::size(&head);
            ended = last == Last::End && rest.is_empty();
            let body = self.respond.send_response(head, ended);
            self.body = Some(body.map_err(|_| self.note_gone())?);
            accepted.fetch_add(size, Ordering::Relaxed);
        }
        while !rest.is_empty() {
            let wanted = rest.len();
            let room = std::future::poll_fn(|context| self.poll_room(wanted, context)).await?;
            let piece = rest.split_to(room.min(wanted));
            accepted.fetch_add(piece.len() as u64, Ordering::Relaxed);
            ended = last == Last::End && rest.is_empty();
            self.send_piece(piece, if ended { Last::End } else { Last::More })?;
        }
        if last == Last::End && !ended {
            self.send_piece(Bytes::new(), Last::End)?;
        }
        self.flush().await
    }

    async fn interim(&mut self, status: u16, accepted: &AtomicU64) -> Result<(), Gone> {
        let mut head = Response::new(());
        *head.status_mut() = http::StatusCode::from_u16(status).unwrap_or_default();
        accepted.fetch_add(words::size(&head), Ordering::Relaxed);
        let sent = self.respond.send_informational(head);
        sent.map_err(|_| self.note_gone())?;
        self.flush().await
    }

    /// The peer's windows say when.
    async fn let_body_come(&mut self, _: &Head, _: &AtomicU64) -> Result<(), Gone> {
        Ok(())
    }

    async fn piece(&mut self) -> Result<Option<Bytes>, Broken> {
        match self.request.data().await {
            None => Ok(None),
            Some(Ok(bytes)) => {
                // It fails only if more is released than came.
                let _ = self.request.flow_control().release_capacity(bytes.len());
                Ok(Some(bytes))
            }
            Some(Err(_)) => Err(Broken::Gone(self.note_gone())),
        }
    }

    async fn silence(&mut self) -> Gone {
        std::future::poll_fn(|context| self.poll_gone(context)).await
    }

    async fn garbage(&mut self, _: &AtomicU64) -> Over {
        Over::Garbage
    }

    async fn goaway(&mut self) -> Result<(), Gone> {
        self.shared.go_away();
        self.flush().await
    }

    fn refusal(&self) -> Over {
        Over::Refused
    }

    fn ended_by_script(&self) -> bool {
        self.shared.is_finished()
    }
}
