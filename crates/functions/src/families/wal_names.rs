//! Names of WAL segments, as PostgreSQL's tools spell them (timeline 1, segments of 16 MB).

use common::{PgResult, pg_err};
use types::{Datum, Numeric, RecordValue, oids};

use crate::framework::context::FnContext;
use crate::framework::macros::builtins;

const SEGMENT_BYTES: u64 = 16 << 20;
const SEGMENTS_PER_LOG: u64 = (1 << 32) / SEGMENT_BYTES;

fn pg_walfile_name(lsn: i64) -> String {
    let segment = lsn as u64 / SEGMENT_BYTES;
    format!(
        "{:08X}{:08X}{:08X}",
        1,
        segment / SEGMENTS_PER_LOG,
        segment % SEGMENTS_PER_LOG
    )
}

fn record(fields: Vec<Datum>, field_types: Vec<common::Oid>, names: &[&str]) -> RecordValue {
    RecordValue {
        type_oid: oids::RECORD,
        field_types,
        fields,
        names: Some(
            names
                .iter()
                .map(|n| Box::from(*n))
                .collect::<Vec<Box<str>>>()
                .into(),
        ),
    }
}

fn pg_walfile_name_offset(lsn: i64) -> RecordValue {
    let offset = (lsn as u64 % SEGMENT_BYTES) as i32;
    record(
        vec![Datum::text(pg_walfile_name(lsn)), Datum::Int4(offset)],
        vec![oids::TEXT, oids::INT4],
        &["file_name", "file_offset"],
    )
}

fn pg_split_walfile_name(_: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Datum> {
    let name = args.first().and_then(Datum::as_str).unwrap_or("");
    let upper = name.to_uppercase();
    let part = |at: usize| {
        upper
            .get(at..at + 8)
            .and_then(|p| u64::from_str_radix(p, 16).ok())
    };
    let hex = upper.len() == 24 && upper.bytes().all(|b| b.is_ascii_hexdigit());
    let (true, Some(timeline), Some(log), Some(segment)) = (hex, part(0), part(8), part(16)) else {
        return Err(pg_err!(
            INVALID_PARAMETER_VALUE,
            "invalid WAL file name \"{name}\""
        ));
    };
    let number = i128::from(log * SEGMENTS_PER_LOG + segment);
    let fields = vec![
        Datum::Numeric(Numeric::from_i128(number, 0)),
        Datum::Int8(timeline as i64),
    ];
    let made = record(
        fields,
        vec![oids::NUMERIC, oids::INT8],
        &["segment_number", "timeline_id"],
    );
    Ok(Datum::Record(std::sync::Arc::new(made)))
}

builtins! {
    pg_walfile_name(lsn: pg_lsn) -> text;
    pg_walfile_name_offset(lsn: pg_lsn) -> record;
    pg_split_walfile_name[general strict](text) -> record;
}
