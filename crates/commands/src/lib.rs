//! Floor 6: utility statements and the settings of a session.
//!
//! Main types: [`guc::GucStore`].

pub mod guc;
