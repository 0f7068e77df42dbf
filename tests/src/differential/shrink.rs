//! Makes a difference small: the same difference from less.

use super::generate::Case;
use super::run::{Counts, Difference, Pair, run};
use super::schema::{Expression, Schema};
use super::step::Step;

/// Most runs that one difference may cost.
const RUNS_MAX: usize = 600;

/// The smallest case found that shows the same difference.
pub async fn shrink(pair: &mut Pair, first: Difference) -> Difference {
    let signature = first.signature();
    let mut best = first;
    let mut runs = 0;
    let mut smaller = true;
    while smaller {
        smaller = false;
        for candidate in candidates(&best.case) {
            if runs >= RUNS_MAX {
                return best;
            }
            runs += 1;
            let found = run(pair, &candidate, &mut Counts::default()).await;
            if let Some(found) = found.filter(|found| found.signature() == signature) {
                best = *found;
                smaller = true;
                break;
            }
        }
    }
    best
}

/// Cases with one thing less, the boldest first.
fn candidates(case: &Case) -> Vec<Case> {
    let mut all = Vec::new();
    let steps = case.steps.len();
    if steps > 1 {
        all.push(Case { steps: case.steps[steps - 1..].to_vec(), ..case.clone() });
        all.push(Case { steps: case.steps[steps / 2..].to_vec(), ..case.clone() });
        for place in (0..steps - 1).rev() {
            let mut one = case.clone();
            one.steps.remove(place);
            all.push(one);
        }
    }
    let edges = case.edges.len();
    if edges > 3 {
        all.push(Case { edges: case.edges[edges / 2..].to_vec(), ..case.clone() });
        all.push(Case { edges: case.edges[..edges / 2].to_vec(), ..case.clone() });
    }
    for place in 0..edges {
        let mut one = case.clone();
        one.edges.remove(place);
        all.push(one);
    }
    all.extend(schemas(&case.schema).into_iter().map(|schema| Case { schema, ..case.clone() }));
    all.extend(last_steps(case));
    for place in 0..edges {
        let mut one = case.clone();
        if let Some((_, context)) = &mut one.edges[place].caveat
            && !context.is_empty()
        {
            context.clear();
            all.push(one);
        }
    }
    all
}

fn schemas(schema: &Schema) -> Vec<Schema> {
    let mut all = Vec::new();
    for place in 0..schema.caveats.len() {
        let mut one = schema.clone();
        one.caveats.remove(place);
        all.push(one);
    }
    for (at, definition) in schema.definitions.iter().enumerate() {
        if schema.definitions.len() > 1 {
            let mut one = schema.clone();
            one.definitions.remove(at);
            all.push(one);
        }
        for place in 0..definition.relations.len() {
            let mut one = schema.clone();
            one.definitions[at].relations.remove(place);
            all.push(one);
            for allowed in 0..definition.relations[place].allowed.len() {
                if definition.relations[place].allowed.len() > 1 {
                    let mut one = schema.clone();
                    one.definitions[at].relations[place].allowed.remove(allowed);
                    all.push(one);
                }
            }
        }
        for (place, permission) in definition.permissions.iter().enumerate() {
            let mut one = schema.clone();
            one.definitions[at].permissions.remove(place);
            all.push(one);
            for expression in simpler(&permission.expression) {
                let mut one = schema.clone();
                one.definitions[at].permissions[place].expression = expression;
                all.push(one);
            }
        }
    }
    all
}

/// An expression with one part less.
fn simpler(expression: &Expression) -> Vec<Expression> {
    let Expression::Chain(operands, operators) = expression else { return Vec::new() };
    let mut all = operands.clone();
    for place in 0..operands.len() {
        if operands.len() > 2 {
            let (mut fewer, mut signs) = (operands.clone(), operators.clone());
            fewer.remove(place);
            signs.remove(place.min(signs.len() - 1));
            all.push(Expression::Chain(fewer, signs));
        }
        for part in simpler(&operands[place]) {
            let mut changed = operands.clone();
            changed[place] = part;
            all.push(Expression::Chain(changed, operators.clone()));
        }
    }
    all
}

/// The case with the last request made smaller.
fn last_steps(case: &Case) -> Vec<Case> {
    let Some(last) = case.steps.last() else { return Vec::new() };
    let mut smaller = Vec::new();
    match last {
        Step::Check(item, at) => {
            for name in item.context.keys() {
                let mut item = item.clone();
                item.context.remove(name);
                smaller.push(Step::Check(item, *at));
            }
        }
        Step::Bulk(items) if items.len() > 1 => {
            for place in 0..items.len() {
                let mut items = items.clone();
                items.remove(place);
                smaller.push(Step::Bulk(items));
            }
        }
        Step::LookupResources { resource_type, permission, subject, context, page } => {
            let step = |context, page| Step::LookupResources {
                resource_type: resource_type.clone(),
                permission: permission.clone(),
                subject: subject.clone(),
                context,
                page,
            };
            if *page > 0 {
                smaller.push(step(context.clone(), 0));
            }
            for name in context.keys() {
                let mut context = context.clone();
                context.remove(name);
                smaller.push(step(context, *page));
            }
        }
        Step::LookupSubjects { context, .. } => {
            for name in context.keys() {
                let mut step = last.clone();
                if let Step::LookupSubjects { context, .. } = &mut step {
                    context.remove(name);
                }
                smaller.push(step);
            }
        }
        Step::Write { updates, preconditions } => {
            for place in 0..updates.len() {
                let mut updates = updates.clone();
                updates.remove(place);
                smaller.push(Step::Write { updates, preconditions: preconditions.clone() });
            }
            if !preconditions.is_empty() {
                smaller.push(Step::Write { updates: updates.clone(), preconditions: Vec::new() });
            }
        }
        _ => {}
    }
    let with_last = |step| {
        let mut one = case.clone();
        one.steps.pop();
        one.steps.push(step);
        one
    };
    smaller.into_iter().map(with_last).collect()
}
