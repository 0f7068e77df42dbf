//! Usersets that grant nothing and still exclude: every answer is the oracle's.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use pemba_engine::{
    CheckAnswer, CheckItem, Graph as _, Ordinal, Permissionship, QueryContext, QueryError, Snapshot,
    Withheld, Withholding, check, check_bulk, check_general, lookup_missing, lookup_resources,
    lookup_subjects, trace,
};
use pemba_model::text::{parse_object, parse_relationship, parse_subject};
use pemba_model::{ObjectRef, SmolStr, SubjectRef, Timestamp};
use pemba_schema::Schema;
use pemba_testkit::cases;
use pemba_testkit::caveats::CaveatTable;
use pemba_testkit::compare::{Difference, STEPS_MAX};
use pemba_testkit::generate::{Case, State};
use pemba_testkit::oracle::{Answer, Oracle, Solution, Value};

use crate::asked::snapshot;

/// Objects whose usersets are withheld.
struct Those(BTreeSet<ObjectRef>);

impl Withheld for Those {
    fn has_any(&self, object_type: &str) -> bool {
        self.0.iter().any(|object| object.object_type == object_type)
    }

    fn is_withheld(&self, object_type: &str, object_id: &str) -> bool {
        self.0.contains(&ObjectRef::new(object_type, object_id))
    }
}

/// What withholding can do to an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Met {
    /// A userset is withheld.
    Withheld,
    /// An answer is less than without.
    Less,
    /// An answer is less, and hiding the edge from exclusions too would have made another more.
    HidingWouldGrant,
    /// An answer that depends is less.
    Conditional,
}

fn says(answer: Result<CheckAnswer, QueryError>) -> Answer {
    match answer {
        Ok(answer) => {
            let value = match answer.permissionship {
                Permissionship::No => Value::No,
                Permissionship::Conditional => Value::Maybe,
                Permissionship::Yes => Value::Yes,
            };
            Answer::Value(value, answer.missing)
        }
        Err(QueryError::Contradiction { .. }) => Answer::Contradiction,
        Err(error) => Answer::Fault(error.failed_caveat().expect("a fault").clone(), error.to_string()),
    }
}

struct Compared<'a> {
    state: &'a State,
    base: &'a Snapshot,
    graph: &'a Withholding<'a>,
    oracle: &'a Oracle,
    context: QueryContext<'a>,
    objects: &'a BTreeSet<ObjectRef>,
    wrong: Option<(String, String, String)>,
}

