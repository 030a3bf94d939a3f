//! pglite over the PostgreSQL protocol, for psql and every driver.
//!
//! ```no_run
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use pglite_server::Serve;
//!
//! let db = pglite::Database::memory()?;
//! let server = db.serve("127.0.0.1:0")?;
//! println!("psql -h 127.0.0.1 -p {} -U postgres", server.local_addr().port());
//! server.shutdown();
//! # Ok(())
//! # }
//! ```
//!
//! # How it works
//! Each connection has a thread of its own that reads a message, runs it in the connection's [`pglite::Session`] and writes the answer
//! into one buffer, sent when the client waits for it (docs/adr/0005-server-threads.md). Other threads reach a connection through the
//! session's cancel flag and a waker that interrupts its waiting.

mod auth;
mod connection;
mod copy;
mod extended;
mod fastpath;
mod listen;
mod report;
mod scram;
mod startup;
mod stream;
mod wire;

use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use pglite::{Database, InterruptHandle, Session};

pub use listen::ServerHandle;

/// How clients prove who they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Auth {
    /// They need not.
    #[default]
    Trust,
    /// By password, with SCRAM-SHA-256.
    ScramSha256,
}

/// How a server listens.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Authentication.
    pub auth: Auth,
    /// A password of role `postgres` for this server alone, whatever the database says.
    pub superuser_password: Option<String>,
    /// A directory for the socket file `.s.PGSQL.<port>`.
    pub socket_dir: Option<PathBuf>,
    /// Connections at a time; 0 for the default of 1000.
    pub connections_max: usize,
}

/// A connection as others reach it.
struct Client {
    key: Vec<u8>,
    interrupt: InterruptHandle,
}

/// What all connections of a server share.
struct Shared {
    db: Database,
    auth: Auth,
    superuser_verifier: Option<scram::Verifier>,
    connections_max: usize,
    stopping: AtomicBool,
    /// By process id.
    clients: Mutex<std::collections::HashMap<i32, Client>>,
}

impl Shared {
    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// A cancel request; a wrong key is ignored, as PostgreSQL does.
    fn cancel(&self, pid: i32, key: &[u8]) {
        let clients = self.clients.lock();
        if let Some(client) = clients.get(&pid).filter(|c| c.key == key) {
            client.interrupt.interrupt();
        }
    }
}

/// The key that a cancel request must bring: four bytes before protocol 3.2, eight since.
fn cancel_key(session: &Session, minor: i32) -> Vec<u8> {
    let key = session.secret_key().to_be_bytes();
    if minor >= 2 {
        key.to_vec()
    } else {
        key[4..].to_vec()
    }
}

/// `db.serve(...)`: the server is a crate above the database's, so that a program which only embeds does not carry it.
pub trait Serve {
    /// See [`serve`].
    fn serve(&self, addr: impl ToSocketAddrs) -> io::Result<ServerHandle>;

    /// See [`serve_with`].
    fn serve_with(&self, addr: impl ToSocketAddrs, options: Options) -> io::Result<ServerHandle>;
}

impl Serve for Database {
    fn serve(&self, addr: impl ToSocketAddrs) -> io::Result<ServerHandle> {
        serve(self, addr)
    }

    fn serve_with(&self, addr: impl ToSocketAddrs, options: Options) -> io::Result<ServerHandle> {
        serve_with(self, addr, options)
    }
}

/// Serves a database on a TCP address to everybody who can reach it (authentication: trust).
pub fn serve(db: &Database, addr: impl ToSocketAddrs) -> io::Result<ServerHandle> {
    serve_with(db, addr, Options::default())
}

/// Serves a database on a TCP address, and a socket file if the options say so.
pub fn serve_with(db: &Database, addr: impl ToSocketAddrs, options: Options) -> io::Result<ServerHandle> {
    let listener = TcpListener::bind(addr)?;
    let verifier = match &options.superuser_password {
        Some(password) => Some(scram::Verifier::from_password(password).map_err(io::Error::other)?),
        None => None,
    };
    let shared = Arc::new(Shared {
        db: db.clone(),
        auth: options.auth,
        superuser_verifier: verifier,
        connections_max: match options.connections_max {
            0 => 1000,
            n => n,
        },
        stopping: AtomicBool::new(false),
        clients: Mutex::default(),
    });
    let server = ServerHandle::start(shared, listener, options.socket_dir)?;
    let mut address = server.local_addr().to_string();
    if let Some(file) = server.socket_file() {
        address.push_str(&format!(" and {}", file.display()));
    }
    db.announce(&address).map_err(io::Error::other)?;
    Ok(server)
}

/// The name of a socket file for a port.
fn socket_path(dir: &std::path::Path, addr: SocketAddr) -> PathBuf {
    dir.join(format!(".s.PGSQL.{}", addr.port()))
}
