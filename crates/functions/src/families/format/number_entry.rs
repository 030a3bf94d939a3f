//! `to_char` of numbers and `to_number`.

use common::{PgResult, pg_err};
use types::{Numeric, io, oids};

use crate::families::datetime::decimal::{Plain, plain};
use crate::families::format::number::{Key, Node, NumberTemplate};
use crate::families::format::number_in::{roman, scan, to_roman};
use crate::families::format::number_out::{Digits, print};
use crate::framework::context::FnContext;
use crate::framework::macros::builtins;

fn template<'c>(ctx: &'c mut FnContext<'_>, source: &str) -> PgResult<&'c NumberTemplate> {
    let cached = ctx.cache.get_or_try_insert(
        |t: &NumberTemplate| t.source == source,
        || NumberTemplate::parse(source),
    )?;
    Ok(cached)
}

/// `RN`: fifteen characters, right-aligned unless `FM`.
fn roman_text(t: &NumberTemplate, upper: bool, value: Option<i32>) -> String {
    let mut text = value.and_then(to_roman).unwrap_or_else(|| "#".repeat(15));
    if !upper {
        text = text.to_lowercase();
    }
    if t.fill { text } else { format!("{text:>15}") }
}

/// Marks in place of a number that has no exponent form.
fn exponent_marks(t: &NumberTemplate) -> String {
    let mut text: Vec<u8> = vec![b'#'; t.pre + t.post + 6];
    text[0] = b' ';
    if let Some(point) = text.get_mut(t.pre + 1) {
        *point = b'.';
    }
    String::from_utf8(text).unwrap_or_default()
}

