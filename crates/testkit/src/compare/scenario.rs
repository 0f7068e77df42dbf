//! A case written down: schema text and relationship texts, compared as generated ones are.

use std::collections::BTreeMap;

use pemba_model::{Operation, SmolStr, Timestamp, Update};

use super::{Difference, replay};
use crate::caveats::Given;
use crate::generate::{Case, Step};

/// The case of a schema and relationships that are written at once, asked at one instant with these caveat parameters.
pub fn scenario(schema: &str, relationships: &[&str], now: &str, given: &[(&str, bool)]) -> Case {
    let schema = match pemba_schema::compile(schema) {
        Ok(compiled) => compiled.schema,
        Err(rejected) => panic!("{:?}", rejected.diagnostics),
    };
    let touch = |text: &&str| {
        let relationship = pemba_model::text::parse_relationship(text).expect("a relationship");
        Update { operation: Operation::Touch, relationship }
    };
    let given: BTreeMap<SmolStr, Given> =
        given.iter().map(|(name, value)| (SmolStr::new(name), Given::from(*value))).collect();
    let instants = vec![Timestamp::parse(now).expect("an instant")];
    Case { schema, steps: vec![Step::Write(relationships.iter().map(touch).collect())], instants, given }
}

/// Compares everything in a written-down case.
pub fn compare_scenario(case: &Case) -> Result<(), Box<Difference>> {
    let history = replay(case);
    history.scene(case, history.versions.len() - 1, case.instants[0]).compare()
}
