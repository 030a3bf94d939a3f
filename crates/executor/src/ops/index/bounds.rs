//! Index conditions as ranges of keys.
//!
//! # How it works
//! Equalities (also `= ANY`, IS NULL) on leading columns make prefixes, in index order; range conditions on the column after
//! them bound each prefix. Conditions that do not fit (later columns, types that convert inexactly) are left to be tested
//! on the rows.

use std::sync::Arc;

use access::{Index, IndexBounds, KeyBound};
use catalog::desc::RelationDesc;
use common::{AttrNumber, Oid, PgResult, internal};
use expr::ExprProgram;
use nodes::plan::{IndexQualValue, IndexScan};
use types::key::KeyColumn;
use types::{Datum, PhysType, compare, oids};

use crate::compile::{Compiler, ScanMap};
use crate::cx::Cx;
use crate::keys::{base_type, is_direct};
use crate::node::Eval;
use crate::ops::index::probe::KeySource;
use crate::relations::index_def;

const EQUAL: u8 = 3;

/// An index with its conditions.
pub(crate) struct IndexMethod {
    pub desc: Arc<RelationDesc>,
    /// Table column of each index column (0: an expression).
    pub attnos: Vec<AttrNumber>,
    columns: Vec<KeyColumn>,
    quals: Vec<Qual>,
    /// Per condition: the bounds express it.
    consumed: Vec<bool>,
}

struct Qual {
    column: usize,
    strategy: u8,
    value: Value,
    /// The value converts to the column's class exactly or not at all.
    convertible: bool,
}

enum Value {
    Expr(Arc<ExprProgram>),
    AnyArray(Arc<ExprProgram>),
    IsNull,
    IsNotNull,
}

impl Qual {
    fn is_equality(&self) -> bool {
        match self.value {
            Value::Expr(_) | Value::AnyArray(_) => self.strategy == EQUAL && self.convertible,
            Value::IsNull => true,
            Value::IsNotNull => false,
        }
    }

    fn is_range(&self) -> bool {
        match self.value {
            Value::Expr(_) => self.strategy != EQUAL && self.convertible,
            Value::IsNotNull => true,
            _ => false,
        }
    }
}

/// A value as the column's class has it.
enum Converted {
    Value(Datum),
    /// Less or greater than everything in the class.
    Below,
    Above,
}

impl IndexMethod {
    pub fn compile(c: &Compiler<'_>, s: &IndexScan, table: &RelationDesc) -> PgResult<IndexMethod> {
        let desc = c.relation(s.index)?;
        let def = index_def(&desc, table)?;
        let info = crate::relations::index_part(&desc)?;
        let attnos = info.columns.iter().map(|c| c.attno).collect();
        let mut quals = Vec::new();
        for q in &s.quals {
            let key = def
                .columns
                .get(q.index_column)
                .ok_or_else(|| internal!("index condition on column {}", q.index_column))?;
            let key_type = base_type(c, key.type_oid)?;
            let (value, convertible) = match &q.value {
                IndexQualValue::Expr(e) => {
                    let from = base_type(c, e.type_oid())?;
                    (
                        Value::Expr(c.program(e, ScanMap::None)?),
                        converts(c, from, key_type, q.strategy)?,
                    )
                }
                IndexQualValue::AnyArray(e) => {
                    let element = match e {
                        nodes::Expr::Const(k) => array_element(&k.value),
                        _ => None,
                    };
                    let element = match element {
                        Some(t) => t,
                        None => c.element_type(e.type_oid())?,
                    };
                    let from = base_type(c, element)?;
                    (
                        Value::AnyArray(c.program(e, ScanMap::None)?),
                        converts(c, from, key_type, q.strategy)?,
                    )
                }
                IndexQualValue::IsNull => (Value::IsNull, true),
                IndexQualValue::IsNotNull => (Value::IsNotNull, true),
            };
            quals.push(Qual {
                column: q.index_column,
                strategy: q.strategy,
                value,
                convertible,
            });
        }
        let consumed = consumed(&quals, def.columns.len());
        Ok(IndexMethod {
            desc,
            attnos,
            columns: def.columns,
            quals,
            consumed,
        })
    }

    /// The index's key columns.
    pub fn key_columns(&self) -> &[KeyColumn] {
        &self.columns
    }

    /// Positions of the conditions that rows must be tested for.
    pub fn leftover(&self) -> Vec<usize> {
        (0..self.quals.len()).filter(|&k| !self.consumed[k]).collect()
    }

