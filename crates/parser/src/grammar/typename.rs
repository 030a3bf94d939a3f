//! Type names: generic ones and the standard's spellings.

use common::error::ErrorExt;
use common::{PgResult, Span, pg_err};

use crate::ast::{Expr, Ident, NameList, TypeName};
use crate::grammar::expr::{int_const, system_name};
use crate::keywords::{Category, Keyword as K};
use crate::parser::{Parser, is_type_function_name};
use crate::token::Tok;

type R<T> = PgResult<T>;

/// PostgreSQL's INTERVAL_FULL_RANGE.
const INTERVAL_FULL_RANGE: i32 = 0x7FFF;

fn field_bit(word: K) -> i32 {
    match word {
        K::Month => 1 << 1,
        K::Year => 1 << 2,
        K::Day => 1 << 3,
        K::Hour => 1 << 10,
        K::Minute => 1 << 11,
        _ => 1 << 12,
    }
}

/// All fields from `first` to `last`.
fn field_range(first: K, last: K) -> i32 {
    let order = [K::Year, K::Month, K::Day, K::Hour, K::Minute, K::Second];
    let inside = order.iter().skip_while(|w| **w != first);
    let mut mask = 0;
    for &word in inside {
        mask |= field_bit(word);
        if word == last {
            break;
        }
    }
    mask
}

fn plain(names: NameList, typmods: Vec<Expr>, span: Span) -> TypeName {
    TypeName {
        names,
        setof: false,
        pct_type: false,
        typmods,
        array_bounds: Vec::new(),
        span,
    }
}

