//! What a command prints: lines for people, or one JSON value a line for programs.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

/// Where a command's results go. Anything else it has to say goes to standard error.
pub struct Output {
    sink: Box<dyn Write + Send>,
    json: bool,
}

impl Output {
    /// Standard output, as lines or as JSON.
    pub fn stdout(json: bool) -> Output {
        Output { sink: Box::new(io::stdout()), json }
    }

    /// Lines that are kept instead of printed.
    pub fn captured() -> (Output, Captured) {
        let captured = Captured::default();
        (Output { sink: Box::new(captured.clone()), json: false }, captured)
    }

    /// Whether programs read it.
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// Prints one line.
    pub fn line(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.sink, "{text}")?;
        self.sink.flush()
    }

    /// Prints one JSON value on a line of its own.
    pub fn json(&mut self, value: &Value) -> io::Result<()> {
        writeln!(self.sink, "{value}")?;
        self.sink.flush()
    }

    /// Prints the text to people, the value to programs.
    pub fn either(&mut self, text: &str, value: &Value) -> io::Result<()> {
        if self.json { self.json(value) } else { self.line(text) }
    }
}

/// What was printed to an output that prints nowhere.
#[derive(Clone, Default)]
pub struct Captured(Arc<Mutex<Vec<u8>>>);

impl Captured {
    /// The text so far.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }
}

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
