//! See `note` in the library.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| millwright_eventlog_fuzz::note(data));