    /// The values of a unique index's full key, when the conditions are exactly equalities with it.
    pub fn unique_key(&self) -> Option<Vec<Arc<ExprProgram>>> {
        let info = self.desc.index.as_ref()?;
        // A deferrable constraint lets a key appear twice for a while.
        if !info.unique || !info.immediate || self.quals.len() != self.columns.len() {
            return None;
        }
        (0..self.columns.len())
            .map(|column| {
                let qual = &self.quals[self.equality_on(column)?];
                match &qual.value {
                    Value::Expr(e) => Some(Arc::clone(e)),
                    _ => None,
                }
            })
            .collect()
    }

    /// Where the values of leading columns come from, when all conditions are equalities with parameters or constants.
    pub fn equal_keys(&self) -> Option<Vec<KeySource>> {
        if self.quals.is_empty() || !self.leftover().is_empty() {
            return None;
        }
        let source = |column: usize| {
            let Value::Expr(e) = &self.quals[self.equality_on(column)?].value else {
                return None;
            };
            let constant = || e.as_const().cloned().map(KeySource::Const);
            e.as_exec_param().map(KeySource::Param).or_else(constant)
        };
        (0..self.quals.len()).map(source).collect()
    }

    /// A value as a key column has it; `None` when nothing can be equal to it.
    pub fn key_value(&self, column: usize, value: Datum) -> Option<Datum> {
        match convert(&self.columns[column], value) {
            Converted::Value(v) if !v.is_null() => Some(v),
            _ => None,
        }
    }

    /// The ranges to read, in index order, without overlaps.
    pub fn ranges(&self, cx: &mut Cx<'_>, index: &Index) -> PgResult<Vec<IndexBounds>> {
        let mut prefixes: Vec<Vec<Datum>> = vec![Vec::new()];
        let mut column = 0;
        while let Some(k) = self.equality_on(column) {
            let values = self.equal_values(cx, &self.quals[k])?;
            prefixes = prefixes
                .into_iter()
                .flat_map(|p| {
                    values
                        .iter()
                        .map(move |v| [&p[..], std::slice::from_ref(v)].concat())
                })
                .collect();
            column += 1;
        }
        let Some((low, high)) = self.range(cx, column)? else {
            return Ok(Vec::new());
        };
        Ok(prefixes.iter().map(|p| index.bounds(p, &low, &high)).collect())
    }

    fn equality_on(&self, column: usize) -> Option<usize> {
        (0..self.quals.len())
            .find(|&k| self.consumed[k] && self.quals[k].column == column && self.quals[k].is_equality())
    }

    /// The values an equality allows, sorted as the index sorts them.
    fn equal_values(&self, cx: &mut Cx<'_>, qual: &Qual) -> PgResult<Vec<Datum>> {
        let key = &self.columns[qual.column];
        let one = |value: Datum| match convert(key, value) {
            Converted::Value(v) if !v.is_null() => Some(v),
            _ => None,
        };
        match &qual.value {
            Value::IsNull => Ok(vec![Datum::Null]),
            Value::Expr(e) => Ok(one(Eval::new(e).value(cx)?).into_iter().collect()),
            Value::AnyArray(e) => {
                let Datum::Array(a) = Eval::new(e).value(cx)? else {
                    return Ok(Vec::new());
                };
                let mut values: Vec<Datum> = a.elements.iter().cloned().filter_map(one).collect();
                values.sort_by(|a, b| {
                    let order = key.compare(a, b);
                    if key.descending { order.reverse() } else { order }
                });
                values.dedup_by(|a, b| compare::equal(key.type_oid, a, b));
                Ok(values)
            }
            Value::IsNotNull => Err(internal!("IS NOT NULL is no equality")),
        }
    }

    /// Bounds on the column after the equalities; `None`: nothing can match.
    fn range(&self, cx: &mut Cx<'_>, column: usize) -> PgResult<Option<(KeyBound, KeyBound)>> {
        let mut limits = Limits::default();
        let mut any = false;
        for (k, qual) in self.quals.iter().enumerate() {
            if !self.consumed[k] || qual.column != column || !qual.is_range() {
                continue;
            }
            any = true;
            let Value::Expr(e) = &qual.value else { continue };
            let value = Eval::new(e).value(cx)?;
            if value.is_null() || !limits.narrow(&self.columns[column], qual.strategy, value) {
                return Ok(None);
            }
        }
        if !any {
            return Ok(Some((KeyBound::Unbounded, KeyBound::Unbounded)));
        }
        let key = &self.columns[column];
        let (first, last) = if key.descending {
            (limits.upper, limits.lower)
        } else {
            (limits.lower, limits.upper)
        };
        Ok(Some((
            bound(first, key.nulls_first),
            bound(last, !key.nulls_first),
        )))
    }
}

