//! What multiranges have together, alone and in common, against the integers in them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use common::Oid;
use common::cancel::CancelToken;
use pglite_functions as functions;
use types::io::{self, IoContext};
use types::{Datum, FormatSettings};

use functions::{CallInfo, facts};

mod site;

const INT4_MULTIRANGE: Oid = Oid(4451);
const NUMBERS: i32 = 40;

/// A multirange of the integers whose bits are set.
fn of_bits(bits: u64) -> Datum {
    let members = (0..NUMBERS).filter(|n| bits >> n & 1 == 1);
    let text: Vec<String> = members.map(|n| format!("[{n},{n}]")).collect();
    let settings = FormatSettings::default();
    let text = format!("{{{}}}", text.join(","));
    io::input(INT4_MULTIRANGE, -1, &text, &IoContext::new(&settings)).unwrap()
}

fn call(name: &str, args: &[Datum]) -> Datum {
    let found = facts::procs()
        .iter()
        .find(|p| p.prosrc == name)
        .expect("a function");
    let call = CallInfo::new(found.oid, &[INT4_MULTIRANGE, INT4_MULTIRANGE], INT4_MULTIRANGE);
    let kernels = functions::kernels(found.oid).expect("code");
    site::with_context(&call, &CancelToken::new(), |ctx| {
        (kernels.scalar)(ctx, args).unwrap()
    })
}

#[test]
fn algebra_is_that_of_sets() {
    let mask = (1_u64 << NUMBERS) - 1;
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        // Runs of some length, not only single integers.
        let bits = state >> 20;
        (bits | bits << 1) & (bits >> 3 | bits << 2) & mask
    };
    for _ in 0..500 {
        let (a, b) = (random(), random());
        let args = [of_bits(a), of_bits(b)];
        assert_eq!(call("multirange_minus", &args), of_bits(a & !b), "{a:x} - {b:x}");
        assert_eq!(
            call("multirange_intersect", &args),
            of_bits(a & b),
            "{a:x} * {b:x}"
        );
        assert_eq!(call("multirange_union", &args), of_bits(a | b), "{a:x} + {b:x}");
    }
}
