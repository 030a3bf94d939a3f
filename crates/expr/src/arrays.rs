//! ARRAY[...], subscripts, and comparison with array elements.

use std::sync::Arc;

use common::cancel::CancelToken;
use common::{Oid, PgResult, internal, pg_err, pieces};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;
use types::{ArrayDim, ArrayValue, Datum, PhysType, Selection, Vector, VectorData};

use crate::eval::{Cx, fn_context};
use crate::program::{Node, NodeKind, ScalarArray, Subscript};
use crate::raw;
use crate::words::any_of_words;

/// Elements compared between two looks at the cancel flag.
const ELEMENTS_UNCHECKED: usize = 1 << 12;
/// PostgreSQL's limit on dimensions.
const MAX_DIMS: usize = 6;
/// Below this many elements a loop is as fast as a hash set.
const HASH_ELEMENTS: usize = 9;

/// The storage class that an element conversion expects of the value under test.
pub(crate) fn case_test_phys(node: &Node) -> Option<PhysType> {
    match &node.kind {
        NodeKind::CaseTest => Some(node.phys),
        NodeKind::Call(call) => call.args.first().and_then(case_test_phys),
        NodeKind::CoerceViaIo { arg, .. } | NodeKind::CoerceToDomain { arg, .. } => case_test_phys(arg),
        _ => None,
    }
}

impl Cx<'_, '_> {
    pub(crate) fn array(
        &mut self,
        elements: &[Node],
        element_type: Oid,
        nested: bool,
        sel: &Selection,
    ) -> PgResult<Arc<Vector>> {
        let values = self.args(elements, sel)?;
        let mut out = self.output(PhysType::Nested);
        sel.try_for_each(|i| {
            let row: Vec<Datum> = values.iter().map(|v| v.datum(i)).collect();
            let array = if nested {
                stack_arrays(element_type, row)?
            } else {
                ArrayValue::from_elements(element_type, row)
            };
            out.set(i, &Datum::Array(Arc::new(array)));
            Ok::<_, Box<common::PgError>>(())
        })?;
        Ok(Arc::new(out))
    }

    pub(crate) fn scalar_array(&mut self, s: &ScalarArray, sel: &Selection) -> PgResult<Arc<Vector>> {
        let scalar = self.eval(&s.scalar, sel)?;
        let array = self.eval(&s.array, sel)?;
        if s.hashable && array.is_constant() {
            if let Datum::Array(a) = array.datum(0) {
                let cancel = self.rt.parts().cancel;
                if let Some(found) = any_of_words(&scalar, &a, sel, cancel)? {
                    return Ok(found);
                }
                return any_of(&scalar, &a, self.inputs.rows, sel, cancel);
            }
        }
        let mut out = self.output(PhysType::Bool);
        let Some(cache) = self.state.caches.get_mut(s.site) else {
            return Err(internal!("expression state does not fit its program"));
        };
        let mut ctx = fn_context(&*self.rt, &s.info, cache);
        sel.try_for_each(|i| {
            let Datum::Array(a) = array.datum(i) else {
                out.set_null(i);
                return Ok(());
            };
            let left = scalar.datum(i);
            let mut result = Datum::Bool(!s.use_or);
            for (k, element) in a.elements.iter().enumerate() {
                if k % ELEMENTS_UNCHECKED == ELEMENTS_UNCHECKED - 1 {
                    ctx.cancel.check()?;
                }
                let one = if left.is_null() || element.is_null() {
                    Datum::Null
                } else {
                    (s.kernels.scalar)(&mut ctx, &[left.clone(), element.clone()])?
                };
                match one.as_bool() {
                    Some(b) if b == s.use_or => {
                        result = Datum::Bool(b);
                        break;
                    }
                    Some(_) => {}
                    None => result = Datum::Null,
                }
            }
            out.set(i, &result);
            Ok::<_, Box<common::PgError>>(())
        })?;
        Ok(Arc::new(out))
    }

