//! RAISE.
//!
//! PG: src/pl/plpgsql/src/pl_gram.y (`stmt_raise`, `read_raise_options`).

use common::{PgResult, pg_err};

use crate::compile::Compiler;
use crate::conditions;
use crate::tree::{Expr, Raise, RaiseLevel, RaiseOption, StmtKind};

impl Compiler<'_> {
    pub fn raise_statement(&mut self) -> PgResult<StmtKind> {
        self.scan.bump();
        let mut raise = Raise {
            level: RaiseLevel::Exception,
            condition: None,
            message: None,
            params: Vec::new(),
            options: Vec::new(),
        };
        if self.scan.at_end() {
            return Err(self.scan.error("unexpected end of function definition"));
        }
        if !self.scan.eat_char(';') {
            self.raise_rest(&mut raise)?;
        }
        check_parameters(&raise)?;
        Ok(StmtKind::Raise(Box::new(raise)))
    }

    fn raise_rest(&mut self, raise: &mut Raise) -> PgResult<()> {
        let level = match self.scan.word_at(0).as_deref() {
            Some("exception") => Some(RaiseLevel::Exception),
            Some("warning") => Some(RaiseLevel::Warning),
            Some("notice") => Some(RaiseLevel::Notice),
            Some("info") => Some(RaiseLevel::Info),
            Some("log") => Some(RaiseLevel::Log),
            Some("debug") => Some(RaiseLevel::Debug),
            _ => None,
        };
        if let Some(level) = level {
            raise.level = level;
            self.scan.bump();
            if self.scan.at_end() {
                return Err(self.scan.error("unexpected end of function definition"));
            }
        }
        if let Some(message) = self.scan.string() {
            raise.message = Some(message.as_str().into());
            self.scan.bump();
            if self.scan.eat_char(',') {
                let (params, stop) = self.using_list(&[",", ";", "using"], ", or ; or USING")?;
                raise.params = params;
                if stop == "using" {
                    raise.options = self.raise_options()?;
                }
                return Ok(());
            }
        } else if !self.scan.is("using") {
            self.raise_condition(raise)?;
        }
        if self.scan.eat("using") {
            raise.options = self.raise_options()?;
            return Ok(());
        }
        self.scan.expect_char(';')
    }

    fn raise_condition(&mut self, raise: &mut Raise) -> PgResult<()> {
        if self.scan.eat("sqlstate") {
            let state = self.sqlstate_literal()?;
            raise.condition = Some((state.as_str().into(), state));
            return Ok(());
        }
        let Some(name) = self.scan.name_at(0) else {
            return Err(self.scan.syntax_error());
        };
        let Some(state) = conditions::named(&name).next() else {
            return Err(pg_err!(
                UNDEFINED_OBJECT,
                "unrecognized exception condition \"{name}\""
            ));
        };
        self.scan.bump();
        raise.condition = Some((name.as_str().into(), state));
        Ok(())
    }

    fn raise_options(&mut self) -> PgResult<Vec<(RaiseOption, Expr)>> {
        let mut options = Vec::new();
        loop {
            let option = match self.scan.word_at(0).as_deref() {
                Some("errcode") => RaiseOption::Errcode,
                Some("message") => RaiseOption::Message,
                Some("detail") => RaiseOption::Detail,
                Some("hint") => RaiseOption::Hint,
                Some("column") => RaiseOption::Column,
                Some("constraint") => RaiseOption::Constraint,
                Some("datatype") => RaiseOption::Datatype,
                Some("table") => RaiseOption::Table,
                Some("schema") => RaiseOption::Schema,
                _ if self.scan.at_end() => {
                    return Err(self.scan.error("unexpected end of function definition"));
                }
                _ => return Err(self.scan.error("unrecognized RAISE statement option")),
            };
            self.scan.bump();
            if !self.scan.is_assign_at(0) {
                return Err(self.scan.error("syntax error, expected \"=\""));
            }
            self.scan.bump();
            let (expr, stop) = self.read_expression(&[",", ";"], ", or ;")?;
            options.push((option, expr));
            if stop == ";" {
                return Ok(options);
            }
        }
    }
}

/// As many parameters as the message has places for them.
fn check_parameters(raise: &Raise) -> PgResult<()> {
    let Some(message) = &raise.message else {
        return Ok(());
    };
    let mut places = 0;
    let mut chars = message.chars().peekable();
    while let Some(c) = chars.next() {
        if c == '%' {
            match chars.peek() {
                Some('%') => {
                    chars.next();
                }
                _ => places += 1,
            }
        }
    }
    let given = raise.params.len();
    let wrong = match given.cmp(&places) {
        std::cmp::Ordering::Less => "too few parameters specified for RAISE",
        std::cmp::Ordering::Equal => return Ok(()),
        std::cmp::Ordering::Greater => "too many parameters specified for RAISE",
    };
    Err(pg_err!(SYNTAX_ERROR, "{wrong}"))
}
