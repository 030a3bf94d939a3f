//! Large objects: descriptors, and the functions that work on them.
//!
//! PG: src/backend/libpq/be-fsstubs.c.
//!
//! # Invariants
//! - Descriptors live until the transaction ends; they are numbers from 0 on, the lowest free one is taken.

use std::path::Path;

use catalog::ddl::Ddl;
use catalog::ddl::large_object::{LargeObject, SIZE_MAX};
use catalog::privileges::{Guarded, ObjectKind, Privilege};
use common::env::OpenMode;
use common::{Oid, PgResult, pg_err, sqlstate};
use types::Datum;

use crate::session::env::StatementEnv;

const INV_WRITE: i32 = 0x2_0000;
const INV_READ: i32 = 0x4_0000;

/// The open descriptors of a session.
#[derive(Default)]
pub(crate) struct Descriptors {
    open: Vec<Option<Descriptor>>,
}

#[derive(Clone, Copy)]
struct Descriptor {
    object: Oid,
    writes: bool,
    position: u64,
}

impl Descriptors {
    /// The transaction ends.
    pub fn close_all(&mut self) {
        self.open.clear();
    }

    fn add(&mut self, new: Descriptor) -> i32 {
        let at = match self.open.iter().position(Option::is_none) {
            Some(free) => free,
            None => {
                self.open.push(None);
                self.open.len() - 1
            }
        };
        self.open[at] = Some(new);
        at as i32
    }

    fn get(&mut self, fd: i32) -> PgResult<&mut Descriptor> {
        let place = usize::try_from(fd).ok().and_then(|at| self.open.get_mut(at));
        match place.and_then(Option::as_mut) {
            Some(found) => Ok(found),
            None => Err(pg_err!(UNDEFINED_OBJECT, "invalid large-object descriptor: {fd}")),
        }
    }

    fn close(&mut self, fd: i32) -> PgResult<()> {
        self.get(fd)?;
        self.open[fd as usize] = None;
        Ok(())
    }
}

fn missing(object: Oid) -> Box<common::PgError> {
    pg_err!(UNDEFINED_OBJECT, "large object {object} does not exist")
}

fn bytes(args: &[Datum], at: usize) -> &[u8] {
    match args.get(at) {
        Some(Datum::Bytes(data)) => data,
        _ => &[],
    }
}

