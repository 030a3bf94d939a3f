//! psql's non-interactive behaviour over the embedded engine: `psql -X -a -q < file`.
//!
//! # How it works
//! [`Psql::run`] reads lines, echoes them, and lets [`lex::Lexer`] cut them. Complete statements go to `exec` (the simple
//! protocol's steps on a [`pglite::Session`]), backslash commands to `meta`; results are laid out by `print`, errors by `message`.
//!
//! # Not here
//! Commands that ask the catalogs (`\d` and its family) and pipelines: they print a line that begins with [`NOT_SUPPORTED`].

pub(crate) mod exec;
mod lex;
mod message;
mod meta;
mod print;
mod vars;

use std::collections::VecDeque;
use std::io::Write;

use pglite::{Database, Session};

use lex::{Lexer, Stop};
use message::{ShowContext, Verbosity};
pub use print::Options;
use vars::Variables;

/// What the line of a command that this psql has not begins with.
pub const NOT_SUPPORTED: &str = "pglite-regress: not supported:";

/// Settings a session of the regression suite starts with.
pub type SessionDefaults = Vec<(String, String)>;

/// One level of `\if`.
#[derive(Debug, Clone, Copy)]
struct Condition {
    /// Statements of this branch run.
    active: bool,
    /// A branch was taken already.
    taken: bool,
    /// The surrounding level is active.
    outer: bool,
    after_else: bool,
}

/// What a result is used for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Use {
    Print,
    Set(String),
    Execute,
    Describe,
}

/// A running psql.
pub struct Psql<'o> {
    db: Database,
    session: Session,
    user: String,
    defaults: SessionDefaults,
    out: &'o mut dyn Write,
    file: Option<Box<dyn Write>>,
    lines: VecDeque<String>,
    lexer: Lexer,
    query: String,
    previous: String,
    vars: Variables,
    options: Options,
    conditions: Vec<Condition>,
    bind: Option<(Option<String>, Vec<String>)>,
    named: std::collections::HashMap<String, std::sync::Arc<pglite::protocol::Prepared>>,
    quit: bool,
}