/// C's `%+.*e` with a space for the plus.
fn exponent_of_float(v: f64, post: usize) -> String {
    let text = format!("{v:.post$e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    let sign = if v.is_sign_negative() { "" } else { " " };
    format!(
        "{sign}{mantissa}e{}{:02}",
        if exponent < 0 { '-' } else { '+' },
        exponent.abs()
    )
}

/// The same of decimal digits, rounded half away from zero.
fn exponent_of_decimal(number: &Plain, post: usize) -> String {
    let all = [number.whole.as_str(), number.fraction.as_str()].concat();
    let first = all.find(|c| c != '0');
    let (exponent, significant) = match first {
        Some(i) => (number.whole.len() as i64 - 1 - i as i64, &all[i..]),
        None => (0, "0"),
    };
    let shifted = Plain {
        negative: false,
        whole: significant[..1].to_owned(),
        fraction: significant[1..].to_owned(),
        word: None,
    };
    // Rounding up to ten stays so: PostgreSQL prints 10.0e+05 for it.
    let rounded = shifted.rounded(post);
    let sign = if number.negative { '-' } else { ' ' };
    let point = if post > 0 { "." } else { "" };
    format!(
        "{sign}{}{point}{}e{}{:02}",
        rounded.whole,
        rounded.fraction,
        if exponent < 0 { '-' } else { '+' },
        exponent.abs()
    )
}

/// A template without digits makes a lone point of every number, which has no ordinal ending.
fn check_ordinal(t: &NumberTemplate, negative: bool) -> PgResult<()> {
    let ordinal = || t.nodes.iter().any(|n| matches!(n, Node::Key(Key::Ordinal(_))));
    let digits = t.pre + t.post + t.multi > 0 || t.decimal;
    if negative || digits || t.roman.is_some() || t.exponent || !ordinal() {
        return Ok(());
    }
    Err(pg_err!(INVALID_TEXT_REPRESENTATION, "\".\" is not a number"))
}

fn numeric_to_char(ctx: &mut FnContext<'_>, value: &Numeric, format: &str) -> PgResult<String> {
    if format.is_empty() {
        return Ok(String::new());
    }
    let t = template(ctx, format)?;
    let number = plain(value);
    check_ordinal(t, number.negative)?;
    decimal_to_char(t, &number)
}

fn decimal_to_char(t: &NumberTemplate, number: &Plain) -> PgResult<String> {
    if let Some(upper) = t.roman {
        let whole = number.rounded(0);
        let value = whole.text().parse().ok().filter(|_| !whole.negative);
        return Ok(roman_text(t, upper, value));
    }
    if t.exponent {
        return match number.word {
            Some(_) => Ok(exponent_marks(t)),
            None => Ok(exponent_of_decimal(number, t.post)),
        };
    }
    match t.shift {
        true => number_to_char(t, &number.shifted(t.multi)),
        false => number_to_char(t, number),
    }
}

/// Prints a number that `V` has been applied to.
fn number_to_char(t: &NumberTemplate, number: &Plain) -> PgResult<String> {
    let rounded = number.rounded(t.post);
    let digits = Digits {
        negative: rounded.negative,
        text: rounded.text(),
        pre: t.pre + if t.shift { t.multi } else { 0 },
        post: t.post,
    };
    print(t, &digits)
}

fn int_plain(value: i64) -> Plain {
    Plain {
        negative: value < 0,
        whole: value.unsigned_abs().to_string(),
        fraction: String::new(),
        word: None,
    }
}

fn int4_to_char(ctx: &mut FnContext<'_>, value: i32, format: &str) -> PgResult<String> {
    if format.is_empty() {
        return Ok(String::new());
    }
    let t = template(ctx, format)?;
    check_ordinal(t, value < 0)?;
    if let Some(upper) = t.roman {
        return Ok(roman_text(t, upper, Some(value)));
    }
    if t.exponent {
        return Ok(exponent_of_float(f64::from(value), t.post));
    }
    if t.shift {
        // The multiplication wraps around in PostgreSQL too.
        let multi = u32::try_from(t.multi).unwrap_or(u32::MAX);
        let wrapped = value.wrapping_mul(10_i32.checked_pow(multi).unwrap_or(i32::MIN));
        return number_to_char(t, &int_plain(i64::from(wrapped)));
    }
    decimal_to_char(t, &int_plain(i64::from(value)))
}

fn int8_to_char(ctx: &mut FnContext<'_>, value: i64, format: &str) -> PgResult<String> {
    if format.is_empty() {
        return Ok(String::new());
    }
    let t = template(ctx, format)?;
    check_ordinal(t, value < 0)?;
    if t.shift && !t.exponent && t.roman.is_none() {
        let scale = u32::try_from(t.multi).ok().and_then(|m| 10_i64.checked_pow(m));
        if scale.and_then(|s| value.checked_mul(s)).is_none() {
            return Err(pg_err!(NUMERIC_VALUE_OUT_OF_RANGE, "bigint out of range"));
        }
    }
    decimal_to_char(t, &int_plain(value))
}

/// Printing of floats to as many digits as the type holds exactly.
fn float_to_char(t: &NumberTemplate, value: f64, digits_max: usize) -> PgResult<String> {
    if let Some(upper) = t.roman {
        let whole = value.round_ties_even();
        let fits = (1.0..=3999.0).contains(&whole);
        return Ok(roman_text(t, upper, fits.then_some(whole as i32)));
    }
    if t.exponent {
        if !value.is_finite() {
            return Ok(exponent_marks(t));
        }
        return Ok(exponent_of_float(value, t.post));
    }
    let shifted = if t.shift {
        value * 10_f64.powi(t.multi as i32)
    } else {
        value
    };
    let word = |v: f64| if v.is_nan() { "NaN" } else { "Infinity" };
    let whole = if shifted.is_finite() {
        format!("{:.0}", shifted.abs())
    } else {
        word(shifted).to_owned()
    };
    let post = match whole.len() {
        n if n >= digits_max => 0,
        n if n + t.post > digits_max => digits_max - n,
        _ => t.post,
    };
    let text = if shifted.is_finite() {
        format!("{:.post$}", shifted.abs())
    } else {
        whole
    };
    let digits = Digits {
        negative: shifted.is_sign_negative() && !shifted.is_nan(),
        text,
        pre: t.pre + if t.shift { t.multi } else { 0 },
        post,
    };
    print(t, &digits)
}

fn float8_to_char(ctx: &mut FnContext<'_>, value: f64, format: &str) -> PgResult<String> {
    if format.is_empty() {
        return Ok(String::new());
    }
    let t = template(ctx, format)?;
    check_ordinal(t, value < 0.0)?;
    float_to_char(t, value, 15)
}

fn float4_to_char(ctx: &mut FnContext<'_>, value: f32, format: &str) -> PgResult<String> {
    if format.is_empty() {
        return Ok(String::new());
    }
    let t = template(ctx, format)?;
    check_ordinal(t, value < 0.0)?;
    float_to_char(t, f64::from(value), 6)
}

fn numeric_to_number(ctx: &mut FnContext<'_>, text: &str, format: &str) -> PgResult<Option<Numeric>> {
    if format.is_empty() {
        return Ok(None);
    }
    let t = template(ctx, format)?.clone();
    if t.exponent {
        return Err(pg_err!(FEATURE_NOT_SUPPORTED, "\"EEEE\" not supported for input"));
    }
    if t.roman.is_some() && !text.is_empty() {
        let value =
            roman(text).ok_or_else(|| pg_err!(INVALID_TEXT_REPRESENTATION, "invalid Roman numeral"))?;
        return Ok(Some(Numeric::Small {
            unscaled: i64::from(value),
            scale: 0,
        }));
    }
    let scanned = scan(&t, text)?;
    let precision = t.pre + t.multi + scanned.post;
    let typmod = ((precision as i32) << 16 | scanned.post as i32) + 4;
    let number = read_numeric(ctx, &scanned.text, typmod)?;
    if t.shift && t.multi > 0 {
        return unshift(ctx, &number, t.multi).map(Some);
    }
    Ok(Some(number))
}

/// Divides by ten to the digits after `V`, with the scale that PostgreSQL's multiplication by a power gives.
fn unshift(ctx: &FnContext<'_>, number: &Numeric, multi: usize) -> PgResult<Numeric> {
    let digits = plain(number);
    let padded = format!("{:0>width$}", digits.whole, width = multi + 1);
    let (whole, fraction) = padded.split_at(padded.len() - multi);
    let sign = if digits.negative { "-" } else { "" };
    let zeros = "0".repeat(16);
    read_numeric(
        ctx,
        &format!("{sign}{whole}.{fraction}{}{zeros}", digits.fraction),
        -1,
    )
}

fn read_numeric(ctx: &FnContext<'_>, text: &str, typmod: i32) -> PgResult<Numeric> {
    match io::input(oids::NUMERIC, typmod, text, &ctx.io())? {
        types::Datum::Numeric(n) => Ok(n),
        other => Err(common::internal!("numeric input gave {other:?}")),
    }
}

builtins! {
    numeric_to_char(ctx, value: numeric, format: text) -> text;
    int4_to_char(ctx, value: int4, format: text) -> text;
    int8_to_char(ctx, value: int8, format: text) -> text;
    float4_to_char(ctx, value: float4, format: text) -> text;
    float8_to_char(ctx, value: float8, format: text) -> text;
    numeric_to_number(ctx, text: text, format: text) -> numeric;
}
