//! Zone maps: between which values a column of a chunk lies, so that scans pass over chunks where nothing can be found.
//!
//! # How it works
//! Values are mapped to 64-bit integers, their *zone keys*, by a map for each storage class that keeps the order but may make different values
//! equal: integers are their own keys, strings have that of their first eight bytes. A [`Zone`] is the least and the greatest key of a
//! column in a main block. Nothing of it is stored: a scan that has a condition on the column makes it of the first block that it meets, and
//! it stays with the chunk when the block goes. So what a scan has read once, later ones need not even read.
//!
//! # Invariants
//! - A zone says what main says: it goes with all that replaces main by other rows, and stays when main is evicted or read again
//!   ([`crate::chunk::Chunk::reload`]). Deleted rows make it too wide, which does no harm.
//! - A chunk with a delta or with rows updated by marks is never passed over.

use std::sync::Arc;

use types::{Datum, Numeric, PhysType, Selection, Vector};

/// What a scan looks for in a column: rows that do not have it are of no use to the caller.
#[derive(Clone, Debug, PartialEq)]
pub struct ZoneTest {
    /// The column (0-based), one of those scanned.
    pub column: u16,
    /// What its values must be.
    pub wants: ZoneWants,
}

/// See [`ZoneTest`]; values by their [`zone_key`].
#[derive(Clone, Debug, PartialEq)]
pub enum ZoneWants {
    /// A value whose key is not less than the first and not greater than the second.
    Between(i64, i64),
    /// A value with one of these keys, ascending.
    OneOf(Arc<[i64]>),
    /// NULL.
    Null,
    /// Any value but NULL.
    NotNull,
}

/// What a block has in a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Zone {
    /// `least > greatest`: nothing but NULLs.
    least: i64,
    greatest: i64,
    nulls: bool,
}

/// Of no rows.
const NOTHING: Zone = Zone {
    least: i64::MAX,
    greatest: i64::MIN,
    nulls: false,
};

/// The zones of a chunk, by column; `None`: the column has none.
#[derive(Clone, Debug, Default)]
pub(crate) struct Zones(Vec<(u16, Option<Zone>)>);

impl Zones {
    /// True when no row can have what the tests ask for.
    pub(crate) fn rule_out(&self, tests: &[ZoneTest]) -> bool {
        tests.iter().any(|test| {
            let zone = self.0.iter().find(|(column, _)| *column == test.column);
            zone.is_some_and(|(_, zone)| zone.is_some_and(|zone| !zone.may_have(&test.wants)))
        })
    }

    pub(crate) fn knows(&self, column: u16) -> bool {
        self.0.iter().any(|(known, _)| *known == column)
    }

    /// The same with another column's.
    pub(crate) fn with(&self, column: u16, zone: Option<Zone>) -> Zones {
        let mut zones = self.clone();
        zones.0.push((column, zone));
        zones
    }
}

impl Zone {
    /// Of the rows at the positions that count; `None` for what has no order of this kind.
    pub(crate) fn of(column: &Vector, present: &Selection) -> Option<Zone> {
        let mut zone = NOTHING;
        let inexact = match column.phys() {
            PhysType::Int2 | PhysType::Int4 | PhysType::Int8 => {
                zone.add(column, present, |i| column.integer(i))?;
                0
            }
            PhysType::Numeric => {
                if zone.add_decimals(column, present).is_none() {
                    zone = NOTHING;
                    zone.add(column, present, |i| numeric_key(&column.numeric(i)?))?;
                }
                NUMERIC_ERROR
            }
            PhysType::Text | PhysType::Bytes => {
                zone.add(column, present, |i| Some(bytes_key(column.bytes(i)?)))?;
                0
            }
            PhysType::Bool | PhysType::Oid | PhysType::Float4 | PhysType::Float8 | PhysType::Uuid => {
                zone.add(column, present, |i| zone_key(&column.datum(i)))?;
                0
            }
            _ => return None,
        };
        if zone.least <= zone.greatest {
            zone.least = zone.least.saturating_sub(inexact);
            zone.greatest = zone.greatest.saturating_add(inexact);
        }
        Some(zone)
    }

