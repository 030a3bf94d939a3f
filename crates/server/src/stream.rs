//! A client's socket: whole messages in, a buffer out, woken from other threads while it waits.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use pglite::protocol::{Endpoint, Peer};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// Messages longer than this end the connection (PostgreSQL's limit).
const MESSAGE_BYTES_MAX: usize = 0x3fff_fff0;
/// A start-up packet is not longer than this, its length included.
const STARTUP_BYTES_MAX: usize = 10_004;
/// Messages that hold next to nothing are not longer than this.
const SMALL_BYTES_MAX: usize = 10_000;
/// Grown by at most this much ahead of data that has really come.
const READ_CHUNK: usize = 64 << 10;

/// A socket of either family.
pub enum Socket {
    /// TCP.
    Tcp(TcpStream),
    /// A socket file.
    Unix(UnixStream),
}

impl Socket {
    /// Another handle to the same socket.
    pub fn try_clone(&self) -> io::Result<Socket> {
        Ok(match self {
            Socket::Tcp(s) => Socket::Tcp(s.try_clone()?),
            Socket::Unix(s) => Socket::Unix(s.try_clone()?),
        })
    }

    /// Ends both directions, whoever is waiting on it.
    pub fn shutdown(&self) {
        // A socket that is closed already needs none.
        let _ = match self {
            Socket::Tcp(s) => s.shutdown(std::net::Shutdown::Both),
            Socket::Unix(s) => s.shutdown(std::net::Shutdown::Both),
        };
    }

    /// Ends reading: who waits for data sees the end of it, and can still write.
    pub fn shutdown_read(&self) {
        // A socket that is closed already needs none.
        let _ = match self {
            Socket::Tcp(s) => s.shutdown(std::net::Shutdown::Read),
            Socket::Unix(s) => s.shutdown(std::net::Shutdown::Read),
        };
    }

    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Socket::Tcp(s) => s.read(buf),
            Socket::Unix(s) => s.read(buf),
        }
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Socket::Tcp(s) => s.write_all(bytes),
            Socket::Unix(s) => s.write_all(bytes),
        }
    }

    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Socket::Tcp(s) => s.as_fd(),
            Socket::Unix(s) => s.as_fd(),
        }
    }
}

fn endpoint(at: SocketAddr) -> Endpoint {
    Endpoint {
        address: at.ip().to_canonical().to_string(),
        port: at.port(),
    }
}

/// Why waiting for the client ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Event {
    /// A whole message is there.
    Message(u8),
    /// Another thread called the waker.
    Woken,
    /// The time is over.
    TimedOut,
    /// The client has gone.
    Closed,
    /// The length of a message is impossible.
    Invalid(&'static str),
}

/// A socket with its read buffer.
pub struct Stream {
    socket: Socket,
    wake: UnixStream,
    buffer: Vec<u8>,
    /// Read but not consumed: `buffer[start..end]`.
    start: usize,
    end: usize,
    /// Length of the current message's contents, which begin at `start`.
    body: usize,
    /// Whether a call of the waker ends waiting. Without it (and without a time limit) waiting is one blocking read.
    heeds_waker: bool,
}

impl Stream {
    /// Over a socket and the reading end of its waker.
    pub fn new(socket: Socket, wake: UnixStream) -> io::Result<Stream> {
        wake.set_nonblocking(true)?;
        if let Socket::Tcp(s) = &socket {
            s.set_nodelay(true)?;
        }
        Ok(Stream {
            socket,
            wake,
            buffer: vec![0; 8 << 10],
            start: 0,
            end: 0,
            body: 0,
            heeds_waker: true,
        })
    }

    /// Where the client is.
    pub fn peer(&self) -> Peer {
        let Socket::Tcp(s) = &self.socket else {
            return Peer::Unix;
        };
        match (s.peer_addr(), s.local_addr()) {
            (Ok(client), Ok(server)) => Peer::Tcp {
                client: endpoint(client),
                server: endpoint(server),
            },
            // It has gone already.
            _ => Peer::Process,
        }
    }

    /// Whether a call of the waker shall end waiting from now on; the end of reading does in any case.
    pub fn heed_waker(&mut self, heed: bool) {
        self.heeds_waker = heed;
    }

