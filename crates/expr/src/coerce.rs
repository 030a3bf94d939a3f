//! Casts through I/O, domains, and the SQL value functions.

use std::sync::Arc;

use common::error::ErrorExt;
use common::{Oid, PgResult, internal, pg_err, pieces};
use nodes::expr::SqlValueKind;
use types::io::{self, IoContext};
use types::settings::TypeRef;
use types::{BATCH_ROWS, Datum, PhysType, Selection, Vector};

use crate::env::FnParts;
use crate::eval::{Cx, truth};
use crate::program::{Domain, Node};

/// Microseconds in a day.
const DAY_MICROS: i64 = 86_400_000_000;

/// An integer in the class of int2, int4 or int8; 22003 when it does not fit.
pub(crate) fn int_of_class(phys: PhysType, value: i64) -> PgResult<Datum> {
    match phys {
        PhysType::Int2 => i16::try_from(value)
            .map(Datum::Int2)
            .map_err(|_| pg_err!(NUMERIC_VALUE_OUT_OF_RANGE, "smallint out of range")),
        PhysType::Int4 => i32::try_from(value)
            .map(Datum::Int4)
            .map_err(|_| pg_err!(NUMERIC_VALUE_OUT_OF_RANGE, "integer out of range")),
        _ => Ok(Datum::Int8(value)),
    }
}

/// A binary-compatible cast between classes: `int4` and the OID types share their 32 bits.
pub(crate) fn reclass(phys: PhysType, value: Datum) -> Datum {
    match (phys, value) {
        (PhysType::Oid, Datum::Int4(v)) => Datum::Oid(v as u32),
        (PhysType::Int4, Datum::Oid(v)) => Datum::Int4(v as i32),
        (_, value) => value,
    }
}

