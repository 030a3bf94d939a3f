//! Equality, hashes and order of key columns, as the operators of a plan define them.
//!
//! # How it works
//! For most built-in types `types::compare` is exactly what the default operator classes say, and works on vectors without
//! datums. Other types go through the kernels of their equality or comparison function.

use std::cmp::Ordering;
use std::sync::Arc;

use common::pieces::PIECE_BYTES;
use common::{Oid, PgResult, cancel, internal};
use functions::{CallInfo, FnCache, Kernels, facts};
use nodes::Plan;
use nodes::plan::{GroupKey, MergeClause, SortKey};
use types::collation::Collation;
use types::{Datum, PhysType, Selection, StringColumn, Vector, VectorData, compare, oids};

use crate::compile::Compiler;
use crate::cx::Cx;

/// OID of the B-tree and hash access methods.
const BTREE: Oid = Oid(403);
const HASH: Oid = Oid(405);
/// A function called on datums.
pub(crate) struct Function {
    kernels: Kernels,
    info: CallInfo,
}

impl Function {
    pub fn new(c: &Compiler<'_>, proc: Oid, args: &[Oid], result: Oid, collation: Oid) -> PgResult<Function> {
        let mut info = CallInfo::new(proc, args, result);
        info.collation = collation;
        Ok(Function {
            kernels: c.kernels_of(proc)?,
            info,
        })
    }

    pub fn call(&self, cx: &Cx<'_>, args: &[Datum]) -> PgResult<Datum> {
        let mut cache = FnCache::default();
        let mut ctx = cx.fn_context(&self.info, &mut cache);
        (self.kernels.scalar)(&mut ctx, args)
    }
}

/// The base type behind domains.
pub(crate) fn base_type(c: &Compiler<'_>, mut type_oid: Oid) -> PgResult<Oid> {
    while type_oid >= Oid::FIRST_NORMAL {
        match c.catalog.type_desc(type_oid)? {
            Some(t) if t.kind == b'd' => type_oid = t.base_type,
            _ => break,
        }
    }
    Ok(type_oid)
}

/// True when `types::compare` orders and hashes the type as its default operator classes do.
pub(crate) fn is_direct(c: &Compiler<'_>, type_oid: Oid) -> PgResult<bool> {
    if let Some(row) = types::builtin::type_row(type_oid) {
        if row.is_array() {
            return is_direct(c, row.typelem);
        }
    } else if let Some(desc) = c.catalog.type_desc(type_oid)? {
        return match desc.kind {
            _ if desc.is_array => is_direct(c, desc.element),
            b'd' => is_direct(c, desc.base_type),
            b'e' | b'c' => Ok(true),
            b'r' | b'm' => is_direct_range(c, type_oid),
            _ => Ok(false),
        };
    }
    if types::builtin::type_row(type_oid).is_some_and(|t| matches!(t.typtype, b'r' | b'm')) {
        return Ok(true);
    }
    Ok(match PhysType::of_builtin(type_oid) {
        PhysType::Bytes => type_oid == oids::BYTEA,
        PhysType::Nested => type_oid == oids::RECORD,
        _ => true,
    })
}

fn is_direct_range(c: &Compiler<'_>, type_oid: Oid) -> PgResult<bool> {
    match c.catalog.range(type_oid)? {
        Some(range) => is_direct(c, range.subtype),
        None => Ok(false),
    }
}

/// How values of one column are told apart.
pub(crate) enum Equality {
    /// By `types::compare` under this type.
    Direct(Oid),
    /// Integers of different widths.
    Integers,
    /// `float4` with `float8`.
    Floats,
    /// By the operator's function, and a hash function if there is one.
    Function(Function, Option<[Function; 2]>),
}