impl Compared<'_> {
    fn take(&mut self, question: String, expected: &impl std::fmt::Debug, got: &impl std::fmt::Debug) {
        let (expected, got) = (format!("{expected:?}"), format!("{got:?}"));
        if expected != got && self.wrong.is_none() {
            self.wrong = Some((question, expected, got));
        }
    }

    fn names(&self, object_type: &str) -> Vec<SmolStr> {
        self.state.schema.definition(object_type).into_iter().flat_map(|d| d.names()).cloned().collect()
    }

    fn checks(&mut self, subject: &SubjectRef, solution: &Solution) {
        let (graph, program, context) = (self.graph, self.graph.program(), self.context);
        for object in self.objects {
            for name in self.names(&object.object_type) {
                let expected = self.oracle.answer(solution, subject, object, &name);
                let question = format!("{object}#{name}@{subject}");
                let quick = says(check(graph, program, object, &name, subject, &context));
                self.take(format!("check {question}"), &expected, &quick);
                let general = says(check_general(graph, program, object, &name, subject, &context));
                self.take(format!("general check {question}"), &expected, &general);
                let item =
                    CheckItem { resource: object, permission: &name, subject, caveats: context.caveats };
                let bulk = check_bulk(graph, program, &[item], context.now, STEPS_MAX).remove(0);
                self.take(format!("bulk check {question}"), &expected, &says(bulk));
                let traced = trace(graph, program, object, &name, subject, 50, &context);
                let traced = says(traced.and_then(|trace| trace.answer));
                self.take(format!("trace {question}"), &expected, &traced);
            }
        }
    }

    fn id(&self, object_type: &str, ordinal: Ordinal, asked: &ObjectRef) -> SmolStr {
        if ordinal == Ordinal::UNMENTIONED {
            return asked.object_id.clone();
        }
        let of = self.base.catalog().type_id(object_type).unwrap();
        self.base.names().object_id(of, ordinal).unwrap().into()
    }

    fn resources(&mut self, subject: &SubjectRef, solution: &Solution) {
        let (graph, program, context) = (self.graph, self.graph.program(), self.context);
        for definition in self.state.schema.definitions.values() {
            let object_type = &definition.name;
            for name in definition.names() {
                let of_type = self.objects.iter().filter(|object| object.object_type == *object_type);
                let expected: BTreeMap<SmolStr, Answer> = of_type
                    .map(|object| {
                        (object.object_id.clone(), self.oracle.answer(solution, subject, object, name))
                    })
                    .collect();
                // One object without an answer leaves the whole set without one.
                if expected.values().any(|answer| answer.value().is_none()) {
                    continue;
                }
                let set = lookup_resources(graph, program, object_type, name, subject, &context);
                let Ok(set) = set else { continue };
                let open: Vec<Ordinal> = set.conditional.iter().map(Ordinal).collect();
                let missing =
                    lookup_missing(graph, program, object_type, name, subject, &open, &context).unwrap();
                let id = |ordinal| self.id(object_type, Ordinal(ordinal), &subject.object);
                let yes = set.definite.iter().map(|one| (id(one), Answer::Value(Value::Yes, Vec::new())));
                let maybe = set.conditional.iter().zip(missing);
                let maybe = maybe.map(|(one, missing)| (id(one), Answer::Value(Value::Maybe, missing)));
                let got: BTreeMap<SmolStr, Answer> = yes.chain(maybe).collect();
                let holds = |answer: &Answer| answer.value() != Some(Value::No);
                let expected: BTreeMap<_, _> =
                    expected.into_iter().filter(|(_, answer)| holds(answer)).collect();
                self.take(format!("{object_type} with {name} for {subject}"), &expected, &got);
            }
        }
    }

    /// Every object that is no stranger, as a subject: granted by name, or covered and not excluded.
    fn subjects(&mut self, solutions: &BTreeMap<SubjectRef, Solution>) {
        let (graph, program, context) = (self.graph, self.graph.program(), self.context);
        for object in self.objects {
            for name in self.names(&object.object_type) {
                for (subject, solution) in solutions {
                    let expected = self.oracle.answer(solution, subject, object, &name);
                    let Some(expected) = expected.value() else { continue };
                    let (of, relation) = (&subject.object.object_type, subject.relation.as_deref());
                    let set = lookup_subjects(graph, program, object, &name, of, relation, &context);
                    let Ok(set) = set else { continue };
                    let is = |ordinal| self.id(of, ordinal, object) == subject.object.object_id;
                    let named = set.concrete.iter().find(|one| is(one.ordinal));
                    let excluded = set.excluded.iter().find(|one| is(one.ordinal));
                    let by_wildcard = match (set.wildcard.0, excluded.map(|one| one.permissionship)) {
                        (_, Some(Permissionship::Yes)) | (Permissionship::No, _) => Permissionship::No,
                        (Permissionship::Yes, None) => Permissionship::Yes,
                        _ => Permissionship::Conditional,
                    };
                    let got = named.map_or(by_wildcard, |one| one.permissionship);
                    let expected = match expected {
                        Value::No => Permissionship::No,
                        Value::Maybe => Permissionship::Conditional,
                        Value::Yes => Permissionship::Yes,
                    };
                    self.take(format!("{subject} among those with {object}#{name}"), &expected, &got);
                }
            }
        }
    }
}

