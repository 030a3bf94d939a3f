//! The parser's state: a cursor over the tokens, errors, names, and the limits on depth.

use common::cancel;
use common::error::ErrorExt;
use common::{PgError, PgResult, Span, long, pg_err, pieces};

use crate::ParseOptions;
use crate::ast::{Ident, Name, RawStatement};
use crate::keywords::{Category, Keyword as K};
use crate::lexer::{self, Tokens};
use crate::token::{NO_VALUE, Tok, Token};

/// Greatest height of a tree: bounds the recursion of everything that walks or drops it.
const HEIGHT_MAX: u32 = 2_500;

/// A cursor over the tokens of a statement string.
pub struct Parser<'a> {
    sql: &'a str,
    tokens: Vec<Token>,
    values: Vec<Name>,
    lex_error: Option<Box<PgError>>,
    notices: Vec<PgError>,
    pos: usize,
    /// Kind of the current token.
    pub tok: Tok,
    /// Height of the highest expression finished within the current one.
    pub height: u32,
    stack_top: usize,
    stack_bytes_max: usize,
    /// The last run of opening parentheses that was looked through: its first token and the first one after it.
    paren_run: (usize, usize),
    /// Whether a bare key word label may end the outermost expression.
    pub options: ParseOptions,
}

/// An address within the current stack frame.
#[inline(never)]
fn stack_pointer() -> usize {
    let local = 0u8;
    std::hint::black_box(&raw const local) as usize
}

impl Drop for Parser<'_> {
    fn drop(&mut self) {
        cancel::discard_list(std::mem::take(&mut self.tokens));
        cancel::discard_list(std::mem::take(&mut self.values));
    }
}