impl Equality {
    pub fn compile(
        c: &Compiler<'_>,
        eq_op: Oid,
        left: Oid,
        right: Oid,
        collation: Oid,
    ) -> PgResult<Equality> {
        let (left, right) = (base_type(c, left)?, base_type(c, right)?);
        let (pl, pr) = (c.phys(left)?, c.phys(right)?);
        let int = |p| matches!(p, PhysType::Int2 | PhysType::Int4 | PhysType::Int8);
        let float = |p| matches!(p, PhysType::Float4 | PhysType::Float8);
        if pl == pr && is_direct(c, left)? && is_direct(c, right)? && is_default_equality(eq_op, left) {
            return Ok(Equality::Direct(left));
        }
        let integer_types = [oids::INT2, oids::INT4, oids::INT8];
        if int(pl) && int(pr) && integer_types.contains(&left) && integer_types.contains(&right) {
            return Ok(Equality::Integers);
        }
        if float(pl) && float(pr) {
            return Ok(Equality::Floats);
        }
        let op = c
            .catalog
            .operator(eq_op)?
            .ok_or_else(|| internal!("cache lookup failed for operator {eq_op}"))?;
        let equal = Function::new(c, op.function, &[left, right], oids::BOOL, collation)?;
        Ok(Equality::Function(
            equal,
            hash_functions(c, eq_op, left, right, collation)?,
        ))
    }

    /// Equality of two values; NULL equals NULL.
    #[inline]
    pub fn equal(&self, cx: &Cx<'_>, a: &Vector, i: usize, b: &Vector, j: usize) -> PgResult<bool> {
        if !a.may_have_nulls() && !b.may_have_nulls() && !matches!(self, Equality::Function(..)) {
            match (a.data(), b.data()) {
                (VectorData::Int4(x), VectorData::Int4(y)) => return Ok(x[a.index(i)] == y[b.index(j)]),
                (VectorData::Int8(x), VectorData::Int8(y)) => return Ok(x[a.index(i)] == y[b.index(j)]),
                (VectorData::Int4(x), VectorData::Int8(y)) => {
                    return Ok(i64::from(x[a.index(i)]) == y[b.index(j)]);
                }
                (VectorData::Int8(x), VectorData::Int4(y)) => {
                    return Ok(x[a.index(i)] == i64::from(y[b.index(j)]));
                }
                // Texts of one length need no more, whatever their type; those of `bpchar` may differ in it.
                (VectorData::Text(x), VectorData::Text(y))
                    if x.byte_len(a.index(i)) == y.byte_len(b.index(j)) =>
                {
                    return Ok(x.equal(a.index(i), y, b.index(j)));
                }
                _ => {}
            }
        }
        match self {
            Equality::Direct(t) => Ok(compare::equal_at(*t, a, i, b, j)),
            Equality::Function(f, _) => match (a.is_null(i), b.is_null(j)) {
                (false, false) => Ok(f.call(cx, &[a.datum(i), b.datum(j)])?.as_bool() == Some(true)),
                (x, y) => Ok(x && y),
            },
            Equality::Integers | Equality::Floats => Ok(match (a.is_null(i), b.is_null(j)) {
                (false, false) => match self {
                    Equality::Integers => a.datum(i).as_i64() == b.datum(j).as_i64(),
                    _ => compare::compare_f64(as_f64(&a.datum(i)), as_f64(&b.datum(j))).is_eq(),
                },
                (x, y) => x && y,
            }),
        }
    }

    /// Combines the hashes of the selected rows of a column into `out` (one per selected row). `side`: 0 left, 1 right.
    pub fn hash(
        &self,
        cx: &Cx<'_>,
        v: &Vector,
        sel: &Selection,
        side: usize,
        out: &mut [u64],
    ) -> PgResult<()> {
        match self {
            Equality::Direct(t) => hash_direct(*t, v, sel, out),
            Equality::Integers => hash_direct(oids::INT8, v, sel, out),
            Equality::Floats => hash_direct(oids::FLOAT8, v, sel, out),
            Equality::Function(_, None) => Ok(()),
            Equality::Function(_, Some(hash)) => {
                for (slot, i) in out.iter_mut().zip(sel.iter()) {
                    let h = if v.is_null(i) {
                        compare::NULL_HASH
                    } else {
                        hash[side].call(cx, &[v.datum(i)])?.as_i64().unwrap_or(0) as u64
                    };
                    *slot = compare::combine_hash(*slot, compare::hash_u64(h));
                }
                Ok(())
            }
        }
    }
}

