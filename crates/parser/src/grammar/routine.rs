//! Functions, procedures, aggregates: parameters, options, bodies, and references to them by signature.

use common::error::ErrorExt;
use common::{PgResult, Span};

use crate::ast::{
    AggregateArgs, AlterFunctionStmt, CallStmt, CreateFunctionStmt, DefArg, DefElem, DefineStmt, DoStmt,
    FunctionParameter, FunctionParameterMode, NameList, ObjectType, ObjectWithArgs, ReturnStmt, SqlBody,
    Statement, TypeName,
};
use crate::grammar::options::{named_option, number_arg};
use crate::grammar::transaction::option;
use crate::keywords::{Category, Keyword as K};
use crate::parser::{Parser, is_col_id, is_type_function_name};
use crate::token::Tok;

type R<T> = PgResult<T>;
use FunctionParameterMode as Mode;

impl Parser<'_> {
    // ---- parameters ---------------------------------------------------------------------------------------------

    fn arg_class(&mut self) -> Option<Mode> {
        let mode = match self.tok {
            Tok::Kw(K::In) if self.next_is(K::Out) => {
                self.bump();
                Mode::InOut
            }
            Tok::Kw(K::In) => Mode::In,
            Tok::Kw(K::Out) => Mode::Out,
            Tok::Kw(K::Inout) => Mode::InOut,
            Tok::Kw(K::Variadic) => Mode::Variadic,
            _ => return None,
        };
        self.bump();
        Some(mode)
    }

    /// True if the current token is a parameter's name: a type or mode follows it.
    fn at_param_name(&self) -> bool {
        if !is_type_function_name(self.tok) {
            return false;
        }
        match self.peek(1) {
            Tok::Ident => true,
            Tok::Kw(K::Precision) => !self.at(K::Double),
            Tok::Kw(K::In | K::Variadic) => true,
            Tok::Kw(k) => k.category() != Category::Reserved,
            _ => false,
        }
    }

    /// `func_arg`.
    pub fn func_arg(&mut self) -> R<FunctionParameter> {
        let start = self.start();
        let mut mode = self.arg_class();
        let name = if self.at_param_name() {
            Some(self.take_name())
        } else {
            None
        };
        if mode.is_none() && name.is_some() {
            mode = self.arg_class();
        }
        let arg_type = self.func_type()?;
        let mode = mode.unwrap_or(Mode::Default);
        Ok(FunctionParameter {
            name,
            arg_type,
            mode,
            defexpr: None,
            span: self.span_from(start),
        })
    }

    fn func_arg_with_default(&mut self) -> R<FunctionParameter> {
        let mut parameter = self.func_arg()?;
        if self.eat(K::Default) || self.eat('=') {
            parameter.defexpr = Some(self.a_expr()?);
        }
        Ok(parameter)
    }

    /// `'(' [func_arg, ...] ')'`.
    pub fn func_args(&mut self) -> R<Vec<FunctionParameter>> {
        self.expect('(')?;
        let args = if self.at(')') {
            Vec::new()
        } else {
            self.comma_list(|p| p.func_arg())?
        };
        self.expect(')')?;
        Ok(args)
    }

    // ---- CREATE FUNCTION ----------------------------------------------------------------------------------------

    /// CREATE FUNCTION or PROCEDURE; the current token is that word.
    pub fn create_function(&mut self, start: u32, replace: bool) -> R<Statement> {
        let is_procedure = self.take().tok == Tok::Kw(K::Procedure);
        let funcname = self.func_name()?;
        self.expect('(')?;
        let mut parameters = if self.at(')') {
            Vec::new()
        } else {
            self.comma_list(|p| p.func_arg_with_default())?
        };
        self.expect(')')?;
        let mut return_type = None;
        if !is_procedure && self.at(K::Returns) && !self.next_is(K::Null) {
            self.bump();
            if self.at(K::Table) {
                return_type = Some(self.returns_table(&mut parameters)?);
            } else {
                return_type = Some(self.func_type()?);
            }
        }
        let mut options = Vec::new();
        while let Some(option) = self.createfunc_opt_item()? {
            options.push(option);
        }
        let sql_body = self.opt_routine_body()?.map(Box::new);
        self.check_table_function(&parameters)?;
        let span = self.span_from(start);
        let stmt = CreateFunctionStmt {
            is_procedure,
            replace,
            funcname,
            parameters,
            return_type,
            options,
            sql_body,
            span,
        };
        Ok(stmt.into())
    }

    /// `TABLE (name type, ...)`: the columns become parameters of mode TABLE; the type is that of one column or record.
    fn returns_table(&mut self, parameters: &mut Vec<FunctionParameter>) -> R<TypeName> {
        let table_at = self.take().span();
        let columns = self.paren_list(|p| {
            let name = p.type_function_name()?;
            let start = name.span.start;
            let arg_type = p.func_type()?;
            let span = p.span_from(start);
            Ok(FunctionParameter {
                name: Some(name),
                arg_type,
                mode: Mode::Table,
                defexpr: None,
                span,
            })
        })?;
        let mut result = match columns.as_slice() {
            [only] => only.arg_type.clone(),
            _ => self.type_from_names(crate::grammar::expr::system_name("record", table_at)),
        };
        result.setof = true;
        result.span = table_at;
        parameters.extend(columns);
        Ok(result)
    }

    /// RETURNS TABLE and OUT parameters exclude each other.
    fn check_table_function(&self, parameters: &[FunctionParameter]) -> R<()> {
        if !parameters.iter().any(|p| p.mode == Mode::Table) {
            return Ok(());
        }
        match parameters
            .iter()
            .find(|p| matches!(p.mode, Mode::Out | Mode::InOut))
        {
            Some(bad) => {
                let message = "OUT and INOUT arguments aren't allowed in TABLE functions";
                Err(self.grammar_error(message, bad.span))
            }
            None => Ok(()),
        }
    }

    fn createfunc_opt_item(&mut self) -> R<Option<DefElem>> {
        let span = self.span();
        let (name, arg) = match self.tok {
            Tok::Kw(K::As) => {
                self.bump();
                let mut texts = vec![DefArg::String(self.sconst()?.name)];
                if self.eat(',') {
                    texts.push(DefArg::String(self.sconst()?.name));
                }
                ("as", DefArg::List(texts))
            }
            Tok::Kw(K::Language) => {
                self.bump();
                (
                    "language",
                    DefArg::String(self.non_reserved_word_or_sconst()?.name),
                )
            }
            Tok::Kw(K::Transform) => {
                self.bump();
                let types = self.comma_list(|p| {
                    p.expect_all(&[K::For, K::Type])?;
                    Ok(DefArg::TypeName(Box::new(p.typename()?)))
                })?;
                ("transform", DefArg::List(types))
            }
            Tok::Kw(K::Window) => {
                self.bump();
                ("window", DefArg::Boolean(true))
            }
            _ => return self.common_func_opt_item(),
        };
        Ok(Some(option(name, Some(arg), self.span_from(span.start))))
    }

    /// Options that ALTER FUNCTION knows too.
    fn common_func_opt_item(&mut self) -> R<Option<DefElem>> {
        let span = self.span();
        let Tok::Kw(word) = self.tok else { return Ok(None) };
        let text = |text: &'static str| DefArg::String(text.into());
        let first = self.mark();
        self.bump();
        let (name, arg) = match word {
            K::Called => {
                self.expect_all(&[K::On, K::Null, K::Input])?;
                ("strict", DefArg::Boolean(false))
            }
            K::Returns => {
                self.expect_all(&[K::Null, K::On, K::Null, K::Input])?;
                ("strict", DefArg::Boolean(true))
            }
            K::Strict => ("strict", DefArg::Boolean(true)),
            K::Immutable => ("volatility", text("immutable")),
            K::Stable => ("volatility", text("stable")),
            K::Volatile => ("volatility", text("volatile")),
            K::External | K::Security => {
                if word == K::External {
                    self.expect(K::Security)?;
                }
                let definer = self.eat(K::Definer);
                if !definer {
                    self.expect(K::Invoker)?;
                }
                ("security", DefArg::Boolean(definer))
            }
            K::Leakproof => ("leakproof", DefArg::Boolean(true)),
            K::Not => {
                self.expect(K::Leakproof)?;
                ("leakproof", DefArg::Boolean(false))
            }
            K::Cost => ("cost", number_arg(self.numeric_only()?)),
            K::Rows => ("rows", number_arg(self.numeric_only()?)),
            K::Support => ("support", DefArg::Names(self.any_name()?)),
            K::Set => ("set", DefArg::VariableSet(Box::new(self.set_rest_more()?))),
            K::Reset => {
                self.rewind(first);
                ("set", DefArg::VariableSet(Box::new(self.variable_reset()?)))
            }
            K::Parallel => ("parallel", DefArg::String(self.col_id()?.name)),
            _ => {
                self.rewind(first);
                return Ok(None);
            }
        };
        Ok(Some(option(name, Some(arg), self.span_from(span.start))))
    }

    fn return_stmt(&mut self) -> R<ReturnStmt> {
        let start = self.start();
        self.expect(K::Return)?;
        let returnval = self.a_expr()?;
        Ok(ReturnStmt {
            returnval,
            span: self.span_from(start),
        })
    }

    fn opt_routine_body(&mut self) -> R<Option<SqlBody>> {
        if self.at(K::Return) {
            return Ok(Some(SqlBody::Return(self.return_stmt()?)));
        }
        if !self.eat(K::Begin) {
            return Ok(None);
        }
        self.expect(K::Atomic)?;
        let mut body = Vec::new();
        loop {
            while self.eat(';') {}
            if self.eat(K::End) && !matches!(self.tok, Tok::Kw(K::Work | K::Transaction | K::And)) {
                return Ok(Some(SqlBody::Atomic(body)));
            }
            self.check_stack()?;
            body.push(if self.at(K::Return) {
                self.return_stmt()?.into()
            } else {
                self.statement()?
            });
            if !self.at(';') {
                return self.fail();
            }
        }
    }

    /// ALTER FUNCTION, PROCEDURE, ROUTINE with options, after the signature.
    pub fn alter_function(&mut self, start: u32, objtype: ObjectType, func: ObjectWithArgs) -> R<Statement> {
        let mut actions = Vec::new();
        while let Some(action) = self.common_func_opt_item()? {
            actions.push(action);
        }
        if actions.is_empty() {
            return self.fail();
        }
        self.eat(K::Restrict);
        Ok(AlterFunctionStmt {
            objtype,
            func,
            actions,
            span: self.span_from(start),
        }
        .into())
    }

    /// DO.
    pub fn do_stmt(&mut self) -> R<Statement> {
        let start = self.take().start;
        let mut args = Vec::new();
        loop {
            let span = self.span();
            if self.at(Tok::SConst) {
                let code = DefArg::String(self.sconst()?.name);
                args.push(option("as", Some(code), span));
            } else if self.eat(K::Language) {
                let language = DefArg::String(self.non_reserved_word_or_sconst()?.name);
                args.push(option("language", Some(language), self.span_from(span.start)));
            } else if args.is_empty() {
                return self.fail();
            } else {
                return Ok(DoStmt {
                    args,
                    span: self.span_from(start),
                }
                .into());
            }
        }
    }

    /// CALL.
    pub fn call_stmt(&mut self) -> R<Statement> {
        let start = self.take().start;
        let name = self.func_name()?;
        let funccall = self.func_application(name)?;
        Ok(CallStmt {
            funccall,
            span: self.span_from(start),
        }
        .into())
    }

    // ---- references by signature --------------------------------------------------------------------------------

    /// `function_with_argtypes`: the argument list may be missing.
    pub fn function_with_argtypes(&mut self) -> R<ObjectWithArgs> {
        let start = self.start();
        let tok = self.tok;
        if !is_col_id(tok) && !is_type_function_name(tok) {
            return self.fail();
        }
        let first = self.take_name();
        let name = if is_col_id(tok) {
            self.attr_names(first)?
        } else {
            vec![first]
        };
        let may_call = name.len() > 1 || is_type_function_name(tok);
        if !may_call || !self.at('(') {
            let span = self.span_from(start);
            return Ok(ObjectWithArgs {
                name,
                args: Vec::new(),
                func_args: Vec::new(),
                args_unspecified: true,
                span,
            });
        }
        let func_args = self.func_args()?;
        let args = input_types(&func_args);
        Ok(ObjectWithArgs {
            name,
            args,
            func_args,
            args_unspecified: false,
            span: self.span_from(start),
        })
    }

    /// `aggregate_with_argtypes`.
    pub fn aggregate_with_argtypes(&mut self) -> R<ObjectWithArgs> {
        let start = self.start();
        let name = self.func_name()?;
        let func_args = self.aggr_args()?.map_or(Vec::new(), |a| a.parameters);
        let args = input_types(&func_args);
        Ok(ObjectWithArgs {
            name,
            args,
            func_args,
            args_unspecified: false,
            span: self.span_from(start),
        })
    }

    /// `operator_with_argtypes`.
    pub fn operator_with_argtypes(&mut self) -> R<ObjectWithArgs> {
        let start = self.start();
        let name = self.any_operator()?;
        let args = self.oper_argtypes()?;
        let span = self.span_from(start);
        Ok(ObjectWithArgs {
            name,
            args,
            func_args: Vec::new(),
            args_unspecified: false,
            span,
        })
    }

    /// `(left | NONE, right | NONE)`.
    pub fn oper_argtypes(&mut self) -> R<Vec<Option<TypeName>>> {
        self.expect('(')?;
        if self.eat(K::None) {
            self.expect(',')?;
            let right = self.typename()?;
            self.expect(')')?;
            return Ok(vec![None, Some(right)]);
        }
        let left = self.typename()?;
        if self.at(')') {
            let span = self.span();
            return Err(self
                .grammar_error("missing argument", span)
                .hint("Use NONE to denote the missing argument of a unary operator."));
        }
        self.expect(',')?;
        let right = if self.eat(K::None) {
            None
        } else {
            Some(self.typename()?)
        };
        self.expect(')')?;
        Ok(vec![Some(left), right])
    }

    // ---- aggregates ---------------------------------------------------------------------------------------------

    /// `aggr_args`; `None` is `(*)`.
    pub fn aggr_args(&mut self) -> R<Option<AggregateArgs>> {
        self.expect('(')?;
        if self.eat('*') {
            self.expect(')')?;
            return Ok(None);
        }
        let mut parameters = Vec::new();
        if !self.at(K::Order) {
            parameters = self.comma_list(|p| p.aggr_arg())?;
        }
        let mut direct_args = None;
        let mut ordered = Vec::new();
        if self.eat(K::Order) {
            self.expect(K::By)?;
            direct_args = Some(parameters.len() as u32);
            ordered = self.comma_list(|p| p.aggr_arg())?;
        }
        self.expect(')')?;
        if direct_args.is_some() {
            self.ordered_set_args(&mut parameters, ordered)?;
        }
        Ok(Some(AggregateArgs {
            parameters,
            direct_args,
        }))
    }

    fn aggr_arg(&mut self) -> R<FunctionParameter> {
        let parameter = self.func_arg()?;
        if !matches!(parameter.mode, Mode::Default | Mode::In | Mode::Variadic) {
            return Err(self.not_supported("aggregates cannot have output arguments", parameter.span));
        }
        Ok(parameter)
    }

    /// A VARIADIC direct argument must be repeated as the only aggregated one, and is kept once.
    fn ordered_set_args(
        &self,
        direct: &mut Vec<FunctionParameter>,
        ordered: Vec<FunctionParameter>,
    ) -> R<()> {
        let variadic_direct = direct.last().filter(|p| p.mode == Mode::Variadic);
        let Some(last) = variadic_direct else {
            direct.extend(ordered);
            return Ok(());
        };
        let same = match ordered.as_slice() {
            [only] => only.mode == Mode::Variadic && same_type(&only.arg_type, &last.arg_type),
            _ => false,
        };
        if same {
            return Ok(());
        }
        let message = "an ordered-set aggregate with a VARIADIC direct argument must have one VARIADIC aggregated \
                       argument of the same data type";
        Err(self.not_supported(message, ordered.first().map_or(Span::NONE, |p| p.span)))
    }

    /// CREATE AGGREGATE; the current token is AGGREGATE.
    pub fn create_aggregate(&mut self, start: u32, replace: bool) -> R<Statement> {
        self.bump();
        let defnames = self.func_name()?;
        let mut stmt = define_stmt(ObjectType::Aggregate, defnames);
        stmt.replace = replace;
        if self.at('(') && self.peek(1) == Tok::Ident && self.peek(2) == Tok::Char(b'=') {
            stmt.oldstyle = true;
            stmt.definition = self.paren_list(|p| {
                if !p.at(Tok::Ident) {
                    return p.fail();
                }
                let name = p.take_name();
                let start = name.span.start;
                p.expect('=')?;
                let arg = p.def_arg()?;
                let span = p.span_from(start);
                Ok(named_option(name, Some(arg), span))
            })?;
        } else {
            stmt.args = self.aggr_args()?;
            stmt.definition = self.definition()?;
        }
        stmt.span = self.span_from(start);
        Ok(stmt.into())
    }
}

/// A DefineStmt with only its name.
pub fn define_stmt(kind: ObjectType, defnames: NameList) -> DefineStmt {
    DefineStmt {
        kind,
        oldstyle: false,
        defnames,
        args: None,
        definition: Vec::new(),
        if_not_exists: false,
        replace: false,
        span: Span::NONE,
    }
}

fn input_types(parameters: &[FunctionParameter]) -> Vec<Option<TypeName>> {
    let is_input = |p: &&FunctionParameter| !matches!(p.mode, Mode::Out | Mode::Table);
    parameters
        .iter()
        .filter(is_input)
        .map(|p| Some(p.arg_type.clone()))
        .collect()
}

fn same_type(a: &TypeName, b: &TypeName) -> bool {
    let names = |t: &TypeName| t.names.iter().map(|n| n.name.clone()).collect::<Vec<_>>();
    names(a) == names(b) && a.array_bounds == b.array_bounds && a.setof == b.setof
}
