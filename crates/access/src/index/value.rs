//! The value of an index entry: what the key does not tell.
//!
//! Empty, or one byte of flags (1: the key's datums follow, because the key bytes do not tell them exactly), then the row encoding
//! of those datums (if so) and of the INCLUDE columns, together.

use common::{PgResult, pg_err};
use types::{Datum, key, tuple};

use crate::defs::IndexDef;
use crate::index::store::entry_prefix;

const HAS_KEY: u8 = 1;

/// The value for a key with these datums.
pub(crate) fn encode(values: &[Datum], include: &[Datum], exact: bool) -> Box<[u8]> {
    if exact && include.is_empty() {
        return Box::default();
    }
    let mut out = vec![if exact { 0 } else { HAS_KEY }];
    if exact {
        tuple::encode(include, &mut out);
    } else {
        let all: Vec<Datum> = values.iter().chain(include).cloned().collect();
        tuple::encode(&all, &mut out);
    }
    out.into()
}

/// Appends the datums of an entry: key columns, then INCLUDE columns.
pub(crate) fn decode(def: &IndexDef, entry: &[u8], value: &[u8], out: &mut Vec<Datum>) -> PgResult<()> {
    let has_key = value.first() == Some(&HAS_KEY);
    if !has_key {
        let mut rest = entry_prefix(entry);
        for column in &def.columns {
            let datum = key::decode(column, &mut rest)?;
            out.push(datum.ok_or_else(|| pg_err!(INDEX_CORRUPTED, "index entry lacks its key"))?);
        }
    }
    if let Some(rest) = value.get(1..) {
        let mut reader = tuple::TupleReader::new(rest)?;
        if has_key {
            for column in &def.columns {
                out.push(reader.datum(column.phys)?);
            }
        }
        for phys in &def.include {
            out.push(reader.datum(*phys)?);
        }
    }
    Ok(())
}
