//! What the interpreter asks of the session that runs it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};

use access::ActiveSnapshot;
use catalog::CatalogView;
use common::cancel::CancelToken;
use common::{Oid, PgError, PgResult};
use executor::{PreparedPlan, QueryRun};
use functions::{CallInfo, SessionContext};
use nodes::Query;
use parser::ast::Statement;
use types::settings::TypeRef;
use types::{Batch, Datum, FormatSettings};

use crate::tree::Mode;

/// Everything that names, types and plans rest on: with another stamp they are made again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Stamp {
    pub catalog: u64,
    pub settings: u64,
    pub user: Oid,
}

/// Where a call stands, for CONTEXT lines.
#[derive(Debug)]
pub struct FrameInfo {
    signature: Arc<str>,
    line: AtomicU32,
    what: AtomicU8,
}

/// What a call may be at besides statements.
pub(crate) const ENTRY: u8 = 200;
pub(crate) const STORING_ARGUMENTS: u8 = 201;
pub(crate) const BLOCK_VARIABLES: u8 = 202;
pub(crate) const CASTING_RESULT: u8 = 203;
pub(crate) const EXIT: u8 = 204;
pub(crate) const NOWHERE: u8 = 205;

impl FrameInfo {
    pub(crate) fn new(signature: Arc<str>) -> FrameInfo {
        FrameInfo {
            signature,
            line: AtomicU32::new(0),
            what: AtomicU8::new(ENTRY),
        }
    }

    // One thread at a time: the order does not matter.
    #[inline]
    pub(crate) fn set(&self, line: u32, what: u8) {
        self.line.store(line, Ordering::Relaxed);
        self.what.store(what, Ordering::Relaxed);
    }

    #[inline]
    pub(crate) fn get(&self) -> (u32, u8) {
        (
            self.line.load(Ordering::Relaxed),
            self.what.load(Ordering::Relaxed),
        )
    }

    /// The CONTEXT line.
    pub fn line(&self) -> String {
        let (line, what) = self.get();
        let text = match what {
            ENTRY => "during function entry",
            STORING_ARGUMENTS => "while storing call arguments into local variables",
            BLOCK_VARIABLES => "during statement block local variable initialization",
            CASTING_RESULT => "while casting return value to function's return type",
            EXIT => "during function exit",
            NOWHERE => return format!("PL/pgSQL function {}", self.signature),
            statement => {
                let name = crate::tree::STATEMENTS
                    .get(usize::from(statement))
                    .copied()
                    .unwrap_or("");
                return format!("PL/pgSQL function {} line {line} at {name}", self.signature);
            }
        };
        match line {
            0 => format!("PL/pgSQL function {} {text}", self.signature),
            _ => format!("PL/pgSQL function {} line {line} {text}", self.signature),
        }
    }
}

/// A running query.
pub struct Run {
    /// Its execution.
    pub run: QueryRun,
    /// What it sees.
    pub snapshot: ActiveSnapshot,
    /// Values of its parameters.
    pub params: Vec<Datum>,
    /// What it has brought already (a query that writes runs to its end at once), in reverse.
    pub ready: Vec<Batch>,
    /// It has ended.
    pub done: bool,
}

/// What a statement without a plan brought.
#[derive(Clone, Debug, Default)]
pub struct Performed {
    /// Names and types of its columns, if it returns rows.
    pub columns: Option<Vec<(String, TypeRef)>>,
    /// Its rows.
    pub rows: Vec<Vec<Datum>>,
    /// Rows that the statement says it processed.
    pub processed: u64,
}

/// Where a cursor goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Direction {
    Forward,
    Backward,
    Absolute,
    Relative,
}

/// A move of a cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CursorFetch {
    /// Where to.
    pub direction: Direction,
    /// How far; `i64::MAX`: to the end.
    pub count: i64,
}

/// What a cursor handed out.
#[derive(Clone, Debug, Default)]
pub struct CursorRows {
    /// Names and types of its columns.
    pub columns: Vec<(String, TypeRef)>,
    /// Rows.
    pub rows: Vec<Vec<Datum>>,
}

/// A cursor to open.
pub struct CursorQuery<'a> {
    /// Its name; `None`: one that nobody has.
    pub name: Option<&'a str>,
    /// The text of its query.
    pub text: &'a str,
    /// The analyzed query, for its columns.
    pub query: &'a Arc<Query>,
    /// Its plan.
    pub plan: &'a Arc<PreparedPlan>,
    /// Values of its parameters.
    pub params: Vec<Datum>,
    /// SCROLL or NO SCROLL, if said.
    pub scroll: Option<bool>,
}

/// A place to roll back to; numbers are used in stack order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Savepoint(pub usize);