    pub(crate) fn subscript(
        &mut self,
        phys: PhysType,
        s: &Subscript,
        sel: &Selection,
    ) -> PgResult<Arc<Vector>> {
        let container = self.eval(&s.container, sel)?;
        let mut side = |list: &[Option<Node>]| -> PgResult<Vec<Option<Arc<Vector>>>> {
            list.iter()
                .map(|n| n.as_ref().map(|n| self.eval(n, sel)).transpose())
                .collect()
        };
        let (upper, lower) = (side(&s.upper)?, side(&s.lower)?);
        let assigned = s.assign.as_ref().map(|a| self.eval(a, sel)).transpose()?;
        let mut out = self.output(phys);
        let cancel = self.rt.parts().cancel;
        sel.try_for_each(|i| {
            let at = |list: &[Option<Arc<Vector>>]| -> Option<Vec<Option<i32>>> {
                list.iter()
                    .map(|v| match v {
                        None => Some(None),
                        Some(v) => v.datum(i).as_i64().map(|n| Some(n as i32)),
                    })
                    .collect()
            };
            let bounds = at(&upper).zip(at(&lower));
            let bounds = bounds.as_ref().map(|(up, low)| (&up[..], &low[..]));
            let new = assigned.as_ref().map(|new| new.datum(i));
            out.set(i, &s.apply(container.datum(i), bounds, new, cancel)?);
            Ok::<_, Box<common::PgError>>(())
        })?;
        Ok(Arc::new(out))
    }
}

impl Subscript {
    /// What is at the indexes (upper and lower ones; `None`: one of them is NULL), or the container with something else there.
    pub(crate) fn apply(
        &self,
        container: Datum,
        bounds: Option<(&[Option<i32>], &[Option<i32>])>,
        assigned: Option<Datum>,
        cancel: &CancelToken,
    ) -> PgResult<Datum> {
        let Some((up, low)) = bounds else {
            return match assigned {
                Some(_) => Err(pg_err!(
                    NULL_VALUE_NOT_ALLOWED,
                    "array subscript in assignment must not be null"
                )),
                None => Ok(Datum::Null),
            };
        };
        match assigned {
            Some(new) if self.raw.is_some() => raw::assign(self, container, up, &new),
            None if self.raw.is_some() => raw::read(self, &container, up),
            Some(new) => crate::array_assign::assign(self, &container, up, low, new),
            None => read(self, &container, up, low, cancel),
        }
    }
}

/// `x = ANY (constant array)`: few elements one by one, many through their hashes.
pub(crate) fn any_of(
    scalar: &Vector,
    array: &ArrayValue,
    rows: usize,
    sel: &Selection,
    cancel: &CancelToken,
) -> PgResult<Arc<Vector>> {
    let type_oid = array.element_type;
    let known = array.elements.iter().filter(|e| !e.is_null()).cloned();
    let known: Vec<Datum> = pieces::list(cancel, known)?;
    let has_null = known.len() < array.elements.len();
    let elements = Vector::from_datums(scalar.phys(), &known);
    let count = elements.len();
    // Values of `bpchar` mostly have one length: with blanks up to that the elements are equal or not at a glance.
    let elements = match (type_oid, scalar.data(), sel.iter().next()) {
        (types::oids::BPCHAR, VectorData::Text(s), Some(first)) => {
            padded(&elements, s.byte_len(scalar.index(first)))
        }
        _ => elements,
    };
    let equal = |i: usize, k: usize| types::compare::equal_at(type_oid, scalar, i, &elements, k);
    let hashed = match count < HASH_ELEMENTS {
        true => None,
        false => Some(Hashed::new(type_oid, &elements, cancel)?),
    };
    let equals = |i: usize| match &hashed {
        None => (0..count).any(|k| equal(i, k)),
        Some(hashed) => hashed
            .like(types::compare::hash_at(type_oid, scalar, i))
            .any(|k| equal(i, k)),
    };
    Ok(crate::eval::bool_vector(rows, sel, |i| {
        if scalar.is_null(i) {
            // Nothing is in no array, not even NULL.
            return array.elements.is_empty().then_some(false);
        }
        match (equals(i), has_null) {
            (true, _) => Some(true),
            (false, true) => None,
            (false, false) => Some(false),
        }
    }))
}

/// Elements by their hashes.
struct Hashed {
    /// The last element with a hash.
    last: FxHashMap<u64, u32>,
    /// For each element the one before it with the same hash, or [`NO_ELEMENT`].
    before: Vec<u32>,
}

