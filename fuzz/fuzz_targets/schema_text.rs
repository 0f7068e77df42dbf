//! Any schema text is survived; what compiles prints to a text that means the same, and formatting is idempotent.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pemba_schema::plan::Plans;

fuzz_target!(|text: &str| {
    match pemba_schema::compile(text) {
        Ok(compiled) => {
            Plans::compile(&compiled.schema);
            let again = pemba_schema::compile(&compiled.text).expect("the canonical text compiles");
            assert_eq!(again.schema.definitions, compiled.schema.definitions);
            assert_eq!(again.schema.caveats, compiled.schema.caveats);
            assert_eq!(again.text, compiled.text);
        }
        Err(rejected) => assert!(!rejected.diagnostics.is_empty()),
    }
    if let Ok(formatted) = pemba_schema::format(text) {
        assert_eq!(pemba_schema::format(&formatted).expect("formatted text parses"), formatted);
    }
});
