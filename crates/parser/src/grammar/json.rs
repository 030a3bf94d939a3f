//! SQL/JSON: constructors, aggregates, query functions and JSON_TABLE.

use common::{PgResult, Span};

use crate::ast::{
    AConst, CoercionForm, ConstValue, Expr, JsonAggConstructor, JsonArgument, JsonArrayAgg,
    JsonArrayConstructor, JsonArrayQueryConstructor, JsonBehavior, JsonBehaviorType, JsonEncoding,
    JsonExprOp, JsonFormat, JsonFuncExpr, JsonKeyValue, JsonObjectAgg, JsonObjectConstructor, JsonOutput,
    JsonParseExpr, JsonQuotes, JsonScalarExpr, JsonSerializeExpr, JsonTable, JsonTableColumn,
    JsonTableColumnType, JsonTablePathSpec, JsonValueExpr, JsonWrapper,
};
use crate::grammar::expr::{Mode, SelectOrExpr, func_call, str_const, system_name};
use crate::keywords::Keyword as K;
use crate::parser::{Parser, is_type_function_name};
use crate::token::Tok;

type R<T> = PgResult<T>;

const NO_FORMAT: JsonFormat = JsonFormat {
    explicit: false,
    encoding: JsonEncoding::Default,
    span: Span::NONE,
};

/// ON EMPTY and ON ERROR.
type Behaviors = (Option<JsonBehavior>, Option<JsonBehavior>);

