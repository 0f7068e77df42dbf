//! What is read of a request where it lies is what the generated code reads, or nothing; and answers are written as the
//! generated code writes them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pemba_server::direct::agreement;

fuzz_target!(|bytes: &[u8]| {
    // The first byte says which request the others are.
    let Some((kind, message)) = bytes.split_first() else { return };
    match kind % 3 {
        0 => drop(agreement::check(message)),
        1 => drop(agreement::bulk(message)),
        _ => agreement::resources(message),
    }
});
