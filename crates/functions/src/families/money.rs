//! Functions of `money`: comparison, arithmetic, casts, words.

use common::{PgError, PgResult, pg_err};
use types::{Numeric, numeric};

use crate::framework::macros::{builtins, direct};

fn cash_eq(a: i64, b: i64) -> bool {
    a == b
}

fn cash_ne(a: i64, b: i64) -> bool {
    a != b
}

fn cash_lt(a: i64, b: i64) -> bool {
    a < b
}

fn cash_le(a: i64, b: i64) -> bool {
    a <= b
}

fn cash_gt(a: i64, b: i64) -> bool {
    a > b
}

fn cash_ge(a: i64, b: i64) -> bool {
    a >= b
}

fn cash_cmp(a: i64, b: i64) -> i32 {
    a.cmp(&b) as i32
}

fn cashlarger(a: i64, b: i64) -> i64 {
    a.max(b)
}

fn cashsmaller(a: i64, b: i64) -> i64 {
    a.min(b)
}

#[cold]
fn out_of_range() -> Box<PgError> {
    pg_err!(NUMERIC_VALUE_OUT_OF_RANGE, "money out of range")
}

#[cold]
fn division_by_zero() -> Box<PgError> {
    pg_err!(DIVISION_BY_ZERO, "division by zero")
}

fn cash_pl(a: i64, b: i64) -> PgResult<i64> {
    a.checked_add(b).ok_or_else(out_of_range)
}

fn cash_mi(a: i64, b: i64) -> PgResult<i64> {
    a.checked_sub(b).ok_or_else(out_of_range)
}

/// A float that has been rounded, if it fits.
fn of_float(v: f64) -> PgResult<i64> {
    let v = v.round_ties_even();
    if v >= i64::MIN as f64 && v < -(i64::MIN as f64) {
        Ok(v as i64)
    } else {
        Err(out_of_range())
    }
}

fn cash_mul_flt8(a: i64, f: f64) -> PgResult<i64> {
    let product = a as f64 * f;
    if product.is_infinite() && f.is_finite() {
        return Err(pg_err!(
            NUMERIC_VALUE_OUT_OF_RANGE,
            "value out of range: overflow"
        ));
    }
    of_float(product)
}

fn flt8_mul_cash(f: f64, a: i64) -> PgResult<i64> {
    cash_mul_flt8(a, f)
}

fn cash_div_flt8(a: i64, f: f64) -> PgResult<i64> {
    if f == 0.0 {
        return Err(division_by_zero());
    }
    let quotient = a as f64 / f;
    if quotient.is_infinite() {
        return Err(pg_err!(
            NUMERIC_VALUE_OUT_OF_RANGE,
            "value out of range: overflow"
        ));
    }
    of_float(quotient)
}

fn cash_mul_flt4(a: i64, f: f32) -> PgResult<i64> {
    cash_mul_flt8(a, f64::from(f))
}

fn flt4_mul_cash(f: f32, a: i64) -> PgResult<i64> {
    cash_mul_flt8(a, f64::from(f))
}

fn cash_div_flt4(a: i64, f: f32) -> PgResult<i64> {
    cash_div_flt8(a, f64::from(f))
}

fn cash_mul_int8(a: i64, n: i64) -> PgResult<i64> {
    a.checked_mul(n).ok_or_else(out_of_range)
}

fn int8_mul_cash(n: i64, a: i64) -> PgResult<i64> {
    cash_mul_int8(a, n)
}

fn cash_div_int8(a: i64, n: i64) -> PgResult<i64> {
    if n == 0 {
        return Err(division_by_zero());
    }
    a.checked_div(n).ok_or_else(out_of_range)
}

fn cash_mul_int4(a: i64, n: i32) -> PgResult<i64> {
    cash_mul_int8(a, i64::from(n))
}

fn int4_mul_cash(n: i32, a: i64) -> PgResult<i64> {
    cash_mul_int8(a, i64::from(n))
}

fn cash_div_int4(a: i64, n: i32) -> PgResult<i64> {
    cash_div_int8(a, i64::from(n))
}

fn cash_mul_int2(a: i64, n: i16) -> PgResult<i64> {
    cash_mul_int8(a, i64::from(n))
}

fn int2_mul_cash(n: i16, a: i64) -> PgResult<i64> {
    cash_mul_int8(a, i64::from(n))
}

fn cash_div_int2(a: i64, n: i16) -> PgResult<i64> {
    cash_div_int8(a, i64::from(n))
}

fn cash_div_cash(a: i64, b: i64) -> PgResult<f64> {
    if b == 0 {
        return Err(division_by_zero());
    }
    Ok(a as f64 / b as f64)
}

fn int8_cash(v: i64) -> PgResult<i64> {
    v.checked_mul(100)
        .ok_or_else(|| pg_err!(NUMERIC_VALUE_OUT_OF_RANGE, "bigint out of range"))
}