fn as_f64(d: &Datum) -> f64 {
    match d {
        Datum::Float4(v) => f64::from(*v),
        Datum::Float8(v) => *v,
        _ => f64::NAN,
    }
}

fn hash_direct(type_oid: Oid, v: &Vector, sel: &Selection, out: &mut [u64]) -> PgResult<()> {
    if let VectorData::Text(s) = v.data() {
        for (slot, i) in out.iter_mut().zip(sel.iter()) {
            let hash = match v.is_null(i) {
                true => compare::NULL_HASH,
                false if type_oid == oids::BPCHAR => text_hash(without_padding(s.bytes(v.index(i)))),
                false if is_long(s, v.index(i)) => long_hash(s.bytes(v.index(i)))?,
                false => text_hash(s.bytes(v.index(i))),
            };
            *slot = compare::combine_hash(*slot, hash);
        }
        return Ok(());
    }
    if v.validity().is_none() && !v.is_constant() {
        match v.data() {
            VectorData::Int4(d) => {
                for (slot, i) in out.iter_mut().zip(sel.iter()) {
                    *slot = compare::combine_hash(*slot, compare::hash_u64(i64::from(d[i]) as u64));
                }
                return Ok(());
            }
            VectorData::Int8(d) => {
                for (slot, i) in out.iter_mut().zip(sel.iter()) {
                    *slot = compare::combine_hash(*slot, compare::hash_u64(d[i] as u64));
                }
                return Ok(());
            }
            _ => {}
        }
    }
    for (slot, i) in out.iter_mut().zip(sel.iter()) {
        *slot = compare::combine_hash(*slot, compare::hash_at(type_oid, v, i));
    }
    Ok(())
}

/// Hash of a long text, unless the statement is cancelled.
#[cold]
fn long_hash(bytes: &[u8]) -> PgResult<u64> {
    let mut hash = compare::hash_u64(bytes.len() as u64);
    for piece in bytes.chunks(PIECE_BYTES) {
        cancel::check()?;
        hash = compare::combine_hash(hash, compare::hash_bytes(piece));
    }
    Ok(hash)
}

/// [`compare::without_padding`] of bytes.
#[inline]
pub(crate) fn without_padding(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().rposition(|b| *b != b' ').map_or(0, |last| last + 1);
    &bytes[..end]
}

/// Hash of a text, quick for short ones. All texts of the executor's tables go through here, so it need not be that of
/// `types::compare`.
#[inline]
fn text_hash(bytes: &[u8]) -> u64 {
    let word = match bytes {
        [] => 0,
        [a] => u64::from(*a),
        [a, b] => u64::from(*a) | u64::from(*b) << 8,
        [a, b, c] => u64::from(*a) | u64::from(*b) << 8 | u64::from(*c) << 16,
        _ => match (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
            (Some(first), Some(last)) if bytes.len() <= 8 => {
                u64::from(u32::from_le_bytes(*first)) | u64::from(u32::from_le_bytes(*last)) << 32
            }
            _ => return compare::hash_bytes(bytes),
        },
    };
    compare::hash_u64(word ^ (bytes.len() as u64) << 56)
}

/// True when the operator is `=` of the type's default class (or a cross-type one over the same representation).
fn is_default_equality(eq_op: Oid, type_oid: Oid) -> bool {
    match facts::operator(eq_op) {
        Some(op) => op.oprname == "=" && (op.oprcanhash || op.oprcanmerge),
        // Made by a user: only then for a type of the user's.
        None => !eq_op.is_valid() && type_oid.is_valid(),
    }
}

fn hash_functions(
    c: &Compiler<'_>,
    eq_op: Oid,
    left: Oid,
    right: Oid,
    collation: Oid,
) -> PgResult<Option<[Function; 2]>> {
    for (family, _) in c.catalog.operator_families(HASH, eq_op)? {
        let (a, b) = (
            c.catalog.opfamily_proc(family, left, left, 1)?,
            c.catalog.opfamily_proc(family, right, right, 1)?,
        );
        let (Some(a), Some(b)) = (a, b) else { continue };
        if functions::kernels(a).is_none() || functions::kernels(b).is_none() {
            continue;
        }
        return Ok(Some([
            Function::new(c, a, &[left], oids::INT4, collation)?,
            Function::new(c, b, &[right], oids::INT4, collation)?,
        ]));
    }
    Ok(None)
}

