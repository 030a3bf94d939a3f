//! Text search values: `tsvector` and `tsquery`, their text and wire forms, their order.
//!
//! Both lie in memory in the form in which they travel: [`vector`] and [`query`] describe the bytes and give views over them.
//!
//! PG: src/backend/utils/adt/{tsvector,tsquery}*.c, src/include/tsearch/ts_type.h.
//!
//! # Not here
//! Matching, ranking, parsers and dictionaries (`functions`).

pub mod parse;
pub mod query;
mod token;
pub mod vector;

/// Longest word, in bytes, exclusive.
pub const WORD_BYTES_MAX: usize = 2047;
/// Where the text of a vector or query may end.
pub const TEXT_BYTES_MAX: usize = (1 << 20) - 1;
/// Most positions of one word.
pub const POSITIONS_MAX: usize = 256;
/// The last position; whatever is beyond it counts as there.
pub const POSITION_MAX: u16 = (1 << 14) - 1;

/// White space as C's `isspace` has it.
pub(crate) fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\x0b' | '\x0c')
}

/// A word in quotes, with quotes and backslashes doubled.
pub(crate) fn push_quoted(word: &str, out: &mut String) {
    out.push('\'');
    for c in word.chars() {
        if matches!(c, '\'' | '\\') {
            out.push(c);
        }
        out.push(c);
    }
    out.push('\'');
}

#[cfg(test)]
mod tests;
