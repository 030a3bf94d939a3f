//! Just enough SQL expressions to call functions and operators on literals.

use common::cancel::CancelToken;
use common::{Oid, PgResult, pg_err};
use jiff::tz::TimeZone;
use pglite_functions::facts::{self, ProcRow};
use pglite_functions::{CallInfo, FnCache, FnContext, SessionContext, require_kernels};
use types::datetime::zone;
use types::io::{self, IoContext};
use types::settings::{ByteaOutput, DateOrder, DateStyle, IntervalStyle};
use types::{Datum, FormatSettings, PhysType, builtin, oids};

/// A typed value; literals without a type are `unknown`.
#[derive(Clone, Debug)]
pub struct Value {
    pub oid: Oid,
    pub datum: Datum,
}

pub struct Evaluator {
    settings: FormatSettings,
}

struct Session;

impl SessionContext for Session {
    fn transaction_timestamp(&self) -> PgResult<i64> {
        Ok(NOW)
    }
    fn clock_timestamp(&self) -> PgResult<i64> {
        Ok(NOW)
    }
    fn statement_timestamp(&self) -> PgResult<i64> {
        Ok(NOW)
    }
    fn strong_random(&self, bytes: &mut [u8]) -> PgResult<()> {
        bytes.fill(0x5a);
        Ok(())
    }
}

/// 2026-11-21 12:00 UTC.
const NOW: i64 = 848_577_600_000_000;

