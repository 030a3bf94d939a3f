//! Conditions of a scan as tests of zone maps ([`access::ZoneTest`]): which chunks of a table need not be read.
//!
//! # How it works
//! Comparisons of a column with something that is the same for all rows, lists of such things and tests for NULL are recognized when a
//! scan is compiled; the values are computed when it begins. What cannot be computed without an error tests nothing: the condition will
//! come to it, if it comes to that.
//!
//! # Invariants
//! - The conditions themselves are tested all the same; a zone only says that no row of a chunk could pass.
//! - A condition that may fail, or have an effect, is tested for all rows that it would have been tested for: those behind it rule
//!   nothing out.

use std::sync::Arc;

use access::{ZoneTest, ZoneWants, zone_key};
use common::{Oid, PgResult};
use expr::ExprProgram;
use functions::facts;
use nodes::expr::{Expr, FuncExpr, NullTest, ScalarArrayOpExpr, VarSource};
use nodes::walk;
use types::{Datum, oids};

use crate::compile::{Compiler, ScanMap};
use crate::cx::Cx;
use crate::keys::base_type;
use crate::node::Eval;

const BTREE: Oid = Oid(403);

/// The tests of a scan, without their values.
#[derive(Default)]
pub(crate) struct ZoneQuals(Vec<ZoneQual>);

struct ZoneQual {
    column: u16,
    test: Test,
}

enum Test {
    /// By a strategy of B-trees, with one value or any of an array.
    Compare(u8, Arc<ExprProgram>, Scale),
    AnyOf(u8, Arc<ExprProgram>, Scale),
    Null,
    NotNull,
}

/// How values compare with the column's.
#[derive(Clone, Copy)]
enum Scale {
    Same,
    /// Timestamps with a column of dates, and the other way round.
    ToDate,
    ToTimestamp,
}

/// Of `quals` as [`crate::compile::relation_expr`] makes them, and as they are computed.
pub(crate) fn compile(
    c: &Compiler<'_>,
    quals: &[Expr],
    programs: &[Arc<ExprProgram>],
) -> PgResult<ZoneQuals> {
    let mut found = Vec::new();
    for (qual, program) in quals.iter().zip(programs) {
        match zone_qual(c, qual)? {
            Some(test) => found.push(test),
            None if program.is_harmless() => {}
            None => break,
        }
    }
    Ok(ZoneQuals(found))
}

fn zone_qual(c: &Compiler<'_>, qual: &Expr) -> PgResult<Option<ZoneQual>> {
    match qual {
        Expr::Func(f) => comparison(c, f),
        Expr::ScalarArrayOp(s) => any_of(c, s),
        Expr::NullTest(NullTest {
            arg,
            is_not,
            arg_is_row: false,
            ..
        }) => Ok(column_of(arg).map(|column| ZoneQual {
            column,
            test: if *is_not { Test::NotNull } else { Test::Null },
        })),
        _ => Ok(None),
    }
}

/// The stored column (0-based) that an expression is.
fn column_of(e: &Expr) -> Option<u16> {
    match e {
        Expr::Var(v) if v.source == VarSource::Scan => u16::try_from(v.attno).ok()?.checked_sub(1),
        Expr::Relabel(r) => column_of(&r.arg),
        _ => None,
    }
}

fn comparison(c: &Compiler<'_>, f: &FuncExpr) -> PgResult<Option<ZoneQual>> {
    let [left, right] = &f.args[..] else {
        return Ok(None);
    };
    let Some((strategy, types)) = strategy(f.op) else {
        return Ok(None);
    };
    let (column, value, strategy, types) = match (column_of(left), column_of(right)) {
        (Some(column), None) => (column, right, strategy, types),
        // The operator as the column sees it: what was less is greater.
        (None, Some(column)) => (column, left, 6 - strategy, [types[1], types[0]]),
        _ => return Ok(None),
    };
    let Some(scale) = scale(c, strategy, types, f.input_collation)? else {
        return Ok(None);
    };
    let program = value_program(c, value)?;
    Ok(program.map(|program| ZoneQual {
        column,
        test: Test::Compare(strategy, program, scale),
    }))
}

fn any_of(c: &Compiler<'_>, s: &ScalarArrayOpExpr) -> PgResult<Option<ZoneQual>> {
    let (true, Some(column), Some((strategy, types))) = (s.use_or, column_of(&s.scalar), strategy(s.op))
    else {
        return Ok(None);
    };
    let Some(scale) = scale(c, strategy, types, s.input_collation)? else {
        return Ok(None);
    };
    let program = value_program(c, &s.array)?;
    Ok(program.map(|program| ZoneQual {
        column,
        test: Test::AnyOf(strategy, program, scale),
    }))
}

/// The strategy of a built-in operator of B-trees, and what it compares.
fn strategy(op: Oid) -> Option<(u8, [Oid; 2])> {
    let row = facts::families_of_operator(op).find(|row| row.amopmethod == BTREE)?;
    let strategy = u8::try_from(row.amopstrategy).ok()?;
    let known = facts::operator(op).is_some_and(|op| ["<", "<=", "=", ">=", ">"].contains(&op.oprname));
    known.then_some((strategy, [row.amoplefttype, row.amoprighttype]))
}

