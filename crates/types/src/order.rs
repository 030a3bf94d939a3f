//! The order of types with an encoding of their own in class `Bytes`.
//!
//! A value's *sort form* is a byte string that sorts, plainly, as the type's default B-tree operator class sorts the values; equal
//! values have equal forms. Types that are not here sort by their bytes as they are.

use std::cmp::Ordering;

use common::Oid;

use crate::datetime::civil::TimeTz;
use crate::{io_bit, io_net, oids, textsearch};

/// True when the bytes in memory are not yet the sort form.
#[inline]
pub fn has_sort_form(type_oid: Oid) -> bool {
    matches!(
        type_oid,
        oids::BIT | oids::VARBIT | oids::INET | oids::CIDR | oids::TIMETZ | oids::TSVECTOR | oids::TSQUERY
    )
}

/// The sort form, for types of which [`has_sort_form`] says so.
pub fn sort_form(type_oid: Oid, value: &[u8]) -> Vec<u8> {
    match type_oid {
        oids::BIT | oids::VARBIT => io_bit::sort_form(value),
        oids::INET | oids::CIDR => io_net::sort_form(value),
        oids::TSVECTOR => textsearch::vector::sort_form(value),
        oids::TSQUERY => textsearch::query::sort_form(value),
        oids::TIMETZ => {
            let v = TimeTz::from_bytes(value);
            let moment = v.micros + i64::from(v.zone_west) * 1_000_000;
            let mut out = ((moment as u64) ^ (1 << 63)).to_be_bytes().to_vec();
            out.extend_from_slice(&((v.zone_west as u32) ^ (1 << 31)).to_be_bytes());
            out
        }
        _ => value.to_vec(),
    }
}

/// Compares two values of class `Bytes`.
#[inline]
pub fn compare_bytes(type_oid: Oid, a: &[u8], b: &[u8]) -> Ordering {
    if has_sort_form(type_oid) {
        sort_form(type_oid, a).cmp(&sort_form(type_oid, b))
    } else {
        a.cmp(b)
    }
}
