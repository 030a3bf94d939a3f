//! sqllogictest files over the embedded engine.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use pglite_regress::corpus::workspace;
use sqllogictest::{DB, DBOutput, DefaultColumnType, Runner};

struct Engine {
    session: pglite::Session,
}

impl DB for Engine {
    type Error = pglite::Error;
    type ColumnType = DefaultColumnType;

    fn run(&mut self, sql: &str) -> Result<DBOutput<DefaultColumnType>, pglite::Error> {
        let returns = self.session.parse(sql, &[])?.returns_rows();
        if !returns {
            self.session.sync()?;
            self.session.batch_execute(sql)?;
            return Ok(DBOutput::StatementComplete(0));
        }
        let rows = self.session.query_map(sql, (), |row| {
            (0..row.len())
                .map(|i| {
                    let text = row.get_text(i)?;
                    Ok(match text.as_deref() {
                        None => "NULL".to_owned(),
                        Some("") => "(empty)".to_owned(),
                        Some(text) => text.to_owned(),
                    })
                })
                .collect::<pglite::Result<Vec<String>>>()
        })?;
        let width = rows.first().map_or(0, Vec::len);
        Ok(DBOutput::Rows {
            types: vec![DefaultColumnType::Any; width],
            rows,
        })
    }
}

#[test]
fn sqllogictest_files_pass() {
    for entry in std::fs::read_dir(workspace().join("regress/slt")).expect("regress/slt") {
        let path = entry.expect("entry").path();
        let db = pglite::Database::memory().expect("database");
        let mut runner = Runner::new(|| async { db.session().map(|session| Engine { session }) });
        runner.run_file(&path).unwrap_or_else(|e| panic!("{e}"));
    }
}
