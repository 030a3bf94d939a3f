//! Mathematical functions of `float8`, with PostgreSQL's domain and range checks.

use common::{PgError, PgResult, pg_err};

use crate::families::float::{overflow, underflow};
use crate::framework::context::FnContext;
use crate::framework::macros::{builtins, direct};

#[cold]
fn input_out_of_range() -> Box<PgError> {
    pg_err!(NUMERIC_VALUE_OUT_OF_RANGE, "input is out of range")
}

fn dceil(a: f64) -> f64 {
    a.ceil()
}
fn dfloor(a: f64) -> f64 {
    a.floor()
}
fn dround(a: f64) -> f64 {
    a.round_ties_even()
}
fn dtrunc(a: f64) -> f64 {
    a.trunc()
}
fn dsign(a: f64) -> f64 {
    if a > 0.0 {
        1.0
    } else if a < 0.0 {
        -1.0
    } else {
        0.0
    }
}
fn dcbrt(a: f64) -> f64 {
    a.cbrt()
}

direct! {
    dceil(a: float8) -> float8;
    dfloor(a: float8) -> float8;
    dround(a: float8) -> float8;
    dtrunc(a: float8) -> float8;
    dsign(a: float8) -> float8;
    dcbrt(a: float8) -> float8;
}

fn dsqrt(a: f64) -> PgResult<f64> {
    if a < 0.0 {
        return Err(pg_err!(
            INVALID_ARGUMENT_FOR_POWER_FUNCTION,
            "cannot take square root of a negative number"
        ));
    }
    Ok(a.sqrt())
}

fn dpow(a: f64, b: f64) -> PgResult<f64> {
    if a.is_nan() {
        return Ok(if b == 0.0 { 1.0 } else { f64::NAN });
    }
    if b.is_nan() {
        return Ok(if a == 1.0 { 1.0 } else { f64::NAN });
    }
    if a == 0.0 && b < 0.0 {
        return Err(pg_err!(
            INVALID_ARGUMENT_FOR_POWER_FUNCTION,
            "zero raised to a negative power is undefined"
        ));
    }
    if a < 0.0 && b.floor() != b {
        return Err(pg_err!(
            INVALID_ARGUMENT_FOR_POWER_FUNCTION,
            "a negative number raised to a non-integer power yields a complex result"
        ));
    }
    let result = a.powf(b);
    if a.is_infinite() || b.is_infinite() {
        return Ok(result);
    }
    if result.is_infinite() {
        return Err(overflow());
    }
    if result == 0.0 && a != 0.0 {
        return Err(underflow());
    }
    Ok(result)
}

fn dexp(a: f64) -> PgResult<f64> {
    let result = a.exp();
    if a.is_infinite() || a.is_nan() {
        return Ok(result);
    }
    if result.is_infinite() {
        return Err(overflow());
    }
    if result == 0.0 {
        return Err(underflow());
    }
    Ok(result)
}

fn check_log(a: f64) -> PgResult<()> {
    if a == 0.0 {
        return Err(pg_err!(INVALID_ARGUMENT_FOR_LOG, "cannot take logarithm of zero"));
    }
    if a < 0.0 {
        return Err(pg_err!(
            INVALID_ARGUMENT_FOR_LOG,
            "cannot take logarithm of a negative number"
        ));
    }
    Ok(())
}

fn dlog1(a: f64) -> PgResult<f64> {
    check_log(a)?;
    Ok(a.ln())
}

fn dlog10(a: f64) -> PgResult<f64> {
    check_log(a)?;
    Ok(a.log10())
}

/// Inverse sine and cosine are defined on [-1, 1].
fn unit(a: f64) -> PgResult<f64> {
    if a.is_nan() || (-1.0..=1.0).contains(&a) {
        Ok(a)
    } else {
        Err(input_out_of_range())
    }
}

/// Sines of infinity are undefined.
fn finite(a: f64) -> PgResult<f64> {
    if a.is_infinite() {
        Err(input_out_of_range())
    } else {
        Ok(a)
    }
}

fn in_range(result: f64, input: f64) -> PgResult<f64> {
    if result.is_infinite() && !input.is_infinite() {
        Err(overflow())
    } else {
        Ok(result)
    }
}

