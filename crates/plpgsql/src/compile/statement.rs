//! Statements.
//!
//! PG: src/pl/plpgsql/src/pl_gram.y.

use common::error::ErrorExt;
use common::{PgResult, Span, pg_err};
use parser::scan::Tok;
use types::oids;

use crate::compile::Compiler;
use crate::namespace::ItemKind;
use crate::tree::{
    Case, Decl, Diagnostic, Dno, Execute, Exit, Expr, GetDiagnostics, If, Mode, Purpose, Source, SqlStmt,
    Stmt, StmtKind,
};

impl Compiler<'_> {
    /// `proc_stmt`.
    pub fn statement(&mut self) -> PgResult<Stmt> {
        let start = self.scan.start();
        let line = self.scan.line(start);
        let kind = self.deeper(|c| c.statement_kind(start))?;
        Ok(Stmt { line, kind })
    }

    fn statement_kind(&mut self, start: u32) -> PgResult<StmtKind> {
        if self.scan.is_op("<<") {
            return self.labelled();
        }
        if let Some(assignment) = self.assignment(start)? {
            return Ok(assignment);
        }
        let Some(word) = self.scan.word_at(0) else {
            return self.sql_statement(start);
        };
        match word.as_str() {
            "declare" | "begin" => {
                let block = self.block(None)?;
                self.scan.expect_char(';')?;
                Ok(StmtKind::Block(Box::new(block)))
            }
            "if" => self.if_statement(),
            "case" => self.case_statement(),
            "loop" | "while" | "for" | "foreach" => self.looping(None),
            "exit" => self.exit_statement(true),
            "continue" => self.exit_statement(false),
            "return" => self.return_statement(),
            "raise" => self.raise_statement(),
            "assert" => self.assert_statement(),
            "perform" => self.perform_statement(),
            "call" | "do" => {
                let is_call = word == "call";
                Ok(StmtKind::Call(self.read_statement()?, is_call))
            }
            "execute" => self.execute_statement(),
            "get" => self.get_diagnostics(),
            "open" => self.open_statement(),
            "fetch" => self.fetch_statement(false),
            "move" => self.fetch_statement(true),
            "close" => {
                self.scan.bump();
                let cursor = self.cursor_variable()?;
                self.scan.expect_char(';')?;
                Ok(StmtKind::Close(cursor))
            }
            "null" => {
                self.scan.bump();
                self.scan.expect_char(';')?;
                Ok(StmtKind::Null)
            }
            "commit" | "rollback" => self.transaction_statement(word == "commit"),
            _ => self.sql_statement(start),
        }
    }

    fn labelled(&mut self) -> PgResult<StmtKind> {
        let label = self.block_label()?;
        if self.scan.is("declare") || self.scan.is("begin") {
            let block = self.block(label)?;
            self.scan.expect_char(';')?;
            return Ok(StmtKind::Block(Box::new(block)));
        }
        self.looping(label)
    }

    /// `variable := expression;`
    fn assignment(&mut self, start: u32) -> PgResult<Option<StmtKind>> {
        let qualified = self.scan.is_char_at(1, '.') && self.scan.name_at(2).is_some();
        let assigns = self.scan.is_assign_at(1) || self.scan.is_char_at(1, '[');
        if !qualified && !assigns && self.scan.tok() != Tok::Param {
            return Ok(None);
        }
        let Some(named) = self.datum_ahead() else {
            return Ok(None);
        };
        self.check_assignable(named.dno, start)?;
        let (start, end, _) = self.read_until(&[";"], ";", "expression")?;
        let text = self.scan.between(start, end);
        let mode = Mode::Assign(named.names);
        self.check_sql(text, mode, start)?;
        let expr = self.expr(text, mode);
        Ok(Some(StmtKind::Assign(named.dno, expr)))
    }

    fn if_statement(&mut self) -> PgResult<StmtKind> {
        self.scan.bump();
        let mut arms = vec![self.condition_then()?];
        while self.scan.eat("elsif") || self.scan.eat("elseif") {
            arms.push(self.condition_then()?);
        }
        let otherwise = match self.scan.eat("else") {
            true => self.section()?,
            false => Vec::new(),
        };
        self.scan.expect("end")?;
        self.scan.expect("if")?;
        self.scan.expect_char(';')?;
        Ok(StmtKind::If(Box::new(If { arms, otherwise })))
    }

    fn condition_then(&mut self) -> PgResult<(Expr, Vec<Stmt>)> {
        let (condition, _) = self.read_expression(&["then"], "THEN")?;
        Ok((condition, self.section()?))
    }

    fn case_statement(&mut self) -> PgResult<StmtKind> {
        self.scan.bump();
        let mut test = None;
        if !self.scan.is("when") {
            let (start, end, _) = self.read_until(&["when"], "WHEN", "expression")?;
            let text = self.scan.between(start, end);
            self.check_sql(text, Mode::Expression, start)?;
            let expr = self.expr(text, Mode::Expression);
            let name = format!("__Case__Variable_{}__", self.decls.len());
            let ty = self.plain_type(oids::INT4)?;
            let dno = self.variable(&name, ty, true);
            test = Some((expr, dno, name));
        } else {
            self.scan.bump();
        }
        let mut arms = Vec::new();
        loop {
            let (mut condition, _) = self.read_expression(&["then"], "THEN")?;
            if let Some((_, _, name)) = &test {
                condition.text = format!("\"{name}\" IN ({})", condition.text).into();
            }
            arms.push((condition, self.section()?));
            if !self.scan.eat("when") {
                break;
            }
        }
        let otherwise = match self.scan.eat("else") {
            true => Some(self.section()?),
            false => None,
        };
        self.scan.expect("end")?;
        self.scan.expect("case")?;
        self.scan.expect_char(';')?;
        Ok(StmtKind::Case(Box::new(Case {
            test: test.map(|(e, d, _)| (e, d)),
            arms,
            otherwise,
        })))
    }

    fn exit_statement(&mut self, is_exit: bool) -> PgResult<StmtKind> {
        let at = self.scan.start();
        self.scan.bump();
        let mut label = None;
        if !self.scan.is_char(';') && !self.scan.is("when") {
            let place = self.scan.start();
            let name = self.scan.identifier_or_fail()?;
            match self.ns.find_label(self.scope, &name) {
                None => {
                    return Err(self.scan.plain_error(
                        format_args!(
                            "there is no label \"{name}\" attached to any block or loop enclosing this statement"
                        ),
                        place,
                    ));
                }
                Some(kind) if kind != ItemKind::Loop && !is_exit => {
                    return Err(self.scan.plain_error(
                        format_args!("block label \"{name}\" cannot be used in CONTINUE"),
                        place,
                    ));
                }
                Some(_) => label = Some(name.as_str().into()),
            }
        } else if !self.ns.in_loop(self.scope) {
            return Err(self.scan.plain_error(
                match is_exit {
                    true => "EXIT cannot be used outside a loop, unless it has a label",
                    false => "CONTINUE cannot be used outside a loop",
                },
                at,
            ));
        }
        let condition = match self.scan.eat("when") {
            true => Some(self.read_expression(&[";"], ";")?.0),
            false => {
                self.scan.expect_char(';')?;
                None
            }
        };
        Ok(StmtKind::Exit(Box::new(Exit {
            is_exit,
            label,
            condition,
        })))
    }

    fn return_statement(&mut self) -> PgResult<StmtKind> {
        self.scan.bump();
        if self.scan.at_end() {
            return Err(self.scan.error("unexpected end of function definition"));
        }
        if self.scan.eat("next") {
            return self.return_next();
        }
        if self.scan.eat("query") {
            return self.return_query();
        }
        let parameterless =
            |reason: &str| pg_err!(DATATYPE_MISMATCH, "RETURN cannot have a parameter in {reason}");
        let at = self.scan.start();
        let refused = if self.purpose != Purpose::Function {
            None
        } else if self.returns.is_set {
            Some(parameterless("function returning set").hint("Use RETURN NEXT or RETURN QUERY."))
        } else if self.returns.type_ref.oid == oids::VOID {
            Some(match self.returns.is_procedure {
                true => parameterless("a procedure"),
                false => parameterless("function returning void"),
            })
        } else if self.returns.out.is_some() {
            Some(parameterless("function with OUT parameters"))
        } else {
            None
        };
        if let Some(e) = refused {
            if !self.scan.eat_char(';') {
                return Err(e.at(Span::new(at, at)));
            }
            return Ok(StmtKind::Return(None, self.returns.out));
        }
        if let Some(dno) = self.only_variable() {
            return Ok(StmtKind::Return(None, Some(dno)));
        }
        let (expr, _) = self.read_expression(&[";"], ";")?;
        Ok(StmtKind::Return(Some(expr), None))
    }

    /// `variable;`
    fn only_variable(&mut self) -> Option<Dno> {
        let named = self.datum_ahead()?;
        let whole = !matches!(self.decls.get(named.dno), Some(Decl::Field(_)));
        if !whole || !self.scan.is_char_at(named.tokens, ';') {
            return None;
        }
        self.take_datum();
        self.scan.bump();
        Some(named.dno)
    }

    fn return_next(&mut self) -> PgResult<StmtKind> {
        let at = self.scan.start();
        if !self.returns.is_set {
            return Err(pg_err!(
                DATATYPE_MISMATCH,
                "cannot use RETURN NEXT in a non-SETOF function"
            )
            .at(Span::new(at, at)));
        }
        if let Some(out) = self.returns.out {
            if !self.scan.eat_char(';') {
                return Err(pg_err!(
                    DATATYPE_MISMATCH,
                    "RETURN NEXT cannot have a parameter in function with OUT parameters"
                )
                .at(Span::new(at, at)));
            }
            return Ok(StmtKind::ReturnNext(None, Some(out)));
        }
        if let Some(dno) = self.only_variable() {
            return Ok(StmtKind::ReturnNext(None, Some(dno)));
        }
        let (expr, _) = self.read_expression(&[";"], ";")?;
        Ok(StmtKind::ReturnNext(Some(expr), None))
    }

    fn return_query(&mut self) -> PgResult<StmtKind> {
        let at = self.scan.start();
        if !self.returns.is_set {
            return Err(pg_err!(
                DATATYPE_MISMATCH,
                "cannot use RETURN QUERY in a non-SETOF function"
            )
            .at(Span::new(at, at)));
        }
        if !self.scan.eat("execute") {
            let query = self.read_statement()?;
            return Ok(StmtKind::ReturnQuery(Box::new(Source::Static(query))));
        }
        let (query, stop) = self.read_expression(&[";", "using"], "; or USING")?;
        let params = match stop {
            "using" => self.using_list(&[",", ";"], ", or ;")?.0,
            _ => Vec::new(),
        };
        Ok(StmtKind::ReturnQuery(Box::new(Source::Dynamic { query, params })))
    }

    /// Expressions separated by commas; what ended them.
    pub fn using_list(
        &mut self,
        until: &[&'static str],
        expected: &str,
    ) -> PgResult<(Vec<Expr>, &'static str)> {
        let mut params = Vec::new();
        loop {
            let (expr, stop) = self.read_expression(until, expected)?;
            params.push(expr);
            if stop != "," {
                return Ok((params, stop));
            }
        }
    }

    fn assert_statement(&mut self) -> PgResult<StmtKind> {
        self.scan.bump();
        let (condition, stop) = self.read_expression(&[",", ";"], ", or ;")?;
        let message = match stop {
            "," => Some(self.read_expression(&[";"], ";")?.0),
            _ => None,
        };
        Ok(StmtKind::Assert(Box::new((condition, message))))
    }

    /// PERFORM is SELECT whose result nobody wants.
    fn perform_statement(&mut self) -> PgResult<StmtKind> {
        let (start, end, _) = self.read_until(&[";"], ";", "statement")?;
        let text = self.scan.between(start, end);
        let text = format!("SELECT{}", text.get("perform".len()..).unwrap_or(""));
        self.check_sql(&text, Mode::Statement, start + 1)?;
        Ok(StmtKind::Perform(self.expr(&text, Mode::Statement)))
    }

    fn execute_statement(&mut self) -> PgResult<StmtKind> {
        self.scan.bump();
        let (query, mut stop) = self.read_expression(&["into", "using", ";"], "INTO or USING or ;")?;
        let (mut into, mut params): (Option<_>, Vec<Expr>) = (None, Vec::new());
        loop {
            match stop {
                "into" if into.is_none() => {
                    into = Some(self.read_into(true)?);
                    stop = match () {
                        () if self.scan.eat("using") => "using",
                        () if self.scan.eat_char(';') => ";",
                        () => return Err(self.scan.syntax_error()),
                    };
                }
                "using" if params.is_empty() => {
                    (params, stop) = self.using_list(&[",", ";", "into"], ", or ; or INTO")?;
                }
                ";" => break,
                _ => return Err(self.scan.syntax_error()),
            }
        }
        Ok(StmtKind::Execute(Box::new(Execute {
            query,
            strict: into.as_ref().is_some_and(|i| i.strict),
            target: into.map(|i| i.target),
            params,
        })))
    }

    fn transaction_statement(&mut self, is_commit: bool) -> PgResult<StmtKind> {
        self.scan.bump();
        let mut chain = false;
        if self.scan.eat("and") {
            chain = !self.scan.eat("no");
            self.scan.expect("chain")?;
        }
        self.scan.expect_char(';')?;
        Ok(match is_commit {
            true => StmtKind::Commit(chain),
            false => StmtKind::Rollback(chain),
        })
    }

    fn get_diagnostics(&mut self) -> PgResult<StmtKind> {
        self.scan.bump();
        let stacked = self.scan.eat("stacked");
        if !stacked {
            self.scan.eat("current");
        }
        self.scan.expect("diagnostics")?;
        let mut items = Vec::new();
        loop {
            let at = self.scan.start();
            let Some(target) = self.take_datum() else {
                return Err(self.not_a_variable());
            };
            if matches!(self.decls.get(target.dno), Some(Decl::Rec(_) | Decl::Row(_))) {
                let name = self.name_of(target.dno);
                return Err(self
                    .scan
                    .plain_error(format_args!("\"{name}\" is not a scalar variable"), at));
            }
            self.check_assignable(target.dno, at)?;
            if !self.scan.is_assign_at(0) {
                return Err(self.scan.syntax_error());
            }
            self.scan.bump();
            items.push((target.dno, self.diagnostic(stacked, at)?));
            if !self.scan.eat_char(',') {
                break;
            }
        }
        self.scan.expect_char(';')?;
        Ok(StmtKind::GetDiagnostics(Box::new(GetDiagnostics {
            stacked,
            items,
        })))
    }

    fn diagnostic(&mut self, stacked: bool, at: u32) -> PgResult<Diagnostic> {
        let word = self.scan.word_at(0);
        let (item, only_stacked) = match word.as_deref() {
            Some("row_count") => (Diagnostic::RowCount, Some(false)),
            Some("pg_routine_oid") => (Diagnostic::RoutineOid, Some(false)),
            Some("pg_context") => (Diagnostic::Context, Some(false)),
            Some("pg_exception_context") => (Diagnostic::ErrorContext, Some(true)),
            Some("pg_exception_detail") => (Diagnostic::ErrorDetail, Some(true)),
            Some("pg_exception_hint") => (Diagnostic::ErrorHint, Some(true)),
            Some("returned_sqlstate") => (Diagnostic::ReturnedSqlstate, Some(true)),
            Some("column_name") => (Diagnostic::ColumnName, Some(true)),
            Some("constraint_name") => (Diagnostic::ConstraintName, Some(true)),
            Some("pg_datatype_name") => (Diagnostic::DatatypeName, Some(true)),
            Some("message_text") => (Diagnostic::MessageText, Some(true)),
            Some("table_name") => (Diagnostic::TableName, Some(true)),
            Some("schema_name") => (Diagnostic::SchemaName, Some(true)),
            _ => return Err(self.scan.error("unrecognized GET DIAGNOSTICS item")),
        };
        self.scan.bump();
        if only_stacked.is_some_and(|only| only != stacked) {
            let which = if stacked { "STACKED" } else { "CURRENT" };
            let name = word.map(|w| w.to_ascii_uppercase()).unwrap_or_default();
            return Err(self.scan.plain_error(
                format_args!("diagnostics item {name} is not allowed in GET {which} DIAGNOSTICS"),
                at,
            ));
        }
        Ok(item)
    }

    /// Everything that begins with another word is SQL.
    fn sql_statement(&mut self, start: u32) -> PgResult<StmtKind> {
        let Some(first) = self.scan.name_at(0) else {
            return Err(self.scan.syntax_error());
        };
        let compound = self.scan.is_char_at(1, '.');
        let after = if compound && self.scan.name_at(2).is_some() {
            3
        } else {
            1
        };
        if self.scan.is_assign_at(after)
            || self.scan.is_char_at(after, '[')
            || self.scan.is_char_at(after, '.')
        {
            return Err(self.not_a_variable());
        }
        let (text, into) = self.sql_text(start, &first)?;
        self.check_sql(&text, Mode::Statement, start)?;
        let expr = self.expr(&text, Mode::Statement);
        Ok(StmtKind::Sql(Box::new(SqlStmt {
            expr,
            strict: into.as_ref().is_some_and(|i| i.strict),
            target: into.map(|i| i.target),
        })))
    }

    /// The text up to the semicolon, with blanks where INTO and its targets stood.
    fn sql_text(&mut self, start: u32, first: &str) -> PgResult<(String, Option<crate::compile::sql::Into>)> {
        let mut into: Option<(crate::compile::sql::Into, u32, u32)> = None;
        let (mut parens, mut begins) = (0_i32, 0_i32);
        let defines_routine = first == "create"
            && [1, 3]
                .iter()
                .any(|at| self.scan.is_at(*at, "function") || self.scan.is_at(*at, "procedure"));
        let mut before = String::new();
        loop {
            match self.scan.tok() {
                Tok::Char(b';') if parens == 0 && begins == 0 => break,
                Tok::Eof | Tok::Error => {
                    return Err(self.scan.error("unexpected end of function definition"));
                }
                Tok::Char(b'(') => parens += 1,
                Tok::Char(b')') => parens -= 1,
                _ => {}
            }
            let word = self.scan.word_at(0).map(|w| w.to_string()).unwrap_or_default();
            if defines_routine && parens == 0 {
                match word.as_str() {
                    "begin" => begins += 1,
                    "case" if begins > 0 => begins += 1,
                    "end" => begins = (begins - 1).max(0),
                    _ => {}
                }
            }
            if word == "into" && before != "insert" && before != "merge" && first != "import" {
                if into.is_some() {
                    return Err(self.scan.error("INTO specified more than once"));
                }
                let from = self.scan.start();
                self.scan.bump();
                let target = self.read_into(true)?;
                into = Some((target, from, self.scan.start()));
                before.clear();
                continue;
            }
            before = word;
            self.scan.bump();
        }
        let end = self.scan.last_end();
        self.scan.bump();
        let Some((target, from, to)) = into else {
            return Ok((self.scan.between(start, end).to_owned(), None));
        };
        let mut text = self.scan.between(start, from).to_owned();
        text.extend(std::iter::repeat_n(' ', (to - from) as usize));
        text.push_str(self.scan.between(to, end.max(to)));
        text.truncate(text.trim_end().len());
        Ok((text, Some(target)))
    }
}
