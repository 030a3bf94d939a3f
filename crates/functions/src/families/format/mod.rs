//! `to_char`, `to_date`, `to_timestamp` and `to_number`.
//!
//! # How it works
//! Date templates are parsed once per call site ([`template`]); [`date_out`] prints by them, [`date_in`] reads by them into
//! fields that [`date_fields`] makes a moment of. Number templates ([`number`]) are parsed into a description and a list of
//! nodes; [`number_out`] walks digits and nodes in step, [`number_in`] the same way back.

pub(crate) mod date_fields;
pub(crate) mod date_in;
mod date_out;
mod entry;
mod number;
mod number_entry;
mod number_in;
mod number_out;
pub(crate) mod template;

use crate::framework::registry::Builtin;

/// Every list of this family.
pub(crate) static LISTS: &[&[Builtin]] = &[entry::BUILTINS, number_entry::BUILTINS];

/// Roman numerals, from twelve down, as month templates count.
pub(crate) const ROMAN_MONTHS: [&str; 12] = [
    "XII", "XI", "X", "IX", "VIII", "VII", "VI", "V", "IV", "III", "II", "I",
];

/// The English ending of an ordinal number.
pub(crate) fn ordinal_ending(digits: &str) -> &'static str {
    let bytes = digits.as_bytes();
    let teen = bytes.len() > 1 && bytes[bytes.len() - 2] == b'1';
    match bytes.last() {
        Some(b'1') if !teen => "st",
        Some(b'2') if !teen => "nd",
        Some(b'3') if !teen => "rd",
        _ => "th",
    }
}
