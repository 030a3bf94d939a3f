//! pglite.
