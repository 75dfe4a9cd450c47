#![no_main]

#[path = "../harness/mod.rs"]
#[allow(dead_code, reason = "one of the targets is used")]
mod harness;

libfuzzer_sys::fuzz_target!(|data: &[u8]| harness::advert::run(data));
