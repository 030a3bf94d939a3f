//! What the layers above tell about a relation before they use it.

use std::sync::Arc;

use common::{Oid, PgResult, RelationId};
use types::key::KeyColumn;
use types::{Datum, PhysType, Vector};

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
            persistence: Persistence::Permanent,
            builtin: None,
        }
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

/// A B-tree index as storage sees it.
#[derive(Clone, Debug)]
pub struct IndexDef {
    /// Where the entries are.
    pub id: RelationId,
    /// `pg_class.oid`.
    pub oid: Oid,
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
}

impl IndexDef {
    /// A permanent, non-unique index.
    pub fn new(id: RelationId, oid: Oid, columns: Vec<KeyColumn>) -> IndexDef {
        IndexDef {
            id,
            oid,
            columns,
            include: Vec::new(),
            unique: false,
            nulls_not_distinct: false,
            persistence: Persistence::Permanent,
        }
    }

    /// The same index, unique.
    pub fn unique(mut self) -> IndexDef {
        self.unique = true;
        self
    }
}
