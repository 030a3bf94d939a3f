//! The productions, one file per area; all are methods of [`crate::parser::Parser`].

mod dml;
mod expr;
mod from;
mod func;
mod index;
mod json;
mod primary;
mod select;
mod settings;
mod statement;
mod transaction;
mod typename;
mod with;
mod xml;