fn io_context(parts: FnParts<'_>) -> IoContext<'_> {
    IoContext {
        settings: parts.settings,
        resolver: Some(parts.session.resolver()),
        cancel: parts.cancel,
    }
}

/// CURRENT_DATE and relatives.
pub(crate) fn sql_value(parts: FnParts<'_>, kind: SqlValueKind, typmod: i32) -> PgResult<Datum> {
    let s = parts.session;
    let name = |text: String| Datum::text(text);
    Ok(match kind {
        SqlValueKind::CurrentTimestamp => Datum::Int8(round_micros(s.transaction_timestamp()?, typmod)),
        SqlValueKind::LocalTimestamp => {
            let utc = s.transaction_timestamp()?;
            Datum::Int8(round_micros(local_micros(parts, utc)?, typmod))
        }
        SqlValueKind::CurrentDate => {
            let local = local_micros(parts, s.transaction_timestamp()?)?;
            let days = i32::try_from(local.div_euclid(DAY_MICROS));
            Datum::Int4(days.map_err(|_| pg_err!(DATETIME_FIELD_OVERFLOW, "date out of range"))?)
        }
        SqlValueKind::LocalTime => {
            let local = local_micros(parts, s.transaction_timestamp()?)?;
            Datum::Int8(round_micros(local.rem_euclid(DAY_MICROS), typmod))
        }
        SqlValueKind::CurrentTime => {
            let utc = s.transaction_timestamp()?;
            let local = local_micros(parts, utc)?;
            let west_seconds = ((utc - local) / 1_000_000) as i32;
            let mut bytes = Vec::with_capacity(12);
            bytes.extend_from_slice(&round_micros(local.rem_euclid(DAY_MICROS), typmod).to_le_bytes());
            bytes.extend_from_slice(&west_seconds.to_le_bytes());
            Datum::Bytes(bytes.into())
        }
        SqlValueKind::CurrentRole | SqlValueKind::CurrentUser | SqlValueKind::User => name(s.current_user()?),
        SqlValueKind::SessionUser => name(s.session_user()?),
        SqlValueKind::CurrentCatalog => name(s.current_database()?),
        SqlValueKind::CurrentSchema => s.current_schema()?.map_or(Datum::Null, name),
    })
}

/// Rounds to `typmod` decimal places of a second (-1: keep all six).
fn round_micros(micros: i64, typmod: i32) -> i64 {
    match u32::try_from(typmod) {
        Ok(places) if places < 6 => {
            let unit = 10_i64.pow(6 - places);
            (micros + unit / 2).div_euclid(unit) * unit
        }
        _ => micros,
    }
}

/// Local wall-clock time of an instant in the session's zone, both as microseconds since 2000-01-01.
fn local_micros(parts: FnParts<'_>, utc: i64) -> PgResult<i64> {
    /// 2000-01-01 in seconds since 1970-01-01.
    const EPOCH_SECONDS: i64 = 946_684_800;
    let seconds = utc.div_euclid(1_000_000) + EPOCH_SECONDS;
    let instant = jiff::Timestamp::from_second(seconds)
        .map_err(|_| pg_err!(DATETIME_FIELD_OVERFLOW, "timestamp out of range"))?;
    let offset = parts.settings.time_zone.to_offset(instant).seconds();
    Ok(utc + i64::from(offset) * 1_000_000)
}

impl Cx<'_, '_> {
    pub(crate) fn coerce_via_io(
        &mut self,
        phys: PhysType,
        arg: &Node,
        from: Oid,
        to: TypeRef,
        sel: &Selection,
    ) -> PgResult<Arc<Vector>> {
        let v = self.eval(arg, sel)?;
        let mut out = self.output(phys);
        let cx = io_context(self.rt.parts());
        let mut text = String::new();
        sel.try_for_each(|i| {
            if v.is_null(i) {
                out.set_null(i);
                return PgResult::Ok(());
            }
            text.clear();
            io::output_at(from, &v, i, &cx, &mut text)?;
            let value = io::input(to.oid, to.typmod, &text, &cx)?;
            out.set(i, &value);
            Ok(())
        })?;
        Ok(Arc::new(out))
    }

    pub(crate) fn coerce_to_domain(
        &mut self,
        arg: &Node,
        domain: &Domain,
        sel: &Selection,
    ) -> PgResult<Arc<Vector>> {
        let v = self.eval(arg, sel)?;
        if domain.not_null && sel.iter().any(|i| v.is_null(i)) {
            return Err(pg_err!(
                NOT_NULL_VIOLATION,
                "domain {} does not allow null values",
                domain.name
            ));
        }
        for (name, check) in &domain.checks {
            self.state.domain_values.push(v.clone());
            let result = self.eval(check, sel);
            self.state.domain_values.pop();
            let result = result?;
            // NULL satisfies a CHECK.
            if sel.iter().any(|i| truth(&result, i) == Some(false)) {
                return Err(pg_err!(
                    CHECK_VIOLATION,
                    "value for domain {} violates check constraint \"{name}\"",
                    domain.name
                )
                .constraint(&**name));
            }
        }
        Ok(v)
    }

    pub(crate) fn array_coerce(
        &mut self,
        arg: &Node,
        element: &Node,
        element_type: Oid,
        sel: &Selection,
    ) -> PgResult<Arc<Vector>> {
        let v = self.eval(arg, sel)?;
        let mut out = self.output(PhysType::Nested);
        let source_phys = crate::arrays::case_test_phys(element);
        for i in sel.iter() {
            let array = match v.datum(i) {
                Datum::Null => {
                    out.set_null(i);
                    continue;
                }
                Datum::Array(a) => a,
                other => return Err(internal!("array expected, got {other:?}")),
            };
            let phys = source_phys.unwrap_or_else(|| PhysType::of_builtin(array.element_type));
            let mut elements = pieces::List::new(array.elements.len());
            for some in array.elements.chunks(BATCH_ROWS) {
                let values = Arc::new(Vector::from_datums(phys, some));
                let converted = self.with_case_value(values, element)?;
                let all = (0..some.len()).map(|k| converted.datum(k));
                elements.extend(self.rt.parts().cancel, all)?;
            }
            let elements = elements.finish();
            out.set(
                i,
                &Datum::Array(Arc::new(types::ArrayValue {
                    element_type,
                    dims: array.dims.clone(),
                    elements,
                })),
            );
        }
        Ok(Arc::new(out))
    }

    /// Evaluates an expression over [`crate::program::NodeKind::CaseTest`] for each of some values.
    fn with_case_value(&mut self, values: Arc<Vector>, element: &Node) -> PgResult<Arc<Vector>> {
        let n = values.len();
        self.state.case_values.push(values);
        let mut inner = Cx {
            rt: &mut *self.rt,
            state: &mut *self.state,
            inputs: crate::env::Inputs::none(n),
        };
        let result = inner.eval(element, &Selection::All(n));
        self.state.case_values.pop();
        result
    }
}