impl StatementEnv<'_> {
    /// The functions of large objects, by their `prosrc`; `None`: it is none of them.
    pub(crate) fn large_object_call(&self, function: &str, args: &[Datum]) -> PgResult<Option<Datum>> {
        let number = |at: usize| args.get(at).and_then(Datum::as_i64).unwrap_or(0);
        let object = args.first().and_then(Datum::as_oid).unwrap_or_default();
        let fd = number(0) as i32;
        Ok(Some(match function {
            "be_lo_creat" => Datum::Oid(self.create(Oid::INVALID, "lo_creat()")?.0),
            "be_lo_create" => Datum::Oid(self.create(object, "lo_create()")?.0),
            "be_lo_from_bytea" => {
                let made = self.create(object, "lo_from_bytea()")?;
                self.large(|ddl| ddl.write_large_object(made, 0, bytes(args, 1)))?;
                Datum::Oid(made.0)
            }
            "be_lo_open" => Datum::Int4(self.open_large_object(object, number(1) as i32)?),
            "be_lo_close" => {
                self.core.large_objects.borrow_mut().close(fd)?;
                Datum::Int4(0)
            }
            "be_loread" => {
                let d = *self.core.large_objects.borrow_mut().get(fd)?;
                let length = number(1).max(0) as usize;
                let data = self.large(|ddl| ddl.read_large_object(d.object, d.position, length))?;
                self.core.large_objects.borrow_mut().get(fd)?.position += data.len() as u64;
                Datum::Bytes(data.into())
            }
            "be_lowrite" => Datum::Int4(self.write_at_descriptor(fd, bytes(args, 1))?),
            "be_lo_lseek" => {
                let at = self.seek(fd, number(1), number(2) as i32)?;
                Datum::Int4(narrow(at, "lo_lseek", fd)?)
            }
            "be_lo_lseek64" => Datum::Int8(self.seek(fd, number(1), number(2) as i32)?),
            "be_lo_tell" => {
                let at = self.core.large_objects.borrow_mut().get(fd)?.position;
                Datum::Int4(narrow(at as i64, "lo_tell", fd)?)
            }
            "be_lo_tell64" => Datum::Int8(self.core.large_objects.borrow_mut().get(fd)?.position as i64),
            "be_lo_truncate" | "be_lo_truncate64" => {
                let d = self.writable(fd, "lo_truncate()")?;
                let length = number(1);
                let Some(length) = u64::try_from(length).ok().filter(|l| *l <= SIZE_MAX) else {
                    return Err(pg_err!(
                        INVALID_PARAMETER_VALUE,
                        "invalid large object truncation target: {length}"
                    ));
                };
                self.large(|ddl| ddl.truncate_large_object(d.object, length))?;
                Datum::Int4(0)
            }
            _ => return self.whole_object_call(function, object, args),
        }))
    }

    /// Those that work on an object without a descriptor.
    fn whole_object_call(&self, function: &str, object: Oid, args: &[Datum]) -> PgResult<Option<Datum>> {
        let number = |at: usize| args.get(at).and_then(Datum::as_i64).unwrap_or(0);
        Ok(Some(match function {
            "be_lo_unlink" => self.unlink(object)?,
            "be_lo_get" => {
                self.readable(object)?;
                let data = self.large(|ddl| ddl.read_large_object(object, 0, usize::MAX))?;
                Datum::Bytes(data.into())
            }
            "be_lo_get_fragment" => {
                let (offset, length) = (number(1), number(2));
                let Ok(length) = usize::try_from(length) else {
                    return Err(pg_err!(
                        INVALID_PARAMETER_VALUE,
                        "requested length cannot be negative"
                    ));
                };
                self.readable(object)?;
                let offset = target(offset)?;
                let data = self.large(|ddl| ddl.read_large_object(object, offset, length))?;
                Datum::Bytes(data.into())
            }
            "be_lo_put" => {
                self.refuse_read_only("lo_put()")?;
                let facts = self.existing(object)?;
                self.check(object, &facts, Privilege::Update)?;
                let offset = target(number(1))?;
                self.large(|ddl| ddl.write_large_object(object, offset, bytes(args, 2)))?;
                Datum::Null
            }
            "be_lo_import" => Datum::Oid(self.import(text(args, 0), Oid::INVALID)?.0),
            "be_lo_import_with_oid" => {
                let wanted = args.get(1).and_then(Datum::as_oid).unwrap_or_default();
                Datum::Oid(self.import(text(args, 0), wanted)?.0)
            }
            "be_lo_export" => {
                self.check_files("lo_export")?;
                self.existing(object)?;
                let data = self.large(|ddl| ddl.read_large_object(object, 0, usize::MAX))?;
                self.write_file(text(args, 1), &data)?;
                Datum::Int4(1)
            }
            _ => return Ok(None),
        }))
    }

    /// Files of the server are for superusers.
    fn check_files(&self, function: &str) -> PgResult<()> {
        if self.view.roles()?.is_superuser(self.core.user.get()) {
            return Ok(());
        }
        Err(catalog::privileges::permission_denied(
            ObjectKind::Function,
            function,
        ))
    }

    fn import(&self, path: &str, wanted: Oid) -> PgResult<Oid> {
        self.check_files("lo_import")?;
        self.refuse_read_only("lo_import()")?;
        let failed = |e: std::io::Error| {
            let message = format!("could not open server file \"{path}\": {}", reason(&e));
            common::PgError::new(file_state(&e), message)
        };
        let fs = self.core.db.env.fs();
        let file = fs.open(Path::new(path), OpenMode::Read).map_err(failed)?;
        let mut data = vec![0; file.len().map_err(failed)? as usize];
        file.read_exact_at(&mut data, 0).map_err(failed)?;
        let made = self.large(|ddl| ddl.create_large_object(wanted))?;
        self.large(|ddl| ddl.write_large_object(made, 0, &data))?;
        Ok(made)
    }

    fn write_file(&self, path: &str, data: &[u8]) -> PgResult<()> {
        let failed = |e: std::io::Error| {
            let message = format!("could not create server file \"{path}\": {}", reason(&e));
            common::PgError::new(file_state(&e), message)
        };
        let fs = self.core.db.env.fs();
        let file = fs.open(Path::new(path), OpenMode::OpenOrCreate).map_err(failed)?;
        file.set_len(0).map_err(failed)?;
        file.write_all_at(data, 0).map_err(failed)
    }

    /// Works on the catalogs that large objects are kept in.
    fn large<T>(&self, work: impl FnOnce(&mut Ddl<'_>) -> PgResult<T>) -> PgResult<T> {
        use commands::CatalogHandle;
        let (mut work, mut made) = (Some(work), None);
        let user = self.core.user.get();
        let mut txn = self.txn.borrow_mut();
        self.core.catalog().change(&mut txn, user, &mut |ddl| {
            if let Some(work) = work.take() {
                made = Some(work(ddl)?);
            }
            Ok(())
        })?;
        made.ok_or_else(|| common::internal!("large object was not worked on"))
    }

    fn create(&self, wanted: Oid, what: &str) -> PgResult<Oid> {
        self.refuse_read_only(what)?;
        self.large(|ddl| ddl.create_large_object(wanted))
    }

    /// Whose it is and whom it is open to, if it is there.
    pub(crate) fn large_object_facts(&self, object: Oid) -> PgResult<Option<LargeObject>> {
        self.large(|ddl| ddl.large_object(object))
    }

    fn existing(&self, object: Oid) -> PgResult<LargeObject> {
        self.large_object_facts(object)?.ok_or_else(|| missing(object))
    }

    fn check(&self, object: Oid, facts: &LargeObject, privilege: Privilege) -> PgResult<()> {
        if self.core.guc.borrow().get_bool("lo_compat_privileges") {
            return Ok(());
        }
        let guarded = Guarded {
            kind: ObjectKind::LargeObject,
            owner: facts.owner,
            acl: facts.acl.as_deref(),
        };
        let user = self.core.user.get();
        self.view
            .roles()?
            .check(user, guarded, privilege, &object.to_string())
    }

    fn readable(&self, object: Oid) -> PgResult<()> {
        let facts = self.existing(object)?;
        self.check(object, &facts, Privilege::Select)
    }

    fn open_large_object(&self, object: Oid, mode: i32) -> PgResult<i32> {
        let writes = mode & INV_WRITE != 0;
        if writes {
            self.refuse_read_only("lo_open(INV_WRITE)")?;
        } else if mode & INV_READ == 0 {
            return Err(pg_err!(
                INVALID_PARAMETER_VALUE,
                "invalid flags for opening a large object: {mode}"
            ));
        }
        let facts = self.existing(object)?;
        if mode & INV_READ != 0 {
            self.check(object, &facts, Privilege::Select)?;
        }
        if writes {
            self.check(object, &facts, Privilege::Update)?;
        }
        let new = Descriptor {
            object,
            writes,
            position: 0,
        };
        Ok(self.core.large_objects.borrow_mut().add(new))
    }

    fn writable(&self, fd: i32, what: &str) -> PgResult<Descriptor> {
        self.refuse_read_only(what)?;
        let d = *self.core.large_objects.borrow_mut().get(fd)?;
        if d.writes {
            return Ok(d);
        }
        Err(pg_err!(
            OBJECT_NOT_IN_PREREQUISITE_STATE,
            "large object descriptor {fd} was not opened for writing"
        ))
    }

    fn write_at_descriptor(&self, fd: i32, data: &[u8]) -> PgResult<i32> {
        let d = self.writable(fd, "lowrite()")?;
        if d.position + data.len() as u64 > SIZE_MAX {
            return Err(pg_err!(
                INVALID_PARAMETER_VALUE,
                "invalid large object write request size: {}",
                data.len()
            ));
        }
        self.large(|ddl| ddl.write_large_object(d.object, d.position, data))?;
        self.core.large_objects.borrow_mut().get(fd)?.position += data.len() as u64;
        Ok(data.len() as i32)
    }

    fn seek(&self, fd: i32, offset: i64, whence: i32) -> PgResult<i64> {
        let d = *self.core.large_objects.borrow_mut().get(fd)?;
        let base = match whence {
            0 => 0,
            1 => d.position as i64,
            2 => self.large(|ddl| ddl.large_object_size(d.object))? as i64,
            _ => {
                return Err(pg_err!(
                    INVALID_PARAMETER_VALUE,
                    "invalid whence setting: {whence}"
                ));
            }
        };
        let position = target(base.saturating_add(offset))?;
        self.core.large_objects.borrow_mut().get(fd)?.position = position;
        Ok(position as i64)
    }

    fn unlink(&self, object: Oid) -> PgResult<Datum> {
        self.refuse_read_only("lo_unlink()")?;
        let facts = self.existing(object)?;
        let compatible = self.core.guc.borrow().get_bool("lo_compat_privileges");
        if !compatible && !self.view.roles()?.owns(self.core.user.get(), facts.owner) {
            return Err(pg_err!(
                INSUFFICIENT_PRIVILEGE,
                "must be owner of large object {object}"
            ));
        }
        self.large(|ddl| ddl.drop_large_object(object))?;
        Ok(Datum::Int4(1))
    }
}

