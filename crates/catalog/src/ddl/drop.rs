//! Dropping objects with what depends on them.
//!
//! PG: src/backend/catalog/dependency.c.
//!
//! # How it works
//! 1. [`Ddl::drop_objects`] walks `pg_depend` from each object to its dependents, depth first; an object that is part of another
//!    (internal dependency) leads to that other one first.
//! 2. Dependents reached through a normal dependency must be agreed to: RESTRICT names them all in the DETAIL of 2BP01, CASCADE
//!    tells of them in a NOTICE. Those that go along automatically or are parts are not mentioned.
//! 3. Everything found is removed, dependents first (`remove`).

use common::cancel;
use common::error::{ErrorExt, Severity};
use common::{Oid, PgError, PgResult, pg_err, sqlstate};
use rustc_hash::FxHashMap;

use crate::columns::pg_depend::*;
use crate::ddl::depend::is_pinned;
use crate::ddl::{Ddl, ObjectAddress};
use crate::oids;
use crate::row::StoredRow;
use crate::store::key_oid;

/// RESTRICT or CASCADE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum DropBehavior {
    Restrict,
    Cascade,
}

/// How an object came to be dropped; several may hold.
#[derive(Clone, Copy, Debug, Default)]
struct Flags {
    /// Named in the statement.
    original: bool,
    /// Needs CASCADE.
    normal: bool,
    /// Goes along.
    auto: bool,
    /// Part of another that is dropped.
    internal: bool,
    /// A column of a table that is dropped.
    sub_object: bool,
}

impl Flags {
    fn add(&mut self, other: Flags) {
        self.original |= other.original;
        self.normal |= other.normal;
        self.auto |= other.auto;
        self.internal |= other.internal;
        self.sub_object |= other.sub_object;
    }

