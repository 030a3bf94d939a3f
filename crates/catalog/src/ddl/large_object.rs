//! Large objects: bytes in pages of [`PAGE`] bytes, rows of `pg_largeobject`.
//!
//! PG: src/backend/storage/large_object/inv_api.c.
//!
//! A page that is missing, or shorter than the pages behind it need, reads as zeros.

use common::error::ErrorExt;
use common::{Oid, PgResult, pg_err};
use types::Datum;

use crate::columns::{pg_largeobject as p, pg_largeobject_metadata as m};
use crate::ddl::{Ddl, ObjectAddress, oid};
use crate::oids;
use crate::row::StoredRow;
use crate::store::key_oid;

/// Bytes of a page.
pub const PAGE: usize = 2048;
/// A read of fewer pages looks each of them up.
const FEW_PAGES: i32 = 64;
/// Bytes of the largest object.
pub const SIZE_MAX: u64 = i32::MAX as u64 * PAGE as u64;

/// `(loid, pageno)` of `pg_largeobject`, `oid` of `pg_largeobject_metadata`.
const PAGE_INDEX: Oid = Oid(2683);
const METADATA_INDEX: Oid = Oid(2996);

/// Whose a large object is, and whom it is open to.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct LargeObject {
    pub owner: Oid,
    pub acl: Option<Vec<Datum>>,
}

fn page_number(offset: u64) -> i32 {
    (offset / PAGE as u64) as i32
}

fn bytes(row: &StoredRow) -> &[u8] {
    match row.datum(p::DATA) {
        Datum::Bytes(data) => data,
        _ => &[],
    }
}

fn start_of(row: &StoredRow) -> u64 {
    row.int4(p::PAGENO) as u64 * PAGE as u64
}

fn end_of(row: &StoredRow) -> u64 {
    start_of(row) + bytes(row).len() as u64
}