    /// Sends everything.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.socket.write_all(bytes)
    }

    /// Whether anything waits in the buffer.
    pub fn has_buffered(&self) -> bool {
        self.end > self.start + self.body
    }

    /// Whether the next message is there already, so that it needs no waiting.
    pub fn has_message(&self) -> bool {
        let start = self.start + self.body;
        let there = self.end - start;
        there >= 5 && there > self.length_at(start + 1)
    }

    /// The contents of the message that [`Stream::next`] announced.
    pub fn body(&self) -> &[u8] {
        self.buffer.get(self.start..self.start + self.body).unwrap_or(&[])
    }

    /// Waits for the next message (type byte, length, contents).
    pub fn next(&mut self, timeout: Option<Duration>) -> io::Result<Event> {
        self.next_limited(timeout, MESSAGE_BYTES_MAX)
    }

    /// The same with a limit of its own on the message's length.
    pub fn next_limited(&mut self, timeout: Option<Duration>, bytes_max: usize) -> io::Result<Event> {
        self.consume();
        if let Some(event) = self.fill(5, timeout)? {
            return Ok(event);
        }
        let kind = self.buffer.get(self.start).copied().unwrap_or(0);
        let len = self.length_at(self.start + 1);
        let bytes_max = match kind {
            b'C' | b'D' | b'E' | b'H' | b'S' | b'X' | b'c' => bytes_max.min(SMALL_BYTES_MAX),
            _ => bytes_max,
        };
        if !(4..=bytes_max).contains(&len) {
            return Ok(Event::Invalid("invalid message length"));
        }
        // Once a message has begun only its end, the client's leaving or a wake-up for termination matter.
        while let Some(event) = self.fill(1 + len, timeout)? {
            if event != Event::Woken {
                return Ok(event);
            }
        }
        self.start += 5;
        self.body = len - 4;
        Ok(Event::Message(kind))
    }

    /// Waits for a start-up packet, which has no type byte.
    pub fn next_startup(&mut self, timeout: Option<Duration>) -> io::Result<Event> {
        self.consume();
        if let Some(event) = self.fill(4, timeout)? {
            return Ok(event);
        }
        let len = self.length_at(self.start);
        if !(8..=STARTUP_BYTES_MAX).contains(&len) {
            return Ok(Event::Invalid("invalid length of startup packet"));
        }
        if let Some(event) = self.fill(len, timeout)? {
            return Ok(event);
        }
        self.start += 4;
        self.body = len - 4;
        Ok(Event::Message(0))
    }

    fn length_at(&self, at: usize) -> usize {
        let bytes = self.buffer.get(at..at + 4).and_then(|b| b.try_into().ok());
        bytes.map_or(0, |b| u32::from_be_bytes(b) as usize)
    }

    /// Forgets the current message.
    fn consume(&mut self) {
        self.start += std::mem::take(&mut self.body);
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
            if self.buffer.len() > 1 << 20 {
                self.buffer = vec![0; 8 << 10];
            }
        }
    }

    /// Reads until so many bytes are there; an event if something else happened first.
    fn fill(&mut self, wanted: usize, timeout: Option<Duration>) -> io::Result<Option<Event>> {
        let deadline = timeout.map(|t| Instant::now() + t);
        while self.end - self.start < wanted {
            if self.start > 0 {
                self.buffer.copy_within(self.start..self.end, 0);
                self.end -= self.start;
                self.start = 0;
            }
            if self.buffer.len() < wanted {
                let len = wanted.min(self.end + READ_CHUNK).max(self.buffer.len());
                let len = if self.end == self.buffer.len() {
                    len.max(self.end + READ_CHUNK)
                } else {
                    len
                };
                self.buffer.resize(len, 0);
            }
            if let Some(event) = self.wait(deadline)? {
                return Ok(Some(event));
            }
            let Some(free) = self.buffer.get_mut(self.end..) else {
                return Ok(Some(Event::Closed));
            };
            match self.socket.read(free) {
                Ok(0) => return Ok(Some(Event::Closed)),
                Ok(n) => self.end += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(None)
    }

    /// Sleeps until the socket has something, or the waker, or the clock.
    fn wait(&mut self, deadline: Option<Instant>) -> io::Result<Option<Event>> {
        let left = match deadline {
            None if !self.heeds_waker => return Ok(None),
            None => None,
            Some(d) => match d.checked_duration_since(Instant::now()) {
                None => return Ok(Some(Event::TimedOut)),
                Some(left) => Some(Timespec {
                    tv_sec: left.as_secs() as i64,
                    tv_nsec: i64::from(left.subsec_nanos()),
                }),
            },
        };
        let mut fds = [
            PollFd::from_borrowed_fd(self.socket.as_fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(self.wake.as_fd(), PollFlags::IN),
        ];
        match poll(&mut fds, left.as_ref()) {
            Ok(0) => return Ok(Some(Event::TimedOut)),
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => return Ok(None),
            Err(e) => return Err(e.into()),
        }
        let woken = !fds[1].revents().is_empty();
        let readable = !fds[0].revents().is_empty();
        if woken {
            let mut drain = [0; 64];
            // Non-blocking: a waker that nobody called has nothing to read.
            let _ = self.wake.read(&mut drain);
            return Ok(Some(Event::Woken));
        }
        if readable { Ok(None) } else { self.wait(deadline) }
    }
}