impl Default for Evaluator {
    fn default() -> Evaluator {
        Evaluator {
            settings: FormatSettings {
                transaction_timestamp: NOW,
                ..FormatSettings::default()
            },
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Word(String),
    Quoted(String),
    Number(String),
    Op(String),
    Open,
    Close,
    Comma,
    Cast,
    OpenBracket,
    CloseBracket,
}

fn lex(s: &str) -> Vec<Token> {
    let c: Vec<char> = s.chars().collect();
    let (mut i, mut out) = (0, Vec::new());
    while i < c.len() {
        let start = i;
        if c[i].is_whitespace() {
            i += 1;
        } else if c[i] == '\'' || ((c[i] == 'E' || c[i] == 'e') && c.get(i + 1) == Some(&'\'')) {
            let escapes = c[i] != '\'';
            i += 1 + usize::from(escapes);
            let mut text = String::new();
            while i < c.len() {
                if c[i] == '\'' && c.get(i + 1) == Some(&'\'') {
                    text.push('\'');
                    i += 2;
                } else if c[i] == '\'' {
                    break;
                } else if escapes && c[i] == '\\' {
                    text.push(match c[i + 1] {
                        'n' => '\n',
                        't' => '\t',
                        'r' => '\r',
                        other => other,
                    });
                    i += 2;
                } else {
                    text.push(c[i]);
                    i += 1;
                }
            }
            i += 1;
            out.push(Token::Quoted(text));
        } else if c[i].is_ascii_digit() || (c[i] == '.' && c.get(i + 1).is_some_and(char::is_ascii_digit)) {
            while i < c.len() && (c[i].is_ascii_digit() || c[i] == '.') {
                i += 1;
            }
            if i < c.len() && c[i] == 'e' {
                i += 2;
                while i < c.len() && c[i].is_ascii_digit() {
                    i += 1;
                }
            }
            out.push(Token::Number(c[start..i].iter().collect()));
        } else if c[i].is_alphabetic() || c[i] == '_' {
            while i < c.len() && (c[i].is_alphanumeric() || c[i] == '_') {
                i += 1;
            }
            out.push(Token::Word(c[start..i].iter().collect::<String>().to_lowercase()));
        } else {
            i += 1;
            out.push(match c[start] {
                '(' => Token::Open,
                ')' => Token::Close,
                '[' => Token::OpenBracket,
                ']' => Token::CloseBracket,
                ',' => Token::Comma,
                ':' if c.get(i) == Some(&':') => {
                    i += 1;
                    Token::Cast
                }
                _ => {
                    while i < c.len() && "+-*/<>=~!@#%^&|?".contains(c[i]) {
                        // A sign after another operator belongs to the operand.
                        if c[i] == '-' && !matches!(c[start], '#' | '@' | '~' | '!' | '?') {
                            break;
                        }
                        i += 1;
                    }
                    if c[start] == '-' && c.get(start + 1) == Some(&'>') {
                        i = start + 2 + usize::from(c.get(start + 2) == Some(&'>'));
                    }
                    Token::Op(c[start..i].iter().collect())
                }
            });
        }
    }
    out
}

struct Parser<'a> {
    tokens: Vec<Token>,
    pos: usize,
    eval: &'a Evaluator,
}

/// Spellings of type names that are several words or aliases.
fn type_oid(name: &str) -> Option<Oid> {
    let canonical = match name {
        "int" | "integer" => "int4",
        "bigint" => "int8",
        "smallint" => "int2",
        "double precision" | "float" => "float8",
        "real" => "float4",
        "boolean" => "bool",
        "decimal" => "numeric",
        other => other,
    };
    builtin::TYPES
        .iter()
        .find(|t| t.typname == canonical && t.typtype != b'c')
        .map(|t| t.oid)
}

fn interval_fields(words: &str) -> Option<i32> {
    let mask = |bits: &[u32]| bits.iter().fold(0, |m, b| m | 1 << b);
    let (month, year, day, hour, minute, second) = (1, 2, 3, 10, 11, 12);
    Some(match words {
        "year" => mask(&[year]),
        "month" => mask(&[month]),
        "day" => mask(&[day]),
        "hour" => mask(&[hour]),
        "minute" => mask(&[minute]),
        "second" => mask(&[second]),
        "year to month" => mask(&[year, month]),
        "day to hour" => mask(&[day, hour]),
        "day to minute" => mask(&[day, hour, minute]),
        "day to second" => mask(&[day, hour, minute, second]),
        "hour to minute" => mask(&[hour, minute]),
        "hour to second" => mask(&[hour, minute, second]),
        "minute to second" => mask(&[minute, second]),
        _ => return None,
    })
}

impl Parser<'_> {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.pos)
    }

    fn eat(&mut self, token: &Token) -> bool {
        let hit = self.peek() == Some(token);
        self.pos += usize::from(hit);
        hit
    }

    fn word(&mut self, word: &str) -> bool {
        self.eat(&Token::Word(word.into()))
    }

    fn expect(&mut self, token: &Token) {
        assert!(
            self.eat(token),
            "expected {token:?} at {:?}",
            &self.tokens[self.pos..]
        );
    }

    fn expr(&mut self, min: u8) -> PgResult<Value> {
        let mut left = self.prefix()?;
        loop {
            let (op, level) = match self.peek() {
                Some(Token::Op(op)) => {
                    let level = match op.as_str() {
                        "*" | "/" | "%" => 5,
                        "+" | "-" => 4,
                        "<" | ">" | "=" | "<=" | ">=" | "<>" => 2,
                        _ => 3,
                    };
                    (op.clone(), level)
                }
                _ => return Ok(left),
            };
            if level < min {
                return Ok(left);
            }
            self.pos += 1;
            let right = self.expr(level + 1)?;
            left = self.eval.operator(&op, left, right)?;
        }
    }

    fn prefix(&mut self) -> PgResult<Value> {
        if self.eat(&Token::Op("-".into())) {
            if let Some(Token::Number(n)) = self.peek().cloned() {
                self.pos += 1;
                let value = number(&format!("-{n}"), self.eval)?;
                return self.postfix(value);
            }
            let value = self.prefix()?;
            return self.eval.prefix_operator("-", value);
        }
        let value = self.primary()?;
        self.postfix(value)
    }

    fn postfix(&mut self, mut value: Value) -> PgResult<Value> {
        loop {
            if self.eat(&Token::Cast) {
                let (oid, typmod) = self.type_name().expect("type name");
                value = self.eval.cast(value, oid, typmod)?;
            } else if self.word("at") {
                if self.word("local") {
                    value = self.eval.call("timezone", vec![value])?;
                    continue;
                }
                self.expect(&Token::Word("time".into()));
                self.expect(&Token::Word("zone".into()));
                let zone = self.prefix()?;
                value = self.eval.call("timezone", vec![zone, value])?;
            } else {
                return Ok(value);
            }
        }
    }

    /// A type name with its modifiers; leaves the position alone when there is none.
    fn type_name(&mut self) -> Option<(Oid, i32)> {
        let start = self.pos;
        let Some(Token::Word(word)) = self.peek().cloned() else {
            return None;
        };
        self.pos += 1;
        let mut name = word.clone();
        if word == "double" && self.word("precision") {
            name = "double precision".into();
        }
        let Some(mut oid) = type_oid(&name) else {
            self.pos = start;
            return None;
        };
        let mut typmod = -1;
        let before = self.pos;
        if self.eat(&Token::Open) {
            let mut numbers = Vec::new();
            while let Some(Token::Number(n)) = self.peek().cloned() {
                numbers.push(n.parse::<i32>().unwrap());
                self.pos += 1;
                self.eat(&Token::Comma);
            }
            if numbers.is_empty() || !self.eat(&Token::Close) {
                self.pos = before;
            } else {
                typmod = match oid {
                    oids::NUMERIC => ((numbers[0] << 16) | numbers.get(1).copied().unwrap_or(0)) + 4,
                    oids::INTERVAL => 0x7FFF << 16 | numbers[0],
                    oids::VARCHAR | oids::BPCHAR => numbers[0] + 4,
                    _ => numbers[0],
                };
            }
        }
        if oid == oids::INTERVAL {
            let mut words = Vec::new();
            let at = self.pos;
            while let Some(Token::Word(w)) = self.peek().cloned() {
                words.push(w);
                self.pos += 1;
            }
            match interval_fields(&words.join(" ")) {
                Some(range) => {
                    let precision = if self.eat(&Token::Open) {
                        let Some(Token::Number(n)) = self.peek().cloned() else {
                            panic!()
                        };
                        self.pos += 1;
                        self.expect(&Token::Close);
                        n.parse().unwrap()
                    } else {
                        0xFFFF
                    };
                    typmod = range << 16 | precision;
                }
                None => self.pos = at,
            }
        }
        if self.eat(&Token::OpenBracket) {
            self.expect(&Token::CloseBracket);
            oid = builtin::type_row(oid).unwrap().typarray;
        }
        Some((oid, typmod))
    }

    fn primary(&mut self) -> PgResult<Value> {
        let token = self.peek().cloned().expect("expression");
        match token {
            Token::Quoted(text) => {
                self.pos += 1;
                Ok(Value {
                    oid: oids::UNKNOWN,
                    datum: Datum::text(text),
                })
            }
            Token::Number(n) => {
                self.pos += 1;
                number(&n, self.eval)
            }
            Token::Open => {
                self.pos += 1;
                let value = self.expr(0)?;
                self.expect(&Token::Close);
                Ok(value)
            }
            Token::Word(word) => self.word_expr(&word),
            other => panic!("unexpected {other:?} in {:?}", self.tokens),
        }
    }

    fn word_expr(&mut self, word: &str) -> PgResult<Value> {
        let start = self.pos;
        if let Some((oid, typmod)) = self.type_name() {
            if let Some(Token::Quoted(text)) = self.peek().cloned() {
                self.pos += 1;
                let mut typmod = typmod;
                if oid == oids::INTERVAL {
                    typmod = self.interval_suffix().unwrap_or(typmod);
                }
                return self.eval.input(oid, typmod, &text);
            }
            self.pos = start;
        }
        self.pos += 1;
        match word {
            "null" => {
                return Ok(Value {
                    oid: oids::UNKNOWN,
                    datum: Datum::Null,
                });
            }
            "true" | "false" => {
                return Ok(Value {
                    oid: oids::BOOL,
                    datum: Datum::Bool(word == "true"),
                });
            }
            _ => {}
        }
        self.expect(&Token::Open);
        let mut args = Vec::new();
        if word == "extract" {
            let field = match self.peek().cloned() {
                Some(Token::Word(w) | Token::Quoted(w)) => w,
                other => panic!("extract {other:?}"),
            };
            self.pos += 1;
            self.expect(&Token::Word("from".into()));
            args.push(Value {
                oid: oids::TEXT,
                datum: Datum::text(field),
            });
        }
        while !self.eat(&Token::Close) {
            args.push(self.expr(0)?);
            self.eat(&Token::Comma);
        }
        self.eval.call(word, args)
    }

    fn interval_suffix(&mut self) -> Option<i32> {
        let at = self.pos;
        let mut words = Vec::new();
        while let Some(Token::Word(w)) = self.peek().cloned() {
            words.push(w);
            self.pos += 1;
            let so_far = words.join(" ");
            if interval_fields(&so_far).is_some() && self.peek() != Some(&Token::Word("to".into())) {
                let precision = match (self.peek().cloned(), self.tokens.get(self.pos + 1).cloned()) {
                    (Some(Token::Open), Some(Token::Number(n))) => {
                        self.pos += 3;
                        n.parse().unwrap()
                    }
                    _ => 0xFFFF,
                };
                return Some(interval_fields(&so_far)? << 16 | precision);
            }
        }
        self.pos = at;
        None
    }
}

