//! The end of a running edge: what is under way comes to its own end, within the drain's time.

use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::edge::admin::Readiness;
use crate::edge::server::Running;

/// How long running streams get for their error events once the drain's time is over.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// How long the access log may take to write what waits.
const LOG_FLUSH: Duration = Duration::from_secs(1);
/// How long the store may take to write what waits.
const STORE_FLUSH: Duration = Duration::from_secs(5);
/// How long it may take to tell other machines what was taken here.
const SHARED_FLUSH: Duration = Duration::from_secs(1);
/// How long the collector of traces may take to take what waits.
const TRACES_FLUSH: Duration = Duration::from_secs(5);

/// How a drain ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drained {
    /// Everything that was under way came to its own end.
    Finished,
    /// The drain's time was over before it.
    CutShort,
}

impl Running {
    /// Takes no more, lets what runs end within the drain's time, then ends it with an error
    /// event. Returns when all is over. For a process that nobody succeeds.
    pub async fn drain(&self) -> Drained {
        self.close();
        self.hang_up();
        self.finish().await
    }

    /// The same for a process whose successor serves already. A connection that waits for a request
    /// is left open until it has brought one more, which is answered here, or until its time to idle
    /// is over: a request that is on its way to us now must not meet a closed connection.
    pub async fn retire(&self) -> Drained {
        self.admin_closing.send_replace(true);
        self.close();
        self.finish().await
    }

    /// Waits no longer for connections that have nothing under way.
    pub fn hang_up(&self) {
        self.hang_up.send_replace(true);
    }

    /// How long a drain may take.
    pub fn drain_deadline(&self) -> Duration {
        self.shared.generations.current().settings.drain
    }

    /// Ends everything now; only the log and the store are still written.
    pub fn stop_now(&self) {
        self.closing.send_replace(true);
        self.admin_closing.send_replace(true);
        self.loops.lock().abort_all();
        self.admin_loop.lock().abort_all();
        self.write_out();
    }

    fn close(&self) {
        *self.readiness.lock() = Readiness::Draining;
        self.shared.metrics.set_draining();
        self.closing.send_replace(true);
        // The kernel takes connections for as long as anybody holds the socket.
        self.passed.lock().clear();
    }

    async fn finish(&self) -> Drained {
        // A connection that is being accepted is one more to wait for.
        let mut loops = std::mem::take(&mut *self.loops.lock());
        while loops.join_next().await.is_some() {}
        // Said once it is so: who reads it may look at the admin pages, or try to connect.
        log::info!("draining");
        let mut drained = Drained::Finished;
        if tokio::time::timeout(self.drain_deadline(), self.connections.drained())
            .await
            .is_err()
        {
            // A client that only does not hang up is no work undone.
            if self.shared.in_flight.load(Ordering::Relaxed) > 0 {
                drained = Drained::CutShort;
            }
            self.hang_up();
            self.stop.send_replace(true);
            // Whoever does not even take an error event is cut off.
            let _ = tokio::time::timeout(LAST_WORDS, self.connections.drained()).await;
        }
        self.shared.ledger.flush(SHARED_FLUSH).await;
        self.admin_closing.send_replace(true);
        self.write_out();
        drained
    }

    /// Waits for what was told and booked to be written: for the end of the process.
    fn write_out(&self) {
        self.shared.log.flush(LOG_FLUSH);
        self.shared.samples.flush(LOG_FLUSH);
        if let Some(store) = &self.shared.store {
            store.close(STORE_FLUSH);
        }
        if let Some(traces) = &self.shared.traces {
            traces.close(TRACES_FLUSH);
        }
    }
}
