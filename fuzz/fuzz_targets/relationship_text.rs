//! Any relationship text is survived, and what is read prints to a text that reads the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pemba_model::text::parse_relationship;

fuzz_target!(|text: &str| {
    match parse_relationship(text) {
        Ok(relationship) => {
            let printed = relationship.to_string();
            let again = parse_relationship(&printed).expect("a printed relationship reads");
            assert_eq!(again, relationship);
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});
