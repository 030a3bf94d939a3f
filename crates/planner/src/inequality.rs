//! The selectivity of `<`, `<=`, `>` and `>=` with a constant, from common values and the histogram.
//!
//! PG: src/backend/utils/adt/selfuncs.c (`scalarineqsel`, `ineq_histogram_selectivity`, `convert_to_scalar`).

use std::cmp::Ordering;

use catalog::view::ColumnStatistics;
use nodes::expr::Expr;
use types::Datum;

use crate::root::Root;
use crate::selectivity::{DEFAULT_INEQ, distinct_values, stats_of};

/// Which comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Inequality {
    /// `>` or `>=`.
    pub above: bool,
    /// `<=` or `>=`.
    pub or_equal: bool,
}

impl Inequality {
    /// The comparison with its sides exchanged.
    pub fn flipped(self, flip: bool) -> Inequality {
        Inequality {
            above: self.above != flip,
            ..self
        }
    }

    fn holds(self, order: Option<Ordering>) -> bool {
        match order {
            Some(Ordering::Equal) => self.or_equal,
            Some(Ordering::Less) => !self.above,
            Some(Ordering::Greater) => self.above,
            None => false,
        }
    }
}

/// The fraction of rows whose column is beyond a constant.
pub(crate) fn inequality(root: &Root<'_, '_>, column: &Expr, value: Option<&Datum>, op: Inequality) -> f64 {
    let (Some(stats), Some(value)) = (stats_of(root, column), value) else {
        return DEFAULT_INEQ;
    };
    if value.is_null() {
        return 0.0;
    }
    let type_oid = column.type_oid();
    let compare = |a: &Datum| root.context().evaluator.compare(type_oid, a, value);
    let total = |of: &mut dyn Iterator<Item = f32>| -> f64 { of.map(f64::from).sum() };
    let common = total(&mut stats.most_common.iter().map(|(_, f)| *f));
    let common_chosen = total(
        &mut stats
            .most_common
            .iter()
            .filter(|(v, _)| op.holds(compare(v)))
            .map(|(_, f)| *f),
    );
    let rest = 1.0 - f64::from(stats.null_fraction) - common;
    let others = || distinct_values(root, column) - stats.most_common.len() as f64;
    let share = match histogram_share(&stats, value, op, &compare, others) {
        Some(share) => share,
        None if stats.most_common.is_empty() => return DEFAULT_INEQ,
        None => 0.5,
    };
    (common_chosen + rest * share).clamp(0.0, 1.0)
}

/// The fraction of the histogram's values; `None` without a histogram. `others`: how many different values it stands for.
fn histogram_share(
    stats: &ColumnStatistics,
    value: &Datum,
    op: Inequality,
    compare: &dyn Fn(&Datum) -> Option<Ordering>,
    others: impl Fn() -> f64,
) -> Option<f64> {
    let bounds = &stats.histogram;
    if bounds.len() < 2 {
        return None;
    }
    // What lies below the constant, itself included for `<=` and `>`.
    let with_equal = op.above != op.or_equal;
    let before = |b: &Datum| match compare(b) {
        Some(Ordering::Less) => true,
        Some(Ordering::Equal) => with_equal,
        _ => false,
    };
    let bins = (bounds.len() - 1) as f64;
    let below = match bounds.partition_point(before) {
        0 => 0.0,
        p if p >= bounds.len() => 1.0,
        p => {
            let in_bin = share_of_bin(&bounds[p - 1], &bounds[p], value);
            let mut below = (p as f64 - 1.0 + in_bin) / bins;
            // The first bin holds its lower bound, too; and interpolation means "up to and with" the constant.
            let excludes = op.above == op.or_equal;
            if p == 1 || excludes {
                let others = others();
                let one = if others > 1.0 { 1.0 / others } else { 0.0 };
                if p == 1 {
                    below += one * (1.0 - in_bin);
                }
                if excludes {
                    below -= one;
                }
            }
            below
        }
    };
    let share = if op.above { 1.0 - below } else { below };
    let cutoff = 0.01 / bins;
    Some(share.clamp(cutoff, 1.0 - cutoff))
}

/// How far a value lies into a bin of a histogram: half-way where that cannot be told.
fn share_of_bin(low: &Datum, high: &Datum, value: &Datum) -> f64 {
    let scalars = match (low, high, value) {
        (Datum::Text(low), Datum::Text(high), Datum::Text(value)) => {
            Some(text_scalars([value.as_bytes(), low.as_bytes(), high.as_bytes()]))
        }
        _ => match (number(value), number(low), number(high)) {
            (Some(value), Some(low), Some(high)) => Some([value, low, high]),
            _ => None,
        },
    };
    match scalars {
        Some([value, low, high]) if high > low => ((value - low) / (high - low)).clamp(0.0, 1.0),
        _ => 0.5,
    }
}

fn number(d: &Datum) -> Option<f64> {
    match d {
        Datum::Float4(v) => Some(f64::from(*v)),
        Datum::Float8(v) => Some(*v),
        Datum::Numeric(v) => Some(v.to_f64()),
        Datum::Bool(v) => Some(f64::from(u8::from(*v))),
        other => other.as_i64().map(|v| v as f64),
    }
}

/// Strings as fractions in a base that their characters suggest, without the prefix that the bounds share.
fn text_scalars([value, low, high]: [&[u8]; 3]) -> [f64; 3] {
    let bounds = || low.iter().chain(high);
    let least = bounds().min().copied().unwrap_or(0);
    let most = bounds().max().copied().unwrap_or(0);
    let (mut least, mut most) = (i32::from(least), i32::from(most));
    for (first, last) in [(b'A', b'Z'), (b'a', b'z'), (b'0', b'9')] {
        let (first, last) = (i32::from(first), i32::from(last));
        if least <= last && most >= first {
            least = least.min(first);
            most = most.max(last);
        }
    }
    // Too few different characters to go by: any printable ASCII.
    if most - least < 9 {
        (least, most) = (i32::from(b' '), 127);
    }
    let shared = low
        .iter()
        .zip(high)
        .zip(value)
        .take_while(|((l, h), v)| l == h && h == v)
        .count();
    let scalar = |text: &[u8]| {
        const DIGITS: usize = 12;
        let base = f64::from(most - least + 1);
        let mut unit = base;
        let mut sum = 0.0;
        for c in text.iter().skip(shared).take(DIGITS) {
            let digit = i32::from(*c).clamp(least - 1, most + 1) - least;
            sum += f64::from(digit) / unit;
            unit *= base;
        }
        sum
    };
    [scalar(value), scalar(low), scalar(high)]
}