fn compare(case: &Case, counts: &RefCell<BTreeMap<Met, u32>>) -> Result<(), Box<Difference>> {
    let state = case.states().pop().unwrap();
    let objects = case.objects();
    let withheld: BTreeSet<ObjectRef> =
        objects.iter().filter(|object| ["a", "c"].contains(&object.object_id.as_str())).cloned().collect();
    let base = snapshot(&state.schema, &state.list());
    let now = case.instants[0];
    let caveats: CaveatTable = case.caveats(&state.schema);
    let context = QueryContext { now, steps_max: STEPS_MAX, caveats: &caveats };
    let those = Those(withheld.clone());
    let Some(graph) = Withholding::over(&base, base.program(), &those) else { return Ok(()) };
    let list = state.list();
    let oracle = Oracle::withholding(&state.schema, &list, &objects, now, &caveats, &withheld);
    let plain = Oracle::new(&state.schema, &list, &objects, now, &caveats);
    let hidden: Vec<_> = list
        .iter()
        .filter(|one| one.subject.relation.is_none() || !withheld.contains(&one.subject.object))
        .cloned()
        .collect();
    let hiding = Oracle::new(&state.schema, &hidden, &objects, now, &caveats);
    let mut met = BTreeSet::new();
    met.extend((hidden.len() < list.len()).then_some(Met::Withheld));
    let mut compared = Compared {
        state: &state,
        base: &base,
        graph: &graph,
        oracle: &oracle,
        context,
        objects: &objects,
        wrong: None,
    };
    let mut solutions = BTreeMap::new();
    for subject in state.subjects(&objects) {
        let solution = oracle.solve(&subject);
        compared.checks(&subject, &solution);
        compared.resources(&subject, &solution);
        let (without, hiding_all) = (plain.solve(&subject), hiding.solve(&subject));
        for object in &objects {
            for name in compared.names(&object.object_type) {
                let now = oracle.answer(&solution, &subject, object, &name).value();
                let before = plain.answer(&without, &subject, object, &name).value();
                let hidden = hiding.answer(&hiding_all, &subject, object, &name).value();
                assert!(
                    now.is_none() || before.is_none() || now <= before,
                    "withholding granted {object}#{name}@{subject}: {now:?} from {before:?}"
                );
                met.extend((now < before).then_some(Met::Less));
                met.extend((now < before && before == Some(Value::Maybe)).then_some(Met::Conditional));
                met.extend((hidden > before && now <= before).then_some(Met::HidingWouldGrant));
            }
        }
        solutions.insert(subject, solution);
    }
    compared.subjects(&solutions);
    if let Some((question, expected, got)) = compared.wrong {
        let question = format!("{question} while these are withheld: {withheld:?}");
        return Err(Box::new(Difference { state, now, caveats, question, check: None, expected, got }));
    }
    for one in met {
        *counts.borrow_mut().entry(one).or_default() += 1;
    }
    Ok(())
}

#[test]
fn a_withheld_userset_grants_nothing_and_still_excludes() {
    let counts = RefCell::new(BTreeMap::new());
    let cases = cases::count(160);
    cases::check(cases, cases::seed(23), |case| compare(case, &counts));
    let counts = counts.into_inner();
    println!("of {cases}: {counts:?}");
    for (met, least) in
        [(Met::Withheld, 4), (Met::Less, 3), (Met::HidingWouldGrant, 1), (Met::Conditional, 1)]
    {
        let share = counts.get(&met).copied().unwrap_or(0);
        assert!(share * 16 >= cases * least, "{met:?} in {share} of {cases} cases: {counts:?}");
    }
}

const SCHEMA: &str = "
definition user {}
definition agent { relation team: user | agent#team }
definition doc {
    relation viewer: user | agent#team
    relation banned: user | agent#team
    relation pardoned: user | agent#team
    permission view = viewer - (banned - pardoned)
}
";

#[test]
fn an_exclusion_within_an_exclusion_grants_again() {
    let schema: Schema = pemba_schema::compile(SCHEMA).unwrap().schema;
    let lines = [
        "agent:x#team@user:ann",
        "agent:y#team@agent:x#team",
        "doc:viewed#viewer@agent:x#team",
        "doc:nested#viewer@agent:y#team",
        "doc:banned#viewer@user:ann",
        "doc:banned#banned@agent:x#team",
        "doc:pardoned#viewer@user:ann",
        "doc:pardoned#banned@user:ann",
        "doc:pardoned#pardoned@agent:x#team",
    ];
    let base = snapshot(&schema, &lines.map(|line| parse_relationship(line).unwrap()));
    let caveats = CaveatTable::new(&schema, BTreeMap::new());
    let context = QueryContext { now: Timestamp::UNIX_EPOCH, steps_max: STEPS_MAX, caveats: &caveats };
    let those = Those(BTreeSet::from([parse_object("agent:x").unwrap()]));
    let graph = Withholding::over(&base, base.program(), &those).unwrap();
    let view = |subject: &str| {
        ["viewed", "nested", "banned", "pardoned"].map(|id| {
            let (doc, subject) = (ObjectRef::new("doc", id), parse_subject(subject).unwrap());
            let before = check(&base, base.program(), &doc, "view", &subject, &context).unwrap();
            let after = check(&graph, graph.program(), &doc, "view", &subject, &context).unwrap();
            [before, after].map(|answer| answer.permissionship == Permissionship::Yes)
        })
    };
    assert_eq!(view("user:ann"), [[true, false], [true, false], [false, false], [true, false]]);
    assert_eq!(view("agent:x#team"), [[true, false], [true, false], [false, false], [false, false]]);
    // Nobody's usersets can be withheld: the base answers by itself.
    assert!(Withholding::over(&base, base.program(), &Those(BTreeSet::new())).is_none());
}
