//! Text search: functions of `tsvector` and `tsquery`, parser, dictionaries, ranking, headlines.
//!
//! | file | what |
//! | --- | --- |
//! | `parser.rs` | the default parser: document to tokens |
//! | `dictionary/` | token to lexemes: `simple`, Snowball, `synonym`, `thesaurus`, `ispell`; stop words (`data/stopwords`) |
//! | `config.rs`, `lexize.rs` | configurations of the catalog, opened; document to lexemes with positions |
//! | `convert.rs` | `to_tsvector`, `to_tsquery` and their kin, `ts_debug`, `ts_parse`, `ts_lexize` |
//! | `vector.rs`, `query.rs`, `rewrite.rs` | functions and operators of the types |
//! | `matching.rs` | does a document match a query |
//! | `rank.rs`, `headline.rs`, `headline_options.rs` | how well, and where |

mod config;
mod convert;
mod dictionary;
mod headline;
mod headline_options;
mod lexize;
mod matching;
mod parser;
mod query;
mod rank;
mod rewrite;
mod vector;

pub use dictionary::{DictionaryStore, TextSearchFiles, check_dictionary, dictionary_options, template_of};
pub use parser::token_kind;

use crate::framework::registry::Builtin;
use crate::framework::set::SetEntry;

pub(crate) static LISTS: &[&[Builtin]] = &[
    vector::BUILTINS,
    query::BUILTINS,
    convert::BUILTINS,
    rank::BUILTINS,
    headline::BUILTINS,
];

pub(crate) static SET_LISTS: &[&[SetEntry]] = &[vector::SETS, convert::SETS];

#[cfg(test)]
mod tests;