    fn add(
        &mut self,
        column: &Vector,
        present: &Selection,
        key: impl Fn(usize) -> Option<i64>,
    ) -> Option<()> {
        for i in present.iter() {
            if column.is_null(i) {
                self.nulls = true;
                continue;
            }
            let key = key(i)?;
            self.least = self.least.min(key);
            self.greatest = self.greatest.max(key);
        }
        Some(())
    }

    /// Numbers of one scale: only two need their keys.
    fn add_decimals(&mut self, column: &Vector, present: &Selection) -> Option<()> {
        let scale = present.iter().find_map(|i| column.decimal(i))?.1;
        self.add(column, present, |i| {
            let (digits, its) = column.decimal(i)?;
            (its == scale).then_some(digits)
        })?;
        if self.least <= self.greatest {
            let key = |unscaled| numeric_key(&Numeric::Small { unscaled, scale });
            (self.least, self.greatest) = (key(self.least)?, key(self.greatest)?);
        }
        Some(())
    }

    fn may_have(&self, wants: &ZoneWants) -> bool {
        match wants {
            ZoneWants::Between(low, high) => low.max(&self.least) <= high.min(&self.greatest),
            ZoneWants::OneOf(keys) => {
                let from = keys.partition_point(|key| *key < self.least);
                keys.get(from).is_some_and(|key| *key <= self.greatest)
            }
            ZoneWants::Null => self.nulls,
            ZoneWants::NotNull => self.least <= self.greatest,
        }
    }
}

/// The zone key of a value: of two values of one class the greater never has the lesser key. Strings are ordered by their bytes. Integers of
/// all widths are one class, and floating-point numbers of both.
pub fn zone_key(value: &Datum) -> Option<i64> {
    Some(match value {
        Datum::Bool(v) => i64::from(*v),
        Datum::Int2(v) => i64::from(*v),
        Datum::Int4(v) => i64::from(*v),
        Datum::Int8(v) => *v,
        Datum::Oid(v) => i64::from(*v),
        Datum::Float4(v) => float_key(f64::from(*v)),
        Datum::Float8(v) => float_key(*v),
        Datum::Numeric(v) => return numeric_key(v),
        Datum::Text(v) => bytes_key(v.as_bytes()),
        Datum::Bytes(v) => bytes_key(v),
        Datum::Uuid(v) => bytes_key(v),
        _ => return None,
    })
}

/// NaN is greater than all others and equal to itself, zeros are equal.
fn float_key(value: f64) -> i64 {
    if value.is_nan() {
        return i64::MAX;
    }
    let bits = (value + 0.0).to_bits() as i64;
    // Of negative numbers the greater bits are the lesser number.
    bits ^ (((bits >> 63) as u64) >> 1) as i64
}

/// By how much the key of a number may be off: the number and the power of ten are rounded, then their quotient.
const NUMERIC_ERROR: i64 = 4;

/// The powers of ten that a `f64` has exactly.
const POWERS_OF_TEN: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18,
    1e19, 1e20, 1e21, 1e22,
];

fn numeric_key(value: &Numeric) -> Option<i64> {
    match value {
        Numeric::Small { unscaled, scale } => {
            let power = POWERS_OF_TEN.get(usize::from(*scale))?;
            Some(float_key(*unscaled as f64 / power))
        }
        _ => None,
    }
}

