//! Polymorphic pseudo-types: what `anyelement`, `anyarray`, `anycompatible`... stand for in one call.
//!
//! PG: src/backend/parser/parse_coerce.c (`check_generic_type_consistency`, `enforce_generic_type_consistency`).
//!
//! # How it works
//! Each family is solved apart: actual types at the positions of a pseudo-type must agree (first family) or have a
//! common type (second family); element, array, range and multirange then follow from each other.

use common::error::ErrorExt;
use common::{Oid, PgResult, Span, pg_err};
use types::oids;

use crate::parse_coerce::{CoercionContext, is_polymorphic, is_polymorphic_1, is_polymorphic_2};
use crate::state::Analyzer;

/// What the pseudo-types of one family stand for; invalid while unknown.
#[derive(Clone, Copy, Default)]
struct Solved {
    element: Oid,
    array: Oid,
    range: Oid,
    multirange: Oid,
}

/// What kinds of pseudo-type of a family occurred.
#[derive(Clone, Copy, Default)]
struct Seen {
    any: bool,
    unknowns: bool,
    non_array: bool,
    enumeration: bool,
    element_span: Option<Span>,
}

impl Analyzer<'_> {
    /// Whether the actual types fit the polymorphic declaration, without saying why not.
    pub fn check_generic_type_consistency(&self, actual: &[Oid], declared: &[Oid]) -> PgResult<bool> {
        if !self.check_family_1(actual, declared)? {
            return Ok(false);
        }
        self.check_family_2(actual, declared)
    }

    fn check_family_1(&self, actual: &[Oid], declared: &[Oid]) -> PgResult<bool> {
        let mut s = Solved::default();
        let (mut non_array, mut enumeration) = (false, false);
        for (&a, &d) in actual.iter().zip(declared) {
            if !is_polymorphic_1(d) || a == oids::UNKNOWN {
                non_array |= d == oids::ANYNONARRAY;
                enumeration |= d == oids::ANYENUM;
                continue;
            }
            let base = || self.base_type(a);
            let (slot, value) = match d {
                oids::ANYARRAY => (&mut s.array, base()?),
                oids::ANYRANGE => (&mut s.range, base()?),
                oids::ANYMULTIRANGE => (&mut s.multirange, base()?),
                _ => {
                    non_array |= d == oids::ANYNONARRAY;
                    enumeration |= d == oids::ANYENUM;
                    (&mut s.element, a)
                }
            };
            if slot.is_valid() && *slot != value {
                return Ok(false);
            }
            *slot = value;
        }
        if s.array.is_valid() {
            if s.array == oids::ANYARRAY {
                // Only pg_statistic has such columns; nothing can be deduced, and only one kind of argument is accepted.
                return Ok(!s.element.is_valid() && !s.range.is_valid());
            }
            let element = self.element_type(s.array)?;
            if !element.is_valid() || !agree(&mut s.element, element) {
                return Ok(false);
            }
        }
        if s.multirange.is_valid() {
            let Some(r) = self
                .cx
                .catalog
                .range(s.multirange)?
                .filter(|r| r.multirange == s.multirange)
            else {
                return Ok(false);
            };
            if !agree(&mut s.range, r.range) {
                return Ok(false);
            }
        }
        if s.range.is_valid() {
            let Some(r) = self.cx.catalog.range(s.range)?.filter(|r| r.range == s.range) else {
                return Ok(false);
            };
            if !agree(&mut s.element, r.subtype) {
                return Ok(false);
            }
        }
        if s.element.is_valid() {
            if non_array && self.element_type(self.base_type(s.element)?)?.is_valid() {
                return Ok(false);
            }
            if enumeration && self.ty(self.base_type(s.element)?)?.kind != b'e' {
                return Ok(false);
            }
        }
        // A literal of unknown type is no value of an enum.
        Ok(s.element.is_valid() || !enumeration)
    }

    fn check_family_2(&self, actual: &[Oid], declared: &[Oid]) -> PgResult<bool> {
        let mut candidates: Vec<Oid> = Vec::new();
        let (mut range, mut multirange) = (Oid::INVALID, Oid::INVALID);
        let mut non_array = false;
        for (&a, &d) in actual.iter().zip(declared) {
            if !is_polymorphic_2(d) {
                continue;
            }
            non_array |= d == oids::ANYCOMPATIBLENONARRAY;
            if a == oids::UNKNOWN {
                continue;
            }
            match d {
                oids::ANYCOMPATIBLEARRAY => {
                    let element = self.element_type(self.base_type(a)?)?;
                    if !element.is_valid() {
                        return Ok(false);
                    }
                    candidates.push(element);
                }
                oids::ANYCOMPATIBLERANGE => {
                    let base = self.base_type(a)?;
                    if !agree(&mut range, base) {
                        return Ok(false);
                    }
                }
                oids::ANYCOMPATIBLEMULTIRANGE => {
                    let base = self.base_type(a)?;
                    if !agree(&mut multirange, base) {
                        return Ok(false);
                    }
                }
                _ => candidates.push(a),
            }
        }
        if multirange.is_valid() {
            let Some(r) = self
                .cx
                .catalog
                .range(multirange)?
                .filter(|r| r.multirange == multirange)
            else {
                return Ok(false);
            };
            if !agree(&mut range, r.range) {
                return Ok(false);
            }
        }
        if range.is_valid() {
            let Some(r) = self.cx.catalog.range(range)?.filter(|r| r.range == range) else {
                return Ok(false);
            };
            candidates.push(r.subtype);
        }
        if candidates.is_empty() {
            return Ok(true);
        }
        let common = self.select_common_type_of(&candidates, &[])?;
        if !common.is_valid() {
            return Ok(false);
        }
        if range.is_valid() {
            let subtype = self.cx.catalog.range(range)?.map(|r| r.subtype);
            if subtype != Some(common) {
                return Ok(false);
            }
        }
        for &c in &candidates {
            if !self.can_coerce_type(&[c], &[common], CoercionContext::Implicit)? {
                return Ok(false);
            }
        }
        Ok(!(non_array && self.element_type(self.base_type(common)?)?.is_valid()))
    }

    fn select_common_type_of(&self, types: &[Oid], prefer: &[Oid]) -> PgResult<Oid> {
        let list: Vec<(Oid, Span)> = prefer.iter().chain(types).map(|t| (*t, Span::NONE)).collect();
        let common = self.select_common_type(&list, None)?;
        for &t in types {
            if common.is_valid() && !self.can_coerce_type(&[t], &[common], CoercionContext::Implicit)? {
                return Ok(Oid::INVALID);
            }
        }
        Ok(common)
    }

    /// Replaces pseudo-types in `declared` by what they stand for and returns the actual result type.
    pub fn enforce_generic_types(
        &self,
        actual: &[Oid],
        declared: &mut [Oid],
        result: Oid,
        allow_poly: bool,
    ) -> PgResult<Oid> {
        let has_1 = declared.iter().any(|d| is_polymorphic_1(*d)) || is_polymorphic_1(result);
        let has_2 = declared.iter().any(|d| is_polymorphic_2(*d)) || is_polymorphic_2(result);
        if !has_1 && !has_2 {
            return Ok(result);
        }
        let mut one = Solved::default();
        let mut two = Solved::default();
        if has_1 {
            one = self.solve_family_1(actual, declared, allow_poly)?;
        }
        if has_2 {
            two = self.solve_family_2(actual, declared, allow_poly)?;
        }
        for (d, &a) in declared.iter_mut().zip(actual) {
            if !is_polymorphic(*d) {
                continue;
            }
            // A literal takes the solved type; anything else keeps its own where the family demands exact equality.
            if is_polymorphic_1(*d) && a != oids::UNKNOWN {
                if *d == oids::ANYARRAY && one.array == oids::ANYARRAY {
                    continue;
                }
                *d = match *d {
                    oids::ANYARRAY | oids::ANYRANGE | oids::ANYMULTIRANGE => *d,
                    _ => a,
                };
                continue;
            }
            *d = self.substitute(*d, if is_polymorphic_1(*d) { &one } else { &two })?;
        }
        if !is_polymorphic(result) {
            return Ok(result);
        }
        self.substitute(result, if is_polymorphic_1(result) { &one } else { &two })
    }

    fn substitute(&self, pseudo: Oid, s: &Solved) -> PgResult<Oid> {
        Ok(match pseudo {
            oids::ANYARRAY | oids::ANYCOMPATIBLEARRAY => {
                if s.array.is_valid() {
                    return Ok(s.array);
                }
                let array = if s.element.is_valid() {
                    self.array_type(s.element)?
                } else {
                    Oid::INVALID
                };
                if !array.is_valid() {
                    return Err(pg_err!(
                        UNDEFINED_OBJECT,
                        "could not find array type for data type {}",
                        self.format_type(s.element)
                    ));
                }
                array
            }
            oids::ANYRANGE | oids::ANYCOMPATIBLERANGE => self.known_or(s.range, pseudo)?,
            oids::ANYMULTIRANGE | oids::ANYCOMPATIBLEMULTIRANGE => {
                if s.multirange.is_valid() {
                    s.multirange
                } else {
                    let range = self.known_or(s.range, pseudo)?;
                    match self.cx.catalog.range(range)? {
                        Some(r) => r.multirange,
                        None => {
                            return Err(pg_err!(
                                UNDEFINED_OBJECT,
                                "could not find multirange type for data type {}",
                                self.format_type(range)
                            ));
                        }
                    }
                }
            }
            _ => s.element,
        })
    }

    fn known_or(&self, oid: Oid, pseudo: Oid) -> PgResult<Oid> {
        if oid.is_valid() {
            return Ok(oid);
        }
        Err(pg_err!(
            DATATYPE_MISMATCH,
            "could not determine polymorphic type {} because input has type {}",
            self.format_type(pseudo),
            "unknown"
        ))
    }

    fn solve_family_1(&self, actual: &[Oid], declared: &[Oid], allow_poly: bool) -> PgResult<Solved> {
        let mut s = Solved::default();
        let mut seen = Seen::default();
        for (&a, &d) in actual.iter().zip(declared) {
            if !is_polymorphic_1(d) {
                continue;
            }
            seen.any = true;
            seen.non_array |= d == oids::ANYNONARRAY;
            seen.enumeration |= d == oids::ANYENUM;
            if a == oids::UNKNOWN {
                seen.unknowns = true;
                continue;
            }
            if allow_poly && a == d {
                continue;
            }
            let (slot, value, name) = match d {
                oids::ANYARRAY => (&mut s.array, self.base_type(a)?, "anyarray"),
                oids::ANYRANGE => (&mut s.range, self.base_type(a)?, "anyrange"),
                oids::ANYMULTIRANGE => (&mut s.multirange, self.base_type(a)?, "anymultirange"),
                _ => (&mut s.element, a, "anyelement"),
            };
            if slot.is_valid() && *slot != value {
                return Err(self.not_alike(name, *slot, a));
            }
            *slot = value;
        }
        self.derive_family_1(&mut s)?;
        if !s.element.is_valid() {
            if s.array == oids::ANYARRAY {
                return Ok(s);
            }
            if allow_poly {
                return Ok(Solved {
                    element: oids::ANYELEMENT,
                    array: oids::ANYARRAY,
                    range: oids::ANYRANGE,
                    multirange: oids::ANYMULTIRANGE,
                });
            }
            return Err(pg_err!(
                DATATYPE_MISMATCH,
                "could not determine polymorphic type because input has type {}",
                "unknown"
            ));
        }
        if seen.non_array && s.element != oids::ANYELEMENT {
            if self.element_type(self.base_type(s.element)?)?.is_valid() {
                return Err(pg_err!(
                    DATATYPE_MISMATCH,
                    "type matched to anynonarray is an array type: {}",
                    self.format_type(s.element)
                ));
            }
        }
        if seen.enumeration && self.ty(self.base_type(s.element)?)?.kind != b'e' {
            return Err(pg_err!(
                DATATYPE_MISMATCH,
                "type matched to anyenum is not an enum type: {}",
                self.format_type(s.element)
            ));
        }
        let _ = (seen.unknowns, seen.any, seen.element_span);
        Ok(s)
    }

    fn derive_family_1(&self, s: &mut Solved) -> PgResult<()> {
        if s.array.is_valid() && s.array != oids::ANYARRAY {
            let element = self.element_type(s.array)?;
            if !element.is_valid() {
                return Err(pg_err!(
                    DATATYPE_MISMATCH,
                    "argument declared {} is not an array but type {}",
                    "anyarray",
                    self.format_type(s.array)
                ));
            }
            self.must_agree(&mut s.element, element, "anyarray", "anyelement", s.array)?;
        }
        if s.multirange.is_valid() {
            let Some(r) = self
                .cx
                .catalog
                .range(s.multirange)?
                .filter(|r| r.multirange == s.multirange)
            else {
                return Err(pg_err!(
                    DATATYPE_MISMATCH,
                    "argument declared {} is not a multirange type but type {}",
                    "anymultirange",
                    self.format_type(s.multirange)
                ));
            };
            self.must_agree(&mut s.range, r.range, "anymultirange", "anyrange", s.multirange)?;
        }
        if s.range.is_valid() {
            let Some(r) = self.cx.catalog.range(s.range)?.filter(|r| r.range == s.range) else {
                return Err(pg_err!(
                    DATATYPE_MISMATCH,
                    "argument declared {} is not a range type but type {}",
                    "anyrange",
                    self.format_type(s.range)
                ));
            };
            self.must_agree(&mut s.element, r.subtype, "anyrange", "anyelement", s.range)?;
        }
        Ok(())
    }

    fn must_agree(&self, slot: &mut Oid, value: Oid, of: &str, with: &str, container: Oid) -> PgResult<()> {
        if slot.is_valid() && *slot != value {
            return Err(pg_err!(
                DATATYPE_MISMATCH,
                "argument declared {of} is not consistent with argument declared {with}"
            )
            .detail(format!(
                "{} versus {}",
                self.format_type(container),
                self.format_type(*slot)
            )));
        }
        *slot = value;
        Ok(())
    }

    fn not_alike(&self, name: &str, a: Oid, b: Oid) -> Box<common::PgError> {
        pg_err!(
            DATATYPE_MISMATCH,
            "arguments declared \"{name}\" are not all alike"
        )
        .detail(format!("{} versus {}", self.format_type(a), self.format_type(b)))
    }

    fn solve_family_2(&self, actual: &[Oid], declared: &[Oid], allow_poly: bool) -> PgResult<Solved> {
        let mut s = Solved::default();
        let mut candidates = Vec::new();
        let mut non_array = false;
        let mut wants_range = false;
        for (&a, &d) in actual.iter().zip(declared) {
            if !is_polymorphic_2(d) {
                continue;
            }
            non_array |= d == oids::ANYCOMPATIBLENONARRAY;
            wants_range |= matches!(d, oids::ANYCOMPATIBLERANGE | oids::ANYCOMPATIBLEMULTIRANGE);
            if a == oids::UNKNOWN || allow_poly && a == d {
                continue;
            }
            self.collect_family_2(&mut s, &mut candidates, a, d)?;
        }
        if s.multirange.is_valid() {
            let Some(r) = self
                .cx
                .catalog
                .range(s.multirange)?
                .filter(|r| r.multirange == s.multirange)
            else {
                return Err(self.not_a("anycompatiblemultirange", "a multirange type", s.multirange));
            };
            self.must_agree(
                &mut s.range,
                r.range,
                "anycompatiblemultirange",
                "anycompatiblerange",
                s.multirange,
            )?;
        }
        let mut subtype = Oid::INVALID;
        if s.range.is_valid() {
            let Some(r) = self.cx.catalog.range(s.range)?.filter(|r| r.range == s.range) else {
                return Err(self.not_a("anycompatiblerange", "a range type", s.range));
            };
            subtype = r.subtype;
            candidates.push(subtype);
        }
        if candidates.is_empty() {
            return undetermined_family_2(s, wants_range, allow_poly);
        }
        let common = self.select_common_type_of(&candidates, &[])?;
        if !common.is_valid() {
            return Err(pg_err!(
                DATATYPE_MISMATCH,
                "arguments of anycompatible family cannot be cast to a common type"
            ));
        }
        if subtype.is_valid() && common != subtype {
            return Err(pg_err!(
                DATATYPE_MISMATCH,
                "anycompatiblerange type {} does not match anycompatible type {}",
                self.format_type(s.range),
                self.format_type(common)
            ));
        }
        if non_array && self.element_type(self.base_type(common)?)?.is_valid() {
            return Err(pg_err!(
                DATATYPE_MISMATCH,
                "type matched to anycompatiblenonarray is an array type: {}",
                self.format_type(common)
            ));
        }
        s.element = common;
        s.array = self.array_type(common)?;
        Ok(s)
    }

    fn collect_family_2(&self, s: &mut Solved, candidates: &mut Vec<Oid>, a: Oid, d: Oid) -> PgResult<()> {
        match d {
            oids::ANYCOMPATIBLEARRAY => {
                let element = self.element_type(self.base_type(a)?)?;
                if !element.is_valid() {
                    return Err(pg_err!(
                        DATATYPE_MISMATCH,
                        "argument declared {} is not an array but type {}",
                        "anycompatiblearray",
                        self.format_type(a)
                    ));
                }
                candidates.push(element);
            }
            oids::ANYCOMPATIBLERANGE => {
                let base = self.base_type(a)?;
                if !agree(&mut s.range, base) {
                    return Err(self.not_alike("anycompatiblerange", s.range, a));
                }
            }
            oids::ANYCOMPATIBLEMULTIRANGE => {
                let base = self.base_type(a)?;
                if !agree(&mut s.multirange, base) {
                    return Err(self.not_alike("anycompatiblemultirange", s.multirange, a));
                }
            }
            _ => candidates.push(a),
        }
        Ok(())
    }

    fn not_a(&self, name: &str, what: &str, actual: Oid) -> Box<common::PgError> {
        pg_err!(
            DATATYPE_MISMATCH,
            "argument declared {name} is not {what} but type {}",
            self.format_type(actual)
        )
    }
}

/// The family when no argument tells anything: literals are texts.
fn undetermined_family_2(s: Solved, wants_range: bool, allow_poly: bool) -> PgResult<Solved> {
    if allow_poly {
        return Ok(Solved {
            element: oids::ANYCOMPATIBLE,
            array: oids::ANYCOMPATIBLEARRAY,
            range: oids::ANYCOMPATIBLERANGE,
            multirange: oids::ANYCOMPATIBLEMULTIRANGE,
        });
    }
    if wants_range {
        return Err(pg_err!(
            DATATYPE_MISMATCH,
            "could not determine polymorphic type {} because input has type {}",
            "anycompatiblerange",
            "unknown"
        ));
    }
    Ok(Solved {
        element: oids::TEXT,
        array: oids::TEXT_ARRAY,
        ..s
    })
}

fn agree(slot: &mut Oid, value: Oid) -> bool {
    if slot.is_valid() && *slot != value {
        return false;
    }
    *slot = value;
    true
}
