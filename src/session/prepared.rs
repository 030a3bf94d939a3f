//! Statements between parsing and execution, and the plans kept with them.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use common::{Oid, Span};
use executor::PreparedPlan;
use nodes::Query;
use nodes::query::CommandType;
use parking_lot::Mutex;
use parser::ast;

use crate::api::row::Column;
use crate::session::tag::CommandTag;

/// What kind of statement it is.
#[derive(Debug)]
pub(crate) enum Kind {
    /// Has a plan.
    Query(Arc<Query>),
    /// Run by `commands` or the session itself.
    Utility,
    /// Nothing but white space and comments.
    Empty,
}

/// A statement ready to run, any number of times, in any session of the database that has the same settings.
pub struct Prepared {
    /// The string it came from; spans point into it.
    pub(crate) source: Arc<str>,
    pub(crate) span: Span,
    pub(crate) stmt: Option<Arc<ast::Statement>>,
    pub(crate) kind: Kind,
    pub(crate) param_types: Vec<Oid>,
    /// Result columns; `None`: no result.
    pub(crate) columns: Option<Arc<[Column]>>,
    /// Catalog version that names and types were resolved under.
    pub(crate) version: u64,
    /// What else analysis depended on (search path, DateStyle...).
    pub(crate) environment: u64,
    pub(crate) plan: Mutex<Option<CachedPlan>>,
    /// The same analyzed again later: whoever holds this one runs that.
    pub(crate) renewed: Mutex<Option<Arc<Prepared>>>,
    /// How often each kind of plan was run, also of the statement that this one was made again from.
    pub(crate) uses: Arc<PlanUses>,
}

/// Runs by plans for any parameter values and by plans for the values given.
#[derive(Debug, Default)]
pub(crate) struct PlanUses {
    pub generic: AtomicU64,
    pub custom: AtomicU64,
}

/// A statement that was prepared under a name (`pg_prepared_statements`).
#[derive(Clone)]
pub(crate) struct NamedStatement {
    pub prepared: Arc<Prepared>,
    /// What the client sent to prepare it.
    pub text: Arc<str>,
    /// By PREPARE, not by a message of the protocol.
    pub from_sql: bool,
    /// Microseconds since 2000.
    pub made_at: i64,
}

/// A plan and the catalog version it was made under.
#[derive(Clone)]
pub(crate) struct CachedPlan {
    pub version: u64,
    pub settings: u64,
    pub plan: Arc<PreparedPlan>,
    pub custom: CustomPlans,
}

/// Plans made for one run's parameter values, and what they cost together, planning included.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct CustomPlans {
    pub count: u32,
    pub cost: f64,
}

impl std::fmt::Debug for Prepared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Prepared").field(&self.text()).finish()
    }
}

impl Prepared {
    /// The statement's own text.
    pub fn text(&self) -> &str {
        if self.span.is_known() {
            self.source
                .get(self.span.start as usize..self.span.end as usize)
                .unwrap_or(&self.source)
        } else {
            &self.source
        }
    }

    /// Types of `$1..$n`.
    pub fn param_types(&self) -> impl ExactSizeIterator<Item = u32> + '_ {
        self.param_types.iter().map(|t| t.0)
    }

    /// Result columns; `None`: no result.
    pub fn columns(&self) -> Option<&Arc<[Column]>> {
        self.columns.as_ref()
    }

    /// True for an empty string.
    pub fn is_empty(&self) -> bool {
        matches!(self.kind, Kind::Empty)
    }

    /// True when it returns rows to the client.
    pub fn returns_rows(&self) -> bool {
        self.columns.is_some()
    }

    pub(crate) fn query(&self) -> Option<&Arc<Query>> {
        match &self.kind {
            Kind::Query(q) => Some(q),
            _ => None,
        }
    }

    /// The command tag for a number of processed rows.
    pub(crate) fn tag(&self, processed: u64) -> CommandTag {
        let words = match self.query().map(|q| q.command) {
            Some(CommandType::Select) => "SELECT",
            Some(CommandType::Insert) => "INSERT 0",
            Some(CommandType::Update) => "UPDATE",
            Some(CommandType::Delete) => "DELETE",
            Some(CommandType::Merge) => "MERGE",
            None => return CommandTag::default(),
        };
        CommandTag::counted(words, processed)
    }

    pub(crate) fn cached_plan(&self, version: u64, settings: u64) -> Option<Arc<PreparedPlan>> {
        let cached = self.plan.lock();
        cached
            .as_ref()
            .filter(|c| c.version == version && c.settings == settings)
            .map(|c| c.plan.clone())
    }

    pub(crate) fn keep_plan(&self, version: u64, settings: u64, plan: &Arc<PreparedPlan>) {
        *self.plan.lock() = Some(CachedPlan {
            version,
            settings,
            plan: plan.clone(),
            custom: CustomPlans::default(),
        });
    }

    /// What custom plans have cost since the plan for any values was made.
    pub(crate) fn custom_plans(&self) -> CustomPlans {
        self.plan.lock().as_ref().map(|c| c.custom).unwrap_or_default()
    }

    pub(crate) fn count_custom_plan(&self, cost: f64) {
        if let Some(cached) = self.plan.lock().as_mut() {
            cached.custom.count += 1;
            cached.custom.cost += cost;
        }
    }
}