const NO_ELEMENT: u32 = u32::MAX;

impl Hashed {
    fn new(type_oid: Oid, elements: &Vector, cancel: &CancelToken) -> PgResult<Hashed> {
        let mut last = FxHashMap::default();
        let mut before = Vec::with_capacity(elements.len());
        for k in 0..elements.len() {
            if k % ELEMENTS_UNCHECKED == ELEMENTS_UNCHECKED - 1 {
                cancel.check()?;
            }
            let hash = types::compare::hash_at(type_oid, elements, k);
            before.push(last.insert(hash, k as u32).unwrap_or(NO_ELEMENT));
        }
        Ok(Hashed { last, before })
    }

    /// The elements with a hash.
    fn like(&self, hash: u64) -> impl Iterator<Item = usize> {
        let first = self.last.get(&hash).map(|k| *k as usize);
        std::iter::successors(first, |k| {
            let before = self.before.get(*k).copied();
            before.filter(|k| *k != NO_ELEMENT).map(|k| k as usize)
        })
    }
}

/// Texts with blanks up to `len` bytes.
fn padded(texts: &Vector, len: usize) -> Vector {
    let mut out = Vector::empty(texts.phys());
    for k in 0..texts.len() {
        if let VectorData::Text(s) = texts.data() {
            out.push_string(s.padded(k, len).bytes(0));
        }
    }
    out
}

/// ARRAY of arrays: one more dimension.
fn stack_arrays(element_type: Oid, rows: Vec<Datum>) -> PgResult<ArrayValue> {
    let mismatch = || {
        pg_err!(
            ARRAY_SUBSCRIPT_ERROR,
            "multidimensional arrays must have array expressions with matching dimensions"
        )
    };
    let mut dims: Option<Vec<ArrayDim>> = None;
    let mut elements = Vec::new();
    let count = rows.len();
    for row in rows {
        let inner = match row {
            Datum::Array(a) => a,
            // NULL and empty sub-arrays count as having no elements.
            _ => Arc::new(ArrayValue::from_elements(element_type, Vec::new())),
        };
        match &dims {
            None => dims = Some(inner.dims.clone()),
            Some(d) if *d != inner.dims => return Err(mismatch()),
            Some(_) => {}
        }
        elements.extend(inner.elements.iter().cloned());
    }
    let inner = dims.unwrap_or_default();
    if elements.is_empty() || inner.is_empty() {
        return Ok(ArrayValue::from_elements(element_type, Vec::new()));
    }
    if inner.len() >= MAX_DIMS {
        return Err(pg_err!(
            PROGRAM_LIMIT_EXCEEDED,
            "number of array dimensions ({}) exceeds the maximum allowed ({MAX_DIMS})",
            inner.len() + 1
        ));
    }
    let mut all = vec![ArrayDim {
        len: count as i32,
        lower: 1,
    }];
    all.extend(inner);
    Ok(ArrayValue {
        element_type,
        dims: all,
        elements,
    })
}

fn read(
    s: &Subscript,
    container: &Datum,
    up: &[Option<i32>],
    low: &[Option<i32>],
    cancel: &CancelToken,
) -> PgResult<Datum> {
    let array = match container {
        Datum::Null => return Ok(Datum::Null),
        Datum::Array(a) => a,
        other => return Err(internal!("array expected, got {other:?}")),
    };
    if s.is_slice {
        return Ok(Datum::Array(Arc::new(slice(array, up, low, cancel)?)));
    }
    let indexes: SmallVec<[i32; 4]> = up.iter().flatten().copied().collect();
    Ok(offset(&array.dims, &indexes).map_or(Datum::Null, |k| array.elements[k].clone()))
}

/// Position of an element, if the indexes are all within the bounds.
pub(crate) fn offset(dims: &[ArrayDim], indexes: &[i32]) -> Option<usize> {
    if dims.len() != indexes.len() || dims.is_empty() {
        return None;
    }
    let mut k = 0_usize;
    for (d, &i) in dims.iter().zip(indexes) {
        let within = i64::from(i) - i64::from(d.lower);
        if within < 0 || within >= i64::from(d.len) {
            return None;
        }
        k = k * d.len as usize + within as usize;
    }
    Some(k)
}

