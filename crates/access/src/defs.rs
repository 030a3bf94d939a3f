//! What the layers above tell about a relation before they use it.

use std::sync::Arc;

use common::{Oid, PgResult, RelationId, RowId};
use types::key::{KeyColumn, encode_all};
use types::{Datum, PhysType, Vector};

use crate::index::store::{EntryKey, entry_key};
use crate::index::value;

/// How far a relation's content must survive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Persistence {
    /// Logged: survives everything.
    #[default]
    Permanent,
    /// Not logged: empty after a crash.
    Unlogged,
    /// Not logged, and gone when the database closes.
    Temporary,
}

/// What may be done with a column's long values (`pg_attribute.attstorage`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ColumnStorage {
    /// They stay in their rows as they are.
    Plain,
    /// They may leave their rows, and are not compressed.
    External,
    /// They may be compressed and leave their rows.
    #[default]
    Extended,
    /// They may be compressed, and leave their rows only when very long.
    Main,
}

impl ColumnStorage {
    /// From PostgreSQL's letter.
    pub fn of_letter(letter: u8) -> ColumnStorage {
        match letter {
            b'p' => ColumnStorage::Plain,
            b'e' => ColumnStorage::External,
            b'm' => ColumnStorage::Main,
            _ => ColumnStorage::Extended,
        }
    }
}

/// A table as storage sees it: numbered columns of storage classes.
#[derive(Clone)]
pub struct TableDef {
    /// Where the rows are.
    pub id: RelationId,
    /// `pg_class.oid`: what row locks and messages call it.
    pub oid: Oid,
    /// Storage classes of all columns, dropped ones included, in attno order. Only ever grows.
    pub columns: Vec<PhysType>,
    /// Values of columns that older rows lack, by position; short means NULL.
    pub missing: Vec<Datum>,
    /// What may be done with long values, by position; short means [`ColumnStorage::Extended`].
    pub storage: Vec<ColumnStorage>,
    /// See [`Persistence`].
    pub persistence: Persistence,
    /// Rows that come with the program: row ids `0..row_count`.
    pub builtin: Option<Arc<dyn BuiltinRows>>,
}

impl TableDef {
    /// A permanent table without rows of the program's.
    pub fn new(id: RelationId, oid: Oid, columns: Vec<PhysType>) -> TableDef {
        TableDef {
            id,
            oid,
            columns,
            missing: Vec::new(),
            storage: Vec::new(),
            persistence: Persistence::Permanent,
            builtin: None,
        }
    }

    /// The columns of type `name`, in PostgreSQL 64 bytes long whatever they hold: texts that are never moved out of line.
    pub(crate) fn names(&self) -> impl Iterator<Item = usize> + '_ {
        let columns = self.storage.iter().zip(&self.columns).enumerate();
        let is_name = |(_, (storage, phys)): &(usize, (&ColumnStorage, &PhysType))| {
            **storage == ColumnStorage::Plain && **phys == PhysType::Text
        };
        columns.filter(is_name).map(|(i, _)| i)
    }

    pub(crate) fn storage_of(&self, column: usize) -> ColumnStorage {
        self.storage.get(column).copied().unwrap_or_default()
    }

    /// The value of a column that a stored row lacks.
    pub(crate) fn missing_value(&self, column: usize) -> Datum {
        self.missing.get(column).cloned().unwrap_or(Datum::Null)
    }
}

/// Rows compiled into the program (system catalogs). They can be updated and deleted like others: the changes override them.
pub trait BuiltinRows: Send + Sync {
    /// How many; they have the row ids from 0 on.
    fn row_count(&self) -> usize;
    /// Rows `chunk * 1024 ..` (up to 1,024, as many as there are) as one vector per column.
    fn block(&self, chunk: usize) -> PgResult<Vec<Arc<Vector>>>;
}

/// Index entries of [`BuiltinRows`], in key order.
#[derive(Debug, Default)]
pub struct BuiltinEntries {
    pub(crate) entries: Vec<(EntryKey, Box<[u8]>)>,
    /// How many rows are built in: those with smaller row ids.
    pub(crate) rows: u64,
}

impl BuiltinEntries {
    /// The entries of rows `0..keys.len()`, given the datums of their keys.
    pub fn new(columns: &[KeyColumn], keys: impl Iterator<Item = Vec<Datum>>) -> BuiltinEntries {
        let mut entries = Vec::new();
        let mut prefix = Vec::new();
        let mut rows = 0;
        for key in keys {
            prefix.clear();
            let exact = encode_all(columns, &key, &mut prefix);
            entries.push((entry_key(&prefix, RowId(rows)), value::encode(&key, &[], exact)));
            rows += 1;
        }
        entries.sort_unstable();
        BuiltinEntries { entries, rows }
    }
}

/// A B-tree index as storage sees it.
#[derive(Clone, Debug)]
pub struct IndexDef {
    /// Where the entries are.
    pub id: RelationId,
    /// `pg_class.oid`.
    pub oid: Oid,
    /// The table that it is of, where that is known.
    pub table: Option<RelationId>,
    /// Key columns, most significant first.
    pub columns: Vec<KeyColumn>,
    /// Storage classes of INCLUDE columns.
    pub include: Vec<PhysType>,
    /// No two rows with equal keys.
    pub unique: bool,
    /// For unique indexes: NULLs are equal.
    pub nulls_not_distinct: bool,
    /// See [`Persistence`].
    pub persistence: Persistence,
    /// What writers do with it.
    pub state: IndexState,
    /// Entries of rows that come with the program.
    pub builtin: Option<Arc<BuiltinEntries>>,
}

/// How far an index has come that is made, or goes, while rows change. Writers of neighbouring states may work side by side, others must
/// not: who takes no entries away must not meet who relies on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum IndexState {
    /// Writers take entries away that are there, and add none (`pg_index.indisready` is false).
    DeleteOnly,
    /// Writers keep it, but rows may lack entries: it is being filled, was left so, or is about to go (`indisvalid` is false).
    WriteOnly,
    /// Every row has its entry.
    Complete,
}

impl IndexDef {
    /// A permanent, non-unique index.
    pub fn new(id: RelationId, oid: Oid, columns: Vec<KeyColumn>) -> IndexDef {
        IndexDef {
            id,
            oid,
            table: None,
            columns,
            include: Vec::new(),
            unique: false,
            nulls_not_distinct: false,
            persistence: Persistence::Permanent,
            state: IndexState::Complete,
            builtin: None,
        }
    }

    /// The same index, unique.
    pub fn unique(mut self) -> IndexDef {
        self.unique = true;
        self
    }
}