fn int4_cash(v: i32) -> PgResult<i64> {
    int8_cash(i64::from(v))
}

fn cash_numeric(v: i64) -> Numeric {
    Numeric::Small {
        unscaled: v,
        scale: 2,
    }
}

fn numeric_cash(v: &Numeric) -> PgResult<i64> {
    let hundred = Numeric::Small {
        unscaled: 100,
        scale: 0,
    };
    let cents = numeric::mul(v, &hundred)?;
    match cents.round_to(0, numeric::Rounding::HalfAway)?.to_i64() {
        Some(v) => Ok(v),
        None if v.is_finite() => Err(pg_err!(NUMERIC_VALUE_OUT_OF_RANGE, "bigint out of range")),
        None => Err(pg_err!(
            FEATURE_NOT_SUPPORTED,
            "cannot convert {} to bigint",
            if v.signum() == 0 { "NaN" } else { "infinity" }
        )),
    }
}

const SMALL: [&str; 20] = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
];
const TENS: [&str; 10] = [
    "", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety",
];

/// A number below a hundred; nothing for zero when something came before.
fn two_digits(n: u64) -> String {
    match n {
        0..20 => SMALL[n as usize].to_owned(),
        _ if n % 10 == 0 => TENS[(n / 10) as usize].to_owned(),
        _ => format!("{} {}", TENS[(n / 10) as usize], SMALL[(n % 10) as usize]),
    }
}

/// A number below a thousand, with PostgreSQL's placing of "and".
fn three_digits(n: u64) -> String {
    let (hundreds, rest) = (n / 100, n % 100);
    let head = SMALL[hundreds as usize];
    match (hundreds, rest) {
        (0, _) => two_digits(rest),
        (_, 0) => format!("{head} hundred"),
        (_, 1..20) => format!("{head} hundred and {}", two_digits(rest)),
        _ => format!("{head} hundred {}", two_digits(rest)),
    }
}

fn cash_words(v: i64) -> String {
    let mut out = String::new();
    if v < 0 {
        out.push_str("minus ");
    }
    let magnitude = v.unsigned_abs();
    let (units, cents) = (magnitude / 100, magnitude % 100);
    let groups = [
        (1_000_000_000_000_000, " quadrillion "),
        (1_000_000_000_000, " trillion "),
        (1_000_000_000, " billion "),
        (1_000_000, " million "),
        (1_000, " thousand "),
    ];
    for (size, word) in groups {
        let n = units / size % 1000;
        if n > 0 {
            out.push_str(&three_digits(n));
            out.push_str(word);
        }
    }
    if units == 0 {
        out.push_str("zero");
    } else if units % 1000 > 0 {
        out.push_str(&three_digits(units % 1000));
    }
    out.push_str(if units == 1 {
        " dollar and "
    } else {
        " dollars and "
    });
    out.push_str(&three_digits(cents));
    out.push_str(if cents == 1 { " cent" } else { " cents" });
    let mut chars = out.chars();
    match chars.next() {
        Some(first) => first.to_ascii_uppercase().to_string() + chars.as_str(),
        None => out,
    }
}

direct! {
    cash_eq(a: money, b: money) -> bool;
    cash_ne(a: money, b: money) -> bool;
    cash_lt(a: money, b: money) -> bool;
    cash_le(a: money, b: money) -> bool;
    cash_gt(a: money, b: money) -> bool;
    cash_ge(a: money, b: money) -> bool;
    cash_cmp(a: money, b: money) -> int4;
    cashlarger(a: money, b: money) -> money;
    cashsmaller(a: money, b: money) -> money;
}

builtins! {
    cash_pl(a: money, b: money) -> money;
    cash_mi(a: money, b: money) -> money;
    cash_mul_flt8(a: money, f: float8) -> money;
    flt8_mul_cash(f: float8, a: money) -> money;
    cash_div_flt8(a: money, f: float8) -> money;
    cash_mul_flt4(a: money, f: float4) -> money;
    flt4_mul_cash(f: float4, a: money) -> money;
    cash_div_flt4(a: money, f: float4) -> money;
    cash_mul_int8(a: money, n: int8) -> money;
    int8_mul_cash(n: int8, a: money) -> money;
    cash_div_int8(a: money, n: int8) -> money;
    cash_mul_int4(a: money, n: int4) -> money;
    int4_mul_cash(n: int4, a: money) -> money;
    cash_div_int4(a: money, n: int4) -> money;
    cash_mul_int2(a: money, n: int2) -> money;
    int2_mul_cash(n: int2, a: money) -> money;
    cash_div_int2(a: money, n: int2) -> money;
    cash_div_cash(a: money, b: money) -> float8;
    int8_cash(v: int8) -> money;
    int4_cash(v: int4) -> money;
    cash_numeric(v: money) -> numeric;
    numeric_cash(v: numeric) -> money;
    cash_words(v: money) -> text;
}