impl Parser<'_> {
    /// `Typename`.
    #[inline(never)]
    pub fn typename(&mut self) -> R<TypeName> {
        self.check_stack()?;
        let start = self.start();
        let setof = self.eat(K::Setof);
        let mut type_name = self.simple_typename()?;
        type_name.setof = setof;
        self.array_bounds(&mut type_name)?;
        type_name.span = Span::new(type_name.span.start.max(start), self.span_from(start).end);
        Ok(type_name)
    }

    fn array_bounds(&mut self, type_name: &mut TypeName) -> R<()> {
        if self.eat(K::Array) {
            let mut bound = -1;
            if self.eat('[') {
                bound = self.iconst()?;
                self.expect(']')?;
            }
            type_name.array_bounds.push(bound);
            return Ok(());
        }
        while self.eat('[') {
            let bound = if self.at(']') { -1 } else { self.iconst()? };
            self.expect(']')?;
            type_name.array_bounds.push(bound);
        }
        Ok(())
    }

    /// `func_type`: a type, or `column%TYPE`.
    pub fn func_type(&mut self) -> R<TypeName> {
        let start = self.start();
        let setof = self.at(K::Setof);
        let at_name = if setof { self.peek(1) } else { self.tok };
        if is_type_function_name(at_name) {
            let mark = self.mark();
            if setof {
                self.bump();
            }
            let name_start = self.start();
            let names = self.type_name_parts()?;
            if names.len() > 1 && self.eat('%') {
                self.expect(K::Type)?;
                let mut type_name = plain(
                    names,
                    Vec::new(),
                    Span::new(name_start, self.span_from(start).end),
                );
                type_name.setof = setof;
                type_name.pct_type = true;
                return Ok(type_name);
            }
            self.rewind(mark);
        }
        self.typename()
    }

    fn type_name_parts(&mut self) -> R<NameList> {
        let mut names = vec![self.type_function_name()?];
        while self.eat('.') {
            names.push(self.col_label()?);
        }
        Ok(names)
    }

    /// `SimpleTypename`.
    #[inline(never)]
    pub fn simple_typename(&mut self) -> R<TypeName> {
        let span = self.span();
        if let Tok::Kw(k) = self.tok
            && (k.category() == Category::ColName || (k == K::Double && self.next_is(K::Precision)))
        {
            return self.system_type(k, span, false);
        }
        let names = self.type_name_parts()?;
        let typmods = self.opt_paren_list(|p| p.a_expr())?;
        Ok(plain(names, typmods, span))
    }

    /// `ConstTypename` where a column-name key word could also be just a name: `None` if it is.
    #[inline(never)]
    pub fn const_typename(&mut self) -> R<Option<TypeName>> {
        let Tok::Kw(word) = self.tok else { return Ok(None) };
        let next = self.peek(1);
        let literal = next == Tok::SConst;
        let paren = next == Tok::Char(b'(');
        let is_type = match word {
            K::Int | K::Integer | K::Smallint | K::Bigint | K::Real | K::Boolean => literal,
            K::Float | K::Decimal | K::Dec | K::Numeric | K::Interval | K::Varchar | K::Nchar => {
                literal || paren
            }
            K::Json => literal,
            K::Bit | K::Char | K::Character => literal || paren || next == Tok::Kw(K::Varying),
            K::Timestamp | K::Time => literal || paren || matches!(next, Tok::WithLa | Tok::WithoutLa),
            K::National => matches!(next, Tok::Kw(K::Char | K::Character)),
            K::Double => true,
            _ => false,
        };
        if !is_type {
            return Ok(None);
        }
        let span = self.span();
        self.system_type(word, span, true).map(Some)
    }

    /// The standard's types. Constants (`constant`) do not get a default length, and INTERVAL no fields yet.
    #[inline(never)]
    fn system_type(&mut self, word: K, span: Span, constant: bool) -> R<TypeName> {
        self.bump();
        let name = match word {
            K::Int | K::Integer => "int4",
            K::Smallint => "int2",
            K::Bigint => "int8",
            K::Real => "float4",
            K::Boolean => "bool",
            K::Json => "json",
            K::Float => self.float_type()?,
            K::Double => {
                self.expect(K::Precision)?;
                "float8"
            }
            K::Decimal | K::Dec | K::Numeric => {
                let typmods = self.opt_paren_list(|p| p.a_expr())?;
                return Ok(plain(system_name("numeric", span), typmods, span));
            }
            K::Bit => return self.bit_type(span, constant),
            K::Char | K::Character | K::Varchar | K::National | K::Nchar => {
                return self.character_type(word, span, constant);
            }
            K::Timestamp | K::Time => return self.datetime_type(word, span),
            K::Interval => return self.interval_type(span, constant),
            _ => {
                // Not a type at all: complain about the word itself.
                let mark = self.mark() - 1;
                self.rewind(mark);
                return self.fail();
            }
        };
        Ok(plain(system_name(name, span), Vec::new(), span))
    }

    fn float_type(&mut self) -> R<&'static str> {
        if !self.eat('(') {
            return Ok("float8");
        }
        let span = self.span();
        let precision = self.iconst()?;
        self.expect(')')?;
        match precision {
            ..1 => Err(pg_err!(
                INVALID_PARAMETER_VALUE,
                "precision for type float must be at least 1 bit"
            )
            .at(span)),
            1..=24 => Ok("float4"),
            25..=53 => Ok("float8"),
            _ => Err(pg_err!(
                INVALID_PARAMETER_VALUE,
                "precision for type float must be less than 54 bits"
            )
            .at(span)),
        }
    }

    fn bit_type(&mut self, span: Span, constant: bool) -> R<TypeName> {
        let varying = self.eat(K::Varying);
        let mut typmods = self.opt_paren_list(|p| p.a_expr())?;
        if !varying && !constant && typmods.is_empty() {
            typmods.push(int_const(1, Span::NONE));
        }
        Ok(plain(
            system_name(if varying { "varbit" } else { "bit" }, span),
            typmods,
            span,
        ))
    }

    fn character_type(&mut self, word: K, span: Span, constant: bool) -> R<TypeName> {
        if word == K::National && !self.eat(K::Character) {
            self.expect(K::Char)?;
        }
        let varying = word == K::Varchar || self.eat(K::Varying);
        let mut typmods = Vec::new();
        if self.eat('(') {
            let at = self.span();
            typmods.push(int_const(self.iconst()?, at));
            self.expect(')')?;
        } else if !varying && !constant {
            typmods.push(int_const(1, Span::NONE));
        }
        Ok(plain(
            system_name(if varying { "varchar" } else { "bpchar" }, span),
            typmods,
            span,
        ))
    }

    fn datetime_type(&mut self, word: K, span: Span) -> R<TypeName> {
        let typmods = self.opt_precision()?;
        let with_zone = match self.tok {
            Tok::WithLa if self.next_is(K::Time) => true,
            Tok::WithoutLa => false,
            _ => {
                let name = if word == K::Time { "time" } else { "timestamp" };
                return Ok(plain(system_name(name, span), typmods, span));
            }
        };
        self.bump();
        self.expect(K::Time)?;
        self.expect(K::Zone)?;
        let name = match (word, with_zone) {
            (K::Time, true) => "timetz",
            (K::Time, false) => "time",
            (_, true) => "timestamptz",
            (_, false) => "timestamp",
        };
        Ok(plain(system_name(name, span), typmods, span))
    }

    /// `[(n)]`.
    fn opt_precision(&mut self) -> R<Vec<Expr>> {
        if !self.eat('(') {
            return Ok(Vec::new());
        }
        let span = self.span();
        let precision = self.iconst()?;
        self.expect(')')?;
        Ok(vec![int_const(precision, span)])
    }

    fn interval_type(&mut self, span: Span, constant: bool) -> R<TypeName> {
        let mut typmods = self.opt_precision()?;
        if !typmods.is_empty() {
            typmods.insert(0, int_const(INTERVAL_FULL_RANGE, Span::NONE));
        } else if !constant {
            typmods = self.opt_interval()?;
        }
        Ok(plain(system_name("interval", span), typmods, span))
    }

    /// `opt_interval`: the fields of an interval as type modifiers.
    pub fn opt_interval(&mut self) -> R<Vec<Expr>> {
        let Tok::Kw(first) = self.tok else {
            return Ok(Vec::new());
        };
        if !matches!(
            first,
            K::Year | K::Month | K::Day | K::Hour | K::Minute | K::Second
        ) {
            return Ok(Vec::new());
        }
        let span = self.take().span();
        if first == K::Second {
            return self.interval_second(first, span);
        }
        if first == K::Month || !self.at(K::To) {
            return Ok(vec![int_const(field_bit(first), span)]);
        }
        self.bump();
        let Tok::Kw(last) = self.tok else {
            return self.fail();
        };
        let allowed = match first {
            K::Year => last == K::Month,
            K::Day => matches!(last, K::Hour | K::Minute | K::Second),
            K::Hour => matches!(last, K::Minute | K::Second),
            _ => last == K::Second,
        };
        if !allowed {
            return self.fail();
        }
        self.bump();
        if last == K::Second {
            return self.interval_second(first, span);
        }
        Ok(vec![int_const(field_range(first, last), span)])
    }

    /// After SECOND: an optional precision.
    fn interval_second(&mut self, first: K, span: Span) -> R<Vec<Expr>> {
        let mut typmods = vec![int_const(field_range(first, K::Second), span)];
        typmods.extend(self.opt_precision()?);
        Ok(typmods)
    }

    /// A type name given as an already read name.
    pub fn type_from_names(&self, names: Vec<Ident>) -> TypeName {
        let span = match (names.first(), names.last()) {
            (Some(first), Some(last)) => first.span.to(last.span),
            _ => Span::NONE,
        };
        plain(names, Vec::new(), span)
    }
}
