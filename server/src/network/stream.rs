//! A connection that can be closed to make room. A stranger's connection ends after a while, whatever it does.

use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Sleep;

use super::limiter::{CloseSignal, ConnectionSlot};

/// How long a stranger's connection may last: long enough for an enrolment over a slow line.
const STRANGERS_TIME: Duration = Duration::from_secs(90);

/// A connection with its place.
pub struct Stream {
    socket: TcpStream,
    slot: Arc<ConnectionSlot>,
    /// `None` once it was told to make room.
    room: Option<CloseSignal>,
    strangers_end: Pin<Box<Sleep>>,
}

impl Stream {
    /// A connection that was admitted.
    pub fn new(socket: TcpStream, (slot, room): (Arc<ConnectionSlot>, CloseSignal)) -> Self {
        let strangers_end = Box::pin(tokio::time::sleep(STRANGERS_TIME));
        Self { socket, slot, room: Some(room), strangers_end }
    }

    /// The socket.
    pub fn socket(&self) -> &TcpStream {
        &self.socket
    }

    /// Its place at the door.
    pub fn slot(&self) -> &Arc<ConnectionSlot> {
        &self.slot
    }

    /// Returns an error if the connection must end.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        if self.room.as_mut().is_some_and(|room| Pin::new(room).poll(cx).is_ready()) {
            self.room = None;
        }
        let late = self.strangers_end.as_mut().poll(cx).is_ready() && self.slot.is_strangers();
        if self.room.is_none() || late {
            return Err(io::Error::new(
                io::ErrorKind::ConnectionAborted,
                "the connection was closed to make room",
            ));
        }
        Ok(())
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.poll_end(cx)?;
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.socket).poll_read(cx, buffer);
        if buffer.filled().len() > before {
            self.slot.stir();
        }
        read
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_end(cx)?;
        let written = Pin::new(&mut self.socket).poll_write(cx, bytes);
        if written.is_ready() {
            self.slot.stir();
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}
