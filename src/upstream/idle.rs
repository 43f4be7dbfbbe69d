//! HTTP/1.1 connections between two requests.
//!
//! Pingora's own pool gives each of them a task and a timer, to be made and unmade with every
//! request, and a switch of tasks whenever one is taken out. Here they only lie, and one task for
//! all of them looks through them every second.

use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, recv};
use parking_lot::Mutex;
use pingora_core::protocols::Stream;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::runtime::Handle;
use tokio::task::{JoinHandle, coop};
use tokio::time::sleep;

/// Time between two looks: so long may a connection stay open that its peer has closed.
///
/// It is also what keeps the runtime's next timer near, so that no clock of an exchange, all of
/// them further off, has to wake the runtime's driver when it is set.
const SWEEP: Duration = Duration::from_secs(1);

/// Connections between two requests, by the key of their peer.
pub(super) struct Idle {
    /// The most that are kept in all.
    room: usize,
    shelves: Mutex<Shelves>,
}

#[derive(Default)]
struct Shelves {
    /// Of each peer, the one used last at the end.
    by_peer: HashMap<u64, Vec<Parked>>,
    count: usize,
    sweeper: Option<JoinHandle<()>>,
}

struct Parked {
    stream: Stream,
    since: Instant,
    until: Instant,
}

impl Idle {
    /// Keeps so many at most, and closes the one unused for longest for one more.
    pub(super) fn new(room: usize) -> Arc<Self> {
        Arc::new(Self {
            room,
            shelves: Mutex::default(),
        })
    }

    /// The connection to this peer that was used last, if it lives.
    pub(super) fn take(&self, peer: u64, now: Instant) -> Option<Stream> {
        loop {
            // Not under the lock: closing one is a system call.
            let mut parked = self.shelves.lock().pop(peer)?;
            if parked.is_good(now) && has_nothing_to_read(&parked.stream) {
                return Some(parked.stream);
            }
        }
    }

    /// Keeps a connection on which nothing is under way until it is asked for or `wait` is over.
    pub(super) fn put(self: &Arc<Self>, peer: u64, stream: Stream, wait: Duration, now: Instant) {
        let until = now.checked_add(wait).unwrap_or(now);
        let parked = Parked {
            stream,
            since: now,
            until,
        };
        let mut shelves = self.shelves.lock();
        let surplus = if shelves.count >= self.room {
            shelves.pop_oldest()
        } else {
            None
        };
        shelves.count += 1;
        shelves.by_peer.entry(peer).or_default().push(parked);
        if shelves.sweeper.as_ref().is_none_or(JoinHandle::is_finished) {
            let runtime = Handle::try_current().ok();
            shelves.sweeper = runtime.map(|runtime| runtime.spawn(sweep(Arc::downgrade(self))));
        }
        drop(shelves);
        drop(surplus);
    }

    /// Takes out what has died or waited for too long.
    fn dead(&self, now: Instant) -> Vec<Parked> {
        let mut shelves = self.shelves.lock();
        let mut dead = Vec::new();
        for shelf in shelves.by_peer.values_mut() {
            dead.extend(shelf.extract_if(.., |parked| !parked.is_good(now)));
        }
        shelves.by_peer.retain(|_, shelf| !shelf.is_empty());
        shelves.count = shelves.count.saturating_sub(dead.len());
        dead
    }
}

impl Shelves {
    fn pop(&mut self, peer: u64) -> Option<Parked> {
        let parked = self.by_peer.get_mut(&peer)?.pop()?;
        self.count = self.count.saturating_sub(1);
        Some(parked)
    }

    fn pop_oldest(&mut self) -> Option<Parked> {
        let used = self.by_peer.values_mut().filter(|shelf| !shelf.is_empty());
        let longest = used.min_by_key(|shelf| shelf.first().map(|parked| parked.since))?;
        self.count = self.count.saturating_sub(1);
        Some(longest.remove(0))
    }
}

impl Parked {
    /// Whether it may serve again: it has not waited for too long, and nothing has come on it,
    /// neither its end nor bytes that nobody asked for.
    fn is_good(&mut self, now: Instant) -> bool {
        now < self.until && is_quiet(&mut self.stream)
    }
}

