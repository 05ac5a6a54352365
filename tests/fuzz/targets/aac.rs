#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| groundswell::media::strangers::aac(bytes));
