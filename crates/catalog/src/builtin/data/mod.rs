//! Generated statics (`cargo xtask codegen`).

pub mod indexes;
pub mod relations;
