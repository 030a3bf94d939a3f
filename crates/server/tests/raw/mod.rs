//! A client that sends any bytes and cuts what comes back into messages.
#![allow(dead_code)]

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use pglite_server::ServerHandle;

/// No answer takes longer.
const PATIENCE: Duration = Duration::from_secs(30);

/// A message of the server.
#[derive(Debug)]
pub struct Message {
    pub kind: u8,
    pub body: Vec<u8>,
}

impl Message {
    /// A field of an ErrorResponse.
    pub fn field(&self, name: u8) -> Option<String> {
        let mut fields = self.body.split(|b| *b == 0);
        let field = fields.find(|f| f.first() == Some(&name))?;
        Some(String::from_utf8_lossy(&field[1..]).into_owned())
    }
}

/// A connection.
pub struct Raw {
    socket: TcpStream,
}

impl Raw {
    pub fn connect(server: &ServerHandle) -> Raw {
        let socket = TcpStream::connect(server.local_addr()).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.set_write_timeout(Some(PATIENCE)).unwrap();
        Raw { socket }
    }

    /// Sends; the server may have closed already.
    pub fn send(&mut self, bytes: &[u8]) {
        let _ = self.socket.write_all(bytes);
    }

    /// No more will be sent.
    pub fn finish(&mut self) {
        let _ = self.socket.shutdown(Shutdown::Write);
    }

    pub fn byte(&mut self) -> u8 {
        let mut byte = [0];
        self.socket.read_exact(&mut byte).unwrap();
        byte[0]
    }

    /// The next one; `None` when the server has closed.
    pub fn message(&mut self) -> Option<Message> {
        let mut head = [0; 5];
        match self.socket.read_exact(&mut head) {
            Ok(()) => {}
            Err(e) if matches!(e.kind(), ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset) => {
                return None;
            }
            Err(e) => panic!("no answer: {e}"),
        }
        let len = u32::from_be_bytes(head[1..].try_into().unwrap()) as usize;
        assert!(
            (4..1 << 30).contains(&len),
            "length {len} of message {}",
            head[0] as char
        );
        let mut body = vec![0; len - 4];
        if let Err(e) = self.socket.read_exact(&mut body) {
            assert_eq!(e.kind(), ErrorKind::ConnectionReset, "half a message");
            return None;
        }
        Some(Message { kind: head[0], body })
    }

    /// All messages up to ReadyForQuery, which must come.
    pub fn until_ready(&mut self) -> Vec<Message> {
        let mut all = Vec::new();
        loop {
            let message = self.message().unwrap_or_else(|| panic!("closed after {all:?}"));
            let ready = message.kind == b'Z';
            all.push(message);
            if ready {
                return all;
            }
        }
    }

    /// All messages until the server closes, which it must.
    pub fn until_end(&mut self) -> Vec<Message> {
        std::iter::from_fn(|| self.message()).collect()
    }

    /// The same for a client whose first packet may have been anything: answers to encryption requests are passed over.
    pub fn until_end_of_anything(&mut self) -> Vec<Message> {
        let mut byte = [0];
        while self.socket.peek(&mut byte).is_ok_and(|n| n == 1) && byte[0] == b'N' {
            // A notice would be longer; none comes before authentication.
            self.byte();
        }
        self.until_end()
    }
}

/// A message to the server.
pub fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let len = body.len() as u32 + 4;
    [&[kind][..], &len.to_be_bytes(), body].concat()
}

pub fn query(sql: &str) -> Vec<u8> {
    message(b'Q', &[sql.as_bytes(), b"\0"].concat())
}

/// A start-up packet for user and database postgres.
pub fn startup(minor: u16) -> Vec<u8> {
    startup_with(3, minor, b"user\0postgres\0database\0postgres\0\0")
}

pub fn startup_with(major: u16, minor: u16, body: &[u8]) -> Vec<u8> {
    let len = body.len() as u32 + 8;
    [
        &len.to_be_bytes()[..],
        &major.to_be_bytes(),
        &minor.to_be_bytes(),
        body,
    ]
    .concat()
}