fn bytes_key(bytes: &[u8]) -> i64 {
    let mut first = [0; 8];
    let length = bytes.len().min(first.len());
    if let (Some(to), Some(from)) = (first.get_mut(..length), bytes.get(..length)) {
        to.copy_from_slice(from);
    }
    // As the lesser half of the unsigned numbers comes first, so do the negative ones.
    (u64::from_be_bytes(first) ^ 1 << 63) as i64
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::cmp::Ordering;

    use proptest::prelude::*;
    use types::compare;
    use types::oids;

    use super::*;

    fn numeric(unscaled: i64, scale: u16) -> Datum {
        Datum::Numeric(Numeric::Small { unscaled, scale })
    }

    fn values(class: usize, n: u64) -> (PhysType, common::Oid, Datum) {
        let scale = (n % 9) as u16;
        match class {
            0 => (PhysType::Int4, oids::INT4, Datum::Int4(n as i32)),
            1 => (PhysType::Int8, oids::INT8, Datum::Int8(n as i64)),
            2 => (PhysType::Float8, oids::FLOAT8, Datum::Float8(f64::from_bits(n))),
            3 => (
                PhysType::Float8,
                oids::FLOAT8,
                Datum::Float8((n % 7) as f64 - 3.0),
            ),
            4 => (PhysType::Numeric, oids::NUMERIC, numeric(n as i64, scale)),
            5 => (
                PhysType::Numeric,
                oids::NUMERIC,
                numeric((n % 1000) as i64 - 500, scale),
            ),
            6 => (PhysType::Text, oids::TEXT, Datum::text((n % 100_000).to_string())),
            7 => (
                PhysType::Bytes,
                oids::BYTEA,
                Datum::Bytes(n.to_be_bytes()[(n % 9) as usize..].into()),
            ),
            8 => (PhysType::Oid, oids::OID, Datum::Oid(n as u32)),
            _ => (PhysType::Bool, oids::BOOL, Datum::Bool(n % 2 == 0)),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2000, rng_seed: proptest::test_runner::RngSeed::Fixed(11), ..ProptestConfig::default() })]

        #[test]
        fn nothing_that_is_there_is_ruled_out(
            class in 0..10_usize,
            rows in prop::collection::vec((any::<u64>(), 0..10_u8), 1..20),
            probe in any::<u64>(),
            pick in any::<prop::sample::Index>(),
        ) {
            let (phys, oid, _) = values(class, 0);
            let mut column = Vector::empty(phys);
            let mut there = Vec::new();
            for (n, kind) in &rows {
                let value = if *kind == 0 { Datum::Null } else { values(class, *n).2 };
                column.push(&value);
                there.push(value);
            }
            let zone = Zone::of(&column, &Selection::All(rows.len())).unwrap();
            prop_assert_eq!(zone.may_have(&ZoneWants::Null), there.iter().any(Datum::is_null));
            let known: Vec<&Datum> = there.iter().filter(|v| !v.is_null()).collect();
            prop_assert_eq!(zone.may_have(&ZoneWants::NotNull), !known.is_empty());
            let picked = pick.get(&there).clone();
            for probe in [values(class, probe).2, picked] {
                let Some(key) = zone_key(&probe) else { continue };
                let any = |wanted: &[Ordering]| known.iter().any(|v| wanted.contains(&compare::compare(oid, v, &probe)));
                use Ordering::{Equal, Greater, Less};
                prop_assert!(!any(&[Equal]) || zone.may_have(&ZoneWants::OneOf([key].into())));
                prop_assert!(!any(&[Equal]) || zone.may_have(&ZoneWants::Between(key, key)));
                prop_assert!(!any(&[Less, Equal]) || zone.may_have(&ZoneWants::Between(i64::MIN, key)));
                prop_assert!(!any(&[Greater, Equal]) || zone.may_have(&ZoneWants::Between(key, i64::MAX)));
            }
        }
    }

    #[test]
    fn what_lies_outside_is_ruled_out() {
        let mut column = Vector::empty(PhysType::Numeric);
        column.push(&numeric(150, 2));
        column.push(&numeric(990, 2));
        let zone = Zone::of(&column, &Selection::All(2)).unwrap();
        let key = |value: &Datum| zone_key(value).unwrap();
        let (low, high) = (key(&numeric(14, 1)), key(&numeric(10, 0)));
        assert!(
            !zone.may_have(&ZoneWants::Between(i64::MIN, low))
                && !zone.may_have(&ZoneWants::Between(high, i64::MAX))
        );
        assert!(
            !zone.may_have(&ZoneWants::OneOf([low, high].into()))
                && zone.may_have(&ZoneWants::Between(low, high))
        );
        assert!(!zone.may_have(&ZoneWants::Null));
        assert!(
            key(&Datum::text("abc")) < key(&Datum::text("abd"))
                && key(&Datum::text("ä")) > key(&Datum::text("z"))
        );
    }
}