impl<'o> Psql<'o> {
    /// A psql on a new session. `vars`: as given with `-v`.
    pub fn new(
        db: &Database,
        defaults: SessionDefaults,
        vars: &[(&str, &str)],
        out: &'o mut dyn Write,
    ) -> pglite::Result<Psql<'o>> {
        let mut all = Variables::default();
        let initial = [
            ("AUTOCOMMIT", "on"),
            ("ECHO", "all"),
            ("ECHO_HIDDEN", "off"),
            ("ON_ERROR_ROLLBACK", "off"),
            ("ON_ERROR_STOP", "off"),
            ("QUIET", "on"),
            ("VERBOSITY", "default"),
            ("SHOW_CONTEXT", "errors"),
            ("SHOW_ALL_RESULTS", "on"),
            ("FETCH_COUNT", "0"),
            ("IGNOREEOF", "0"),
            ("HISTSIZE", "500"),
            ("HISTCONTROL", "none"),
            ("COMP_KEYWORD_CASE", "preserve-upper"),
            ("SINGLELINE", "off"),
            ("SINGLESTEP", "off"),
            ("PROMPT1", "%/%R%x%# "),
            ("PROMPT2", "%/%R%x%# "),
            ("PROMPT3", ">> "),
            ("DBNAME", "regression"),
            ("USER", "postgres"),
            ("ENCODING", "UTF8"),
            ("SERVER_VERSION_NUM", "180004"),
            ("SERVER_VERSION_NAME", "18.4"),
            ("VERSION_NUM", "180004"),
            ("VERSION_NAME", "18.4"),
            ("VERSION", "PostgreSQL 18.4"),
            ("ERROR", "false"),
            ("SQLSTATE", "00000"),
            ("ROW_COUNT", "0"),
            ("LAST_ERROR_MESSAGE", ""),
            ("LAST_ERROR_SQLSTATE", "00000"),
        ];
        for (name, value) in initial.iter().chain(vars) {
            all.set(name, *value);
        }
        let session = open_session(db, "postgres", &defaults)?;
        Ok(Psql {
            db: db.clone(),
            session,
            user: "postgres".into(),
            defaults,
            out,
            file: None,
            lines: VecDeque::new(),
            lexer: Lexer::default(),
            query: String::new(),
            previous: String::new(),
            vars: all,
            options: Options::default(),
            conditions: Vec::new(),
            bind: None,
            named: std::collections::HashMap::new(),
            quit: false,
        })
    }

    /// Runs a script from its first to its last line.
    pub fn run(&mut self, script: &str) {
        self.lines = script.split('\n').map(str::to_owned).collect();
        if self.lines.back().is_some_and(String::is_empty) {
            self.lines.pop_back();
        }
        while !self.quit {
            let Some(line) = self.lines.pop_front() else { break };
            if line.is_empty() && !self.lexer.in_quote() {
                continue;
            }
            if self.vars.get("ECHO") == Some("all") {
                self.print(&format!("{line}\n"));
            }
            self.line(line);
        }
        // What stands without a semicolon at the end is run, too.
        if !self.quit && !self.query.trim().is_empty() && self.active() {
            self.send(Use::Print);
        }
        let _ = self.out.flush();
    }

    fn line(&mut self, mut line: String) {
        let mut newline_at = None;
        if !self.query.is_empty() {
            self.query.push('\n');
            newline_at = Some(self.query.len());
        }
        let standard = self.session.setting("standard_conforming_strings");
        self.lexer.standard_strings = standard.map_or(true, |v| v == "on");
        let mut at = 0;
        while !self.quit {
            let stop = self.lexer.scan(&mut line, &mut at, &mut self.query, &self.vars);
            match stop {
                Stop::Semicolon => {
                    if self.active() {
                        self.send(Use::Print);
                    } else {
                        self.query.clear();
                    }
                    newline_at = None;
                }
                Stop::Backslash => {
                    if newline_at == Some(self.query.len()) {
                        self.query.pop();
                        newline_at = None;
                    }
                    self.meta(&line, &mut at);
                }
                Stop::EndOfLine => break,
            }
            if self.failed_and_stops() {
                self.quit = true;
            }
        }
        if newline_at == Some(self.query.len()) && !self.lexer.in_quote() {
            self.query.pop();
        }
    }

    fn failed_and_stops(&self) -> bool {
        self.vars.get("ON_ERROR_STOP") == Some("on") && self.vars.get("ERROR") == Some("true")
    }

    fn active(&self) -> bool {
        self.conditions.last().is_none_or(|c| c.active)
    }

    /// Sends the query buffer; an empty one means the previous query.
    fn send(&mut self, purpose: Use) {
        let mut query = std::mem::take(&mut self.query);
        if query.is_empty() && self.bind.is_none() {
            query.clone_from(&self.previous);
        }
        if purpose == Use::Describe {
            self.query.clone_from(&query);
        }
        self.previous.clone_from(&query);
        self.lexer.reset();
        match self.bind.take() {
            Some((name, params)) => self.run_bound(&query, name, params, &purpose),
            None if purpose == Use::Describe => self.describe(&query),
            None => self.execute(&query, &purpose),
        }
        let _ = self.out.flush();
    }

    /// Prints to standard output.
    fn print(&mut self, text: &str) {
        let _ = self.out.write_all(text.as_bytes());
    }

    /// Prints a result: to where `\o` says.
    fn print_result(&mut self, text: &str) {
        match &mut self.file {
            Some(file) => {
                let _ = file.write_all(text.as_bytes());
            }
            None => self.print(text),
        }
    }

    fn verbosity(&self) -> Verbosity {
        match self.vars.get("VERBOSITY") {
            Some("terse") => Verbosity::Terse,
            Some("verbose") => Verbosity::Verbose,
            Some("sqlstate") => Verbosity::Sqlstate,
            _ => Verbosity::Default,
        }
    }

    fn show_context(&self) -> ShowContext {
        match self.vars.get("SHOW_CONTEXT") {
            Some("never") => ShowContext::Never,
            Some("always") => ShowContext::Always,
            _ => ShowContext::Errors,
        }
    }

    /// `\c`: a new session of the same database.
    fn reconnect(&mut self, user: Option<&str>) {
        let user = user.unwrap_or(&self.user).to_owned();
        match open_session(&self.db, &user, &self.defaults) {
            Ok(session) => {
                self.session = session;
                self.vars.set("USER", user.as_str());
                self.user = user;
            }
            Err(e) => self.print(&format!("\\connect: {}\n", e.message())),
        }
    }
}

fn open_session(db: &Database, user: &str, defaults: &SessionDefaults) -> pglite::Result<Session> {
    let mut session = if user == "postgres" {
        db.session()?
    } else {
        db.session_as(user)?
    };
    for (name, value) in defaults {
        // A setting that the engine does not know shows in the results of the statements that ask for it.
        if let Err(e) = session.set_default(name, value) {
            eprintln!("set_default {name}: {}", e.message());
        }
    }
    Ok(session)
}
