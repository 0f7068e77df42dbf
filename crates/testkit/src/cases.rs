//! Runs a property over generated cases; a failing one is shrunk and comes back as a report that can be run again.

use std::panic::{AssertUnwindSafe, catch_unwind};

use pemba_model::SmolStr;
use pemba_schema::Expression;
use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};

use crate::compare::Difference;
use crate::generate::{self, Case, Step};

/// Shrinking steps by the strategy; the rest is done by `smaller`.
const SHRINK_MAX: u32 = 400;

/// How many cases a property runs: `usual`, or more by the same factor as `PEMBA_CASES` is above 2,000.
pub fn count(usual: u32) -> u32 {
    match number("PEMBA_CASES") {
        None => usual,
        Some(wanted) => {
            let scaled = u64::from(usual).saturating_mul(wanted) / 2_000;
            u32::try_from(scaled).unwrap_or(u32::MAX).max(1)
        }
    }
}

/// The seed: `PEMBA_SEED`, or the one given.
pub fn seed(usual: u64) -> u64 {
    number("PEMBA_SEED").unwrap_or(usual)
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is `{text}`, not a number")))
}

/// Checks a property on generated cases; panics with a minimal validation file when it does not hold.
pub fn check(cases: u32, seed: u64, property: impl Fn(&Case) -> Result<(), Box<Difference>>) {
    check_on(&generate::case(), cases, seed, property);
}

/// The same on cases of another kind.
pub fn check_on(
    strategy: &impl Strategy<Value = Case>,
    cases: u32,
    seed: u64,
    property: impl Fn(&Case) -> Result<(), Box<Difference>>,
) {
    let config =
        Config { cases, failure_persistence: None, max_shrink_iters: SHRINK_MAX, ..Config::default() };
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    let outcome = runner.run(strategy, |case| match property(&case) {
        Ok(()) => Ok(()),
        Err(difference) => Err(TestCaseError::fail(difference.question)),
    });
    match outcome {
        Ok(()) => {}
        Err(TestError::Fail(_, case)) => report(&case, seed, &property),
        Err(TestError::Abort(reason)) => panic!("the generator gave up: {reason}"),
    }
}

fn fails(case: &Case, property: &impl Fn(&Case) -> Result<(), Box<Difference>>) -> bool {
    catch_unwind(AssertUnwindSafe(|| property(case))).map_or(true, |outcome| outcome.is_err())
}

fn report(case: &Case, seed: u64, property: &impl Fn(&Case) -> Result<(), Box<Difference>>) -> ! {
    let mut case = case.clone();
    while let Some(less) = smaller(&case).into_iter().find(|less| fails(less, property)) {
        case = less;
    }
    let steps = case.steps.len();
    match catch_unwind(AssertUnwindSafe(|| property(&case))) {
        Ok(Err(difference)) => panic!("seed {seed}, {steps} steps\n{difference}"),
        Ok(Ok(())) => panic!("seed {seed}: fails only sometimes\n{case:#?}"),
        Err(_) => panic!("seed {seed}: panics (message above) on\n{case:#?}"),
    }
}

/// The operands of an expression, and `nil`: what it may be replaced by.
fn simpler(expression: &Expression) -> Vec<Expression> {
    let mut all = match expression {
        Expression::Nil => return Vec::new(),
        Expression::Union(operands) | Expression::Intersection(operands) => operands.clone(),
        Expression::Exclusion(base, without) => vec![(**base).clone(), (**without).clone()],
        _ => Vec::new(),
    };
    all.insert(0, Expression::Nil);
    all
}

/// Cases with one part less.
fn smaller(case: &Case) -> Vec<Case> {
    let mut all = Vec::new();
    let mut with = |change: &dyn Fn(&mut Case)| {
        let mut less = case.clone();
        change(&mut less);
        if !less.instants.is_empty() && !less.steps.is_empty() {
            all.push(less);
        }
    };
    for place in (0..case.steps.len()).rev() {
        with(&|case| _ = case.steps.remove(place));
        let Step::Write(updates) = &case.steps[place] else { continue };
        for update in 0..updates.len() {
            with(&|case| {
                if let Step::Write(updates) = &mut case.steps[place] {
                    updates.remove(update);
                }
            });
        }
    }
    for place in 0..case.instants.len() {
        with(&|case| _ = case.instants.remove(place));
    }
    for name in case.given.keys() {
        with(&|case| _ = case.given.remove(name));
    }
    let schemas = std::iter::once(&case.schema).chain(case.steps.iter().filter_map(|step| match step {
        Step::Schema(schema) => Some(schema),
        Step::Write(_) => None,
    }));
    for (place, schema) in schemas.enumerate() {
        for definition in schema.definitions.values() {
            for permission in definition.permissions.values() {
                for expression in simpler(&permission.expression) {
                    with(&|case| replace(case, place, &definition.name, &permission.name, &expression));
                }
            }
        }
    }
    all
}

/// Replaces a permission's expression in the schema with a number: 0 the first one, then those of the steps.
fn replace(
    case: &mut Case,
    place: usize,
    definition: &SmolStr,
    permission: &SmolStr,
    expression: &Expression,
) {
    let later = case.steps.iter_mut().filter_map(|step| match step {
        Step::Schema(schema) => Some(schema),
        Step::Write(_) => None,
    });
    let schema = std::iter::once(&mut case.schema).chain(later).nth(place);
    let permission = schema
        .and_then(|schema| schema.definitions.get_mut(definition))
        .and_then(|definition| definition.permissions.get_mut(permission));
    if let Some(permission) = permission {
        permission.expression = expression.clone();
    }
}
