//! An answer that comes when the sequencer has it.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::sync::oneshot;

use crate::blocking;
use crate::errors::Refusal;

/// The outcome of a write. Dropping it does not take the write back.
#[must_use = "a write is known to be durable only when this says so"]
#[derive(Debug)]
pub struct Pending<T, E>(State<T, E>);

#[derive(Debug)]
enum State<T, E> {
    Known(Option<Result<T, E>>),
    Waiting { answer: oneshot::Receiver<Result<T, E>>, refused: fn(Refusal) -> E },
}

impl<T, E> Pending<T, E> {
    /// An answer that is known already.
    pub(crate) fn known(answer: Result<T, E>) -> Pending<T, E> {
        Pending(State::Known(Some(answer)))
    }

    /// An answer to come; `refused` makes the error when its sender goes away without one.
    pub(crate) fn waiting(
        answer: oneshot::Receiver<Result<T, E>>,
        refused: fn(Refusal) -> E,
    ) -> Pending<T, E> {
        Pending(State::Waiting { answer, refused })
    }

    /// Blocks the thread until the answer is there.
    pub fn wait(self) -> Result<T, E> {
        blocking::block_on(self)
    }
}

/// Nothing in it is ever pinned.
impl<T, E> Unpin for Pending<T, E> {}

impl<T, E> Future for Pending<T, E> {
    type Output = Result<T, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.get_mut().0 {
            // A second poll after the answer is a caller's mistake that must not become a wrong answer.
            State::Known(answer) => answer.take().map_or(Poll::Pending, Poll::Ready),
            State::Waiting { answer, refused } => Pin::new(answer)
                .poll(context)
                .map(|sent| sent.unwrap_or_else(|_| Err(refused(Refusal::Stopped)))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_waited_for() {
        let (sender, receiver) = oneshot::channel();
        let pending: Pending<u32, Refusal> = Pending::waiting(receiver, |refusal| refusal);
        let thread = std::thread::spawn(move || pending.wait());
        sender.send(Ok(7)).unwrap();
        assert_eq!(thread.join().unwrap(), Ok(7));
    }

    #[test]
    fn a_sender_that_goes_away_is_told() {
        let (sender, receiver) = oneshot::channel();
        let pending: Pending<u32, Refusal> = Pending::waiting(receiver, |refusal| refusal);
        drop(sender);
        assert_eq!(pending.wait(), Err(Refusal::Stopped));
        assert_eq!(Pending::<u32, &str>::known(Ok(1)).wait(), Ok(1));
    }
}
