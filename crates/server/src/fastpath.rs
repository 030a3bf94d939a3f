//! The FunctionCall message: a function by its OID, its arguments, its value.
//!
//! PG: src/backend/tcop/fastpath.c. Clients' large-object functions (`lo_open` of libpq and the like) come this way.

use pglite::protocol::{Datum, Formats, PgResult, Prepared, RowSink, Step};

use crate::connection::{Connection, Handled, attempt};
use crate::extended::read_formats;
use crate::wire::Cursor;

/// Keeps the only value of the only row.
#[derive(Default)]
struct OneValue(Option<Vec<u8>>);

impl RowSink for OneValue {
    fn begin_row(&mut self, _values: usize) {}

    fn null(&mut self) {}

    fn value(&mut self, write: &mut dyn FnMut(&mut Vec<u8>) -> PgResult<()>) -> PgResult<()> {
        let mut bytes = Vec::new();
        write(&mut bytes)?;
        self.0 = Some(bytes);
        Ok(())
    }

    fn end_row(&mut self) {}
}

impl Connection<'_> {
    /// FunctionCall: a transaction of its own outside of a block, and ReadyForQuery at the end.
    pub(crate) fn function_call(&mut self) -> Handled {
        self.session.begin_messages();
        let called = self.call_function();
        let ended = self.session.sync();
        match called? {
            Ok(value) => {
                attempt!(ended);
                self.notices();
                self.out.begin(b'V');
                match value {
                    Some(bytes) => {
                        self.out.i32(bytes.len() as i32);
                        self.out.raw(&bytes);
                    }
                    None => self.out.i32(-1),
                }
                self.out.end();
                self.ready()?;
                Ok(Ok(()))
            }
            Err(error) => Ok(Err(error)),
        }
    }

    fn call_function(&mut self) -> Result<Result<Option<Vec<u8>>, pglite::Error>, crate::connection::End> {
        let mut message = Cursor::new(self.stream.body());
        let function = message.i32()? as u32;
        let formats = match read_formats(&mut message)? {
            Ok(formats) => formats,
            Err(text) => return Ok(Err(self.session.protocol_error("22023", &text))),
        };
        let count = message.count()?;
        let statement = attempt!(self.session.function_call(function, count));
        if formats.len() > 1 && formats.len() != count {
            let text = format!(
                "function call message contains {} argument formats but {count} arguments",
                formats.len()
            );
            return Ok(Err(self.session.protocol_error("08P01", &text)));
        }
        let mut arguments = Vec::with_capacity(count);
        for (i, type_oid) in statement.param_types().enumerate() {
            let bytes = match message.i32()? {
                -1 => None,
                len => match usize::try_from(len) {
                    Ok(len) => Some(message.take(len)?),
                    Err(_) => {
                        let text = format!("invalid argument size {len} in function call message");
                        return Ok(Err(self.session.protocol_error("08P01", &text)));
                    }
                },
            };
            let binary = formats.get(i).or(formats.first()).copied().unwrap_or(false);
            arguments.push(attempt!(self.session.decode_parameter(
                i + 1,
                type_oid,
                bytes,
                binary
            )));
        }
        let format = message.i16()?;
        message.end()?;
        if !matches!(format, 0 | 1) {
            let text = format!("unsupported format code: {format}");
            return Ok(Err(self.session.protocol_error("22023", &text)));
        }
        Ok(self.value_of(&statement, arguments, format == 1))
    }

    /// Runs the statement, which returns one row of one column.
    fn value_of(
        &mut self,
        statement: &std::sync::Arc<Prepared>,
        arguments: Vec<Datum>,
        binary: bool,
    ) -> Result<Option<Vec<u8>>, pglite::Error> {
        let mut portal = self.session.bind(statement, arguments)?;
        portal.formats = Formats::from_elem(binary, 1);
        let mut found = OneValue::default();
        loop {
            match self.session.step(&mut portal, 0)? {
                Step::Rows(rows) => {
                    let columns = portal.columns().cloned().unwrap_or_default();
                    self.session
                        .encode_values(&rows, &columns, &portal.formats, &mut found)?;
                }
                Step::Complete(_) | Step::Empty => return Ok(found.0),
                Step::Suspended | Step::CopyIn(_) | Step::CopyOut(_) | Step::CopyData(_) => {}
            }
        }
    }
}