impl<'a> Parser<'a> {
    /// Lexes `sql`.
    pub fn new(sql: &'a str, options: &ParseOptions) -> Parser<'a> {
        let Tokens {
            tokens,
            values,
            error,
            notices,
        } = lexer::tokenize(sql, options);
        let tok = tokens.first().map_or(Tok::Eof, |t| t.tok);
        Parser {
            sql,
            tokens,
            values,
            lex_error: error,
            notices,
            pos: 0,
            tok,
            height: 0,
            stack_top: stack_pointer(),
            stack_bytes_max: options.stack_bytes_max,
            paren_run: (0, 0),
            options: options.clone(),
        }
    }

    /// The lexer's notices.
    pub fn take_notices(&mut self) -> Vec<PgError> {
        std::mem::take(&mut self.notices)
    }

    /// Adds a warning for the client.
    pub fn notice(&mut self, notice: Box<PgError>) {
        self.notices.push(*notice);
    }

    /// All statements of the string.
    pub fn statements(&mut self) -> PgResult<Vec<RawStatement>> {
        let mut statements = Vec::new();
        let result = self.statements_into(&mut statements);
        if result.is_err() {
            cancel::discard_list(std::mem::take(&mut statements));
        }
        result.map(|()| statements)
    }

    fn statements_into(&mut self, statements: &mut Vec<RawStatement>) -> PgResult<()> {
        loop {
            while self.eat(';') {}
            if self.at(Tok::Eof) {
                return Ok(());
            }
            let start = self.start();
            let stmt = self.statement()?;
            statements.push(RawStatement {
                stmt,
                span: self.span_from(start),
            });
            if !self.at(';') && !self.at(Tok::Eof) {
                return Err(self.syntax_error());
            }
        }
    }

    /// Parses the whole text with one production.
    pub fn whole<T>(&mut self, production: impl FnOnce(&mut Parser<'a>) -> PgResult<T>) -> PgResult<T> {
        let result = production(self)?;
        if self.at(Tok::Eof) {
            Ok(result)
        } else {
            Err(self.syntax_error())
        }
    }

    // ---- cursor -------------------------------------------------------------------------------------------------

    #[inline]
    fn token_at(&self, pos: usize) -> Token {
        match self.tokens.get(pos).or(self.tokens.last()) {
            Some(token) => *token,
            None => Token {
                tok: Tok::Eof,
                start: 0,
                end: 0,
                value: NO_VALUE,
            },
        }
    }

    /// The current token.
    #[inline]
    pub fn token(&self) -> Token {
        self.token_at(self.pos)
    }

    /// The kind of the token `n` places ahead.
    #[inline]
    pub fn peek(&self, n: usize) -> Tok {
        self.token_at(self.pos + n).tok
    }

    /// True if the current token is `tok`.
    #[inline]
    pub fn at(&self, tok: impl Into<Tok>) -> bool {
        self.tok == tok.into()
    }

    /// True if the token after the current one is `tok`.
    #[inline]
    pub fn next_is(&self, tok: impl Into<Tok>) -> bool {
        self.peek(1) == tok.into()
    }

    /// True if the current token is `first` and the next `second`.
    #[inline]
    pub fn at2(&self, first: impl Into<Tok>, second: impl Into<Tok>) -> bool {
        self.at(first) && self.next_is(second)
    }

    /// Goes on to the next token.
    #[inline]
    pub fn bump(&mut self) {
        if self.pos + 1 < self.tokens.len() {
            self.pos += 1;
        }
        self.tok = self.token_at(self.pos).tok;
    }

    /// Takes the current token.
    #[inline]
    pub fn take(&mut self) -> Token {
        let token = self.token();
        self.bump();
        token
    }

    /// Takes the current token if it is `tok`.
    #[inline]
    pub fn eat(&mut self, tok: impl Into<Tok>) -> bool {
        let found = self.at(tok);
        if found {
            self.bump();
        }
        found
    }

    /// Takes two tokens if both are there.
    #[inline]
    pub fn eat2(&mut self, first: impl Into<Tok>, second: impl Into<Tok>) -> bool {
        let found = self.at2(first, second);
        if found {
            self.bump();
            self.bump();
        }
        found
    }

    /// Takes `tok` or fails.
    #[inline]
    pub fn expect(&mut self, tok: impl Into<Tok>) -> PgResult<()> {
        if self.eat(tok) {
            Ok(())
        } else {
            Err(self.syntax_error())
        }
    }

    /// Takes key words one after the other or fails at the first that is missing.
    pub fn expect_all(&mut self, words: &[K]) -> PgResult<()> {
        for &word in words {
            self.expect(word)?;
        }
        Ok(())
    }

    /// First byte of the current token.
    #[inline]
    pub fn start(&self) -> u32 {
        self.token().start
    }

    /// Place of the current token.
    #[inline]
    pub fn span(&self) -> Span {
        self.token().span()
    }

    /// From `start` to the end of the last taken token.
    #[inline]
    pub fn span_from(&self, start: u32) -> Span {
        let end = match self.pos.checked_sub(1) {
            Some(before) => self.token_at(before).end,
            None => start,
        };
        // At the very end the cursor stays on the last token, which is empty.
        Span::new(start, end.max(start))
    }

    /// The position in the token list, for [`Parser::rewind`].
    pub fn mark(&self) -> usize {
        self.pos
    }

    /// Goes back to a marked position.
    pub fn rewind(&mut self, mark: usize) {
        self.pos = mark;
        self.tok = self.token_at(mark).tok;
    }

    // ---- errors -------------------------------------------------------------------------------------------------

    /// `syntax error` at the current token (or the lexer's own error, if that is what stands there).
    #[cold]
    #[inline(never)]
    pub fn syntax_error(&mut self) -> Box<PgError> {
        self.error_here("syntax error")
    }

    /// PostgreSQL's `parser_yyerror`: a message about the current token.
    #[cold]
    #[inline(never)]
    pub fn error_here(&mut self, message: &str) -> Box<PgError> {
        if self.tok == Tok::Error
            && let Some(error) = &self.lex_error
        {
            return error.clone();
        }
        let token = self.token();
        lexer::lex_error(self.sql, message, token.start as usize, token.end as usize)
    }

    /// A syntax error as a result.
    #[cold]
    #[inline(never)]
    pub fn fail<T>(&mut self) -> PgResult<T> {
        Err(self.syntax_error())
    }

    /// A 42601 with a message of its own.
    #[cold]
    #[inline(never)]
    pub fn grammar_error(&self, message: &str, span: Span) -> Box<PgError> {
        pg_err!(SYNTAX_ERROR, "{message}").at(span)
    }

    /// A 0A000 that PostgreSQL's grammar itself raises.
    #[cold]
    #[inline(never)]
    pub fn not_supported(&self, message: &str, span: Span) -> Box<PgError> {
        pg_err!(FEATURE_NOT_SUPPORTED, "{message}").at(span)
    }

    // ---- depth --------------------------------------------------------------------------------------------------

    /// Fails when the stack is nearly used up, or when the statement was cancelled; every recursive production calls it.
    #[inline]
    pub fn check_stack(&self) -> PgResult<()> {
        cancel::check()?;
        if self.stack_top.abs_diff(stack_pointer()) > self.stack_bytes_max {
            Err(too_deep())
        } else {
            Ok(())
        }
    }

    /// Fails when a left-deep chain gets too high.
    #[inline]
    pub fn check_height(&self, height: u32) -> PgResult<()> {
        if height > HEIGHT_MAX {
            Err(too_deep())
        } else {
            Ok(())
        }
    }

    /// The first token after the run of opening parentheses that starts at the current token.
    pub fn after_parens(&mut self) -> (Tok, Tok) {
        if !(self.paren_run.0..self.paren_run.1).contains(&self.pos) {
            let mut end = self.pos;
            while self.token_at(end).tok == Tok::Char(b'(') {
                end += 1;
            }
            self.paren_run = (self.pos, end);
        }
        let end = self.paren_run.1;
        (self.token_at(end).tok, self.token_at(end + 1).tok)
    }

    // ---- names --------------------------------------------------------------------------------------------------

    /// The text of a token of the statement.
    pub fn source(&self, token: Token) -> &'a str {
        self.sql
            .get(token.start as usize..token.end as usize)
            .unwrap_or("")
    }

    /// The name that an identifier or key word token stands for.
    pub fn name_of(&self, token: Token) -> Name {
        if let Tok::Kw(keyword) = token.tok {
            return Name::new_static(keyword.as_str());
        }
        if let Some(text) = self.values.get(token.value as usize) {
            return text.clone();
        }
        let text = match token.tok {
            Tok::NotLa => "not",
            Tok::NullsLa => "nulls",
            Tok::WithLa => "with",
            Tok::WithoutLa => "without",
            Tok::FormatLa => "format",
            _ => self.source(token),
        };
        if text.bytes().any(|b| b.is_ascii_uppercase()) {
            return Name::from(text.to_ascii_lowercase());
        }
        Name::new(text)
    }

    /// The value of a string constant.
    pub fn string_of(&self, token: Token) -> Name {
        match self.values.get(token.value as usize) {
            Some(text) => text.clone(),
            None => Name::new(self.quoted(token)),
        }
    }

    /// The same, where it may be very long.
    pub fn long_string_of(&self, token: Token) -> PgResult<Name> {
        let text = self.quoted(token);
        if token.value != NO_VALUE || text.len() <= pieces::PIECE_BYTES {
            return Ok(self.string_of(token));
        }
        long::text(text, &cancel::current()).map(Name::from)
    }

    /// What stands between the quotes of a string constant.
    fn quoted(&self, token: Token) -> &'a str {
        let (start, end) = (token.start as usize + 1, token.end as usize);
        self.sql.get(start..end.saturating_sub(1)).unwrap_or("")
    }

