//! Tokens: what the lexer hands to the grammar.

use common::Span;

use crate::keywords::Keyword;

/// The kind of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tok {
    /// End of the statement string.
    Eof,
    /// The lexer failed here; the error waits in the lexer's result.
    Error,
    /// Identifier: plain, double-quoted or U&"".
    Ident,
    /// String constant of any form but bit strings.
    SConst,
    /// B'' string.
    BConst,
    /// X'' string.
    XConst,
    /// Integer that fits int4; the value is in [`Token::value`].
    IConst,
    /// Any other number.
    FConst,
    /// `$n`; the number is in [`Token::value`].
    Param,
    /// Operator other than the ones below.
    Op,
    /// `::`
    Typecast,
    /// `..`
    DotDot,
    /// `:=`
    ColonEquals,
    /// `=>`
    EqualsGreater,
    /// `<=`
    LessEquals,
    /// `>=`
    GreaterEquals,
    /// `<>` or `!=`
    NotEquals,
    /// Any other single byte.
    Char(u8),
    /// Key word.
    Kw(Keyword),
    /// NOT before BETWEEN, IN, LIKE, ILIKE, SIMILAR.
    NotLa,
    /// NULLS before FIRST, LAST.
    NullsLa,
    /// WITH before TIME, ORDINALITY.
    WithLa,
    /// WITHOUT before TIME.
    WithoutLa,
    /// FORMAT before JSON.
    FormatLa,
}

impl From<Keyword> for Tok {
    #[inline]
    fn from(keyword: Keyword) -> Tok {
        Tok::Kw(keyword)
    }
}

impl From<char> for Tok {
    #[inline]
    fn from(c: char) -> Tok {
        Tok::Char(c as u8)
    }
}

/// Marks a token whose text is to be taken from the statement string.
pub const NO_VALUE: u32 = u32::MAX;

/// A token and its place.
#[derive(Clone, Copy, Debug)]
pub struct Token {
    /// Kind.
    pub tok: Tok,
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
    /// Integer value, number of a parameter, or index of a decoded string; [`NO_VALUE`] if none.
    pub value: u32,
}

impl Token {
    /// Its place.
    #[inline]
    pub fn span(&self) -> Span {
        Span::new(self.start, self.end)
    }
}