/// Key columns of one input, compared with themselves (grouping, DISTINCT).
pub(crate) struct EqualKeys {
    pub columns: Vec<(usize, Equality)>,
}

impl EqualKeys {
    pub fn compile(c: &Compiler<'_>, input: &Plan, keys: &[GroupKey]) -> PgResult<EqualKeys> {
        let columns = keys
            .iter()
            .map(|k| {
                let type_oid = Compiler::column_type(input, k.column)?;
                let equality = Equality::compile(c, k.eq_op, type_oid, type_oid, k.collation)?;
                Ok((k.column as usize - 1, equality))
            })
            .collect::<PgResult<_>>()?;
        Ok(EqualKeys { columns })
    }

    /// Equality of the keys of two rows given with all their columns.
    pub fn equal(
        &self,
        cx: &Cx<'_>,
        a: &[Arc<Vector>],
        i: usize,
        b: &[Arc<Vector>],
        j: usize,
    ) -> PgResult<bool> {
        for (column, equality) in &self.columns {
            if !equality.equal(cx, &a[*column], i, &b[*column], j)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Hashes of the selected rows.
    pub fn hash(&self, cx: &Cx<'_>, columns: &[Arc<Vector>], sel: &Selection) -> PgResult<Vec<u64>> {
        let mut out = vec![0; sel.len()];
        for (column, equality) in &self.columns {
            equality.hash(cx, &columns[*column], sel, 0, &mut out)?;
        }
        Ok(out)
    }
}

/// The order of one column.
pub(crate) struct Order {
    /// Position in the input.
    pub column: usize,
    comparison: Comparison,
    descending: bool,
    nulls_first: bool,
}

enum Comparison {
    Direct(Oid),
    /// Text of a type under a collation that does not order by bytes.
    Collated(Oid, Arc<Collation>),
    Function(Function),
}

impl Order {
    pub fn compile(c: &Compiler<'_>, input: &Plan, key: &SortKey) -> PgResult<Order> {
        let type_oid = Compiler::column_type(input, key.column)?;
        Order::of_type(c, key.column as usize - 1, type_oid, key)
    }

    pub fn of_type(c: &Compiler<'_>, column: usize, type_oid: Oid, key: &SortKey) -> PgResult<Order> {
        let type_oid = base_type(c, type_oid)?;
        Ok(Order {
            column,
            comparison: comparison(c, type_oid, key.sort_op, key.collation)?,
            descending: key.descending,
            nulls_first: key.nulls_first,
        })
    }

    /// The order of a merge join's key, which may be between two types.
    pub fn of_merge(c: &Compiler<'_>, clause: &MergeClause) -> PgResult<Order> {
        let (left, right) = (
            base_type(c, clause.outer.type_oid())?,
            base_type(c, clause.inner.type_oid())?,
        );
        let comparison = if left == right && is_direct(c, left)? {
            direct(c, left, clause.collation)?
        } else {
            Comparison::Function(Function::new(
                c,
                clause.cmp_func,
                &[left, right],
                oids::INT4,
                clause.collation,
            )?)
        };
        Ok(Order {
            column: 0,
            comparison,
            descending: clause.descending,
            nulls_first: clause.nulls_first,
        })
    }

    /// Ascending numbers, for columns made by operators.
    pub fn ascending_int8(column: usize) -> Order {
        Order {
            column,
            comparison: Comparison::Direct(oids::INT8),
            descending: false,
            nulls_first: false,
        }
    }

    /// The order of two values.
    #[inline]
    pub fn compare(&self, cx: &Cx<'_>, a: &Vector, i: usize, b: &Vector, j: usize) -> PgResult<Ordering> {
        match (a.is_null(i), b.is_null(j)) {
            (false, false) => {}
            (true, true) => return Ok(Ordering::Equal),
            (x, _) => {
                return Ok(if x == self.nulls_first {
                    Ordering::Less
                } else {
                    Ordering::Greater
                });
            }
        }
        let order = match &self.comparison {
            Comparison::Direct(t) => match (a.data(), b.data()) {
                (VectorData::Text(x), VectorData::Text(y))
                    if is_long(x, a.index(i)) && *t != oids::BPCHAR =>
                {
                    compare_long(x.bytes(a.index(i)), y.bytes(b.index(j)))?
                }
                _ => compare::compare_at(*t, a, i, b, j),
            },
            Comparison::Collated(t, order) => collated(*t, order, a, i, b, j),
            Comparison::Function(f) => f
                .call(cx, &[a.datum(i), b.datum(j)])?
                .as_i64()
                .unwrap_or(0)
                .cmp(&0),
        };
        Ok(if self.descending { order.reverse() } else { order })
    }

    /// For specialised sorts: compares plainly by `types::compare`.
    pub fn direct(&self) -> Option<(Oid, bool, bool)> {
        match self.comparison {
            Comparison::Direct(t) => Some((t, self.descending, self.nulls_first)),
            _ => None,
        }
    }
}

fn is_long(strings: &StringColumn, i: usize) -> bool {
    strings.byte_len(i) > PIECE_BYTES
}

/// The order of long texts, unless the statement is cancelled; those that are shared need not be read.
fn compare_long(a: &[u8], b: &[u8]) -> PgResult<Ordering> {
    if std::ptr::eq(a, b) {
        return Ok(Ordering::Equal);
    }
    for (x, y) in a.chunks(PIECE_BYTES).zip(b.chunks(PIECE_BYTES)) {
        cancel::check()?;
        let order = x.cmp(y);
        if order.is_ne() {
            return Ok(order);
        }
    }
    Ok(a.len().cmp(&b.len()))
}

/// The order of a type by itself, or of its texts under a collation.
fn direct(c: &Compiler<'_>, type_oid: Oid, collation: Oid) -> PgResult<Comparison> {
    if collation.is_valid()
        && c.phys(type_oid)? == PhysType::Text
        && let Some(order) = c.catalog.text_order(collation)?
    {
        return Ok(Comparison::Collated(type_oid, order));
    }
    Ok(Comparison::Direct(type_oid))
}

fn comparison(c: &Compiler<'_>, type_oid: Oid, sort_op: Oid, collation: Oid) -> PgResult<Comparison> {
    let default_class = facts::operator(sort_op).is_none_or(|op| matches!(op.oprname, "<" | ">"));
    // Records of no type may have columns that do not compare, which their function complains about.
    if default_class && type_oid != oids::RECORD && is_direct(c, type_oid)? {
        return direct(c, type_oid, collation);
    }
    for (family, _) in c.catalog.operator_families(BTREE, sort_op)? {
        // The family of arrays is one for all of them.
        for key in [type_oid, oids::ANYARRAY] {
            if let Some(proc) = c.catalog.opfamily_proc(family, key, key, 1)? {
                let f = Function::new(c, proc, &[type_oid, type_oid], oids::INT4, collation)?;
                return Ok(Comparison::Function(f));
            }
        }
    }
    Err(common::unsupported!(
        "ordering of type {type_oid} is not supported yet"
    ))
}

fn collated(type_oid: Oid, order: &Collation, a: &Vector, i: usize, b: &Vector, j: usize) -> Ordering {
    match (a.data(), b.data()) {
        (VectorData::Text(x), VectorData::Text(y)) => {
            let (x, y) = (x.str(a.index(i)), y.str(b.index(j)));
            match type_oid {
                oids::BPCHAR => order.compare(compare::without_padding(x), compare::without_padding(y)),
                _ => order.compare(x, y),
            }
        }
        _ => compare::compare_at(type_oid, a, i, b, j),
    }
}

/// Compares rows by several orders.
pub(crate) fn compare_rows(
    cx: &Cx<'_>,
    orders: &[Order],
    a: &[Arc<Vector>],
    i: usize,
    b: &[Arc<Vector>],
    j: usize,
) -> PgResult<Ordering> {
    for o in orders {
        let order = o.compare(cx, &a[o.column], i, &b[o.column], j)?;
        if order.is_ne() {
            return Ok(order);
        }
    }
    Ok(Ordering::Equal)
}

#[cfg(test)]
mod tests;