fn dacos(a: f64) -> PgResult<f64> {
    Ok(unit(a)?.acos())
}
fn dasin(a: f64) -> PgResult<f64> {
    Ok(unit(a)?.asin())
}
fn datan(a: f64) -> f64 {
    a.atan()
}
fn datan2(a: f64, b: f64) -> f64 {
    a.atan2(b)
}
fn dcos(a: f64) -> PgResult<f64> {
    Ok(finite(a)?.cos())
}
fn dsin(a: f64) -> PgResult<f64> {
    Ok(finite(a)?.sin())
}
fn dtan(a: f64) -> PgResult<f64> {
    Ok(finite(a)?.tan())
}
fn dcot(a: f64) -> PgResult<f64> {
    Ok(1.0 / finite(a)?.tan())
}
fn dsinh(a: f64) -> f64 {
    a.sinh()
}
fn dcosh(a: f64) -> f64 {
    a.cosh()
}
fn dtanh(a: f64) -> f64 {
    a.tanh()
}
/// The C library's ways to stay exact for small arguments and finite for large ones.
fn dasinh(a: f64) -> f64 {
    const LARGE: f64 = 268_435_456.0;
    let x = a.abs();
    if !a.is_finite() || x < 3.7e-9 {
        return a;
    }
    let square = x * x;
    let result = if x > LARGE {
        x.ln() + std::f64::consts::LN_2
    } else if x > 2.0 {
        (2.0 * x + 1.0 / ((square + 1.0).sqrt() + x)).ln()
    } else {
        (x + square / (1.0 + (1.0 + square).sqrt())).ln_1p()
    };
    result.copysign(a)
}
fn dacosh(a: f64) -> PgResult<f64> {
    if a < 1.0 {
        return Err(input_out_of_range());
    }
    Ok(if a > 268_435_456.0 {
        a.ln() + std::f64::consts::LN_2
    } else if a > 2.0 {
        (2.0 * a - 1.0 / (a + (a * a - 1.0).sqrt())).ln()
    } else {
        let t = a - 1.0;
        (t + (2.0 * t + t * t).sqrt()).ln_1p()
    })
}
fn datanh(a: f64) -> PgResult<f64> {
    Ok(unit(a)?.atanh())
}
fn degrees(a: f64) -> PgResult<f64> {
    in_range(a / (std::f64::consts::PI / 180.0), a)
}
fn radians(a: f64) -> f64 {
    a * (std::f64::consts::PI / 180.0)
}
fn dpi() -> f64 {
    std::f64::consts::PI
}

/// sin of an angle in degrees in the first quadrant, exact at 0, 30 and 90.
fn sind_quadrant(x: f64) -> f64 {
    let to_rad = |d: f64| d * (std::f64::consts::PI / 180.0);
    if x <= 30.0 {
        to_rad(x).sin() / to_rad(30.0).sin() / 2.0
    } else {
        cosd_0_to_60(90.0 - x)
    }
}

/// cos of an angle in degrees between 0 and 60, exact at 0 and 60.
fn cosd_0_to_60(x: f64) -> f64 {
    let to_rad = |d: f64| d * (std::f64::consts::PI / 180.0);
    let one_minus = 1.0 - to_rad(x).cos();
    1.0 - one_minus / (1.0 - to_rad(60.0).cos()) / 2.0
}

fn cosd_quadrant(x: f64) -> f64 {
    if x <= 60.0 {
        cosd_0_to_60(x)
    } else {
        sind_quadrant(90.0 - x)
    }
}

fn dsind(a: f64) -> PgResult<f64> {
    let mut x = finite(a)? % 360.0;
    let mut sign = 1.0;
    if x < 0.0 {
        (x, sign) = (-x, -sign);
    }
    if x > 180.0 {
        (x, sign) = (360.0 - x, -sign);
    }
    if x > 90.0 {
        x = 180.0 - x;
    }
    Ok(sign * sind_quadrant(x))
}

fn dcosd(a: f64) -> PgResult<f64> {
    let mut x = (finite(a)? % 360.0).abs();
    let mut sign = 1.0;
    if x > 180.0 {
        x = 360.0 - x;
    }
    if x > 90.0 {
        (x, sign) = (180.0 - x, -sign);
    }
    Ok(sign * cosd_quadrant(x))
}

/// Tangent or cotangent in degrees: the angle folded into the first quadrant and the sign.
fn fold_tangent(a: f64) -> (f64, f64) {
    let (mut x, mut sign) = (a % 360.0, 1.0);
    if x < 0.0 {
        (x, sign) = (-x, -sign);
    }
    if x > 180.0 {
        (x, sign) = (360.0 - x, -sign);
    }
    if x > 90.0 {
        (x, sign) = (180.0 - x, -sign);
    }
    (x, sign)
}

