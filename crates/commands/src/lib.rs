//! Floor 6: utility statements and the settings of a session.
//!
//! Main types: [`CommandContext`] (what a statement may use), [`CommandOutcome`] (what it hands back), [`guc::GucStore`] (the
//! settings), [`CopyIn`] and [`CopyOut`] (COPY as streams). Entry point: [`execute`].
//!
//! # Invariants
//! - Unknown or unfinished statements and options end in 0A000, never in silence.
//! - Statements here read and change catalogs through [`CatalogHandle`] alone.
//!
//! # Not here
//! BEGIN, COMMIT, SAVEPOINT, PREPARE, EXECUTE, cursors, LISTEN, NOTIFY: the session's business ([`is_command`] says which).

mod access_method;
mod aggregate;
mod alter_base_type;
mod alter_column;
mod alter_column_types;
mod alter_constraint;
mod alter_generated;
mod alter_identity;
mod alter_inherit;
mod alter_passes;
mod alter_persistence;
mod alter_table;
mod alter_type;
mod analyze;
mod analyze_ext;
mod base_type;
pub mod cast;
mod classify;
mod collation;
mod column_storage;
mod columns;
mod comment;
mod concurrently;
mod constraints;
pub mod context;
mod copy;
mod create_index;
mod create_like;
mod create_table;
mod create_table_as;
mod create_type;
mod create_view;
mod deparse;
mod dispatch;
mod domain;
mod drop;
mod eval;
mod explain;
mod foreign_key;
mod generated;
mod grant;
pub mod guc;
mod index_build;
mod inherit;
mod lookup;
mod maintenance;
mod matview;
mod namespace;
mod not_null;
pub mod object;
mod opclass;
mod operator;
mod options;
mod partition;
mod partition_index;
pub mod query;
mod reindex;
mod rename;
mod rewrite;
mod role_settings;
mod roles;
pub mod routine;
pub mod scram;
mod sequence;
pub mod settings;
mod statistics;
mod storage_params;
mod text_search;
mod trigger;
mod truncate;
mod vacuum;
pub mod verify;

pub use classify::{
    allowed_in_failed_transaction, check_read_only, check_transaction_block, command_tag, is_command,
    is_read_only, must_not_be_in_transaction_block, needs_snapshot,
};
pub use context::{
    CatalogHandle, CommandContext, CommandOutcome, ResultColumn, ResultSet, SessionAction, TransactionModes,
};
pub use copy::{CopyIn, CopyOut, CopyTarget, copy_target};
pub use dispatch::{describe, execute};
pub use routine::call::describe_call;
