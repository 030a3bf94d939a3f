//! What a setting is.

/// A setting's type and limits, in its base unit.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum Kind {
    Bool,
    Int { min: i64, max: i64 },
    Real { min: f64, max: f64 },
    Enum(&'static [&'static str]),
    Text,
}

/// Who may change a setting, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Context {
    Internal,
    Postmaster,
    Sighup,
    SuperuserBackend,
    Backend,
    Superuser,
    User,
}

impl Context {
    /// The word in `pg_settings.context`.
    pub fn as_str(self) -> &'static str {
        match self {
            Context::Internal => "internal",
            Context::Postmaster => "postmaster",
            Context::Sighup => "sighup",
            Context::SuperuserBackend => "superuser-backend",
            Context::Backend => "backend",
            Context::Superuser => "superuser",
            Context::User => "user",
        }
    }
}

/// A row of the table of settings.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub struct SettingDef {
    pub name: &'static str,
    pub kind: Kind,
    /// `ms`, `s`, `min`, `B`, `kB`, `8kB`, `MB` or empty.
    pub unit: &'static str,
    pub context: Context,
    /// Boot value, in base units without a unit.
    pub boot: &'static str,
    pub category: &'static str,
}
