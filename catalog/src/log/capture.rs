//! Log output that is kept for tests.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;
use tracing::Subscriber;
use tracing::subscriber::DefaultGuard;

/// What a thread has logged since this was made.
pub struct LogCapture {
    bytes: LogBuffer,
    _listening: DefaultGuard,
}

impl LogCapture {
    /// Keeps what this thread logs from now on, for as long as this value exists. `listener` is given the destination
    /// of its lines.
    pub fn by<S>(listener: impl FnOnce(LogBuffer) -> S) -> Self
    where
        S: Subscriber + Send + Sync + 'static,
    {
        let bytes = LogBuffer::default();
        let listener = listener(bytes.clone());
        Self { bytes, _listening: tracing::subscriber::set_default(listener) }
    }

    /// All of it as text.
    pub fn text(&self) -> String {
        let bytes = self.bytes.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        String::from_utf8(bytes).expect("a log is text")
    }

    /// Its lines, each of which is a JSON object.
    pub fn objects(&self) -> Vec<Value> {
        self.text().lines().map(|line| serde_json::from_str(line).expect("each line is an object")).collect()
    }
}

/// The destination of the lines.
#[derive(Clone, Default)]
pub struct LogBuffer(Arc<Mutex<Vec<u8>>>);

impl Write for LogBuffer {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(line)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
