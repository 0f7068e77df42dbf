//! `pemba lsp`: the language server protocol over standard input and output.

mod answers;
mod frames;
mod session;
mod source;

use std::io::Write;

use anyhow::{Context as _, Result};

use frames::Frame;
use session::{Next, Session};

/// Serves one editor until it says `exit` or closes the input. Returns whether it had said `shutdown` before.
pub fn serve() -> Result<bool> {
    let mut input = std::io::stdin().lock();
    let mut output = std::io::stdout().lock();
    let mut session = Session::default();
    loop {
        let frame = frames::read(&mut input).context("cannot read the editor's messages")?;
        let next = match frame {
            Frame::Message(message) => session.take(message),
            Frame::Unreadable(reason) => Next::Say(vec![session::unreadable(&reason)]),
            Frame::End => Next::End,
        };
        match next {
            Next::Say(messages) => send(&mut output, &messages)?,
            Next::End => return Ok(session.is_shut_down()),
        }
    }
}

fn send(output: &mut impl Write, messages: &[serde_json::Value]) -> Result<()> {
    for message in messages {
        frames::write(output, message)?;
    }
    Ok(())
}
