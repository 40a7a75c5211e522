//! One TCP connection with its buffers: batched reads, whole frames, one write for a batch.
#![allow(clippy::disallowed_methods, reason = "this is where the simulator's sockets live")]

use std::io;
use std::net::{IpAddr, SocketAddr};

use tokio::io::Interest;
use tokio::net::{TcpSocket, TcpStream};

use crate::diameter::parse::{Malformed, frame_length};

const READ_BUFFER: usize = 256 * 1024;
/// With more than this unsent, a peer stops reading: it slows its sender down and loses nothing.
const WRITE_HIGH: usize = 4 * 1024 * 1024;

/// What a read brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fill {
    /// New bytes.
    Data,
    /// Nothing for now.
    Empty,
    /// The other end has closed.
    Closed,
}

/// A connection, what was read but not yet taken, and what is still to be written.
pub(crate) struct Wire {
    stream: TcpStream,
    input: Vec<u8>,
    taken: usize,
    filled: usize,
    /// Bytes to write; append whole messages, then [`Wire::flush`].
    pub(crate) out: Vec<u8>,
    sent: usize,
}

impl Wire {
    pub(crate) fn new(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        let out = Vec::with_capacity(READ_BUFFER);
        Ok(Self { stream, input: vec![0; READ_BUFFER], taken: 0, filled: 0, out, sent: 0 })
    }

    /// Connects to `to`, from `source` where given.
    pub(crate) async fn connect(to: SocketAddr, source: Option<IpAddr>) -> io::Result<Self> {
        let socket = if to.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        if let Some(ip) = source {
            socket.bind(SocketAddr::new(ip, 0))?;
        }
        Self::new(socket.connect(to).await?)
    }

    pub(crate) fn local_ip(&self) -> io::Result<IpAddr> {
        Ok(self.stream.local_addr()?.ip())
    }

    /// True while so much is unsent that nothing more should be read.
    pub(crate) fn is_choked(&self) -> bool {
        self.out.len() - self.sent > WRITE_HIGH
    }

    /// Waits until there is something to read, or room to write what is pending.
    pub(crate) async fn ready(&self) -> io::Result<()> {
        let interest = match (self.out.is_empty(), self.is_choked()) {
            (true, _) => Interest::READABLE,
            (false, false) => Interest::READABLE | Interest::WRITABLE,
            (false, true) => Interest::WRITABLE,
        };
        self.stream.ready(interest).await.map(|_| ())
    }

    /// One non-blocking read into the buffer.
    pub(crate) fn fill(&mut self) -> io::Result<Fill> {
        if self.is_choked() {
            return Ok(Fill::Empty);
        }
        if self.taken > 0 {
            self.input.copy_within(self.taken..self.filled, 0);
            self.filled -= self.taken;
            self.taken = 0;
        }
        let Some(room) = self.input.get_mut(self.filled..) else { return Ok(Fill::Empty) };
        match self.stream.try_read(room) {
            Ok(0) => Ok(Fill::Closed),
            Ok(n) => {
                self.filled += n;
                Ok(Fill::Data)
            }
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(Fill::Empty),
            Err(e) => Err(e),
        }
    }

    /// Gives every whole frame to `take`, with the output buffer for its answers.
    pub(crate) fn frames(
        &mut self,
        mut take: impl FnMut(&[u8], &mut Vec<u8>),
    ) -> Result<(), Malformed> {
        while self.frame(&mut take)? {}
        Ok(())
    }

    /// Gives one whole frame to `take`, if there is one; what follows it stays for later.
    pub(crate) fn frame(
        &mut self,
        take: impl FnOnce(&[u8], &mut Vec<u8>),
    ) -> Result<bool, Malformed> {
        let rest = self.input.get(self.taken..self.filled).unwrap_or_default();
        let Some(length) = frame_length(rest)? else { return Ok(false) };
        let Some(frame) = rest.get(..length) else {
            if length > self.input.len() {
                self.input.resize(length, 0);
            }
            return Ok(false);
        };
        take(frame, &mut self.out);
        self.taken += length;
        Ok(true)
    }

    /// One non-blocking write of what is pending; true when nothing is left.
    pub(crate) fn flush(&mut self) -> io::Result<bool> {
        while let Some(rest) = self.out.get(self.sent..).filter(|r| !r.is_empty()) {
            match self.stream.try_write(rest) {
                Ok(n) => self.sent += n,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    self.compact();
                    return Ok(false);
                }
                Err(e) => return Err(e),
            }
        }
        self.out.clear();
        self.sent = 0;
        Ok(true)
    }

    fn compact(&mut self) {
        if self.sent > WRITE_HIGH {
            self.out.drain(..self.sent);
            self.sent = 0;
        }
    }
}