impl Ddl<'_> {
    /// The facts of a large object, if it exists.
    pub fn large_object(&self, object: Oid) -> PgResult<Option<LargeObject>> {
        let row = self.find(METADATA_INDEX, object)?;
        Ok(row.map(|row| LargeObject {
            owner: row.oid(m::LOMOWNER),
            acl: row.list_opt(m::LOMACL).map(<[Datum]>::to_vec),
        }))
    }

    /// Makes an empty large object; an invalid OID asks for a new one.
    pub fn create_large_object(&mut self, wanted: Oid) -> PgResult<Oid> {
        let made = match wanted.is_valid() {
            true => wanted,
            false => self.store.new_oid()?,
        };
        if self.find(METADATA_INDEX, made)?.is_some() {
            return Err(pg_err!(
                UNIQUE_VIOLATION,
                "duplicate key value violates unique constraint \"pg_largeobject_metadata_oid_index\""
            )
            .detail(format!("Key (oid)=({made}) already exists.")));
        }
        let mut row = vec![Datum::Null; m::COUNT];
        row[m::OID] = oid(made);
        row[m::LOMOWNER] = oid(self.user);
        self.store.insert(oids::PG_LARGEOBJECT_METADATA, row)?;
        Ok(made)
    }

    /// Removes a large object with its comments.
    pub fn drop_large_object(&mut self, object: Oid) -> PgResult<()> {
        for row in self.pages(object)? {
            self.store.delete(oids::PG_LARGEOBJECT, row.row)?;
        }
        if let Some(row) = self.find(METADATA_INDEX, object)? {
            self.store.delete(oids::PG_LARGEOBJECT_METADATA, row.row)?;
        }
        self.delete_comments(ObjectAddress::new(oids::PG_LARGEOBJECT, object))
    }

    /// ALTER LARGE OBJECT ... OWNER TO.
    pub fn own_large_object(&mut self, object: Oid, owner: Oid) -> PgResult<()> {
        let row = self.get(METADATA_INDEX, object)?;
        self.set(oids::PG_LARGEOBJECT_METADATA, row, &[(m::LOMOWNER, oid(owner))])
    }

    /// Sets whom it is open to.
    pub fn open_large_object(&mut self, object: Oid, acl: Datum) -> PgResult<()> {
        let row = self.get(METADATA_INDEX, object)?;
        self.set(oids::PG_LARGEOBJECT_METADATA, row, &[(m::LOMACL, acl)])
    }

    /// Its pages by number.
    fn pages(&self, object: Oid) -> PgResult<Vec<StoredRow>> {
        self.store.lookup(PAGE_INDEX, &[key_oid(object)])
    }

    fn page(&self, object: Oid, number: i32) -> PgResult<Option<StoredRow>> {
        let key = [key_oid(object), Datum::Int4(number)];
        Ok(self.store.lookup(PAGE_INDEX, &key)?.into_iter().next())
    }

    /// Where it ends.
    pub fn large_object_size(&self, object: Oid) -> PgResult<u64> {
        let ends = self.pages(object)?;
        Ok(ends.iter().map(end_of).max().unwrap_or(0))
    }

    /// The bytes from an offset on, at most so many.
    pub fn read_large_object(&self, object: Oid, offset: u64, length: usize) -> PgResult<Vec<u8>> {
        let wanted = offset.saturating_add(length as u64).min(SIZE_MAX);
        if offset >= wanted {
            return Ok(Vec::new());
        }
        let (first, last) = (page_number(offset), page_number(wanted - 1));
        let rows = if last - first < FEW_PAGES {
            let mut rows = Vec::new();
            for number in first..=last {
                rows.extend(self.page(object, number)?);
            }
            rows
        } else {
            self.pages(object)?
        };
        // Behind a page that is missing or short there may be others.
        let whole = rows.last().is_some_and(|row| end_of(row) >= wanted);
        let end = match whole {
            true => wanted,
            false => wanted.min(self.large_object_size(object)?),
        };
        let mut out = vec![0; end.saturating_sub(offset) as usize];
        for row in rows {
            let start = start_of(&row);
            let (from, to) = (start.max(offset), end_of(&row).min(end));
            if from < to {
                let into = &mut out[(from - offset) as usize..(to - offset) as usize];
                into.copy_from_slice(&bytes(&row)[(from - start) as usize..(to - start) as usize]);
            }
        }
        Ok(out)
    }

    /// Writes bytes at an offset.
    pub fn write_large_object(&mut self, object: Oid, offset: u64, mut data: &[u8]) -> PgResult<()> {
        let mut at = offset;
        while !data.is_empty() {
            let number = page_number(at);
            let within = (at % PAGE as u64) as usize;
            let (now, later) = data.split_at(data.len().min(PAGE - within));
            let old = self.page(object, number)?;
            let mut page = old.as_ref().map_or(Vec::new(), |row| bytes(row).to_vec());
            if page.len() < within + now.len() {
                page.resize(within + now.len(), 0);
            }
            page[within..within + now.len()].copy_from_slice(now);
            self.put_page(object, number, old, page)?;
            at += now.len() as u64;
            data = later;
        }
        Ok(())
    }

    fn put_page(&mut self, object: Oid, number: i32, old: Option<StoredRow>, page: Vec<u8>) -> PgResult<()> {
        let data = Datum::Bytes(page.into());
        match old {
            Some(row) => self.set(oids::PG_LARGEOBJECT, row, &[(p::DATA, data)]),
            None => {
                let mut row = vec![Datum::Null; p::COUNT];
                row[p::LOID] = oid(object);
                row[p::PAGENO] = Datum::Int4(number);
                row[p::DATA] = data;
                self.store.insert(oids::PG_LARGEOBJECT, row)
            }
        }
    }

    /// Cuts it off, or makes it longer by zeros.
    pub fn truncate_large_object(&mut self, object: Oid, length: u64) -> PgResult<()> {
        let last = page_number(length);
        for row in self.pages(object)? {
            if row.int4(p::PAGENO) > last {
                self.store.delete(oids::PG_LARGEOBJECT, row.row)?;
            }
        }
        let within = (length % PAGE as u64) as usize;
        let old = self.page(object, last)?;
        if within == 0 {
            // The last page is a whole one, or there is none.
            if let Some(row) = old {
                self.store.delete(oids::PG_LARGEOBJECT, row.row)?;
            }
            if length > 0 && self.large_object_size(object)? < length {
                let number = last - 1;
                let old = self.page(object, number)?;
                let mut page = old.as_ref().map_or(Vec::new(), |row| bytes(row).to_vec());
                page.resize(PAGE, 0);
                self.put_page(object, number, old, page)?;
            }
            return Ok(());
        }
        let mut page = old.as_ref().map_or(Vec::new(), |row| bytes(row).to_vec());
        page.resize(within, 0);
        self.put_page(object, last, old, page)
    }
}