    /// Takes the current token as a name.
    #[inline]
    pub fn take_name(&mut self) -> Ident {
        let token = self.token();
        let name = self.name_of(token);
        self.bump();
        Ident {
            name,
            span: token.span(),
        }
    }

    /// Column, table and most other names: identifiers, unreserved and column-name key words.
    pub fn col_id(&mut self) -> PgResult<Ident> {
        if is_col_id(self.tok) {
            Ok(self.take_name())
        } else {
            self.fail()
        }
    }

    /// Any identifier or key word.
    pub fn col_label(&mut self) -> PgResult<Ident> {
        if is_col_label(self.tok) {
            Ok(self.take_name())
        } else {
            self.fail()
        }
    }

    /// Identifiers, unreserved and function-name key words.
    pub fn type_function_name(&mut self) -> PgResult<Ident> {
        if is_type_function_name(self.tok) {
            Ok(self.take_name())
        } else {
            self.fail()
        }
    }

    /// Everything but reserved words.
    pub fn non_reserved_word(&mut self) -> PgResult<Ident> {
        if is_non_reserved_word(self.tok) {
            Ok(self.take_name())
        } else {
            self.fail()
        }
    }

    /// A non-reserved word or a string.
    pub fn non_reserved_word_or_sconst(&mut self) -> PgResult<Ident> {
        if self.at(Tok::SConst) {
            self.sconst()
        } else {
            self.non_reserved_word()
        }
    }