impl Parser<'_> {
    /// The JSON functions; `word` is the current token and a parenthesis follows.
    pub fn json_expr(&mut self, word: K) -> R<Expr> {
        match word {
            K::JsonObject => self.json_object(),
            K::JsonArray => self.json_array(),
            K::Json => {
                let start = self.open();
                let expr = self.json_value_expr()?;
                let unique_keys = self.json_key_uniqueness()?;
                let span = self.close(start)?;
                Ok(Expr::JsonParseExpr(Box::new(JsonParseExpr {
                    expr,
                    unique_keys,
                    span,
                })))
            }
            K::JsonScalar => {
                let start = self.open();
                let expr = self.a_expr()?;
                let span = self.close(start)?;
                Ok(Expr::JsonScalarExpr(Box::new(JsonScalarExpr { expr, span })))
            }
            K::JsonSerialize => {
                let start = self.open();
                let expr = self.json_value_expr()?;
                let output = self.json_returning()?;
                let span = self.close(start)?;
                Ok(Expr::JsonSerializeExpr(Box::new(JsonSerializeExpr {
                    expr,
                    output,
                    span,
                })))
            }
            _ => self.json_func(word),
        }
    }

    fn open(&mut self) -> u32 {
        let start = self.take().start;
        self.bump();
        start
    }

    fn close(&mut self, start: u32) -> R<Span> {
        self.expect(')')?;
        Ok(self.span_from(start))
    }

    fn json_object(&mut self) -> R<Expr> {
        let name_span = self.span();
        let start = self.open();
        let mut exprs = Vec::new();
        let mut absent_on_null = false;
        let mut unique = false;
        if !matches!(self.tok, Tok::Char(b')') | Tok::Kw(K::Returning)) {
            let named = is_type_function_name(self.tok)
                && matches!(self.peek(1), Tok::ColonEquals | Tok::EqualsGreater);
            match if named {
                Err(self.func_arg_expr()?)
            } else {
                self.json_key()?
            } {
                Ok(key) => exprs.push(JsonKeyValue {
                    key,
                    value: self.json_value_expr()?,
                }),
                Err(first) => return self.json_object_call(first, name_span, start),
            }
            while self.eat(',') {
                exprs.push(self.json_name_and_value()?);
            }
            absent_on_null = self.json_null_clause()?.unwrap_or(false);
            unique = self.json_key_uniqueness()?;
        }
        let output = self.json_returning()?;
        let span = self.close(start)?;
        let node = JsonObjectConstructor {
            exprs,
            output,
            absent_on_null,
            unique,
            span,
        };
        Ok(Expr::JsonObjectConstructor(Box::new(node)))
    }

    /// JSON_OBJECT with ordinary arguments.
    fn json_object_call(&mut self, first: Expr, name_span: Span, start: u32) -> R<Expr> {
        let mut args = vec![first];
        while self.eat(',') {
            args.push(self.func_arg_expr()?);
        }
        let span = self.close(start)?;
        let name = system_name("json_object", name_span);
        Ok(Expr::FuncCall(Box::new(func_call(
            name,
            args,
            CoercionForm::ExplicitCall,
            span,
        ))))
    }

    /// A key and its separator; the inner `Err` is an expression without one.
    fn json_key(&mut self) -> R<Result<Expr, Expr>> {
        let prefix = matches!(self.tok, Tok::Char(b'+' | b'-') | Tok::Op | Tok::NotLa)
            || matches!(self.tok, Tok::Kw(K::Not | K::Default | K::Unique))
            || self.at2(K::Operator, '(');
        let expr = if prefix {
            self.a_expr()?
        } else {
            let first = self.c_expr(Mode::A)?;
            if self.eat(K::Value) {
                return Ok(Ok(first));
            }
            self.operators(first, 0, Mode::A)?
        };
        Ok(if self.eat(':') { Ok(expr) } else { Err(expr) })
    }

    fn json_name_and_value(&mut self) -> R<JsonKeyValue> {
        match self.json_key()? {
            Ok(key) => Ok(JsonKeyValue {
                key,
                value: self.json_value_expr()?,
            }),
            Err(_) => self.fail(),
        }
    }

    fn json_array(&mut self) -> R<Expr> {
        let start = self.open();
        if matches!(self.tok, Tok::Char(b')') | Tok::Kw(K::Returning)) {
            let output = self.json_returning()?;
            let span = self.close(start)?;
            let node = JsonArrayConstructor {
                exprs: Vec::new(),
                output,
                absent_on_null: true,
                span,
            };
            return Ok(Expr::JsonArrayConstructor(Box::new(node)));
        }
        match self.select_or_expr()? {
            SelectOrExpr::Select(query) => {
                let format = self.json_format()?;
                let output = self.json_returning()?;
                let span = self.close(start)?;
                let node = JsonArrayQueryConstructor {
                    query,
                    output,
                    format,
                    absent_on_null: true,
                    span,
                };
                Ok(Expr::JsonArrayQueryConstructor(Box::new(node)))
            }
            SelectOrExpr::Expr(raw_expr) => {
                let mut exprs = vec![JsonValueExpr {
                    raw_expr,
                    format: self.json_format()?,
                }];
                while self.eat(',') {
                    exprs.push(self.json_value_expr()?);
                }
                let absent_on_null = self.json_null_clause()?.unwrap_or(true);
                let output = self.json_returning()?;
                let span = self.close(start)?;
                let node = JsonArrayConstructor {
                    exprs,
                    output,
                    absent_on_null,
                    span,
                };
                Ok(Expr::JsonArrayConstructor(Box::new(node)))
            }
        }
    }

    /// JSON_OBJECTAGG and JSON_ARRAYAGG; FILTER and OVER only where window calls are allowed.
    pub fn json_aggregate(&mut self, word: K, window: bool) -> R<Expr> {
        let start = self.open();
        let mut constructor = JsonAggConstructor {
            output: None,
            agg_filter: None,
            agg_order: Vec::new(),
            over: None,
            span: Span::NONE,
        };
        if word == K::JsonObjectagg {
            let arg = self.json_name_and_value()?;
            let absent_on_null = self.json_null_clause()?.unwrap_or(false);
            let unique = self.json_key_uniqueness()?;
            self.json_aggregate_rest(&mut constructor, start, window)?;
            return Ok(Expr::JsonObjectAgg(Box::new(JsonObjectAgg {
                constructor,
                arg,
                absent_on_null,
                unique,
            })));
        }
        let arg = self.json_value_expr()?;
        constructor.agg_order = self.opt_sort_clause()?;
        let absent_on_null = self.json_null_clause()?.unwrap_or(true);
        self.json_aggregate_rest(&mut constructor, start, window)?;
        Ok(Expr::JsonArrayAgg(Box::new(JsonArrayAgg {
            constructor,
            arg,
            absent_on_null,
        })))
    }

    fn json_aggregate_rest(
        &mut self,
        constructor: &mut JsonAggConstructor,
        start: u32,
        window: bool,
    ) -> R<()> {
        constructor.output = self.json_returning()?;
        constructor.span = self.close(start)?;
        if window {
            constructor.agg_filter = self.filter_clause()?;
            constructor.over = self.over_clause()?;
        }
        Ok(())
    }

    fn json_func(&mut self, word: K) -> R<Expr> {
        let start = self.open();
        let context_item = self.json_value_expr()?;
        self.expect(',')?;
        let pathspec = self.a_expr()?;
        let passing = self.json_passing()?;
        let (mut output, mut wrapper, mut quotes) = (None, JsonWrapper::Unspec, JsonQuotes::Unspec);
        let op = match word {
            K::JsonExists => JsonExprOp::Exists,
            K::JsonQuery => JsonExprOp::Query,
            _ => JsonExprOp::Value,
        };
        if op != JsonExprOp::Exists {
            output = self.json_returning()?;
        }
        if op == JsonExprOp::Query {
            wrapper = self.json_wrapper()?;
            quotes = self.json_quotes()?;
        }
        let (on_empty, on_error) = if op == JsonExprOp::Exists {
            (None, self.json_on_error()?)
        } else {
            self.json_behaviors()?
        };
        let span = self.close(start)?;
        Ok(Expr::JsonFuncExpr(Box::new(JsonFuncExpr {
            op,
            column_name: None,
            context_item,
            pathspec,
            passing,
            output,
            on_empty,
            on_error,
            wrapper,
            quotes,
            span,
        })))
    }

    // ---- clauses ------------------------------------------------------------------------------------------------

    /// `expr [FORMAT JSON]`.
    pub fn json_value_expr(&mut self) -> R<JsonValueExpr> {
        let raw_expr = self.a_expr()?;
        Ok(JsonValueExpr {
            raw_expr,
            format: self.json_format()?,
        })
    }

    fn json_format(&mut self) -> R<JsonFormat> {
        if !self.at(Tok::FormatLa) {
            return Ok(NO_FORMAT);
        }
        let start = self.take().start;
        self.expect(K::Json)?;
        let mut encoding = JsonEncoding::Default;
        if self.eat(K::Encoding) {
            let name = self.name()?;
            encoding = match name.as_str().to_ascii_lowercase().as_str() {
                "utf8" => JsonEncoding::Utf8,
                "utf16" => JsonEncoding::Utf16,
                "utf32" => JsonEncoding::Utf32,
                _ => {
                    use common::error::ErrorExt;
                    let text = name.as_str();
                    return Err(common::pg_err!(
                        INVALID_PARAMETER_VALUE,
                        "unrecognized JSON encoding: {text}"
                    )
                    .at(name.span));
                }
            };
        }
        Ok(JsonFormat {
            explicit: true,
            encoding,
            span: self.span_from(start),
        })
    }

    fn json_returning(&mut self) -> R<Option<Box<JsonOutput>>> {
        if !self.eat(K::Returning) {
            return Ok(None);
        }
        let type_name = self.typename()?;
        let format = self.json_format()?;
        Ok(Some(Box::new(JsonOutput { type_name, format })))
    }

    /// `NULL ON NULL | ABSENT ON NULL`: true for ABSENT.
    fn json_null_clause(&mut self) -> R<Option<bool>> {
        let absent = match self.tok {
            Tok::Kw(K::Null) => false,
            Tok::Kw(K::Absent) => true,
            _ => return Ok(None),
        };
        self.bump();
        self.expect_all(&[K::On, K::Null])?;
        Ok(Some(absent))
    }

    /// `WITH UNIQUE [KEYS] | WITHOUT UNIQUE [KEYS]`.
    pub fn json_key_uniqueness(&mut self) -> R<bool> {
        if !matches!(self.tok, Tok::Kw(K::With | K::Without)) {
            return Ok(false);
        }
        let unique = self.take().tok == Tok::Kw(K::With);
        self.expect(K::Unique)?;
        self.eat(K::Keys);
        Ok(unique)
    }

    fn json_passing(&mut self) -> R<Vec<JsonArgument>> {
        if !self.eat(K::Passing) {
            return Ok(Vec::new());
        }
        self.comma_list(|p| {
            let val = p.json_value_expr()?;
            p.expect(K::As)?;
            Ok(JsonArgument {
                val,
                name: p.col_label()?,
            })
        })
    }

    fn json_wrapper(&mut self) -> R<JsonWrapper> {
        if self.eat(K::Without) {
            self.eat(K::Array);
            self.expect(K::Wrapper)?;
            return Ok(JsonWrapper::None);
        }
        if !self.eat(K::With) {
            return Ok(JsonWrapper::Unspec);
        }
        let conditional = self.eat(K::Conditional);
        if !conditional {
            self.eat(K::Unconditional);
        }
        self.eat(K::Array);
        self.expect(K::Wrapper)?;
        Ok(if conditional {
            JsonWrapper::Conditional
        } else {
            JsonWrapper::Unconditional
        })
    }

    fn json_quotes(&mut self) -> R<JsonQuotes> {
        let quotes = match self.tok {
            Tok::Kw(K::Keep) => JsonQuotes::Keep,
            Tok::Kw(K::Omit) => JsonQuotes::Omit,
            _ => return Ok(JsonQuotes::Unspec),
        };
        self.bump();
        self.expect(K::Quotes)?;
        if self.eat(K::On) {
            self.expect_all(&[K::Scalar, K::String])?;
        }
        Ok(quotes)
    }

    fn json_behavior(&mut self) -> R<Option<JsonBehavior>> {
        let start = self.start();
        let Tok::Kw(word) = self.tok else { return Ok(None) };
        let btype = match word {
            K::Default => JsonBehaviorType::Default,
            K::Error => JsonBehaviorType::Error,
            K::Null => JsonBehaviorType::Null,
            K::True => JsonBehaviorType::True,
            K::False => JsonBehaviorType::False,
            K::Unknown => JsonBehaviorType::Unknown,
            K::Empty => JsonBehaviorType::EmptyArray,
            _ => return Ok(None),
        };
        self.bump();
        let mut behavior = JsonBehavior {
            btype,
            expr: None,
            span: Span::NONE,
        };
        if btype == JsonBehaviorType::Default {
            behavior.expr = Some(self.a_expr()?);
        } else if btype == JsonBehaviorType::EmptyArray {
            if self.eat(K::Object) {
                behavior.btype = JsonBehaviorType::EmptyObject;
            } else {
                self.eat(K::Array);
            }
        }
        behavior.span = self.span_from(start);
        Ok(Some(behavior))
    }

    fn json_on_error(&mut self) -> R<Option<JsonBehavior>> {
        let behavior = self.json_behavior()?;
        if behavior.is_some() {
            self.expect_all(&[K::On, K::Error])?;
        }
        Ok(behavior)
    }

    fn json_behaviors(&mut self) -> R<Behaviors> {
        let Some(first) = self.json_behavior()? else {
            return Ok((None, None));
        };
        self.expect(K::On)?;
        if self.eat(K::Error) {
            return Ok((None, Some(first)));
        }
        self.expect(K::Empty)?;
        Ok((Some(first), self.json_on_error()?))
    }

    // ---- JSON_TABLE ---------------------------------------------------------------------------------------------

    /// `JSON_TABLE (...)` without alias.
    pub fn json_table(&mut self) -> R<JsonTable> {
        let start = self.start();
        self.expect(K::JsonTable)?;
        self.expect('(')?;
        let context_item = self.json_value_expr()?;
        self.expect(',')?;
        let path_start = self.start();
        let string = self.a_expr()?;
        let name = if self.eat(K::As) { Some(self.name()?) } else { None };
        let passing = self.json_passing()?;
        self.expect(K::Columns)?;
        let columns = self.paren_list(|p| p.json_table_column())?;
        let on_error = self.json_on_error()?;
        self.expect(')')?;
        if !matches!(
            string,
            Expr::AConst(AConst {
                value: ConstValue::String(_),
                ..
            })
        ) {
            let message = "only string constants are supported in JSON_TABLE path specification";
            return Err(self.not_supported(message, string.location()));
        }
        let pathspec = JsonTablePathSpec {
            string,
            name,
            span: Span::new(path_start, path_start),
        };
        let span = self.span_from(start);
        Ok(JsonTable {
            context_item,
            pathspec,
            passing,
            columns,
            on_error,
            alias: None,
            lateral: false,
            span,
        })
    }

    fn json_table_column(&mut self) -> R<JsonTableColumn> {
        self.check_stack()?;
        let start = self.start();
        let mut column = JsonTableColumn {
            coltype: JsonTableColumnType::Regular,
            name: None,
            type_name: None,
            pathspec: None,
            format: NO_FORMAT,
            wrapper: JsonWrapper::Unspec,
            quotes: JsonQuotes::Unspec,
            columns: Vec::new(),
            on_empty: None,
            on_error: None,
            span: Span::NONE,
        };
        if self.at(K::Nested) && matches!(self.peek(1), Tok::Kw(K::Path) | Tok::SConst) {
            self.json_nested_columns(&mut column)?;
        } else {
            column.name = Some(self.col_id()?);
            if self.eat(K::For) {
                self.expect(K::Ordinality)?;
                column.coltype = JsonTableColumnType::ForOrdinality;
            } else {
                column.type_name = Some(self.typename()?);
                self.json_column_options(&mut column)?;
            }
        }
        column.span = self.span_from(start);
        Ok(column)
    }

    fn json_nested_columns(&mut self, column: &mut JsonTableColumn) -> R<()> {
        column.coltype = JsonTableColumnType::Nested;
        self.bump();
        self.eat(K::Path);
        let mut path = self.json_path_string()?;
        if self.eat(K::As) {
            path.name = Some(self.name()?);
        }
        column.pathspec = Some(path);
        self.expect(K::Columns)?;
        column.columns = self.paren_list(|p| p.json_table_column())?;
        Ok(())
    }

    fn json_path_string(&mut self) -> R<JsonTablePathSpec> {
        let literal = self.sconst()?;
        let span = literal.span;
        Ok(JsonTablePathSpec {
            string: str_const(literal.name, span),
            name: None,
            span,
        })
    }

    fn json_column_options(&mut self, column: &mut JsonTableColumn) -> R<()> {
        let exists = self.eat(K::Exists);
        if exists {
            column.coltype = JsonTableColumnType::Exists;
        } else if self.at(Tok::FormatLa) {
            column.coltype = JsonTableColumnType::Formatted;
            column.format = self.json_format()?;
        }
        if self.eat(K::Path) {
            column.pathspec = Some(self.json_path_string()?);
        }
        if exists {
            column.on_error = self.json_on_error()?;
            return Ok(());
        }
        column.wrapper = self.json_wrapper()?;
        column.quotes = self.json_quotes()?;
        (column.on_empty, column.on_error) = self.json_behaviors()?;
        Ok(())
    }
}
