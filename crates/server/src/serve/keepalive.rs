//! Finding out whether the other side of a silent connection is still there.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use h2::{Ping, PingPong};
use tokio::time::{Instant, Sleep, sleep};

/// Silence after which a connection is pinged, and the wait for the answer.
const SILENCE_MAX: Duration = Duration::from_secs(30);
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(20);

/// Pings a connection that is silent, and gives it up when no answer comes.
pub(super) struct Keepalive {
    pings: PingPong,
    heard_last: Instant,
    /// The end of the silence, or of the wait for an answer.
    timer: Pin<Box<Sleep>>,
    is_asked: bool,
}

impl Keepalive {
    pub(super) fn new(pings: PingPong) -> Keepalive {
        let timer = Box::pin(sleep(SILENCE_MAX));
        Keepalive { pings, heard_last: Instant::now(), timer, is_asked: false }
    }

    /// The other side has sent something.
    pub(super) fn heard(&mut self) {
        self.heard_last = Instant::now();
    }

    /// Ready when the other side has not answered in time; to be polled whenever the connection is.
    pub(super) fn poll_gone(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.is_asked && self.pings.poll_pong(context).is_ready() {
            self.is_asked = false;
            self.heard();
            self.timer.as_mut().reset(self.heard_last + SILENCE_MAX);
        }
        while self.timer.as_mut().poll(context).is_ready() {
            if self.is_asked {
                return Poll::Ready(());
            }
            let silence_ends = self.heard_last + SILENCE_MAX;
            let now = Instant::now();
            if silence_ends > now {
                self.timer.as_mut().reset(silence_ends);
                continue;
            }
            // An error says that the connection is at its end, of which it tells itself.
            self.is_asked = self.pings.send_ping(Ping::opaque()).is_ok();
            if self.is_asked {
                let _ = self.pings.poll_pong(context);
            }
            self.timer.as_mut().reset(now + ANSWER_WAIT_MAX);
        }
        Poll::Pending
    }
}
