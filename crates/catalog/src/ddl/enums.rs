//! Enum types and their labels.
//!
//! PG: src/backend/catalog/pg_enum.c.
//!
//! # How labels sort
//! An enum value is the OID of its label, and everywhere below the catalog it sorts as that number. So a label's OID is chosen by its
//! place: types get regions of the upper half of the OIDs, far from each other, with labels far apart inside, and a label that comes
//! later in between gets an OID in between. `enumsortorder` is kept as PostgreSQL keeps it, for those who read the catalog.
//!
//! # Invariants
//! - Labels of a type, ordered by `enumsortorder`, have ascending OIDs.
//! - A label never changes its OID: values are stored.
//!
//! # Weakness
//! Where hundreds of labels are put into one gap, OIDs run out there: 54000. PostgreSQL renumbers and goes on.

use common::error::{ErrorExt, Severity};
use common::{Oid, PgError, PgResult, pg_err, sqlstate};
use types::Datum;

use crate::columns::pg_enum::*;
use crate::columns::pg_type;
use crate::ddl::types::{TypeShape, functions};
use crate::ddl::{Ddl, oid};
use crate::oids;
use crate::row::StoredRow;
use crate::store::key_oid;

/// Label OIDs begin here.
const FIRST_LABEL: u32 = 1 << 31;
/// OIDs that a type's labels get to begin with.
const REGION: u32 = 1 << 20;
/// Regions.
const REGIONS: u32 = FIRST_LABEL / REGION;
/// How far apart labels are put at most when they are added at an end.
const STEP_MAX: u32 = 1 << 12;

