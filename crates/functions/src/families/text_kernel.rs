//! `=` and `<>` of `text` and `bpchar` over batches: most pairs are told apart by their lengths and first bytes, which lie side by side.
//!
//! # How it works
//! Values of `bpchar` mostly have one length, that of their column, and are compared with constants that have another: the constant gets
//! that length once, as blanks at the end mean nothing.

use common::{Oid, PgResult, internal};
use types::compare::without_padding;
use types::{Bitmap, Datum, Selection, StringColumn, Vector, VectorData, oids};

use crate::framework::context::FnContext;
use crate::framework::registry::{Builtin, Kernels};

/// One side: strings, and whether there is one for all rows.
struct Side<'a> {
    vector: &'a Vector,
    strings: &'a StringColumn,
}

impl<'a> Side<'a> {
    fn open(vector: &'a Vector) -> PgResult<Side<'a>> {
        match vector.data() {
            VectorData::Text(strings) => Ok(Side { vector, strings }),
            _ => Err(internal!("function argument arrived as {:?}", vector.phys())),
        }
    }

    fn is_null(&self, i: usize) -> bool {
        self.vector.is_null(i)
    }
}

/// Calls `equal` for every row without NULLs.
fn each<const NEGATED: bool>(
    (a, b): (&Side<'_>, &Side<'_>),
    sel: &Selection,
    out: &mut Vector,
    mut equal: impl FnMut(usize) -> bool,
) -> PgResult<()> {
    let nulls = a.vector.may_have_nulls() || b.vector.may_have_nulls();
    let rows = out.len();
    let (data, validity) = out.parts_mut();
    let VectorData::Bool(data) = data else {
        return Err(internal!("equality gives a boolean"));
    };
    sel.for_each(|i| {
        if nulls && (a.is_null(i) || b.is_null(i)) {
            validity
                .get_or_insert_with(|| Bitmap::filled(rows, true))
                .set(i, false);
        } else {
            data[i] = equal(i) != NEGATED;
        }
    });
    Ok(())
}

fn vector<const NEGATED: bool, const PADDED: bool>(
    _ctx: &mut FnContext<'_>,
    args: &[&Vector],
    sel: &Selection,
    out: &mut Vector,
) -> PgResult<()> {
    let [left, right] = args else {
        return Err(internal!("equality without its arguments"));
    };
    let (mut a, mut b) = (Side::open(left)?, Side::open(right)?);
    if left.is_constant() {
        std::mem::swap(&mut a, &mut b);
    }
    let (x, y) = (a.strings, b.strings);
    if !PADDED {
        let same = |i: usize| x.equal(a.vector.index(i), y, b.vector.index(i));
        return each::<NEGATED>((&a, &b), sel, out, same);
    }
    // The other side's string at the length of this one's last.
    let mut padded: Option<(usize, StringColumn)> = None;
    let constant = b.vector.is_constant();
    each::<NEGATED>((&a, &b), sel, out, |i| {
        let (i, j) = (a.vector.index(i), b.vector.index(i));
        let len = x.byte_len(i);
        if len == y.byte_len(j) {
            return x.equal(i, y, j);
        }
        if !constant || len < y.byte_len(j) {
            return without_padding(x.str(i)) == without_padding(y.str(j));
        }
        if padded.as_ref().is_none_or(|(l, _)| *l != len) {
            padded = Some((len, y.padded(j, len)));
        }
        padded.as_ref().is_some_and(|(_, p)| x.equal(i, p, 0))
    })
}

fn scalar<const NEGATED: bool, const PADDED: bool>(
    _ctx: &mut FnContext<'_>,
    args: &[Datum],
) -> PgResult<Datum> {
    let [Datum::Text(a), Datum::Text(b)] = args else {
        return Ok(Datum::Null);
    };
    let equal = match PADDED {
        true => without_padding(a) == without_padding(b),
        false => a == b,
    };
    Ok(Datum::Bool(equal != NEGATED))
}

const fn entry<const NEGATED: bool, const PADDED: bool>(name: &'static str, args: &'static [Oid]) -> Builtin {
    Builtin {
        name,
        args,
        result: oids::BOOL,
        kernels: Kernels {
            vector: vector::<NEGATED, PADDED>,
            scalar: scalar::<NEGATED, PADDED>,
        },
    }
}

/// By `prosrc`.
pub(crate) static BUILTINS: &[Builtin] = &[
    entry::<false, false>("texteq", &[oids::TEXT, oids::TEXT]),
    entry::<true, false>("textne", &[oids::TEXT, oids::TEXT]),
    entry::<false, true>("bpchareq", &[oids::BPCHAR, oids::BPCHAR]),
    entry::<true, true>("bpcharne", &[oids::BPCHAR, oids::BPCHAR]),
];

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::framework::context::{CallInfo, FnCache};
    use types::PhysType;

    #[test]
    fn batches_and_single_values_agree() {
        let texts = [
            "",
            " ",
            "a",
            "a ",
            "a  ",
            "ab",
            "a b",
            "ab          ",
            "ab           c",
            "much longer than inline  ",
        ];
        let column = |all: &[Datum]| Vector::from_datums(PhysType::Text, all);
        let mut datums: Vec<Datum> = texts.iter().map(|t| Datum::text(*t)).collect();
        datums.push(Datum::Null);
        let settings = types::settings::FormatSettings::default();
        let cancel = common::cancel::CancelToken::default();
        let session = crate::framework::session::NoSession;
        for builtin in BUILTINS {
            let info = CallInfo::new(Oid(67), builtin.args, oids::BOOL);
            for one in &datums {
                let constant = Vector::constant(PhysType::Text, one, datums.len());
                for args in [[&column(&datums), &constant], [&constant, &column(&datums)]] {
                    let mut cache = FnCache::default();
                    let mut ctx = FnContext {
                        call: &info,
                        settings: &settings,
                        cancel: &cancel,
                        session: &session,
                        cache: &mut cache,
                    };
                    let mut out = Vector::defaults(PhysType::Bool, datums.len());
                    let all = Selection::All(datums.len());
                    (builtin.kernels.vector)(&mut ctx, &args, &all, &mut out).unwrap();
                    for (i, other) in datums.iter().enumerate() {
                        let pair = [one.clone(), other.clone()];
                        let single = match pair.iter().any(Datum::is_null) {
                            true => Datum::Null,
                            false => (builtin.kernels.scalar)(&mut ctx, &pair).unwrap(),
                        };
                        assert_eq!(out.datum(i), single, "{} {one:?} {other:?}", builtin.name);
                    }
                }
            }
        }
    }
}
