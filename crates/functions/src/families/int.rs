//! Integer arithmetic and comparison.

use common::{PgError, PgResult, pg_err};

use crate::framework::direct::{Checked, Failure};
use crate::framework::macros::{builtins, direct};

macro_rules! out_of_range {
    ($($name:ident $text:literal),*) => {$(
        pub(crate) struct $name;
        impl Failure for $name {
            #[cold]
            fn error() -> Box<PgError> {
                pg_err!(NUMERIC_VALUE_OUT_OF_RANGE, $text)
            }
        }
    )*};
}

out_of_range!(Int4Range "integer out of range");

fn int4pl(a: i32, b: i32) -> Checked<i32, Int4Range> {
    Checked::new(a.overflowing_add(b))
}

fn int4lt(a: i32, b: i32) -> bool {
    a < b
}

fn int4div(a: i32, b: i32) -> PgResult<i32> {
    if b == 0 {
        return Err(pg_err!(DIVISION_BY_ZERO, "division by zero"));
    }
    a.checked_div(b).ok_or_else(Int4Range::error)
}

direct! {
    int4pl(a: int4, b: int4) -> int4;
    int4lt(a: int4, b: int4) -> bool;
}

fn textcat(a: &str, b: &str) -> String {
    [a, b].concat()
}

fn btrim1(a: &str) -> &str {
    a.trim_matches(' ')
}

builtins! {
    int4div(a: int4, b: int4) -> int4;
    textcat(a: text, b: text) -> text;
    btrim1(a: text) -> text;
}
