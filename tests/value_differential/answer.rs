//! What a query gives, as both servers say it.

use tokio_postgres::{Error, SimpleQueryMessage};

/// The text of the result, or SQLSTATE and message.
pub type Answer = Result<Option<String>, (String, String)>;

/// PostgreSQL's answer.
pub fn answer(result: Result<Vec<SimpleQueryMessage>, Error>) -> Answer {
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