/// Where ALTER TYPE ... ADD VALUE puts a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LabelPlace<'a> {
    /// At the end.
    Last,
    /// Before a label.
    Before(&'a str),
    /// After a label.
    After(&'a str),
}

fn enumeration() -> TypeShape {
    TypeShape {
        len: 4,
        by_val: true,
        kind: b'e',
        category: b'E',
        align: b'i',
        storage: b'p',
        functions: functions(["enum_in", "enum_out", "enum_recv", "enum_send", "-", "-"]),
    }
}

fn check_label(label: &str) -> PgResult<()> {
    if label.len() <= 63 {
        return Ok(());
    }
    Err(pg_err!(INVALID_NAME, "invalid enum label \"{label}\"").detail("Labels must be 63 bytes or less."))
}

fn duplicate(label: &str) -> Box<PgError> {
    pg_err!(DUPLICATE_OBJECT, "enum label \"{label}\" already exists")
}

fn no_such_label(label: &str) -> Box<PgError> {
    pg_err!(
        INVALID_PARAMETER_VALUE,
        "\"{label}\" is not an existing enum label"
    )
}

fn exhausted() -> Box<PgError> {
    pg_err!(
        PROGRAM_LIMIT_EXCEEDED,
        "no room for another enum label at this place"
    )
    .hint("Make a new type with all labels, and change the columns to it.")
}

impl Ddl<'_> {
    /// CREATE TYPE ... AS ENUM.
    pub fn create_enum(&mut self, namespace: Oid, name: &str, labels: &[String]) -> PgResult<Oid> {
        self.check_type_name_free(namespace, name)?;
        for (at, label) in labels.iter().enumerate() {
            check_label(label)?;
            if labels[..at].contains(label) {
                return Err(pg_err!(
                    DUPLICATE_OBJECT,
                    "enum label \"{label}\" used more than once"
                ));
            }
        }
        let type_oid = self.store.new_oid()?;
        let array = self.create_array_type(namespace, name, type_oid, b'i')?;
        let mut row = self.type_row(type_oid, namespace, name, &enumeration());
        row[pg_type::TYPARRAY] = oid(array);
        self.store.insert(oids::PG_TYPE, row)?;
        self.record_type_schema(type_oid, namespace)?;
        let (first, step) = self.label_region(type_oid, labels.len())?;
        let mut next = first;
        for (label, at) in labels.iter().zip(1u16..) {
            self.insert_label(Oid(next), type_oid, label, f32::from(at))?;
            next = next.saturating_add(step);
        }
        Ok(type_oid)
    }

    fn insert_label(&mut self, label_oid: Oid, type_oid: Oid, label: &str, order: f32) -> PgResult<()> {
        let mut row = vec![Datum::Null; COUNT];
        row[OID] = oid(label_oid);
        row[ENUMTYPID] = oid(type_oid);
        row[ENUMSORTORDER] = Datum::Float4(order);
        row[ENUMLABEL] = Datum::text(label);
        self.store.insert(oids::PG_ENUM, row)
    }

    /// OIDs of all labels of the database, ascending.
    fn label_oids(&self) -> PgResult<Vec<u32>> {
        let rows = self.store.scan(oids::PG_ENUM)?;
        let mut all: Vec<u32> = rows.iter().map(|row| row.oid(OID).0).collect();
        all.sort_unstable();
        Ok(all)
    }

    /// First OID and distance for the labels of a new type. Types begin their search at different regions, so that transactions
    /// that make types at the same time do not meet.
    fn label_region(&self, type_oid: Oid, labels: usize) -> PgResult<(u32, u32)> {
        let used = self.label_oids()?;
        let labels = u32::try_from(labels).map_err(|_| exhausted())?;
        let is_free = |from: u32, to: u32| {
            let at = used.partition_point(|o| *o < from);
            used.get(at).is_none_or(|o| *o >= to)
        };
        let spread = |from: u32, room: u32| {
            let step = room / (labels + 1);
            if step == 0 {
                Err(exhausted())
            } else {
                Ok((from + step, step))
            }
        };
        for probe in 0..REGIONS {
            let from = FIRST_LABEL + (type_oid.0.wrapping_add(probe) % REGIONS) * REGION;
            if is_free(from, from.saturating_add(REGION)) {
                return spread(from, REGION - 1);
            }
        }
        // Thousands of types: the widest gap between two labels.
        let ends = used.iter().skip(1).chain([&u32::MAX]);
        let widest = used.iter().zip(ends).max_by_key(|(a, b)| *b - *a);
        let (from, to) = widest.ok_or_else(exhausted)?;
        spread(*from + (*to - *from) / 4, (*to - *from) / 2)
    }

    /// The labels of a type in order.
    fn labels_of(&self, type_oid: Oid) -> PgResult<Vec<StoredRow>> {
        let mut rows = self
            .store
            .lookup(oids::PG_ENUM_TYPID_SORTORDER_INDEX, &[key_oid(type_oid)])?;
        rows.sort_by(|a, b| a.float4(ENUMSORTORDER).total_cmp(&b.float4(ENUMSORTORDER)));
        Ok(rows)
    }

    /// ALTER TYPE ... ADD VALUE; `None` when it is there already and that is accepted.
    pub fn add_enum_label(
        &mut self,
        type_oid: Oid,
        label: &str,
        place: LabelPlace<'_>,
        if_not_exists: IfNotExists,
    ) -> PgResult<Option<Oid>> {
        check_label(label)?;
        let labels = self.labels_of(type_oid)?;
        if labels.iter().any(|row| &*row.text(ENUMLABEL) == label) {
            if if_not_exists == IfNotExists::Fail {
                return Err(duplicate(label));
            }
            self.notices.push(PgError::notice(
                Severity::Notice,
                sqlstate::DUPLICATE_OBJECT,
                format!("enum label \"{label}\" already exists, skipping"),
            ));
            return Ok(None);
        }
        let position = |name: &str| {
            let found = labels.iter().position(|row| &*row.text(ENUMLABEL) == name);
            found.ok_or_else(|| no_such_label(name))
        };
        // The new label comes before the one at `at`.
        let at = match place {
            LabelPlace::Last => labels.len(),
            LabelPlace::Before(name) => position(name)?,
            LabelPlace::After(name) => position(name)? + 1,
        };
        let new_oid = self.label_oid_between(&labels, at, matches!(place, LabelPlace::Before(_)))?;
        let order = self.sort_order_between(type_oid, at)?;
        self.insert_label(new_oid, type_oid, label, order)?;
        Ok(Some(new_oid))
    }

    fn label_oid_between(&self, labels: &[StoredRow], at: usize, before: bool) -> PgResult<Oid> {
        let left = at
            .checked_sub(1)
            .and_then(|i| labels.get(i))
            .map(|row| row.oid(OID).0);
        let right = labels.get(at).map(|row| row.oid(OID).0);
        let used = self.label_oids()?;
        let chosen = match (left, right) {
            // Runs of additions at one label go on in one direction: leave the other neighbour room.
            (Some(l), Some(r)) if r - l < 2 => return Err(exhausted()),
            (Some(l), Some(r)) if before => l + ((r - l) / 5).max(1),
            (Some(l), Some(r)) => r - ((r - l) / 5).max(1),
            (Some(l), None) => {
                let next = used.iter().find(|o| **o > l).copied().unwrap_or(u32::MAX);
                l + step_into(next - l)?
            }
            (None, Some(r)) => {
                let previous = used.iter().rfind(|o| **o < r).copied().unwrap_or(FIRST_LABEL);
                r - step_into(r - previous)?
            }
            (None, None) => FIRST_LABEL + REGION / 2,
        };
        Ok(Oid(chosen))
    }

    /// `enumsortorder` as PostgreSQL computes it: half-way, everything renumbered when there is no number in between.
    fn sort_order_between(&mut self, type_oid: Oid, at: usize) -> PgResult<f32> {
        let labels = self.labels_of(type_oid)?;
        let order = |i: usize| labels.get(i).map(|row| row.float4(ENUMSORTORDER));
        let left = at.checked_sub(1).and_then(order);
        let middle = match (left, order(at)) {
            (Some(l), Some(r)) => {
                let middle = (l + r) / 2.0;
                if middle > l && middle < r {
                    middle
                } else {
                    // From the last down, so that no two meet on the way up.
                    let numbered: Vec<_> = labels.into_iter().zip(1u16..).collect();
                    for (row, place) in numbered.into_iter().rev() {
                        self.set(
                            oids::PG_ENUM,
                            row,
                            &[(ENUMSORTORDER, Datum::Float4(f32::from(place)))],
                        )?;
                    }
                    at as f32 + 0.5
                }
            }
            (Some(l), None) => l + 1.0,
            (None, Some(r)) => r - 1.0,
            (None, None) => 1.0,
        };
        Ok(middle)
    }

    /// ALTER TYPE ... RENAME VALUE.
    pub fn rename_enum_label(&mut self, type_oid: Oid, old: &str, new: &str) -> PgResult<()> {
        check_label(new)?;
        let labels = self.labels_of(type_oid)?;
        let taken = labels.iter().any(|row| &*row.text(ENUMLABEL) == new);
        let row = labels.into_iter().find(|row| &*row.text(ENUMLABEL) == old);
        let row = row.ok_or_else(|| no_such_label(old))?;
        if taken {
            return Err(duplicate(new));
        }
        self.set(oids::PG_ENUM, row, &[(ENUMLABEL, Datum::text(new))])
    }
}

fn step_into(gap: u32) -> PgResult<u32> {
    if gap < 2 {
        return Err(exhausted());
    }
    Ok((gap / 16).clamp(1, STEP_MAX))
}

/// What IF NOT EXISTS says about a label that exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IfNotExists {
    /// An error.
    Fail,
    /// A notice.
    Skip,
}
