//! Values as bytes through the extended protocol: to pglite, and to PostgreSQL where one is given.

use std::collections::HashMap;
use std::error::Error;

use futures_util::StreamExt;
use pglite::types::{FromSql, IsNull, ToSql, Type};
use pglite::{Database, Session, params};
use tokio_postgres::Statement;

use crate::oracle::{IN_FLIGHT, Oracle};

/// The bytes of a result, or SQLSTATE and message.
pub type Answer = Result<Option<Vec<u8>>, (String, String)>;

/// One parameter and one result.
pub struct Query<'a> {
    pub sql: &'a str,
    pub bytes: &'a [u8],
}

/// Bytes of any type as they go over the wire.
#[derive(Debug)]
pub struct Raw(pub Vec<u8>);

impl ToSql for Raw {
    fn to_sql(&self, _: &Type, out: &mut bytes::BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        out.extend_from_slice(&self.0);
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn to_sql_checked(
        &self,
        ty: &Type,
        out: &mut bytes::BytesMut,
    ) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        self.to_sql(ty, out)
    }
}

impl<'a> FromSql<'a> for Raw {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Raw, Box<dyn Error + Sync + Send>> {
        Ok(Raw(raw.to_vec()))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

/// One end of the comparison.
pub trait Server {
    fn exchange(&mut self, queries: &[Query<'_>]) -> Vec<Answer>;
}

impl Server for Session {
    fn exchange(&mut self, queries: &[Query<'_>]) -> Vec<Answer> {
        let mut one = |q: &Query<'_>| -> Result<Option<Vec<u8>>, pglite::Error> {
            let rows = self.query(q.sql, params![Raw(q.bytes.to_vec())])?;
            let value: Option<Raw> = match rows.first() {
                Some(row) => row.get(0)?,
                None => None,
            };
            Ok(value.map(|raw| raw.0))
        };
        let answer = |r: Result<Option<Vec<u8>>, pglite::Error>| {
            r.map_err(|e| (e.code().to_owned(), e.message().to_owned()))
        };
        queries.iter().map(|q| answer(one(q))).collect()
    }
}

/// PostgreSQL, and what it has prepared.
struct Peer {
    oracle: Oracle,
    statements: HashMap<String, Result<Statement, (String, String)>>,
}

fn failure(e: &tokio_postgres::Error) -> (String, String) {
    match e.as_db_error() {
        Some(e) => (e.code().code().to_owned(), e.message().to_owned()),
        None => ("?".to_owned(), e.to_string()),
    }
}

impl Server for Peer {
    fn exchange(&mut self, queries: &[Query<'_>]) -> Vec<Answer> {
        for q in queries {
            if !self.statements.contains_key(q.sql) {
                let prepared = self.oracle.runtime.block_on(self.oracle.client.prepare(q.sql));
                let prepared = prepared.map_err(|e| failure(&e));
                self.statements.insert(q.sql.to_owned(), prepared);
            }
        }
        let (client, statements) = (&self.oracle.client, &self.statements);
        let one = |q: &Query<'_>| {
            let (bytes, statement) = (Raw(q.bytes.to_vec()), &statements[q.sql]);
            async move {
                let statement = statement.as_ref().map_err(Clone::clone)?;
                let rows = client
                    .query(statement, &[&bytes])
                    .await
                    .map_err(|e| failure(&e))?;
                let value: Option<Raw> = rows.first().and_then(|row| row.get(0));
                Ok(value.map(|raw| raw.0))
            }
        };
        self.oracle.runtime.block_on(
            futures_util::stream::iter(queries)
                .map(one)
                .buffered(IN_FLIGHT)
                .collect(),
        )
    }
}

/// Both ends; OIDs of the types that users made are translated, for each server gives its own.
pub struct Servers {
    mine: Session,
    theirs: Option<Peer>,
    /// Theirs and mine.
    oids: Vec<(u32, u32)>,
    user_types: &'static [&'static str],
}

/// OIDs of types and of their arrays.
fn oids(server: &mut dyn Server, names: &[&str]) -> Vec<u32> {
    let mut found = Vec::new();
    for name in names {
        for sql in [
            "SELECT t.oid FROM pg_type t WHERE t.oid = $1::text::regtype",
            "SELECT t.typarray FROM pg_type t WHERE t.oid = $1::text::regtype",
        ] {
            let query = Query {
                sql,
                bytes: name.as_bytes(),
            };
            let answer = server.exchange(&[query]).remove(0).unwrap().unwrap();
            found.push(u32::from_be_bytes(answer.try_into().unwrap()));
        }
    }
    found
}

fn replaced(bytes: &[u8], pairs: impl Iterator<Item = (u32, u32)> + Clone) -> Vec<u8> {
    let mut out = bytes.to_vec();
    let mut at = 0;
    while at + 4 <= out.len() {
        let word = u32::from_be_bytes([out[at], out[at + 1], out[at + 2], out[at + 3]]);
        match pairs.clone().find(|(from, _)| *from == word) {
            Some((_, to)) => {
                out[at..at + 4].copy_from_slice(&to.to_be_bytes());
                at += 4;
            }
            None => at += 1,
        }
    }
    out
}

impl Servers {
    pub fn start(set_up: &[&str], user_types: &'static [&'static str]) -> Servers {
        let db = Database::memory().unwrap();
        let mut mine = db.session().unwrap();
        for sql in set_up {
            mine.batch_execute(sql).unwrap();
        }
        let without = "values only have to come back as they went";
        let mut theirs = Oracle::connect("binary", &set_up.join(";"), without).map(|oracle| Peer {
            oracle,
            statements: HashMap::new(),
        });
        let mut pairs = Vec::new();
        if let Some(oracle) = &mut theirs {
            let (a, b) = (oids(oracle, user_types), oids(&mut mine, user_types));
            pairs.extend(a.into_iter().zip(b));
        }
        Servers {
            mine,
            theirs,
            oids: pairs,
            user_types,
        }
    }

