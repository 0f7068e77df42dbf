//! What an evaluation may cost, and the ways in which a part of it can have no value.

use std::borrow::Cow;

/// What is left to spend.
#[derive(Debug)]
pub(crate) struct Budget {
    steps: u64,
    bytes: u64,
}

/// Why a part of an expression has no value.
#[derive(Debug, Clone)]
pub(crate) enum Stop {
    /// It depends on missing parameters: one bit each, by slot.
    Unknown(u32),
    /// It went wrong; `&&`, `||` and macros may make up for it.
    Fault(Cow<'static, str>),
    /// Nothing can make up for this.
    Halt(Halt),
}

/// Which bound was met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Halt {
    Steps,
    Bytes,
}

impl Budget {
    pub(crate) fn new(steps: u64, bytes: u64) -> Budget {
        Budget { steps, bytes }
    }

    /// Takes steps.
    #[inline]
    pub(crate) fn spend(&mut self, steps: u64) -> Result<(), Stop> {
        match self.steps.checked_sub(steps) {
            Some(left) => {
                self.steps = left;
                Ok(())
            }
            None => {
                self.steps = 0;
                Err(Stop::Halt(Halt::Steps))
            }
        }
    }

    /// Takes memory for a value, before it is made.
    pub(crate) fn hold(&mut self, bytes: usize) -> Result<(), Stop> {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        self.spend(bytes / 64)?;
        self.bytes = self.bytes.checked_sub(bytes).ok_or(Stop::Halt(Halt::Bytes))?;
        Ok(())
    }
}

impl Stop {
    /// No function of this name takes values of these kinds.
    pub(crate) fn no_overload() -> Stop {
        Stop::Fault(Cow::Borrowed("no such overload"))
    }

    /// A fault with a fixed text.
    pub(crate) fn fault(message: &'static str) -> Stop {
        Stop::Fault(Cow::Borrowed(message))
    }

    /// A fault with a made text.
    pub(crate) fn made(message: String) -> Stop {
        Stop::Fault(Cow::Owned(message))
    }
}
