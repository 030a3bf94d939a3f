//! The extended protocol's messages: Parse, Bind, Describe, Execute, Close.

use pglite::protocol::{Formats, Portal, Step};

use crate::connection::{Connection, Handled, attempt};
use crate::wire::{Cursor, Malformed};

impl Connection<'_> {
    /// Parse.
    pub(crate) fn parse(&mut self) -> Handled {
        let mut message = Cursor::new(self.stream.body()).in_encoding(self.out.encoding);
        let name = message.cstr()?;
        let sql = message.cstr()?;
        let count = message.count()?;
        let types = (0..count)
            .map(|_| message.i32().map(|t| t as u32))
            .collect::<Result<Vec<u32>, Malformed>>()?;
        message.end()?;
        attempt!(self.session.check_statement_name(&name));
        let prepared = attempt!(self.session.parse(&sql, &types));
        self.session.keep_statement(&name, prepared);
        self.out.empty(b'1');
        Ok(Ok(()))
    }

    /// Bind.
    pub(crate) fn bind(&mut self) -> Handled {
        let mut message = Cursor::new(self.stream.body()).in_encoding(self.out.encoding);
        let portal_name = message.cstr()?;
        let statement_name = message.cstr()?;
        let formats = match read_formats(&mut message)? {
            Ok(formats) => formats,
            Err(text) => return Ok(Err(self.session.protocol_error("22023", &text))),
        };
        let count = message.count()?;
        if formats.len() > 1 && formats.len() != count {
            let text = format!(
                "bind message has {} parameter formats but {count} parameters",
                formats.len()
            );
            return Ok(Err(self.session.protocol_error("08P01", &text)));
        }
        let prepared = attempt!(self.session.statement(&statement_name));
        let types = prepared.param_types();
        if types.len() != count {
            let text = format!(
                "bind message supplies {count} parameters, but prepared statement \"{statement_name}\" requires {}",
                types.len()
            );
            return Ok(Err(self.session.protocol_error("08P01", &text)));
        }
        let mut params = Vec::with_capacity(count);
        for (i, type_oid) in types.enumerate() {
            let len = message.i32()?;
            let bytes = match usize::try_from(len) {
                Ok(len) => Some(message.take(len)?),
                Err(_) => None,
            };
            let binary = formats.get(i).or(formats.first()).copied().unwrap_or(false);
            params.push(attempt!(self.session.decode_parameter(
                i + 1,
                type_oid,
                bytes,
                binary
            )));
        }
        let result_formats = match read_formats(&mut message)? {
            Ok(formats) => formats,
            Err(text) => return Ok(Err(self.session.protocol_error("22023", &text))),
        };
        message.end()?;
        let columns = prepared.columns().map_or(0, |c| c.len());
        let result_formats = match result_formats.len() {
            0 => Formats::from_elem(false, columns),
            1 => Formats::from_elem(result_formats[0], columns),
            n if n == columns => result_formats,
            n => {
                let text = format!("bind message has {n} result formats but query has {columns} columns");
                return Ok(Err(self.session.protocol_error("08P01", &text)));
            }
        };
        attempt!(self.session.check_portal_name(&portal_name));
        let mut portal = attempt!(self.session.bind(&prepared, params));
        portal.formats = result_formats;
        self.session.keep_portal(&portal_name, portal);
        self.out.empty(b'2');
        Ok(Ok(()))
    }

    /// Describe of a statement or a portal.
    pub(crate) fn describe(&mut self) -> Handled {
        let mut message = Cursor::new(self.stream.body()).in_encoding(self.out.encoding);
        let kind = message.byte()?;
        let name = message.cstr()?;
        message.end()?;
        match kind {
            b'S' => {
                let prepared = attempt!(self.session.statement(&name));
                self.out.begin(b't');
                let types = prepared.param_types();
                let (_, count) = types.size_hint();
                self.out.i16(count.unwrap_or(0) as i16);
                for type_oid in types {
                    self.out.i32(type_oid as i32);
                }
                self.out.end();
                match prepared.columns() {
                    Some(columns) => self.out.row_description(columns, &[]),
                    None => self.out.empty(b'n'),
                }
            }
            b'P' => {
                if let Some(columns) = self.session.cursor_columns(&name) {
                    self.out.row_description(&columns, &[]);
                    return Ok(Ok(()));
                }
                let portal = attempt!(self.session.portal(&name));
                match portal.columns() {
                    Some(columns) => self.out.row_description(columns, &portal.formats),
                    None => self.out.empty(b'n'),
                }
            }
            _ => {
                let text = format!("invalid DESCRIBE message subtype {kind}");
                return Ok(Err(self.session.protocol_error("08P01", &text)));
            }
        }
        Ok(Ok(()))
    }

    /// Execute, with or without a limit of rows.
    pub(crate) fn execute(&mut self) -> Handled {
        let mut message = Cursor::new(self.stream.body()).in_encoding(self.out.encoding);
        let name = message.cstr()?.into_owned();
        let rows_max = usize::try_from(message.i32()?).unwrap_or(0);
        message.end()?;
        let mut portal = attempt!(self.session.take_portal(&name));
        if portal.is_spent() {
            let text = format!("portal \"{name}\" cannot be run");
            return Ok(Err(self.session.protocol_error("55000", &text)));
        }
        attempt!(self.run_portal(&mut portal, rows_max)?);
        // A portal ends with its transaction.
        if self.session.in_transaction() {
            self.session.keep_portal_again(&name, portal);
        }
        Ok(Ok(()))
    }

    fn run_portal(&mut self, portal: &mut Portal, rows_max: usize) -> Handled {
        let mut delivered = 0;
        loop {
            let limit = rows_max.saturating_sub(delivered);
            if rows_max > 0 && limit == 0 {
                self.notices();
                self.out.empty(b's');
                return Ok(Ok(()));
            }
            match attempt!(self.session.step(portal, limit)) {
                Step::Rows(batch) => {
                    delivered += batch.len();
                    if let Some(columns) = portal.columns().cloned() {
                        attempt!(self.rows(&batch, &columns, &portal.formats)?);
                    }
                }
                Step::Complete(tag) => {
                    self.complete(&portal.completion_tag(tag, delivered));
                    return Ok(Ok(()));
                }
                Step::Empty => {
                    self.out.empty(b'I');
                    return Ok(Ok(()));
                }
                Step::Suspended => {
                    self.out.empty(b's');
                    return Ok(Ok(()));
                }
                Step::CopyIn(format) => return self.copy_in(format, None),
                Step::CopyOut(format) => self.copy_out_response(format),
                Step::CopyData(data) => self.copy_data(&data)?,
            }
        }
    }

    /// Close of a statement or a portal; no error if there is none.
    pub(crate) fn close(&mut self) -> Handled {
        let mut message = Cursor::new(self.stream.body()).in_encoding(self.out.encoding);
        let kind = message.byte()?;
        let name = message.cstr()?;
        message.end()?;
        match kind {
            b'S' => self.session.close_statement(&name),
            b'P' => self.session.close_portal(&name),
            _ => {
                let text = format!("invalid CLOSE message subtype {kind}");
                return Ok(Err(self.session.protocol_error("08P01", &text)));
            }
        }
        self.out.empty(b'3');
        Ok(Ok(()))
    }
}

/// Format codes, true for binary; `Err` inside: the complaint about a code that does not exist.
pub(crate) fn read_formats(message: &mut Cursor<'_>) -> Result<Result<Formats, String>, Malformed> {
    let count = message.count()?;
    let mut formats = Formats::with_capacity(count);
    for _ in 0..count {
        match message.i16()? {
            0 => formats.push(false),
            1 => formats.push(true),
            code => return Ok(Err(format!("unsupported format code: {code}"))),
        }
    }
    Ok(Ok(formats))
}
