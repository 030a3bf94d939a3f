//! RAISE and ASSERT.
//!
//! PG: src/pl/plpgsql/src/pl_exec.c (`exec_stmt_raise`, `exec_stmt_assert`).

use common::error::Severity;
use common::{PgError, PgResult, SqlState, pg_err, sqlstate};

use crate::conditions;
use crate::exec::Call;
use crate::tree::{Expr, Raise, RaiseLevel, RaiseOption};

/// What the options of a RAISE say.
#[derive(Default)]
struct Said {
    code: Option<SqlState>,
    condition: Option<String>,
    message: Option<String>,
    detail: Option<String>,
    hint: Option<String>,
    column: Option<String>,
    constraint: Option<String>,
    datatype: Option<String>,
    table: Option<String>,
    schema: Option<String>,
}

impl Said {
    fn place(&mut self, option: RaiseOption) -> &mut Option<String> {
        match option {
            RaiseOption::Errcode | RaiseOption::Message => &mut self.message,
            RaiseOption::Detail => &mut self.detail,
            RaiseOption::Hint => &mut self.hint,
            RaiseOption::Column => &mut self.column,
            RaiseOption::Constraint => &mut self.constraint,
            RaiseOption::Datatype => &mut self.datatype,
            RaiseOption::Table => &mut self.table,
            RaiseOption::Schema => &mut self.schema,
        }
    }

    fn say(&mut self, option: RaiseOption, value: String) -> PgResult<()> {
        let again = match option {
            RaiseOption::Errcode => self.code.is_some(),
            other => self.place(other).is_some(),
        };
        if again {
            return Err(pg_err!(
                SYNTAX_ERROR,
                "RAISE option already specified: {}",
                option.name()
            ));
        }
        if option != RaiseOption::Errcode {
            *self.place(option) = Some(value);
            return Ok(());
        }
        let known = conditions::sqlstate(&value).or_else(|| conditions::named(&value).next());
        let Some(code) = known else {
            return Err(pg_err!(
                UNDEFINED_OBJECT,
                "unrecognized exception condition \"{value}\""
            ));
        };
        self.code = Some(code);
        self.condition = Some(value);
        Ok(())
    }

    fn error(self, level: RaiseLevel) -> Box<PgError> {
        let severity = match level {
            RaiseLevel::Exception => Severity::Error,
            RaiseLevel::Warning => Severity::Warning,
            RaiseLevel::Notice => Severity::Notice,
            RaiseLevel::Info => Severity::Info,
            RaiseLevel::Log => Severity::Log,
            RaiseLevel::Debug => Severity::Debug,
        };
        let code = self.code.unwrap_or(match level {
            RaiseLevel::Exception => sqlstate::RAISE_EXCEPTION,
            RaiseLevel::Warning => sqlstate::WARNING,
            _ => sqlstate::SUCCESSFUL_COMPLETION,
        });
        let message = self
            .message
            .or(self.condition)
            .unwrap_or_else(|| code.as_str().to_owned());
        let mut e = PgError::notice(severity, code, message);
        (e.detail, e.hint) = (self.detail, self.hint);
        (e.schema, e.table, e.column) = (self.schema, self.table, self.column);
        (e.datatype, e.constraint) = (self.datatype, self.constraint);
        e
    }
}

impl Call<'_> {
    pub(crate) fn raise_statement(&mut self, s: &Raise) -> PgResult<()> {
        if s.condition.is_none() && s.message.is_none() && s.options.is_empty() {
            let Some(error) = self.errors.last() else {
                return Err(pg_err!(
                    STACKED_DIAGNOSTICS_ACCESSED_WITHOUT_ACTIVE_HANDLER,
                    "RAISE without parameters cannot be used outside an exception handler"
                ));
            };
            let mut again = Box::new((**error).clone());
            // The lines of the calls around this one are added again on the way out.
            let outer = self.host.context();
            let outer = outer.split_once('\n').map_or("", |(_, outer)| outer);
            if let Some(context) = &mut again.context
                && let Some(own) = context.strip_suffix(outer)
            {
                *context = own.trim_end_matches('\n').to_owned();
            }
            self.rethrown = true;
            return Err(again);
        }
        let mut said = Said::default();
        if let Some((name, code)) = &s.condition {
            said.code = Some(*code);
            said.condition = Some(name.to_string());
        }
        if let Some(message) = &s.message {
            said.message = Some(self.formatted(message, &s.params)?);
        }
        for (option, expr) in &s.options {
            let Some(value) = self.eval_text(expr)? else {
                return Err(pg_err!(
                    NULL_VALUE_NOT_ALLOWED,
                    "RAISE statement option cannot be null"
                ));
            };
            said.say(*option, value)?;
        }
        let mut e = said.error(s.level);
        if s.level == RaiseLevel::Exception {
            return Err(e);
        }
        e.context = Some(self.host.context());
        self.host.notice(e);
        Ok(())
    }

    /// The message with values for its `%`.
    fn formatted(&mut self, message: &str, params: &[Expr]) -> PgResult<String> {
        let mut out = String::with_capacity(message.len());
        let mut params = params.iter();
        let mut chars = message.chars().peekable();
        while let Some(c) = chars.next() {
            if c != '%' {
                out.push(c);
                continue;
            }
            if chars.peek() == Some(&'%') {
                chars.next();
                out.push('%');
                continue;
            }
            let Some(param) = params.next() else {
                return Err(common::internal!("unexpected RAISE parameter list length"));
            };
            let text = self.eval_text(param)?;
            out.push_str(text.as_deref().unwrap_or("<NULL>"));
        }
        Ok(out)
    }

    pub(crate) fn assert_statement(&mut self, condition: &Expr, message: Option<&Expr>) -> PgResult<()> {
        if self.host.setting("plpgsql.check_asserts") == "off" || self.condition(condition)? {
            return Ok(());
        }
        let text = match message {
            Some(expr) => self.eval_text(expr)?,
            None => None,
        };
        match text {
            Some(text) => Err(pg_err!(ASSERT_FAILURE, "{text}")),
            None => Err(pg_err!(ASSERT_FAILURE, "assertion failed")),
        }
    }
}