struct CachedStatement {
    used: u64,
    /// What the client said of the parameters' types.
    declared: Box<[Oid]>,
    prepared: Arc<Prepared>,
}

/// A small least-recently-used map from statement text and declared parameter types to prepared statement, per session.
pub(crate) struct StatementCache {
    entries: rustc_hash::FxHashMap<Arc<str>, CachedStatement>,
    /// Hashes of texts seen lately: only a text that comes again is kept, so that a stream of different ones costs nothing.
    seen: Box<[u64; SEEN]>,
    clock: u64,
    capacity: usize,
}

/// Places for hashes of texts.
const SEEN: usize = 256;

impl StatementCache {
    pub fn new(capacity: usize) -> StatementCache {
        StatementCache {
            entries: Default::default(),
            seen: Box::new([0; SEEN]),
            clock: 0,
            capacity,
        }
    }

    /// The statement prepared from this text with these declared types.
    pub fn get(&mut self, text: &str, declared: &[Oid]) -> Option<Arc<Prepared>> {
        self.clock += 1;
        let entry = self.entries.get_mut(text).filter(|e| *e.declared == *declared)?;
        entry.used = self.clock;
        Some(entry.prepared.clone())
    }

    /// Keeps a statement whose text was seen before. Only queries are worth it; the rest is cheap to parse.
    pub fn put(&mut self, text: Arc<str>, declared: &[Oid], prepared: &Arc<Prepared>) {
        if prepared.query().is_some() && self.comes_again(&text) {
            self.insert(text, declared, prepared);
        }
    }

    /// True when the text was asked about lately.
    pub fn comes_again(&mut self, text: &str) -> bool {
        let hash = environment_hash(&[text]);
        let place = &mut self.seen[hash as usize % SEEN];
        std::mem::replace(place, hash) == hash
    }

    /// Keeps a statement.
    pub fn insert(&mut self, text: Arc<str>, declared: &[Oid], prepared: &Arc<Prepared>) {
        if self.entries.len() >= self.capacity {
            // Drop the older half at once: cheaper than finding the oldest at every insertion.
            let mut ages: Vec<u64> = self.entries.values().map(|e| e.used).collect();
            let middle = ages.len() / 2;
            let (_, limit, _) = ages.select_nth_unstable(middle);
            let limit = *limit;
            self.entries.retain(|_, e| e.used > limit);
        }
        self.clock += 1;
        let entry = CachedStatement {
            used: self.clock,
            declared: declared.into(),
            prepared: prepared.clone(),
        };
        self.entries.insert(text, entry);
    }

    pub fn clear(&mut self) {
        self.entries.clear();
    }
}

/// A stable number for what analysis depends on besides the catalog.
pub(crate) fn environment_hash(parts: &[&str]) -> u64 {
    use std::hash::{Hash, Hasher};
    let mut h = rustc_hash::FxHasher::default();
    parts.hash(&mut h);
    h.finish()
}

/// Errors about prepared statements' names.
pub(crate) fn no_such_statement(name: &str) -> Box<common::PgError> {
    common::pg_err!(
        INVALID_SQL_STATEMENT_NAME,
        "prepared statement \"{name}\" does not exist"
    )
}