/// One end of a range; without a limit it ends before the NULLs if those are on its side.
fn bound(limit: Option<(Datum, bool)>, nulls_here: bool) -> KeyBound {
    match limit {
        Some((value, true)) => KeyBound::Inclusive(vec![value]),
        Some((value, false)) => KeyBound::Exclusive(vec![value]),
        None if nulls_here => KeyBound::Exclusive(vec![Datum::Null]),
        None => KeyBound::Unbounded,
    }
}

/// The closest limits found so far, with whether they belong to the range.
#[derive(Default)]
struct Limits {
    lower: Option<(Datum, bool)>,
    upper: Option<(Datum, bool)>,
}

impl Limits {
    /// False when nothing can match any more.
    fn narrow(&mut self, key: &KeyColumn, strategy: u8, value: Datum) -> bool {
        let is_upper = strategy < EQUAL;
        let inclusive = matches!(strategy, 2 | 4);
        let value = match convert(key, value) {
            Converted::Value(v) => v,
            Converted::Below => return !is_upper,
            Converted::Above => return is_upper,
        };
        let slot = if is_upper {
            &mut self.upper
        } else {
            &mut self.lower
        };
        let closer = match slot {
            None => true,
            Some((old, old_inclusive)) => {
                let order = key.compare(&value, old);
                let order = if is_upper { order.reverse() } else { order };
                order.is_gt() || order.is_eq() && *old_inclusive && !inclusive
            }
        };
        if closer {
            *slot = Some((value, inclusive));
        }
        true
    }
}

/// Which conditions the bounds express.
fn consumed(quals: &[Qual], columns: usize) -> Vec<bool> {
    let mut out = vec![false; quals.len()];
    for column in 0..columns {
        let on = |k: &usize| quals[*k].column == column;
        if let Some(k) = (0..quals.len()).filter(on).find(|&k| quals[k].is_equality()) {
            out[k] = true;
            continue;
        }
        for k in (0..quals.len()).filter(on) {
            out[k] = quals[k].is_range();
        }
        break;
    }
    out
}

fn is_integer(type_oid: Oid) -> bool {
    matches!(type_oid, oids::INT2 | oids::INT4 | oids::INT8)
}

/// True when values of one type can serve as keys of another.
fn converts(c: &Compiler<'_>, from: Oid, key: Oid, strategy: u8) -> PgResult<bool> {
    if is_integer(from) && is_integer(key) {
        return Ok(true);
    }
    if from == oids::FLOAT4 && key == oids::FLOAT8 {
        return Ok(true);
    }
    let text = |t| matches!(t, oids::TEXT | oids::VARCHAR | oids::NAME);
    let same = from == key || text(from) && text(key);
    let same_class = c.phys(from)? == c.phys(key)? && c.phys(key)? == PhysType::Oid;
    Ok((same || same_class) && (strategy == EQUAL || is_direct(c, key)?))
}

fn convert(key: &KeyColumn, value: Datum) -> Converted {
    let wide = match (&value, key.phys) {
        (Datum::Float4(v), PhysType::Float8) => return Converted::Value(Datum::Float8(f64::from(*v))),
        (Datum::Int2(v), _) => i64::from(*v),
        (Datum::Int4(v), _) => i64::from(*v),
        (Datum::Int8(v), _) => *v,
        _ => return Converted::Value(value),
    };
    let narrow = match key.phys {
        PhysType::Int2 => i16::try_from(wide).map(Datum::Int2).ok(),
        PhysType::Int4 => i32::try_from(wide).map(Datum::Int4).ok(),
        PhysType::Int8 => Some(Datum::Int8(wide)),
        _ => Some(value),
    };
    match narrow {
        Some(v) => Converted::Value(v),
        None if wide < 0 => Converted::Below,
        None => Converted::Above,
    }
}

fn array_element(value: &Datum) -> Option<Oid> {
    match value {
        Datum::Array(a) => Some(a.element_type),
        _ => None,
    }
}
