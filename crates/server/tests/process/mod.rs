//! The built `pglited` as a child process.
#![allow(dead_code)]

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use tokio_postgres::{Client, NoTls};

/// A running server; killed when dropped.
pub struct Pglited {
    child: Child,
    /// Kept open: what the server prints must go somewhere.
    _stdout: BufReader<ChildStdout>,
    pub address: SocketAddr,
    /// From the start of the process to its word that it is ready.
    pub start_time: Duration,
}

/// `pglited --data DIR` on a port of its own, not yet started.
pub fn command(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pglited"));
    command
        .arg("--data")
        .arg(dir)
        .args(["--listen", "127.0.0.1:0"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    command
}

impl Pglited {
    /// Starts it and waits until it listens.
    pub fn start(dir: &Path) -> Pglited {
        let begin = Instant::now();
        let mut child = command(dir).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let address = line.strip_prefix("ready ").and_then(|a| a.trim().parse().ok());
        let address = address.unwrap_or_else(|| panic!("pglited said {line:?}"));
        Pglited {
            child,
            _stdout: stdout,
            address,
            start_time: begin.elapsed(),
        }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// SIGKILL.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM; it must end well.
    pub fn terminate(mut self) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &pid]).status().unwrap();
        assert!(sent.success());
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{status}");
    }

    pub async fn connect(&self) -> Result<Client, tokio_postgres::Error> {
        connect(self.address).await
    }
}

pub async fn connect(address: SocketAddr) -> Result<Client, tokio_postgres::Error> {
    let port = address.port();
    let text = format!("host=127.0.0.1 port={port} user=postgres");
    let (client, connection) = tokio_postgres::connect(&text, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

impl Drop for Pglited {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
