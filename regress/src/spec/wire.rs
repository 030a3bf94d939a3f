//! Specs on a server, over just enough of the protocol: trust, simple queries.

use std::io::{Read, Write};
use std::net::TcpStream;

use super::target::{Answer, Connection, Failure, Outcome, Target};

/// A database of a server; dropped and created anew for each spec, its schema for each permutation.
pub struct Server {
    address: String,
    database: String,
}

impl Server {
    /// Names it.
    pub fn new(address: &str, database: &str) -> Server {
        Server {
            address: address.to_owned(),
            database: database.to_owned(),
        }
    }

    /// Creates the database.
    pub fn create(&self) -> Result<(), String> {
        self.drop_database()?;
        self.admin(&format!("CREATE DATABASE {} TEMPLATE template0", self.database))
    }

    /// Drops the database.
    pub fn drop_database(&self) -> Result<(), String> {
        self.admin(&format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.database))
    }

    fn admin(&self, sql: &str) -> Result<(), String> {
        let mut connection = Wire::connect(&self.address, "postgres").map_err(|e| e.to_string())?;
        expect_success(&connection.run(sql))
    }
}

fn expect_success(outcome: &Outcome) -> Result<(), String> {
    match &outcome.error {
        Some(error) => Err(error.message.clone()),
        None => Ok(()),
    }
}

impl Target for Server {
    fn reset(&mut self) -> Result<(), String> {
        let mut connection = self.connect()?;
        // Sessions of the permutation before may still be ending.
        let wait = "DO $$ BEGIN WHILE EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() \
                    AND backend_type = 'client backend' AND pid <> pg_backend_pid()) LOOP \
                    PERFORM pg_sleep(0.001), pg_stat_clear_snapshot(); END LOOP; END $$";
        expect_success(&connection.run(wait))?;
        expect_success(
            &connection
                .run("SET client_min_messages = warning; DROP SCHEMA public CASCADE; CREATE SCHEMA public"),
        )
    }

    fn connect(&mut self) -> Result<Box<dyn Connection>, String> {
        Wire::connect(&self.address, &self.database)
            .map(|wire| Box::new(wire) as Box<dyn Connection>)
            .map_err(|e| e.to_string())
    }
}

/// One connection.
struct Wire {
    stream: TcpStream,
    pid: i32,
}

impl Wire {
    fn connect(address: &str, database: &str) -> std::io::Result<Wire> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        let mut body = 196_608_i32.to_be_bytes().to_vec();
        for word in [
            "user",
            "postgres",
            "database",
            database,
            "client_encoding",
            "UTF8",
            "",
        ] {
            body.extend_from_slice(word.as_bytes());
            body.push(0);
        }
        stream.write_all(&(body.len() as i32 + 4).to_be_bytes())?;
        stream.write_all(&body)?;
        let mut wire = Wire { stream, pid: 0 };
        loop {
            let (kind, body) = wire.receive()?;
            match kind {
                b'K' => wire.pid = int(&body),
                b'E' => return Err(std::io::Error::other(fields(&body).message)),
                b'Z' => return Ok(wire),
                _ => {}
            }
        }
    }

    fn receive(&mut self) -> std::io::Result<(u8, Vec<u8>)> {
        let mut head = [0; 5];
        self.stream.read_exact(&mut head)?;
        let length = int(&head[1..]) as usize - 4;
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body)?;
        Ok((head[0], body))
    }

    fn query(&mut self, sql: &str) -> std::io::Result<Outcome> {
        let mut message = vec![b'Q'];
        message.extend((sql.len() as i32 + 5).to_be_bytes());
        message.extend(sql.as_bytes());
        message.push(0);
        self.stream.write_all(&message)?;
        let mut outcome = Outcome::default();
        let mut answer = Answer::default();
        loop {
            let (kind, body) = self.receive()?;
            match kind {
                b'T' => answer.columns = Some(column_names(&body)),
                b'D' => answer.rows.push(values(&body)),
                b'C' => {
                    answer.tag = text(&body).0;
                    outcome.answers.push(std::mem::take(&mut answer));
                }
                b'E' => outcome.error = Some(fields(&body)),
                b'N' => outcome.notices.push(fields(&body)),
                b'Z' => return Ok(outcome),
                _ => {}
            }
        }
    }
}

impl Connection for Wire {
    fn run(&mut self, sql: &str) -> Outcome {
        self.query(sql).unwrap_or_else(|e| Outcome {
            error: Some(Failure {
                severity: "LOST".into(),
                message: e.to_string(),
                ..Failure::default()
            }),
            ..Outcome::default()
        })
    }

    fn pid(&self) -> i32 {
        self.pid
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        let _ = self.stream.write_all(&[b'X', 0, 0, 0, 4]);
    }
}

fn int(bytes: &[u8]) -> i32 {
    i32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}

fn short(bytes: &[u8]) -> usize {
    usize::from(u16::from_be_bytes([bytes[0], bytes[1]]))
}

/// A string up to its zero, and what follows.
fn text(bytes: &[u8]) -> (String, &[u8]) {
    let end = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
    let rest = bytes.get(end + 1..).unwrap_or_default();
    (String::from_utf8_lossy(&bytes[..end]).into_owned(), rest)
}

fn column_names(body: &[u8]) -> Vec<String> {
    let mut rest = &body[2..];
    (0..short(body))
        .map(|_| {
            let (name, after) = text(rest);
            rest = &after[18..];
            name
        })
        .collect()
}

fn values(body: &[u8]) -> Vec<Option<String>> {
    let mut rest = &body[2..];
    (0..short(body))
        .map(|_| {
            let length = int(rest);
            rest = &rest[4..];
            let length = usize::try_from(length).ok()?;
            let (value, after) = rest.split_at(length);
            rest = after;
            Some(String::from_utf8_lossy(value).into_owned())
        })
        .collect()
}

fn fields(body: &[u8]) -> Failure {
    let mut failure = Failure::default();
    let mut rest = body;
    while let Some((&kind, after)) = rest.split_first().filter(|(kind, _)| **kind != 0) {
        let (value, after) = text(after);
        match kind {
            b'V' => failure.severity = value,
            b'C' => failure.code = value,
            b'M' => failure.message = value,
            b'D' => failure.detail = value,
            b'H' => failure.hint = value,
            _ => {}
        }
        rest = after;
    }
    failure
}