fn text(args: &[Datum], at: usize) -> &str {
    args.get(at).and_then(Datum::as_str).unwrap_or_default()
}

/// The operating system's words.
fn reason(e: &std::io::Error) -> &'static str {
    match e.kind() {
        std::io::ErrorKind::NotFound => "No such file or directory",
        std::io::ErrorKind::PermissionDenied => "Permission denied",
        std::io::ErrorKind::IsADirectory => "Is a directory",
        _ => "Input/output error",
    }
}

fn file_state(e: &std::io::Error) -> common::SqlState {
    match e.kind() {
        std::io::ErrorKind::NotFound => sqlstate::UNDEFINED_FILE,
        std::io::ErrorKind::PermissionDenied => sqlstate::INSUFFICIENT_PRIVILEGE,
        std::io::ErrorKind::IsADirectory => sqlstate::WRONG_OBJECT_TYPE,
        _ => sqlstate::IO_ERROR,
    }
}

/// A position as it must be.
fn target(offset: i64) -> PgResult<u64> {
    match u64::try_from(offset) {
        Ok(offset) if offset <= SIZE_MAX => Ok(offset),
        _ => Err(pg_err!(
            INVALID_PARAMETER_VALUE,
            "invalid large object seek target: {offset}"
        )),
    }
}

fn narrow(position: i64, what: &str, fd: i32) -> PgResult<i32> {
    i32::try_from(position).map_err(|_| {
        pg_err!(
            NUMERIC_VALUE_OUT_OF_RANGE,
            "{what} result out of range for large-object descriptor {fd}"
        )
    })
}
