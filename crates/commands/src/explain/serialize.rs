//! EXPLAIN (SERIALIZE): the result is turned into what a client would get, to be measured and thrown away.
//!
//! PG: src/backend/commands/explain_dr.c.

use std::time::Duration;

use common::PgResult;
use types::Batch;
use types::io::{self, IoContext};

use crate::context::ResultColumn;

/// The form of the values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Serialize {
    Text,
    Binary,
}

impl Serialize {
    pub fn word(self) -> &'static str {
        match self {
            Serialize::Text => "text",
            Serialize::Binary => "binary",
        }
    }
}

/// What was turned into bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Serialized {
    pub bytes: u64,
    pub time: Duration,
}

/// Of a DataRow message: number of columns; length of a value. Letter and length of the message are not counted.
const ROW_BYTES: usize = 2;
const VALUE_BYTES: usize = 4;

impl Serialized {
    /// Turns the rows of a batch into messages.
    pub fn add(
        &mut self,
        batch: &Batch,
        columns: &[ResultColumn],
        form: Serialize,
        cx: &IoContext<'_>,
    ) -> PgResult<()> {
        let (mut bytes, mut text) = (Vec::new(), String::new());
        for row in batch.selection.iter() {
            self.bytes += ROW_BYTES as u64;
            for (column, values) in columns.iter().zip(&batch.columns) {
                bytes.clear();
                text.clear();
                let type_oid = column.type_ref.oid;
                if !values.is_null(row) {
                    match form {
                        Serialize::Binary => io::send_at(type_oid, values, row, cx, &mut bytes)?,
                        Serialize::Text => io::output_at(type_oid, values, row, cx, &mut text)?,
                    }
                }
                self.bytes += (VALUE_BYTES + bytes.len() + text.len()) as u64;
            }
        }
        Ok(())
    }
}
