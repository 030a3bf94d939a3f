//! Constants: their text, quoted, with the type that they would not be taken for without.

use common::PgResult;
use nodes::expr::Const;
use types::{Datum, builtin, io, oids as t};

use crate::deparse::Writer;

/// Whether a constant is followed by `::type`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Label {
    /// A cast follows that says it.
    Never,
    /// Unless the parser would take it for this type anyway.
    WhereNeeded,
    /// A bare number in ORDER BY would be a position.
    Always,
}

/// `'text'` with quotes doubled; backslashes are themselves (`standard_conforming_strings`).
pub fn quote_literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// The text, and whether the type must be named.
fn spelling(c: &Const, text: &str) -> (String, bool) {
    let negative = text.starts_with('-');
    let floating = text.starts_with(|d: char| d.is_ascii_digit()) && text.contains(['e', 'E', '.']);
    match c.type_ref.oid {
        // A sign would be an operator.
        t::INT4 if !negative => (text.to_owned(), false),
        t::NUMERIC if floating => (text.to_owned(), c.type_ref.typmod >= 0),
        t::BOOL => (if text == "t" { "true" } else { "false" }.to_owned(), false),
        t::UNKNOWN => (quote_literal(text), false),
        _ => (quote_literal(text), true),
    }
}

impl Writer<'_> {
    pub(crate) fn constant(&mut self, c: &Const, label: Label) -> PgResult<()> {
        let (text, needed) = match &c.value {
            Datum::Null => ("NULL".to_owned(), true),
            value => spelling(c, &io::to_text(c.type_ref.oid, value, &self.ctx.io)?),
        };
        self.push(&text);
        if label == Label::Never {
            return Ok(());
        }
        if needed || label == Label::Always {
            self.label(c.type_ref)?;
        }
        let usual = builtin::type_row(c.type_ref.oid).map(|t| t.typcollation);
        if c.collation.is_valid() && usual.is_some_and(|u| u != c.collation) {
            let collation = self.collation(c.collation)?;
            self.push(&format!(" COLLATE {collation}"));
        }
        Ok(())
    }
}
