//! Specs on a database of ours, in memory.

use std::sync::Arc;

use pglite::protocol::{ScriptStep, Step};
use pglite::{Column, Database, Error, Session};

use super::target::{Answer, Connection, Failure, Outcome, Target};
use crate::psql::exec::TextRows;

/// A database in memory, new for each permutation.
#[derive(Default)]
pub struct Engine {
    database: Option<Database>,
}

impl Target for Engine {
    fn reset(&mut self) -> Result<(), String> {
        self.database = Some(Database::memory().map_err(|e| e.to_string())?);
        Ok(())
    }

    fn connect(&mut self) -> Result<Box<dyn Connection>, String> {
        let database = self.database.as_ref().ok_or("no database")?;
        Ok(Box::new(database.session().map_err(|e| e.to_string())?))
    }
}

impl Connection for Session {
    fn run(&mut self, sql: &str) -> Outcome {
        let mut outcome = Outcome::default();
        let result = steps(self, sql, &mut outcome);
        outcome.error = result.err().map(|e| failure(&e));
        outcome.notices = self.take_notices().iter().map(failure).collect();
        outcome
    }

    fn pid(&self) -> i32 {
        self.process_id()
    }
}

fn steps(session: &mut Session, sql: &str, outcome: &mut Outcome) -> Result<(), Error> {
    let mut script = session.start_script(sql)?;
    let mut rows = TextRows::default();
    let mut columns: Option<Arc<[Column]>> = None;
    loop {
        let step = session.step_script(&mut script);
        if let Some(found) = script.columns() {
            columns = Some(found);
        }
        match step? {
            ScriptStep::End => return Ok(()),
            ScriptStep::Step(Step::Rows(batch)) => {
                let Some(columns) = columns.clone() else { continue };
                let formats = vec![false; columns.len()];
                session.encode_values(&batch, &columns, &formats, &mut rows)?;
            }
            ScriptStep::Step(Step::Complete(tag)) => outcome.answers.push(Answer {
                columns: columns
                    .take()
                    .map(|columns| columns.iter().map(|c| c.name().to_owned()).collect()),
                rows: std::mem::take(&mut rows).take(),
                tag: tag.to_string(),
            }),
            ScriptStep::Step(_) => {}
        }
    }
}

fn failure(e: &Error) -> Failure {
    Failure {
        severity: e.severity().as_str().to_owned(),
        code: e.code().to_owned(),
        message: e.message().to_owned(),
        detail: e.detail().unwrap_or_default().to_owned(),
        hint: e.hint().unwrap_or_default().to_owned(),
    }
}