/// `array[a:b, ...]`: missing bounds are the array's own; missing dimensions are whole.
fn slice(
    array: &ArrayValue,
    up: &[Option<i32>],
    low: &[Option<i32>],
    cancel: &CancelToken,
) -> PgResult<ArrayValue> {
    let empty = || Ok(ArrayValue::from_elements(array.element_type, Vec::new()));
    if up.len() > array.dims.len() {
        return empty();
    }
    let mut ranges = Vec::with_capacity(array.dims.len());
    for (k, d) in array.dims.iter().enumerate() {
        let last = d.lower.wrapping_add(d.len).wrapping_sub(1);
        let given_low = low.get(k).copied().flatten();
        let given_up = up.get(k).copied().flatten();
        let from = if k < up.len() {
            given_low.unwrap_or(d.lower).max(d.lower)
        } else {
            d.lower
        };
        let to = if k < up.len() {
            given_up.unwrap_or(last).min(last)
        } else {
            last
        };
        if from > to {
            return empty();
        }
        ranges.push((from - d.lower, to - d.lower));
    }
    let elements = pieces::list(cancel, runs(array, &ranges).flatten().cloned())?;
    let dims = ranges
        .iter()
        .map(|(a, b)| ArrayDim {
            len: b - a + 1,
            lower: 1,
        })
        .collect();
    Ok(ArrayValue {
        element_type: array.element_type,
        dims,
        elements,
    })
}

/// The runs of elements that lie within ranges of positions, one range for each dimension.
fn runs<'a>(array: &'a ArrayValue, ranges: &[(i32, i32)]) -> impl Iterator<Item = &'a [Datum]> {
    let (inner, outer) = match ranges.split_last() {
        Some((inner, outer)) => (inner.0 as usize..=inner.1 as usize, outer.to_vec()),
        None => (0..=0, Vec::new()),
    };
    let first = outer.iter().map(|(from, _)| *from).collect::<Vec<i32>>();
    let mut next = Some(first);
    std::iter::from_fn(move || {
        let mut at = next.take()?;
        let row = at
            .iter()
            .zip(&array.dims)
            .fold(0, |row, (i, d)| row * d.len as usize + *i as usize);
        let start = row * array.dims.last().map_or(0, |d| d.len as usize);
        // The last dimension whose range has more positions goes on; those behind it begin anew.
        if let Some(k) = (0..at.len()).rev().find(|&k| at[k] < outer[k].1) {
            at[k] += 1;
            (k + 1..at.len()).for_each(|k| at[k] = outer[k].0);
            next = Some(at);
        }
        array.elements.get(start + inner.start()..=start + inner.end())
    })
}

/// The sub-arrays of ARRAY(SELECT ...) as one array with a dimension more.
pub(crate) fn accumulate_arrays(
    element_type: Oid,
    values: &[Datum],
    cancel: &CancelToken,
) -> PgResult<Datum> {
    let mut dims: Option<&[ArrayDim]> = None;
    let mut arrays = Vec::with_capacity(values.len());
    for value in values {
        let Datum::Array(array) = value else {
            return Err(pg_err!(NULL_VALUE_NOT_ALLOWED, "cannot accumulate null arrays"));
        };
        match dims {
            _ if array.dims.is_empty() => {
                return Err(pg_err!(ARRAY_SUBSCRIPT_ERROR, "cannot accumulate empty arrays"));
            }
            Some(d) if d != array.dims => {
                return Err(pg_err!(
                    ARRAY_SUBSCRIPT_ERROR,
                    "cannot accumulate arrays of different dimensionality"
                ));
            }
            _ => dims = Some(&array.dims),
        }
        arrays.push(array);
    }
    let mut all = vec![ArrayDim {
        len: values.len() as i32,
        lower: 1,
    }];
    all.extend_from_slice(dims.unwrap_or_default());
    types::io_array::element_count(&all)?;
    let elements = pieces::list(cancel, arrays.iter().flat_map(|a| a.elements.iter().cloned()))?;
    Ok(Datum::Array(Arc::new(ArrayValue {
        element_type,
        dims: all,
        elements,
    })))
}