/// How a value compares with a column whose types an operator names so; `None` where zone keys do not tell.
fn scale(
    c: &Compiler<'_>,
    strategy: u8,
    [column, value]: [Oid; 2],
    collation: Oid,
) -> PgResult<Option<Scale>> {
    const INTEGERS: [Oid; 3] = [oids::INT2, oids::INT4, oids::INT8];
    const FLOATS: [Oid; 2] = [oids::FLOAT4, oids::FLOAT8];
    const OTHERS: [Oid; 10] = [
        oids::BOOL,
        oids::OID,
        oids::NUMERIC,
        oids::BYTEA,
        oids::DATE,
        oids::TIME,
        oids::TIMESTAMP,
        oids::TIMESTAMPTZ,
        oids::UUID,
        oids::MONEY,
    ];
    let both = |of: &[Oid]| of.contains(&column) && of.contains(&value);
    if both(&INTEGERS) || both(&FLOATS) || column == value && OTHERS.contains(&column) {
        return Ok(Some(Scale::Same));
    }
    if both(&[oids::TEXT]) {
        // Equal texts have equal bytes; only some collations order by them.
        let by_bytes = strategy == 3 || !collation.is_valid() || c.catalog.text_order(collation)?.is_none();
        return Ok(by_bytes.then_some(Scale::Same));
    }
    Ok(match (column, value) {
        (oids::DATE, oids::TIMESTAMP) => Some(Scale::ToDate),
        (oids::TIMESTAMP, oids::DATE) => Some(Scale::ToTimestamp),
        _ => None,
    })
}

/// What is the same for all rows, and may be computed where PostgreSQL would not have come to it: it reads no columns, runs no
/// subqueries, calls built-in functions that are not volatile.
fn value_program(c: &Compiler<'_>, value: &Expr) -> PgResult<Option<Arc<ExprProgram>>> {
    let mut suits = base_type(c, value.type_oid())?.is_valid();
    walk::walk(value, &mut |e| {
        suits &= match e {
            Expr::Const(_)
            | Expr::Param(_)
            | Expr::Relabel(_)
            | Expr::Array(_)
            | Expr::SqlValueFunction(_) => true,
            Expr::Func(f) => {
                !f.returns_set && facts::proc(f.func).is_some_and(|p| matches!(p.provolatile, b'i' | b's'))
            }
            _ => false,
        };
        suits
    });
    suits.then(|| c.program(value, ScanMap::None)).transpose()
}

impl ZoneQuals {
    /// The tests with the values of now.
    pub fn tests(&self, cx: &mut Cx<'_>) -> Vec<ZoneTest> {
        let test = |qual: &ZoneQual| {
            Some(ZoneTest {
                column: qual.column,
                wants: qual.test.wants(cx)?,
            })
        };
        self.0.iter().filter_map(test).collect()
    }
}

impl Test {
    fn wants(&self, cx: &mut Cx<'_>) -> Option<ZoneWants> {
        match self {
            Test::Null => Some(ZoneWants::Null),
            Test::NotNull => Some(ZoneWants::NotNull),
            Test::Compare(strategy, program, scale) => {
                let value = Eval::new(program).value(cx).ok()?;
                if value.is_null() {
                    return Some(NOTHING);
                }
                Some(range(*strategy, scale.key(&value)?))
            }
            Test::AnyOf(strategy, program, scale) => {
                let array = match Eval::new(program).value(cx).ok()? {
                    Datum::Array(array) => array,
                    Datum::Null => return Some(NOTHING),
                    _ => return None,
                };
                let known = array.elements.iter().filter(|value| !value.is_null());
                let mut keys: Vec<i64> = known.map(|value| scale.key(value)).collect::<Option<_>>()?;
                keys.sort_unstable();
                let (Some(least), Some(greatest)) = (keys.first(), keys.last()) else {
                    return Some(NOTHING);
                };
                Some(match strategy {
                    3 => ZoneWants::OneOf(keys.into()),
                    1 | 2 => range(*strategy, *greatest),
                    _ => range(*strategy, *least),
                })
            }
        }
    }
}

/// A comparison with NULL.
const NOTHING: ZoneWants = ZoneWants::Between(1, 0);

fn range(strategy: u8, key: i64) -> ZoneWants {
    match strategy {
        // Different values may have one key: the bound itself belongs to it.
        1 | 2 => ZoneWants::Between(i64::MIN, key),
        3 => ZoneWants::Between(key, key),
        _ => ZoneWants::Between(key, i64::MAX),
    }
}

/// Microseconds.
const DAY: i64 = 86_400_000_000;

impl Scale {
    /// The key of a value among those of the column.
    fn key(self, value: &Datum) -> Option<i64> {
        let key = zone_key(value)?;
        let infinite = |key: i64, least: i64, greatest: i64| key == least || key == greatest;
        Some(match self {
            Scale::Same => key,
            Scale::ToDate if infinite(key, i64::MIN, i64::MAX) => {
                key.clamp(i64::from(i32::MIN), i64::from(i32::MAX))
            }
            // A day is less than or equal to a time in it, and greater than no time before it.
            Scale::ToDate => key.div_euclid(DAY),
            Scale::ToTimestamp if infinite(key, i32::MIN.into(), i32::MAX.into()) => match key < 0 {
                true => i64::MIN,
                false => i64::MAX,
            },
            Scale::ToTimestamp => key.saturating_mul(DAY),
        })
    }
}
