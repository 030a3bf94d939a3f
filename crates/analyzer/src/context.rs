//! What analysis is given besides the statement: catalog, settings, parameter types; and what it hands back.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use catalog::CatalogView;
use common::{Oid, PgError};
use types::oids;
use types::settings::FormatSettings;

/// Types of `$n`.
#[derive(Debug)]
pub enum ParamTypes {
    /// Known beforehand (PostgreSQL's `parse_analyze_fixedparams`).
    Fixed(Vec<Oid>),
    /// Inferred where 0 or missing (`parse_analyze_varparams`); read them with [`ParamTypes::types`] afterwards.
    Variable(RefCell<Vec<Oid>>),
}

impl ParamTypes {
    /// A statement without parameters.
    pub fn none() -> ParamTypes {
        ParamTypes::Fixed(Vec::new())
    }

    /// Inferred, starting from what the client said (0: nothing).
    pub fn variable(given: Vec<Oid>) -> ParamTypes {
        ParamTypes::Variable(RefCell::new(given))
    }

    /// The types as they stand.
    pub fn types(&self) -> Vec<Oid> {
        match self {
            ParamTypes::Fixed(types) => types.clone(),
            ParamTypes::Variable(types) => types.borrow().clone(),
        }
    }
}

/// A parameter of the SQL routine whose body is analyzed.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct RoutineParam {
    /// Empty: only `$n` names it.
    pub name: Arc<str>,
    pub type_oid: Oid,
}

/// The SQL routine whose body is analyzed: its parameters may be named, also as `routine.parameter`.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct RoutineScope {
    pub name: Arc<str>,
    /// Input parameters: `$1`, `$2`...
    pub params: Vec<RoutineParam>,
}

/// Everything one analysis may use. Not shared between threads.
pub struct AnalyzeContext<'a> {
    /// Catalog lookups under the statement's snapshot.
    pub catalog: &'a dyn CatalogView,
    /// Settings that shape literals.
    pub settings: &'a FormatSettings,
    /// Parameter types.
    pub params: ParamTypes,
    /// Name of the current database, for `database.schema.table`.
    pub database: Arc<str>,
    /// The routine that the statement belongs to.
    pub routine: Option<RoutineScope>,
    /// Variables of the procedural language that the statement stands in.
    pub variables: Option<&'a dyn crate::variables::Variables>,
    /// Calls of simple SQL functions are replaced by their bodies.
    pub inlines: bool,
    /// Notices and warnings, in order.
    pub notices: RefCell<Vec<Box<PgError>>>,
    /// Views being expanded right now are nested this deep.
    pub(crate) view_depth: Cell<usize>,
}

impl<'a> AnalyzeContext<'a> {
    /// A context without parameters.
    pub fn new(catalog: &'a dyn CatalogView, settings: &'a FormatSettings) -> AnalyzeContext<'a> {
        AnalyzeContext {
            catalog,
            settings,
            params: ParamTypes::none(),
            database: "postgres".into(),
            routine: None,
            variables: None,
            inlines: true,
            notices: RefCell::new(Vec::new()),
            view_depth: Cell::new(0),
        }
    }

    /// The same with parameter types.
    pub fn with_params(mut self, params: ParamTypes) -> AnalyzeContext<'a> {
        self.params = params;
        self
    }

    /// The same for a statement in the body of a routine.
    pub fn with_routine(mut self, routine: RoutineScope) -> AnalyzeContext<'a> {
        self.params = ParamTypes::Fixed(routine.params.iter().map(|p| p.type_oid).collect());
        self.routine = Some(routine);
        self
    }

    /// The same for a statement of a procedural language.
    pub fn with_variables(mut self, variables: &'a dyn crate::variables::Variables) -> AnalyzeContext<'a> {
        self.variables = Some(variables);
        self
    }

    /// The same with the current database's name.
    pub fn with_database(mut self, name: impl Into<Arc<str>>) -> AnalyzeContext<'a> {
        self.database = name.into();
        self
    }

    pub(crate) fn notice(&self, notice: Box<PgError>) {
        self.notices.borrow_mut().push(notice);
    }
}

/// A parameter type is known.
pub(crate) fn is_known_param(type_oid: Oid) -> bool {
    type_oid.is_valid() && type_oid != oids::UNKNOWN
}
