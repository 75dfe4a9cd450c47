//! What the fuzz targets do with an input: a panic is the finding. `tests/fuzz.rs` does the same with fewer inputs, and
//! without a fuzzer.

pub(crate) mod advert;
pub(crate) mod config;
pub(crate) mod control;
pub(crate) mod import;
pub(crate) mod packet;
