//! A running PostgreSQL to compare with, in a schema of the test's own that goes when the test ends.
#![allow(dead_code)]

use futures_util::StreamExt;
use tokio_postgres::{Client, Error, NoTls, SimpleQueryMessage};

/// How many statements are on their way at once.
pub const IN_FLIGHT: usize = 64;

pub struct Oracle {
    pub runtime: tokio::runtime::Runtime,
    pub client: Client,
    schema: String,
}

impl Oracle {
    /// Connects where `PGLITE_ORACLE_URL` points and runs `set_up` in a new schema `pglite_NAME_PID`; without the variable prints
    /// `consequence` and gives `None`.
    pub fn connect(name: &str, set_up: &str, consequence: &str) -> Option<Oracle> {
        let Ok(url) = std::env::var("PGLITE_ORACLE_URL") else {
            println!("PGLITE_ORACLE_URL is not set: {consequence}");
            return None;
        };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let client = runtime.block_on(async {
            let (client, connection) = tokio_postgres::connect(&url, NoTls)
                .await
                .expect("PGLITE_ORACLE_URL");
            tokio::spawn(connection);
            client
        });
        let oracle = Oracle {
            runtime,
            client,
            schema: format!("pglite_{name}_{}", std::process::id()),
        };
        oracle.batch(&format!(
            "CREATE SCHEMA {0}; SET search_path = {0}; SET client_min_messages = error; {set_up}",
            oracle.schema
        ));
        Some(oracle)
    }

    pub fn batch(&self, sql: &str) {
        self.runtime.block_on(self.client.batch_execute(sql)).unwrap();
    }

    /// What `answer` makes of each query's result, in their order.
    pub fn ask<T>(
        &self,
        queries: &[String],
        answer: impl Fn(Result<Vec<SimpleQueryMessage>, Error>) -> T,
    ) -> Vec<T> {
        let answers = futures_util::stream::iter(queries)
            .map(|q| self.client.simple_query(q))
            .buffered(IN_FLIGHT)
            .map(answer);
        self.runtime.block_on(answers.collect())
    }
}

impl Drop for Oracle {
    fn drop(&mut self) {
        let sql = format!("DROP SCHEMA {} CASCADE", self.schema);
        let _ = self.runtime.block_on(self.client.batch_execute(&sql));
    }
}
