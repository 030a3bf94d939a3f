//! Lexer and grammar of PostgreSQL 18: statement text to raw syntax trees.
//!
//! PG: src/backend/parser/{scan.l, gram.y, parser.c}.
//!
//! # How it works
//! [`parse`] lexes the whole string into tokens, then a hand-written recursive descent (precedence climbing for
//! expressions) builds the trees of [`ast`]. Each file of `grammar` covers one area; a function of it is named after
//! the production it reads.
//!
//! # Invariants
//! - What PostgreSQL refuses is refused, at the same token, with its message and SQLSTATE; `PgError::position` is the
//!   0-based byte offset in the string.
//! - No input panics; nesting that would exhaust the stack ends in 54001.
//!
//! # Not here
//! Anything that needs the catalog: names are not looked up, types not resolved (crate `analyzer`).

pub mod ast;
mod escape;
mod grammar;
pub mod keywords;
mod lexer;
mod number;
mod parser;
mod quote;
mod token;

/// Tokens of a text, for a language around SQL (PL/pgSQL) that cuts its own statements.
pub mod scan {
    pub use crate::lexer::{Tokens, lex_error, tokenize};
    pub use crate::token::{NO_VALUE, Tok, Token};
}

use common::{PgError, PgResult};

pub use quote::{quote_identifier, quote_literal, quote_qualified};

use crate::parser::Parser;

/// `backslash_quote`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum BackslashQuote {
    /// `\'` is refused.
    Off,
    /// `\'` is allowed.
    On,
    /// Allowed in encodings where it is safe, which UTF-8 is.
    #[default]
    SafeEncoding,
}

/// The settings that change how text is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseOptions {
    /// Off: backslashes in ordinary strings are escapes.
    pub standard_conforming_strings: bool,
    /// Warn about backslashes in ordinary strings while `standard_conforming_strings` is off.
    pub escape_string_warning: bool,
    /// Whether `\'` may stand for a quote in escape strings.
    pub backslash_quote: BackslashQuote,
    /// Off: `x = NULL` is kept; on: it becomes `x IS NULL`.
    pub transform_null_equals: bool,
    /// Bytes of stack the parser may use before it gives up with 54001.
    pub stack_bytes_max: usize,
}

impl Default for ParseOptions {
    fn default() -> ParseOptions {
        ParseOptions {
            standard_conforming_strings: true,
            escape_string_warning: true,
            backslash_quote: BackslashQuote::SafeEncoding,
            transform_null_equals: false,
            stack_bytes_max: 1 << 20,
        }
    }
}

/// Trees and notices of a statement string.
#[derive(Clone, Debug)]
pub struct Parsed {
    /// One per statement; empty statements are skipped.
    pub statements: Vec<ast::RawStatement>,
    /// Truncated identifiers, escapes in ordinary strings and the like: NOTICEs and WARNINGs for the client.
    pub notices: Vec<PgError>,
}

/// Parses a statement string: any number of statements separated by semicolons.
///
/// ```
/// let parsed = pglite_parser::parse("SELECT 1; SELECT 2", &pglite_parser::ParseOptions::default()).unwrap();
/// assert_eq!(parsed.len(), 2);
/// ```
pub fn parse(sql: &str, options: &ParseOptions) -> PgResult<Vec<ast::RawStatement>> {
    Parser::new(sql, options).statements()
}

/// Like [`parse`], with the notices the lexer has for the client.
pub fn parse_with_notices(sql: &str, options: &ParseOptions) -> PgResult<Parsed> {
    let mut parser = Parser::new(sql, options);
    let statements = parser.statements()?;
    Ok(Parsed {
        statements,
        notices: parser.take_notices(),
    })
}

/// Parses a text that is one scalar expression.
pub fn parse_expression(sql: &str, options: &ParseOptions) -> PgResult<ast::Expr> {
    Parser::new(sql, options).whole(Parser::a_expr)
}

/// Parses what PL/pgSQL calls an expression: a SELECT without the word SELECT.
pub fn parse_plpgsql_expression(sql: &str, options: &ParseOptions) -> PgResult<Box<ast::SelectStmt>> {
    Parser::new(sql, options).whole(Parser::plpgsql_expr)
}

/// Parses a PL/pgSQL assignment, `target := expression`.
pub fn parse_plpgsql_assignment(sql: &str, options: &ParseOptions) -> PgResult<ast::PlAssignStmt> {
    Parser::new(sql, options).whole(Parser::plpgsql_assign)
}

/// Parses a text that is one type name, for example `numeric(10,2)[]`.
pub fn parse_type_name(text: &str) -> PgResult<ast::TypeName> {
    let options = ParseOptions::default();
    Parser::new(text, &options).whole(Parser::typename)
}
