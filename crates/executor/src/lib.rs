//! Floor 5: runs plans over batches of column vectors.
//!
//! Main types: [`PreparedPlan`] (a `PlannedStmt` with its expressions compiled; immutable, shared by sessions), [`QueryRun`]
//! (one execution: a portal), [`ExecContext`] (what the session lends for each call), [`InsertTarget`] (COPY's way
//! into a table), [`RelationCache`] (opened tables and indexes by catalog descriptor).
//!
//! # The life of a statement
//! ```text
//! let prepared = Arc::new(PreparedPlan::compile(plan, catalog)?);        // kept beside the plan
//! let mut row = Vec::new();
//! if let Some(done) = prepared.run_point(&cx, &mut row)? { ... }         // short path: key lookups, single-row writes
//! let mut run = QueryRun::start(prepared, RunOptions::default());        // a portal
//! while let Some(batch) = run.next_batch(&cx, max_rows)? { ... }         // may stop and go on later
//! run.processed();                                                       // for the command tag
//! ```
//!
//! # Invariants
//! - A compiled plan is `Send + Sync` and never changes; run-time state lives in operators.
//! - Operators hand out batches of 1 to `max_rows` (at most 1,024) rows and compute nothing that the demand does not need, so
//!   that errors arise where PostgreSQL raises them.
//! - The transaction is borrowed only inside single calls into `access`, so that functions called by expressions (`nextval`) may
//!   borrow it too.
//! - Unknown nodes and forms end in 0A000 when the plan is compiled, never in wrong rows.

mod compile;
mod constants;
mod context;
mod cx;
mod groups;
mod instrument;
mod ints;
mod keys;
mod modify;
mod node;
mod ops;
mod packed;
mod parallel;
mod point;
mod prepared;
mod relations;
mod remembered;
mod run;
mod spill;
mod store;

pub use compile::with_table_oid;
pub use constants::{ConstContext, DomainProgram, compile_scalar, evaluate_constant};
pub use context::{ExecContext, WorkerHost, WorkerJob};
pub use instrument::{HashSummary, MemoizeSummary, NodeStats, StorageSummary};
pub use modify::after::{AfterMark, AfterQueue, Suspended, fire as fire_after, fire_deferred};
pub use modify::exclusion::Exclusion;
pub use modify::validate::{check_partition_removal, validate_foreign_key};
pub use modify::{ColumnsAction, InsertTarget};
pub use ops::prune::inputs_at_start;
pub use prepared::{PointOutcome, PreparedPlan};
pub use relations::{BuiltinSource, RelationCache, RelationOpener};
pub use run::{QueryRun, RunOptions};
pub use spill::{SortMethod, SortSummary};
