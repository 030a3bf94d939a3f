//! The regression harness: psql's behaviour over the embedded engine, PostgreSQL's own regression files, and what they say.

pub mod align;
pub mod corpus;
pub mod judge;
pub mod psql;
pub mod report;
pub mod run;
pub mod score;
pub mod spec;
