//! Indexes that come while others read and write.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod concurrently;
mod young;