    /// A plain name: PostgreSQL's `name`.
    #[inline]
    pub fn name(&mut self) -> PgResult<Ident> {
        self.col_id()
    }

    /// A string constant.
    pub fn sconst(&mut self) -> PgResult<Ident> {
        if !self.at(Tok::SConst) {
            return self.fail();
        }
        let token = self.take();
        Ok(Ident {
            name: self.string_of(token),
            span: token.span(),
        })
    }

    /// An integer constant that fits int4.
    pub fn iconst(&mut self) -> PgResult<i32> {
        if !self.at(Tok::IConst) {
            return self.fail();
        }
        Ok(self.take().value as i32)
    }

    /// An integer with an optional sign.
    pub fn signed_iconst(&mut self) -> PgResult<i32> {
        if self.eat('-') {
            return Ok(-self.iconst()?);
        }
        self.eat('+');
        self.iconst()
    }

    /// `item, item ...`
    pub fn comma_list<T: Send + 'static>(
        &mut self,
        mut item: impl FnMut(&mut Parser<'a>) -> PgResult<T>,
    ) -> PgResult<Vec<T>> {
        let mut list = vec![item(self)?];
        while self.eat(',') {
            match item(self) {
                Ok(next) => list.push(next),
                Err(e) => {
                    cancel::discard_list(list);
                    return Err(e);
                }
            }
        }
        Ok(list)
    }

    /// `(item, item ...)`
    pub fn paren_list<T: Send + 'static>(
        &mut self,
        item: impl FnMut(&mut Parser<'a>) -> PgResult<T>,
    ) -> PgResult<Vec<T>> {
        self.expect('(')?;
        let list = self.comma_list(item)?;
        self.expect(')')?;
        Ok(list)
    }

    /// `(item ...)` if a parenthesis opens here, an empty list otherwise.
    pub fn opt_paren_list<T: Send + 'static>(
        &mut self,
        item: impl FnMut(&mut Parser<'a>) -> PgResult<T>,
    ) -> PgResult<Vec<T>> {
        if self.at('(') {
            self.paren_list(item)
        } else {
            Ok(Vec::new())
        }
    }
}

#[cold]
#[inline(never)]
fn too_deep() -> Box<PgError> {
    pg_err!(STATEMENT_TOO_COMPLEX, "stack depth limit exceeded").hint(
        "Increase the configuration parameter \"max_stack_depth\" (currently 2048kB), \
         after ensuring the platform's stack depth limit is adequate.",
    )
}

/// ColId.
#[inline]
pub fn is_col_id(tok: Tok) -> bool {
    match tok {
        Tok::Ident => true,
        Tok::Kw(k) => matches!(k.category(), Category::Unreserved | Category::ColName),
        _ => false,
    }
}

/// type_function_name.
#[inline]
pub fn is_type_function_name(tok: Tok) -> bool {
    match tok {
        Tok::Ident => true,
        Tok::Kw(k) => matches!(k.category(), Category::Unreserved | Category::TypeFuncName),
        _ => false,
    }
}

/// NonReservedWord.
#[inline]
pub fn is_non_reserved_word(tok: Tok) -> bool {
    match tok {
        Tok::Ident => true,
        Tok::Kw(k) => k.category() != Category::Reserved,
        _ => false,
    }
}

/// ColLabel.
#[inline]
pub fn is_col_label(tok: Tok) -> bool {
    matches!(tok, Tok::Ident | Tok::Kw(_))
}

/// BareColLabel.
#[inline]
pub fn is_bare_col_label(tok: Tok) -> bool {
    match tok {
        Tok::Ident => true,
        Tok::Kw(k) => k.info().bare_label,
        _ => false,
    }
}
