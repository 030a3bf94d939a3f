//! PostgreSQL, asked many statements at a time.

use futures_util::StreamExt;
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

/// The text of the result, or SQLSTATE and message.
pub type Answer = Result<Option<String>, (String, String)>;

/// How many statements are on their way at once.
const IN_FLIGHT: usize = 64;

pub struct Oracle {
    runtime: tokio::runtime::Runtime,
    client: Client,
    schema: String,
}

impl Oracle {
    /// Connects where `PGLITE_ORACLE_URL` points; `None`, and a line that says so, without it.
    pub fn connect(set_up: &str) -> Option<Oracle> {
        let Ok(url) = std::env::var("PGLITE_ORACLE_URL") else {
            println!("PGLITE_ORACLE_URL is not set: nothing to compare with");
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
        let schema = format!("pglite_values_{}", std::process::id());
        let oracle = Oracle {
            runtime,
            client,
            schema,
        };
        let begin = format!(
            "CREATE SCHEMA {0}; SET search_path = {0}; SET client_min_messages = error; SET statement_timeout = '3s'; {set_up}",
            oracle.schema
        );
        oracle.batch(&begin);
        Some(oracle)
    }

    pub fn batch(&self, sql: &str) {
        self.runtime.block_on(self.client.batch_execute(sql)).unwrap();
    }

    pub fn ask(&self, queries: &[String]) -> Vec<Answer> {
        self.runtime.block_on(
            futures_util::stream::iter(queries)
                .map(|q| self.client.simple_query(q))
                .buffered(IN_FLIGHT)
                .map(answer)
                .collect(),
        )
    }
}

fn answer(result: Result<Vec<SimpleQueryMessage>, tokio_postgres::Error>) -> Answer {
    match result {
        Ok(messages) => Ok(messages.iter().find_map(|m| match m {
            SimpleQueryMessage::Row(row) => match row.try_get(0) {
                Ok(text) => text.map(str::to_owned),
                // A "char" may be half a letter.
                Err(_) => Some("<not UTF-8>".to_owned()),
            },
            _ => None,
        })),
        Err(e) => {
            let e = e.as_db_error().expect("PostgreSQL answers");
            Err((e.code().code().to_owned(), e.message().to_owned()))
        }
    }
}

impl Drop for Oracle {
    fn drop(&mut self) {
        let sql = format!("DROP SCHEMA {} CASCADE", self.schema);
        let _ = self.runtime.block_on(self.client.batch_execute(&sql));
    }
}
