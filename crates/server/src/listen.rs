//! Listening sockets, the threads of their connections, and the end of it all.

use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::connection::Connection;
use crate::report::Fatal;
use crate::startup::{self, Start};
use crate::stream::{Socket, Stream};
use crate::wire::Out;
use crate::{Client, Shared, cancel_key, socket_path};

/// Address space for a connection's stack; memory is taken as it is used.
const STACK_BYTES: usize = 16 << 20;
/// How long clients get to leave at shutdown before their sockets are closed.
const GRACE: Duration = Duration::from_secs(5);

/// A live connection's socket and waker.
struct Live {
    socket: Socket,
    wake: UnixStream,
}

/// All live connections by a number of their own.
#[derive(Default)]
struct Connections {
    live: Mutex<std::collections::HashMap<usize, Live>>,
    next: AtomicUsize,
}

enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Listener {
    fn accept(&self) -> io::Result<Socket> {
        Ok(match self {
            Listener::Tcp(l) => Socket::Tcp(l.accept()?.0),
            Listener::Unix(l) => Socket::Unix(l.accept()?.0),
        })
    }
}

/// A running server. Dropping it shuts it down.
pub struct ServerHandle {
    shared: Arc<Shared>,
    connections: Arc<Connections>,
    addr: SocketAddr,
    socket_file: Option<PathBuf>,
    acceptors: Vec<JoinHandle<()>>,
}

impl ServerHandle {
    pub(crate) fn start(
        shared: Arc<Shared>,
        tcp: TcpListener,
        socket_dir: Option<PathBuf>,
    ) -> io::Result<ServerHandle> {
        let addr = tcp.local_addr()?;
        let socket_file = socket_dir.map(|dir| socket_path(&dir, addr));
        let mut listeners = vec![Listener::Tcp(tcp)];
        if let Some(path) = &socket_file {
            // A file without a listener is left over from a crash.
            if UnixStream::connect(path).is_err() && path.exists() {
                std::fs::remove_file(path)?;
            }
            listeners.push(Listener::Unix(UnixListener::bind(path)?));
        }
        let connections = Arc::<Connections>::default();
        let mut acceptors = Vec::new();
        for listener in listeners {
            let (shared, connections) = (shared.clone(), connections.clone());
            let thread = Builder::new().name("pglite-accept".into());
            acceptors.push(thread.spawn(move || accept(&listener, &shared, &connections))?);
        }
        Ok(ServerHandle {
            shared,
            connections,
            addr,
            socket_file,
            acceptors,
        })
    }

    /// The TCP address; with port 0 asked for, the port that was given.
    pub fn local_addr(&self) -> SocketAddr {
        self.addr
    }

    /// The socket file, if there is one.
    pub fn socket_file(&self) -> Option<&std::path::Path> {
        self.socket_file.as_deref()
    }

    /// Number of connections.
    pub fn connection_count(&self) -> usize {
        self.connections.live.lock().len()
    }

    /// Stops listening, ends all connections with 57P01 and waits for them.
    pub fn shutdown(self) {
        drop(self);
    }

    fn stop(&mut self) {
        self.shared.stopping.store(true, Ordering::Release);
        // accept() has no waker: a connection that is dropped at once is one.
        let _ = std::net::TcpStream::connect_timeout(&reachable(self.addr), Duration::from_secs(1));
        if let Some(path) = &self.socket_file {
            let _ = UnixStream::connect(path);
            let _ = std::fs::remove_file(path);
        }
        for thread in self.acceptors.drain(..) {
            // A panic of the thread has been printed already.
            let _ = thread.join();
        }
        // What a second opener of the directory is told is worth no error now.
        let _ = self.shared.db.announce("");
        self.shared.db.terminate_sessions();
        for live in self.connections.live.lock().values() {
            wake(&live.wake);
        }
        let deadline = Instant::now() + GRACE;
        while self.connection_count() > 0 && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
        for live in self.connections.live.lock().values() {
            live.socket.shutdown();
        }
    }
}

impl Drop for ServerHandle {
    fn drop(&mut self) {
        if !self.acceptors.is_empty() {
            self.stop();
        }
    }
}

/// The address to connect to for a listener on every address.
fn reachable(addr: SocketAddr) -> SocketAddr {
    let mut addr = addr;
    if addr.ip().is_unspecified() {
        addr.set_ip(match addr {
            SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        });
    }
    addr
}

/// Makes a waiting connection look up. A full pipe wakes it, too.
fn wake(mut stream: &UnixStream) {
    let _ = stream.write(&[1]);
}

fn accept(listener: &Listener, shared: &Arc<Shared>, connections: &Arc<Connections>) {
    loop {
        let socket = listener.accept();
        if shared.is_stopping() {
            return;
        }
        let Ok(socket) = socket else {
            // Out of descriptors or memory: others may leave.
            std::thread::sleep(Duration::from_millis(50));
            continue;
        };
        let (shared, connections) = (shared.clone(), connections.clone());
        let thread = Builder::new()
            .name("pglite-client".into())
            .stack_size(STACK_BYTES);
        // Without a thread the socket is dropped: the client sees a closed connection.
        let _ = thread.spawn(move || {
            // An error here is the socket's: there is nobody to tell.
            let _ = converse(socket, &shared, &connections);
        });
    }
}

/// A connection from its first to its last byte.
fn converse(socket: Socket, shared: &Shared, connections: &Connections) -> io::Result<()> {
    let (waker, sleeper) = UnixStream::pair()?;
    waker.set_nonblocking(true)?;
    let number = connections.next.fetch_add(1, Ordering::Relaxed);
    let live = Live {
        socket: socket.try_clone()?,
        wake: waker.try_clone()?,
    };
    let count = {
        let mut all = connections.live.lock();
        all.insert(number, live);
        all.len()
    };
    let _leave = Leave(connections, number);
    let waking = socket.try_clone()?;
    let mut stream = Stream::new(socket, sleeper)?;
    let mut out = Out::default();
    if count > shared.connections_max {
        Fatal::new("53300", "sorry, too many clients already").write(&mut out);
        return stream.send(out.bytes());
    }
    match startup::start(&mut stream, &mut out, shared) {
        Ok(Start::Done) => {}
        Ok(Start::Session(mut session, request)) => {
            let interrupt = session.interrupt_handle();
            session.on_notification(Some(Box::new(move || {
                wake(&waker);
                if interrupt.is_terminated() {
                    waking.shutdown_read();
                }
            })));
            let pid = session.process_id();
            let client = Client {
                key: cancel_key(&session, request.minor),
                interrupt: session.interrupt_handle(),
            };
            shared.clients.lock().insert(pid, client);
            let mut connection = Connection::new(shared, stream, out, *session);
            connection.run(&request);
            shared.clients.lock().remove(&pid);
        }
        Err(fatal) => {
            fatal.write(&mut out);
            stream.send(out.bytes())?;
        }
    }
    Ok(())
}

/// Takes a connection off the list, however its thread ends.
struct Leave<'a>(&'a Connections, usize);

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        self.0.live.lock().remove(&self.1);
    }
}
