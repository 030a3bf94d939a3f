//! What specs run on.

/// An error as far as specs show it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Failure {
    /// `ERROR`, `FATAL`.
    pub severity: String,
    /// The SQLSTATE.
    pub code: String,
    /// The primary message.
    pub message: String,
    /// DETAIL, or nothing.
    pub detail: String,
    /// HINT, or nothing.
    pub hint: String,
}

/// One statement's answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// Names of columns, when it returns rows.
    pub columns: Option<Vec<String>>,
    /// The rows, as text.
    pub rows: Vec<Vec<Option<String>>>,
    /// The command tag.
    pub tag: String,
}

/// What a step gave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Notices and warnings.
    pub notices: Vec<Failure>,
    /// One per statement that ended well.
    pub answers: Vec<Answer>,
    /// What ended it.
    pub error: Option<Failure>,
}

/// A session.
pub trait Connection: Send {
    /// Runs statements by the simple protocol.
    fn run(&mut self, sql: &str) -> Outcome;
    /// What `pg_backend_pid` says.
    fn pid(&self) -> i32;
}

/// A database to run on.
pub trait Target {
    /// Makes it empty.
    fn reset(&mut self) -> Result<(), String>;
    /// A new session.
    fn connect(&mut self) -> Result<Box<dyn Connection>, String>;
}