fn dtand(a: f64) -> PgResult<f64> {
    let (x, sign) = fold_tangent(finite(a)?);
    let scale = sind_quadrant(45.0) / cosd_quadrant(45.0);
    let result = sign * ((sind_quadrant(x) / cosd_quadrant(x)) / scale);
    Ok(if result == 0.0 { 0.0 } else { result })
}

fn dcotd(a: f64) -> PgResult<f64> {
    let (x, sign) = fold_tangent(finite(a)?);
    let scale = cosd_quadrant(45.0) / sind_quadrant(45.0);
    let result = sign * ((cosd_quadrant(x) / sind_quadrant(x)) / scale);
    Ok(if result == 0.0 { 0.0 } else { result })
}

fn asind_positive(x: f64) -> f64 {
    if x <= 0.5 {
        x.asin() / 0.5f64.asin() * 30.0
    } else {
        90.0 - x.acos() / 0.5f64.acos() * 60.0
    }
}

fn acosd_positive(x: f64) -> f64 {
    if x <= 0.5 {
        90.0 - x.asin() / 0.5f64.asin() * 30.0
    } else {
        x.acos() / 0.5f64.acos() * 60.0
    }
}

fn dasind(a: f64) -> PgResult<f64> {
    let a = unit(a)?;
    Ok(if a >= 0.0 {
        asind_positive(a)
    } else {
        -asind_positive(-a)
    })
}

fn dacosd(a: f64) -> PgResult<f64> {
    let a = unit(a)?;
    Ok(if a >= 0.0 {
        acosd_positive(a)
    } else {
        90.0 + asind_positive(-a)
    })
}

fn datand(a: f64) -> f64 {
    a.atan() / 1.0f64.atan() * 45.0
}

fn datan2d(a: f64, b: f64) -> f64 {
    a.atan2(b) / 1.0f64.atan() * 45.0
}

fn drandom(ctx: &mut FnContext<'_>) -> PgResult<f64> {
    ctx.session.random()
}

fn setseed(ctx: &mut FnContext<'_>, seed: f64) -> PgResult<()> {
    if !(-1.0..=1.0).contains(&seed) {
        return Err(pg_err!(
            INVALID_PARAMETER_VALUE,
            "setseed parameter {seed} is out of allowed range [-1,1]"
        ));
    }
    ctx.session.set_seed(seed)
}

fn drandom_normal(ctx: &mut FnContext<'_>, mean: f64, stddev: f64) -> PgResult<f64> {
    // Box and Muller; the first draw must not be 0, the second is mirrored as PostgreSQL's.
    let (u, v) = (1.0 - ctx.session.random()?, 1.0 - ctx.session.random()?);
    let z = (-2.0 * u.ln()).sqrt() * (2.0 * std::f64::consts::PI * v).sin();
    Ok(stddev * z + mean)
}

#[rustfmt::skip]
builtins! {
    dsqrt(a: float8) -> float8; dpow(a: float8, b: float8) -> float8; dexp(a: float8) -> float8;
    dlog1(a: float8) -> float8; dlog10(a: float8) -> float8;
    dacos(a: float8) -> float8; dasin(a: float8) -> float8; datan(a: float8) -> float8; datan2(a: float8, b: float8) -> float8;
    dcos(a: float8) -> float8; dsin(a: float8) -> float8; dtan(a: float8) -> float8; dcot(a: float8) -> float8;
    dsinh(a: float8) -> float8; dcosh(a: float8) -> float8; dtanh(a: float8) -> float8;
    dasinh(a: float8) -> float8; dacosh(a: float8) -> float8; datanh(a: float8) -> float8;
    dsind(a: float8) -> float8; dcosd(a: float8) -> float8; dtand(a: float8) -> float8; dcotd(a: float8) -> float8;
    dasind(a: float8) -> float8; dacosd(a: float8) -> float8; datand(a: float8) -> float8; datan2d(a: float8, b: float8) -> float8;
    degrees(a: float8) -> float8; radians(a: float8) -> float8; dpi() -> float8;
    drandom(ctx) -> float8; setseed(ctx, seed: float8) -> void; drandom_normal(ctx, mean: float8, stddev: float8) -> float8;
}