fn number(text: &str, eval: &Evaluator) -> PgResult<Value> {
    if let Ok(v) = text.parse::<i32>() {
        return Ok(Value {
            oid: oids::INT4,
            datum: Datum::Int4(v),
        });
    }
    if let Ok(v) = text.parse::<i64>() {
        return Ok(Value {
            oid: oids::INT8,
            datum: Datum::Int8(v),
        });
    }
    eval.input(oids::NUMERIC, -1, text)
}

fn polymorphic(oid: Oid) -> bool {
    builtin::type_row(oid).is_some_and(|t| t.typtype == b'p')
}

impl Evaluator {
    pub fn io(&self) -> IoContext<'_> {
        IoContext::new(&self.settings)
    }

    pub fn set(&mut self, name: &str, value: &str) {
        let s = &mut self.settings;
        match name {
            "timezone" => {
                s.time_zone = zone::find(value).unwrap_or(TimeZone::UTC);
                s.time_zone_name = value.into();
            }
            "datestyle" => {
                for word in value.split(',').map(|w| w.trim().to_lowercase()) {
                    match word.as_str() {
                        "iso" => s.date_style = DateStyle::Iso,
                        "sql" => s.date_style = DateStyle::Sql,
                        "postgres" => s.date_style = DateStyle::Postgres,
                        "german" => s.date_style = DateStyle::German,
                        "ymd" => s.date_order = DateOrder::Ymd,
                        "dmy" => s.date_order = DateOrder::Dmy,
                        "mdy" => s.date_order = DateOrder::Mdy,
                        other => panic!("datestyle {other}"),
                    }
                }
            }
            "intervalstyle" => {
                s.interval_style = match value {
                    "postgres" => IntervalStyle::Postgres,
                    "postgres_verbose" => IntervalStyle::PostgresVerbose,
                    "sql_standard" => IntervalStyle::SqlStandard,
                    _ => IntervalStyle::Iso8601,
                }
            }
            "bytea_output" => {
                s.bytea_output = if value == "hex" {
                    ByteaOutput::Hex
                } else {
                    ByteaOutput::Escape
                };
            }
            other => panic!("setting {other}"),
        }
    }

    pub fn run(&self, expr: &str) -> PgResult<Value> {
        let mut parser = Parser {
            tokens: lex(expr),
            pos: 0,
            eval: self,
        };
        let value = parser.expr(0)?;
        assert!(parser.peek().is_none(), "rest of {expr}: {:?}", parser.peek());
        Ok(value)
    }

    fn input(&self, oid: Oid, typmod: i32, text: &str) -> PgResult<Value> {
        let datum = io::input(oid, typmod, text, &self.io())?;
        Ok(Value { oid, datum })
    }

    fn invoke(&self, proc: &ProcRow, args: Vec<Value>, result: Oid) -> PgResult<Value> {
        let kernels = require_kernels(proc.oid)?;
        let types: Vec<Oid> = args.iter().map(|a| a.oid).collect();
        let call = CallInfo::new(proc.oid, &types, result);
        let datums: Vec<Datum> = args.into_iter().map(|a| a.datum).collect();
        if proc.proisstrict && datums.iter().any(Datum::is_null) {
            return Ok(Value {
                oid: result,
                datum: Datum::Null,
            });
        }
        let mut ctx = FnContext {
            call: &call,
            settings: &self.settings,
            cancel: &CancelToken::new(),
            session: &Session,
            cache: &mut FnCache::default(),
        };
        let datum = (kernels.scalar)(&mut ctx, &datums)?;
        // The vector form must agree.
        let vectors: Vec<types::Vector> = types
            .iter()
            .zip(&datums)
            .map(|(t, d)| {
                let phys = d.phys().unwrap_or(PhysType::of_builtin(*t));
                types::Vector::constant(phys, d, 2)
            })
            .collect();
        let refs: Vec<&types::Vector> = vectors.iter().collect();
        let mut out = types::Vector::defaults(PhysType::of_builtin(result), 2);
        (kernels.vector)(&mut ctx, &refs, &types::Selection::All(2), &mut out)?;
        assert_eq!(
            out.datum(1),
            datum,
            "scalar and vector kernels of {} differ",
            proc.prosrc
        );
        Ok(Value { oid: result, datum })
    }

    fn cast(&self, value: Value, to: Oid, typmod: i32) -> PgResult<Value> {
        let mut value = value;
        if value.oid == oids::UNKNOWN {
            return match &value.datum {
                Datum::Text(s) => self.input(to, typmod, s),
                _ => Ok(Value {
                    oid: to,
                    datum: Datum::Null,
                }),
            };
        }
        if value.oid != to {
            let row = facts::cast(value.oid, to);
            value = match row {
                Some(c) if c.castmethod == b'f' && require_kernels(c.castfunc).is_ok() => {
                    let proc = facts::proc(c.castfunc).unwrap();
                    let mut args = vec![value];
                    for oid in proc.proargtypes.iter().skip(1) {
                        let datum = if *oid == oids::BOOL {
                            Datum::Bool(true)
                        } else {
                            Datum::Int4(typmod)
                        };
                        args.push(Value { oid: *oid, datum });
                    }
                    self.invoke(proc, args, to)?
                }
                Some(c) if c.castmethod == b'b' => Value {
                    oid: to,
                    datum: value.datum,
                },
                _ if value.datum.is_null() => Value {
                    oid: to,
                    datum: Datum::Null,
                },
                _ => {
                    let mut text = String::new();
                    io::output(value.oid, &value.datum, &self.io(), &mut text)?;
                    return self.input(to, typmod, &text);
                }
            };
        }
        match facts::cast(to, to) {
            Some(c) if typmod >= 0 && c.castmethod == b'f' => {
                let proc = facts::proc(c.castfunc).unwrap();
                let mut args = vec![value];
                for oid in proc.proargtypes.iter().skip(1) {
                    let datum = if *oid == oids::BOOL {
                        Datum::Bool(true)
                    } else {
                        Datum::Int4(typmod)
                    };
                    args.push(Value { oid: *oid, datum });
                }
                self.invoke(proc, args, to)
            }
            _ => Ok(value),
        }
    }

    fn score(&self, params: &[Oid], args: &[Value]) -> Option<(usize, usize, usize)> {
        let (mut exact, mut preferred, mut texts) = (0, 0, 0);
        for (p, a) in params.iter().zip(args) {
            let row = builtin::type_row(*p)?;
            if *p == a.oid {
                exact += 1;
            } else if a.oid == oids::UNKNOWN {
                texts += usize::from(row.typcategory == b'S');
                preferred += usize::from(row.typispreferred);
            } else if polymorphic(*p) || facts::cast(a.oid, *p).is_some_and(|c| c.castcontext == b'i') {
                preferred += usize::from(row.typispreferred);
            } else {
                return None;
            }
        }
        Some((exact, texts, preferred))
    }

    fn coerce_and_invoke(&self, proc: &ProcRow, params: &[Oid], args: Vec<Value>) -> PgResult<Value> {
        let first = args.first().map(|a| a.oid);
        let args: PgResult<Vec<Value>> = args
            .into_iter()
            .zip(params)
            .map(|(a, p)| {
                if polymorphic(*p) && a.oid != oids::UNKNOWN {
                    Ok(a)
                } else if polymorphic(*p) {
                    self.cast(a, oids::TEXT, -1)
                } else {
                    self.cast(a, *p, -1)
                }
            })
            .collect();
        let result = if polymorphic(proc.prorettype)
            && proc.prorettype != oids::CSTRING
            && proc.prorettype != oids::VOID
        {
            first.unwrap_or(proc.prorettype)
        } else {
            proc.prorettype
        };
        self.invoke(proc, args?, result)
    }

    pub fn call(&self, name: &str, args: Vec<Value>) -> PgResult<Value> {
        let name = match name {
            "substr" | "substring" => name,
            other => other,
        };
        let candidates = facts::procs_by_name(name).filter(|p| p.prokind == b'f');
        let mut best: Option<((usize, usize, usize), &ProcRow, Vec<Oid>)> = None;
        for p in candidates {
            let mut params = p.proargtypes.to_vec();
            let missing = params.len().saturating_sub(args.len());
            if p.provariadic.is_valid() && args.len() >= params.len() {
                params.pop();
                let element = p.provariadic;
                params.resize(args.len(), element);
            } else if params.len() < args.len() || missing > 0 {
                continue;
            }
            if let Some(score) = self.score(&params, &args) {
                if best.as_ref().is_none_or(|b| score > b.0) {
                    best = Some((score, p, params));
                }
            }
        }
        match best {
            Some((_, proc, params)) => self.coerce_and_invoke(proc, &params, args),
            None => {
                let types: Vec<&str> = args
                    .iter()
                    .map(|a| builtin::type_row(a.oid).map_or("?", |t| t.typname))
                    .collect();
                Err(pg_err!(
                    UNDEFINED_FUNCTION,
                    "function {name}({}) does not exist",
                    types.join(", ")
                ))
            }
        }
    }

    fn operator(&self, op: &str, left: Value, right: Value) -> PgResult<Value> {
        // An unknown operand takes the other's type first.
        let guess = |a: &Value, b: &Value| if a.oid == oids::UNKNOWN { b.oid } else { a.oid };
        let (l, r) = (guess(&left, &right), guess(&right, &left));
        let args = vec![left, right];
        let exact = facts::operator_exact(op, l, r);
        let best = exact.or_else(|| {
            facts::operators_by_name(op)
                .filter(|o| o.oprleft.is_valid())
                .filter_map(|o| Some((self.score(&[o.oprleft, o.oprright], &args)?, o)))
                .max_by_key(|(score, _)| *score)
                .map(|(_, o)| o)
        });
        let Some(o) = best else {
            return Err(pg_err!(UNDEFINED_FUNCTION, "operator does not exist: {op}"));
        };
        let proc = facts::proc(o.oprcode).unwrap();
        self.coerce_and_invoke(proc, proc.proargtypes, args)
    }

    fn prefix_operator(&self, op: &str, value: Value) -> PgResult<Value> {
        let Some(o) = facts::operators_by_name(op).find(|o| !o.oprleft.is_valid() && o.oprright == value.oid)
        else {
            return Err(pg_err!(UNDEFINED_FUNCTION, "operator does not exist: {op}"));
        };
        let proc = facts::proc(o.oprcode).unwrap();
        self.invoke(proc, vec![value], proc.prorettype)
    }
}