/// As far as the runtime knows by now: no system call is made for a socket without news.
fn is_quiet(stream: &mut Stream) -> bool {
    let mut byte = [0];
    let mut buf = ReadBuf::new(&mut byte);
    let read = poll_fn(|cx| Pin::new(&mut *stream).poll_read(cx, &mut buf));
    let read = pin!(coop::unconstrained(read));
    matches!(
        read.poll(&mut Context::from_waker(Waker::noop())),
        Poll::Pending
    )
}

/// Asks the kernel: what has come since the runtime looked last must not be the next answer.
fn has_nothing_to_read(stream: &Stream) -> bool {
    let peeked = recv(
        stream.id(),
        &mut [0],
        MsgFlags::MSG_PEEK | MsgFlags::MSG_DONTWAIT,
    );
    matches!(peeked, Err(Errno::EAGAIN))
}

async fn sweep(idle: Weak<Idle>) {
    loop {
        sleep(SWEEP).await;
        let Some(idle) = idle.upgrade() else {
            return;
        };
        drop(idle.dead(Instant::now()));
    }
}

#[cfg(test)]
mod tests {
    use pingora_core::protocols::l4::stream::Stream as Connection;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    /// A connection, and its other end.
    async fn pair() -> (Stream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (ours, theirs) = tokio::join!(TcpStream::connect(address), listener.accept());
        (Box::new(Connection::from(ours.unwrap())), theirs.unwrap().0)
    }

    #[tokio::test]
    async fn a_peer_gets_its_own_connections_the_one_used_last_first() {
        let (idle, now) = (Idle::new(8), Instant::now());
        let (a, _a) = pair().await;
        let (b, _b) = pair().await;
        let (c, _c) = pair().await;
        let ids = [a.id(), b.id(), c.id()];
        for (peer, stream) in [(1, a), (1, b), (2, c)] {
            idle.put(peer, stream, MINUTE, now);
        }
        let taken = || idle.take(1, now).map(|stream| stream.id());
        assert_eq!(taken(), Some(ids[1]));
        assert_eq!((taken(), taken()), (Some(ids[0]), None));
        assert_eq!(idle.take(2, now).map(|stream| stream.id()), Some(ids[2]));
        assert_eq!(idle.shelves.lock().count, 0);
    }

    #[tokio::test]
    async fn one_too_many_closes_the_one_unused_for_longest() {
        let (idle, start) = (Idle::new(2), Instant::now());
        let (a, mut oldest) = pair().await;
        let (b, _b) = pair().await;
        let (c, _c) = pair().await;
        for (second, (peer, stream)) in [(1, a), (2, b), (1, c)].into_iter().enumerate() {
            let now = start + Duration::from_secs(second as u64);
            idle.put(peer, stream, MINUTE, now);
        }
        assert_eq!(oldest.read(&mut [0]).await.unwrap(), 0);
        assert_eq!(idle.shelves.lock().count, 2);
        assert!(idle.take(2, start).is_some() && idle.take(1, start).is_some());
        assert!(idle.take(1, start).is_none());
    }

    #[tokio::test]
    async fn one_that_waited_too_long_ended_or_spoke_is_not_given_out() {
        let (idle, now) = (Idle::new(8), Instant::now());
        let (late, _late) = pair().await;
        idle.put(1, late, MINUTE, now);
        assert!(idle.take(1, now + MINUTE).is_none());
        let (ended, theirs) = pair().await;
        idle.put(1, ended, MINUTE, now);
        drop(theirs);
        assert!(idle.take(1, now).is_none());
        let (spoke, mut theirs) = pair().await;
        idle.put(1, spoke, MINUTE, now);
        theirs.write_all(b"!").await.unwrap();
        assert!(idle.take(1, now).is_none());
        assert_eq!(idle.shelves.lock().count, 0);
    }

    #[tokio::test]
    async fn one_that_its_peer_has_closed_does_not_lie_there_for_long() {
        let (idle, now) = (Idle::new(8), Instant::now());
        let (ended, theirs) = pair().await;
        let (good, _good) = pair().await;
        idle.put(1, ended, MINUTE, now);
        idle.put(2, good, MINUTE, now);
        drop(theirs);
        while idle.shelves.lock().count > 1 {
            sleep(SWEEP / 10).await;
        }
        assert!(idle.take(1, now).is_none() && idle.take(2, now).is_some());
    }
}
