//! Hashes of long texts.
#![allow(clippy::unwrap_used)]

use common::cancel::{CancelReason, CancelToken};

use super::*;

#[test]
fn long_texts_are_hashed_until_cancelled() {
    let long = "x".repeat(PIECE_BYTES + 9);
    let other = format!("{}y", &long[1..]);
    let texts = [
        Datum::text(&*long),
        Datum::text("x"),
        Datum::text(&*long),
        Datum::text(other),
    ];
    let column = Vector::from_datums(PhysType::Text, &texts);
    let hash = || {
        let mut out = [0; 4];
        hash_direct(oids::TEXT, &column, &Selection::All(4), &mut out).map(|()| out)
    };
    let [a, b, c, d] = hash().unwrap();
    assert_eq!(a, c);
    assert!(a != b && a != d);
    let cancel = CancelToken::new();
    let _entered = cancel.enter();
    cancel.cancel(CancelReason::User);
    assert_eq!(hash().unwrap_err().sqlstate.as_str(), "57014");
}