    pub fn has_oracle(&self) -> bool {
        self.theirs.is_some()
    }

    pub fn knows_type(&mut self, name: &str) -> bool {
        let query = Query {
            sql: "SELECT to_regtype($1::text) IS NOT NULL",
            bytes: name.as_bytes(),
        };
        self.mine.exchange(&[query]).remove(0) == Ok(Some(vec![1]))
    }

    /// Our answers, in PostgreSQL's OIDs.
    pub fn mine(&mut self, queries: &[Query<'_>]) -> Vec<Answer> {
        let there = self.oids.iter().copied();
        let back = self.oids.iter().map(|(theirs, mine)| (*mine, *theirs));
        let of_users = |q: &Query<'_>| self.user_types.iter().any(|t| q.sql.contains(t));
        let translated = |q: &Query<'_>| match of_users(q) {
            true => replaced(q.bytes, there.clone()),
            false => q.bytes.to_vec(),
        };
        let bytes: Vec<Vec<u8>> = queries.iter().map(translated).collect();
        let translated: Vec<Query<'_>> = queries
            .iter()
            .zip(&bytes)
            .map(|(q, bytes)| Query { sql: q.sql, bytes })
            .collect();
        let answers = self.mine.exchange(&translated);
        let answer = |(a, q): (Answer, &Query<'_>)| match a {
            _ if !of_users(q) => a,
            Ok(value) => Ok(value.map(|v| replaced(&v, back.clone()))),
            Err((code, mut message)) => {
                for (mine, theirs) in back.clone() {
                    // As numbers stand in messages about types.
                    message = message.replace(&format!(" {mine} ("), &format!(" {theirs} ("));
                }
                Err((code, message))
            }
        };
        answers.into_iter().zip(queries).map(answer).collect()
    }

    /// PostgreSQL's answers, where there is one to ask.
    pub fn theirs(&mut self, queries: &[Query<'_>]) -> Option<Vec<Answer>> {
        self.theirs.as_mut().map(|oracle| oracle.exchange(queries))
    }
}