/// A statement without a plan, and the variables that it may name.
pub struct Utility<'a> {
    /// The tree.
    pub stmt: &'a Statement,
    /// The text that its spans point into.
    pub text: &'a str,
    /// Names, types and values of variables, as `$1`...
    pub variables: &'a [(Arc<str>, Oid, Datum)],
}

/// The session, for a call of a function.
pub trait Host {
    /// What plans rest on, now.
    fn stamp(&self) -> Stamp;
    /// Looks at catalog and settings again.
    fn refresh(&mut self) -> PgResult<()>;
    /// The catalog, as of the last [`Host::refresh`].
    fn catalog(&self) -> &dyn CatalogView;
    /// Settings that shape values.
    fn settings(&self) -> &FormatSettings;
    /// The session as functions see it.
    fn session(&self) -> &dyn SessionContext;
    /// Polled before every statement.
    fn cancel(&self) -> &CancelToken;
    /// 54001 when the stack is nearly used up.
    fn check_stack(&self) -> PgResult<()>;
    /// Settings of the SQL lexer.
    fn options(&self) -> parser::ParseOptions;
    /// Name of the database.
    fn database(&self) -> Arc<str>;
    /// A setting as SHOW prints it.
    fn setting(&self, name: &str) -> String;
    /// Plans a query with parameters of these types.
    fn plan(&mut self, query: &Query, types: &[Oid]) -> PgResult<Arc<PreparedPlan>>;
    /// Starts a plan under the snapshot of a new command.
    fn start(&mut self, plan: &Arc<PreparedPlan>, params: Vec<Datum>, text: &str) -> PgResult<Run>;
    /// Its next rows; `None`: it has ended.
    fn fetch(&mut self, run: &mut Run, max: usize) -> PgResult<Option<Batch>>;
    /// What follows, until [`Host::loop_ends`], runs while the query is open.
    fn loop_begins(&mut self, run: &Run);
    /// The innermost such query is done.
    fn loop_ends(&mut self);
    /// Runs a plan that touches one row at most: rows returned (into `row`) and processed. `None`: it is no such plan.
    fn point(
        &mut self,
        plan: &Arc<PreparedPlan>,
        params: &[Datum],
        row: &mut Vec<Datum>,
    ) -> PgResult<Option<(usize, u64)>>;
    /// Runs a statement without a plan.
    fn utility(&mut self, what: &Utility<'_>) -> PgResult<Performed>;
    /// Calls a procedure.
    fn call(&mut self, info: &CallInfo, args: &[Datum]) -> PgResult<Datum>;
    /// A new subtransaction.
    fn savepoint(&mut self) -> PgResult<Savepoint>;
    /// Its changes stay.
    fn release(&mut self, point: Savepoint);
    /// Its changes go.
    fn rollback_to(&mut self, point: Savepoint) -> PgResult<()>;
    /// COMMIT.
    fn commit(&mut self, chain: bool) -> PgResult<()>;
    /// ROLLBACK.
    fn rollback(&mut self, chain: bool) -> PgResult<()>;
    /// Opens a cursor; its name.
    fn open_cursor(&mut self, what: CursorQuery<'_>) -> PgResult<String>;
    /// Moves a cursor; without `rows` only the number of rows counts.
    fn move_cursor(&mut self, name: &str, fetch: CursorFetch) -> PgResult<CursorRows>;
    /// Closes it; false: there is none.
    fn close_cursor(&mut self, name: &str) -> PgResult<bool>;
    /// True when there is a cursor of that name.
    fn has_cursor(&self, name: &str) -> bool;
    /// Keeps a cursor from being closed by its user while a loop runs over it, or lets it go.
    fn pin_cursor(&mut self, name: &str, pinned: bool);
    /// A message for the client.
    fn notice(&self, notice: Box<PgError>);
    /// A frame above the present one; how deep the stack was.
    fn enter(&self, frame: Context) -> usize;
    /// Back to a depth.
    fn leave(&self, depth: usize);
    /// All CONTEXT lines, innermost first.
    fn context(&self) -> String;
}

/// A frame of the stack of contexts.
#[derive(Clone, Debug)]
pub enum Context {
    /// A call of a PL/pgSQL function.
    Call(Arc<FrameInfo>),
    /// A statement that it runs.
    Sql(SqlFrame),
}

/// A statement or expression of SQL on the stack of contexts. Its line is made when somebody asks: nearly nobody does.
#[derive(Clone, Debug)]
pub struct SqlFrame {
    pub(crate) mode: Mode,
    pub(crate) text: Arc<str>,
}

impl SqlFrame {
    /// The line of CONTEXT.
    pub fn line(&self) -> String {
        crate::exec::plan::context_line(self.mode, &self.text)
    }
}
