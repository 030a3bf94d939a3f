//! A statement while it runs: what a protocol portal, a cursor or an embedded query holds.

use std::collections::VecDeque;
use std::sync::Arc;

use access::ActiveSnapshot;
use catalog::desc::RelationDesc;
use executor::{PreparedPlan, QueryRun};
use smallvec::SmallVec;
use types::{Batch, Datum};

use crate::api::row::Column;
use crate::session::catalog::View;
use crate::session::in_use;
use crate::session::prepared::Prepared;
use crate::session::tag::CommandTag;

/// What a step of execution brought.
#[derive(Debug)]
pub enum Step {
    /// Rows. Columns are those of [`Portal::columns`].
    Rows(ResultRows),
    /// `max_rows` were delivered; there may be more.
    Suspended,
    /// Finished, with the command tag.
    Complete(CommandTag),
    /// The string was empty.
    Empty,
    /// COPY ... FROM STDIN waits for data: feed it with `Session::copy_data`, then `copy_done` or `copy_fail`.
    CopyIn(CopyFormat),
    /// COPY ... TO STDOUT begins.
    CopyOut(CopyFormat),
    /// A piece of COPY data for the client.
    CopyData(CopyRows),
}

/// Rows of a result as they come from the executor.
#[derive(Debug)]
pub enum ResultRows {
    /// Many, by columns.
    Batch(Batch),
    /// One, from the short path of point statements.
    Single(Vec<Datum>),
}

impl ResultRows {
    /// Number of rows.
    #[allow(clippy::len_without_is_empty, reason = "a step without rows is another step")]
    pub fn len(&self) -> usize {
        match self {
            ResultRows::Batch(batch) => batch.len(),
            ResultRows::Single(_) => 1,
        }
    }

    /// A row's values; a single row is handed out once.
    pub(crate) fn take_row(&mut self, k: usize) -> Vec<Datum> {
        match self {
            ResultRows::Batch(batch) => batch.row(k),
            ResultRows::Single(row) => std::mem::take(row),
        }
    }
}

/// Whole rows of COPY data.
#[derive(Debug, Default)]
pub struct CopyRows {
    pub(crate) bytes: Vec<u8>,
    pub(crate) ends: Vec<usize>,
}

impl CopyRows {
    /// The rows one by one: to a client each is a message.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(&0).chain(&self.ends);
        starts
            .zip(&self.ends)
            .map(|(start, end)| self.bytes.get(*start..*end).unwrap_or(&[]))
    }
}

impl std::ops::Deref for CopyRows {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

/// What the protocol says about a COPY stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CopyFormat {
    /// Binary rather than text or CSV.
    pub binary: bool,
    /// Number of columns.
    pub columns: usize,
}

/// How far a portal is.
pub(crate) enum PortalState {
    /// Bound, not started.
    Ready,
    /// A plan runs.
    Running(Box<QueryRun>),
    /// Rows that are there already (utility statements, short path, held cursors), in batches.
    Rows {
        batches: VecDeque<Batch>,
        tag: CommandTag,
    },
    /// COPY TO STDOUT runs.
    CopyOut(Box<commands::CopyOut>),
    /// Finished; executing it again says so with this tag.
    Done(CommandTag),
}

/// A bound statement.
pub struct Portal {
    pub(crate) prepared: Arc<Prepared>,
    pub(crate) params: Vec<Datum>,
    /// The client's text, where it is another than the prepared one's.
    pub(crate) text: Option<Arc<str>>,
    pub(crate) state: PortalState,
    pub(crate) snapshot: Option<ActiveSnapshot>,
    /// The catalog that the running plan was made for.
    pub(crate) view: Option<Arc<View>>,
    /// The plan of a query that has started; it stays when the plan has come to its end.
    pub(crate) plan: Option<Arc<PreparedPlan>>,
    /// Rows delivered so far.
    pub(crate) delivered: u64,
    /// How the client wants each result column, true for binary; empty: all as text. For the server that binds.
    pub formats: Formats,
}

/// Format codes of a message, true for binary.
pub type Formats = SmallVec<[bool; 8]>;

impl Portal {
    pub(crate) fn new(prepared: Arc<Prepared>, params: Vec<Datum>) -> Portal {
        Portal {
            prepared,
            params,
            text: None,
            state: PortalState::Ready,
            snapshot: None,
            view: None,
            plan: None,
            delivered: 0,
            formats: Formats::new(),
        }
    }

    /// Result columns; `None`: no result.
    pub fn columns(&self) -> Option<&Arc<[Column]>> {
        self.prepared.columns.as_ref()
    }

    /// The client's text.
    pub(crate) fn text(&self) -> &str {
        self.text.as_ref().unwrap_or(&self.prepared.source)
    }

    /// The tag that one Execute message ends with: queries count the rows that this message brought.
    pub fn completion_tag(&self, tag: CommandTag, delivered: usize) -> CommandTag {
        match (&self.prepared.columns, self.prepared.query()) {
            (Some(_), Some(_)) => self.prepared.tag(delivered as u64),
            _ => tag,
        }
    }

    /// True for a finished command without rows: PostgreSQL refuses to run such a portal again.
    pub fn is_spent(&self) -> bool {
        matches!(self.state, PortalState::Done(_))
            && self.prepared.columns.is_none()
            && !self.prepared.is_empty()
    }

    /// True while its plan runs and uses the relation.
    pub(crate) fn uses(&self, relation: &RelationDesc) -> bool {
        let PortalState::Running(run) = &self.state else {
            return false;
        };
        in_use::opens(run.prepared().plan(), relation)
    }

    /// The statement.
    pub fn statement(&self) -> &Arc<Prepared> {
        &self.prepared
    }
}