    fn of_dependency(letter: u8) -> Flags {
        Flags {
            normal: letter == b'n',
            auto: matches!(letter, b'a' | b'P' | b'S'),
            internal: matches!(letter, b'i' | b'e'),
            ..Flags::default()
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Target {
    object: ObjectAddress,
    flags: Flags,
    /// The object through which it was found.
    dependee: Option<ObjectAddress>,
}

/// What goes, in the order in which it is found.
#[derive(Default)]
struct Targets {
    list: Vec<Target>,
    /// Places in the list by class and object: an object and its columns are there.
    places: FxHashMap<(Oid, Oid), Vec<usize>>,
}

impl Targets {
    fn push(&mut self, target: Target) {
        let object = target.object;
        let places = self.places.entry((object.class, object.object)).or_default();
        places.push(self.list.len());
        self.list.push(target);
    }

    /// Those that are the object, the whole that it is a part of, or a part of it.
    fn places_of(&self, object: ObjectAddress) -> &[usize] {
        let places = self.places.get(&(object.class, object.object));
        places.map_or(&[], Vec::as_slice)
    }

    fn covers_part(&self, object: ObjectAddress) -> bool {
        let found = self.places_of(object).iter().filter_map(|at| self.list.get(*at));
        found
            .into_iter()
            .any(|t| covers(t.object, object) && t.object != object)
    }
}

/// The objects being walked through, innermost last, with flags found meanwhile.
type Stack = Vec<(ObjectAddress, Flags)>;

/// Dependents that messages name before they only count.
const REPORTED_MAX: usize = 100;

impl Ddl<'_> {
    /// Drops objects and what depends on them, or says why not.
    pub fn drop_objects(
        &mut self,
        objects: &[ObjectAddress],
        behavior: DropBehavior,
    ) -> PgResult<Vec<ObjectAddress>> {
        let mut targets = Targets::default();
        for object in objects {
            self.check_not_pinned(*object)?;
            let flags = Flags {
                original: true,
                ..Flags::default()
            };
            self.find_dependents(*object, flags, &mut Vec::new(), &mut targets, objects)?;
        }
        let targets = targets.list;
        self.report(&targets, behavior, objects)?;
        for target in &targets {
            if !target.flags.sub_object {
                self.remove_object(target.object)?;
            }
        }
        Ok(targets.into_iter().map(|t| t.object).collect())
    }

    fn check_not_pinned(&self, object: ObjectAddress) -> PgResult<()> {
        if !is_pinned(object) {
            return Ok(());
        }
        let name = self.describe(object)?;
        Err(pg_err!(
            DEPENDENT_OBJECTS_STILL_EXIST,
            "cannot drop {name} because it is required by the database system"
        ))
    }

    fn find_dependents(
        &mut self,
        object: ObjectAddress,
        flags: Flags,
        stack: &mut Stack,
        targets: &mut Targets,
        originals: &[ObjectAddress],
    ) -> PgResult<()> {
        cancel::check()?;
        if present_on_stack(object, flags, stack) || present_in_targets(object, flags, targets) {
            return Ok(());
        }
        let owners = self.internal_owners(object)?;
        if let Some(owner) = owners.first().copied() {
            let coming = |owner: ObjectAddress, targets: &mut Targets| {
                stack.iter().any(|(o, _)| covers(*o, owner))
                    || present_in_targets(owner, Flags::default(), targets)
            };
            let owner_is_coming = owners.iter().any(|o| coming(*o, targets));
            if !owner_is_coming && stack.is_empty() {
                if !originals.iter().any(|o| owners.iter().any(|w| covers(*o, *w))) {
                    return Err(self.required_by(object, owner)?);
                }
                // Its owner is named too: that one takes it along.
                return Ok(());
            }
            if !owner_is_coming {
                // Found as a dependent of something else: the whole owner must go. It is found through the same object.
                self.find_dependents(owner, Flags::default(), stack, targets, originals)?;
                let _ = present_in_targets(object, flags, targets);
                return Ok(());
            }
        }
        stack.push((object, flags));
        for (dependent, flags) in self.dependents(object)? {
            self.find_dependents(dependent, flags, stack, targets, originals)?;
        }
        let Some((_, mut flags)) = stack.pop() else {
            return Ok(());
        };
        let dependee = stack.last().map(|(o, _)| *o);
        if targets.covers_part(object) {
            flags.sub_object = true;
        }
        targets.push(Target {
            object,
            flags,
            dependee,
        });
        Ok(())
    }

    /// The objects that this one is a part of; with one of them it goes.
    fn internal_owners(&self, object: ObjectAddress) -> PgResult<Vec<ObjectAddress>> {
        let key = [key_oid(object.class), key_oid(object.object)];
        let rows = self.store.lookup(oids::PG_DEPEND_DEPENDER_INDEX, &key)?;
        let same_sub = |row: &&StoredRow| object.sub == 0 || row.int4(OBJSUBID) == object.sub;
        let mut owners: Vec<(bool, ObjectAddress)> = rows
            .iter()
            .filter(same_sub)
            .filter(|row| matches!(row.char(DEPTYPE), b'i' | b'P' | b'S'))
            .map(|row| (row.char(DEPTYPE) == b'S', referenced(row)))
            .filter(|(_, o)| o.object != object.object || o.class != object.class)
            .collect();
        owners.sort_by_key(|(secondary, _)| *secondary);
        Ok(owners.into_iter().map(|(_, o)| o).collect())
    }

    /// Objects that need this one, the newest first, with how.
    fn dependents(&self, object: ObjectAddress) -> PgResult<Vec<(ObjectAddress, Flags)>> {
        let mut key = vec![key_oid(object.class), key_oid(object.object)];
        if object.sub != 0 {
            key.push(types::Datum::Int4(object.sub));
        }
        let rows = self.store.lookup(oids::PG_DEPEND_REFERENCE_INDEX, &key)?;
        let mut found: Vec<(ObjectAddress, Flags)> = Vec::new();
        for row in &rows {
            let dependent = depender(row);
            // Parts of an object may need other parts of it.
            if dependent.class == object.class && dependent.object == object.object {
                continue;
            }
            let flags = Flags::of_dependency(row.char(DEPTYPE));
            found.push((dependent, flags));
        }
        found.sort_by_key(|(o, _)| (std::cmp::Reverse(o.object), o.class, o.sub));
        Ok(found)
    }

    fn required_by(&self, object: ObjectAddress, owner: ObjectAddress) -> PgResult<Box<PgError>> {
        let (name, owner) = (self.describe(object)?, self.describe(owner)?);
        let error = pg_err!(
            DEPENDENT_OBJECTS_STILL_EXIST,
            "cannot drop {name} because {owner} requires it"
        );
        Ok(error.hint(format!("You can drop {owner} instead.")))
    }

    fn report(
        &mut self,
        targets: &[Target],
        behavior: DropBehavior,
        originals: &[ObjectAddress],
    ) -> PgResult<()> {
        let mut lines: Vec<String> = Vec::new();
        let mut count = 0;
        for target in targets.iter().rev() {
            let flags = target.flags;
            if flags.original || flags.sub_object || flags.auto || flags.internal {
                continue;
            }
            count += 1;
            if lines.len() >= REPORTED_MAX {
                continue;
            }
            let name = self.describe(target.object)?;
            lines.push(match (behavior, target.dependee) {
                (DropBehavior::Restrict, Some(dependee)) => {
                    format!("{name} depends on {}", self.describe(dependee)?)
                }
                (DropBehavior::Restrict, None) => name,
                (DropBehavior::Cascade, _) => format!("drop cascades to {name}"),
            });
        }
        if count == 0 {
            return Ok(());
        }
        if count > lines.len() {
            let more = count - lines.len();
            let (verb, objects) = if more == 1 {
                ("object", "")
            } else {
                ("objects", "")
            };
            lines.push(format!(
                "and {more} other {verb}{objects} (see server log for list)"
            ));
        }
        match behavior {
            DropBehavior::Restrict => Err(self.still_needed(originals, lines.join("\n"))?),
            DropBehavior::Cascade => {
                self.notices.push(cascade_notice(&lines, count));
                Ok(())
            }
        }
    }

    fn still_needed(&self, originals: &[ObjectAddress], detail: String) -> PgResult<Box<PgError>> {
        let error = match originals {
            [one] => {
                let name = self.describe(*one)?;
                pg_err!(
                    DEPENDENT_OBJECTS_STILL_EXIST,
                    "cannot drop {name} because other objects depend on it"
                )
            }
            _ => pg_err!(
                DEPENDENT_OBJECTS_STILL_EXIST,
                "cannot drop desired object(s) because other objects depend on them"
            ),
        };
        Ok(error
            .detail(detail)
            .hint("Use DROP ... CASCADE to drop the dependent objects too."))
    }
}

fn cascade_notice(lines: &[String], count: usize) -> Box<PgError> {
    let notice =
        |message: String| PgError::notice(Severity::Notice, sqlstate::SUCCESSFUL_COMPLETION, message);
    match lines {
        [one] => notice(one.clone()),
        lines => notice(format!("drop cascades to {count} other objects")).detail(lines.join("\n")),
    }
}

fn depender(row: &StoredRow) -> ObjectAddress {
    ObjectAddress {
        class: row.oid(CLASSID),
        object: row.oid(OBJID),
        sub: row.int4(OBJSUBID),
    }
}

fn referenced(row: &StoredRow) -> ObjectAddress {
    ObjectAddress {
        class: row.oid(REFCLASSID),
        object: row.oid(REFOBJID),
        sub: row.int4(REFOBJSUBID),
    }
}

/// Dropping `whole` drops `part` as well: the same object, or a column of it.
fn covers(whole: ObjectAddress, part: ObjectAddress) -> bool {
    whole.class == part.class && whole.object == part.object && (whole.sub == 0 || whole.sub == part.sub)
}

fn present_on_stack(object: ObjectAddress, flags: Flags, stack: &mut Stack) -> bool {
    let mut present = false;
    for (on_stack, known) in stack.iter_mut() {
        if covers(*on_stack, object) {
            if *on_stack == object {
                known.add(flags);
            }
            present = true;
        }
    }
    present
}

fn present_in_targets(object: ObjectAddress, flags: Flags, targets: &mut Targets) -> bool {
    let mut present = false;
    let places = targets.places.get(&(object.class, object.object));
    for at in places.into_iter().flatten() {
        let Some(target) = targets.list.get_mut(*at) else {
            continue;
        };
        if target.object == object {
            target.flags.add(flags);
            present = true;
        } else if covers(target.object, object) {
            present = true;
        } else if covers(object, target.object) {
            // A column was found before its whole table: the table takes it along.
            target.flags.sub_object = true;
        }
    }
    present
}

/// What a statement's notices look like to tests.
#[cfg(test)]
pub(crate) fn notice_text(notice: &PgError) -> String {
    match &notice.detail {
        Some(detail) => format!("{}\n{detail}", notice.message),
        None => notice.message.clone(),
    }
}
