//! Many checks at once, in stages: all names, then what every check reads first, then the checks. Each stage asks for
//! the memory of many items before any item waits for its own.

use pemba_model::Timestamp;
use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use crate::check::{Asked, ordinals_of};
use crate::closure::Closure;
use crate::graph::Graph;
use crate::ids::{Ordinal, TypeId};
use crate::program::{Program, Question};
use crate::query::{CheckAnswer, CheckItem, QueryContext, QueryError};

/// Items in one stage: enough to hide how long memory takes, few enough for all they read to stay in the cache.
const BATCH: usize = 32;
/// Most subjects for whom room is made at once.
const CLOSURES: usize = 100;
/// An arrow that leads to more objects is not looked ahead along.
const AHEAD_MAX: usize = 4;

/// Many checks at one instant, answered in order, each within `steps_max` steps. What is found out about a subject's
/// groups is shared among all its items.
pub fn check_bulk<G: Graph>(
    graph: &G,
    program: &Program,
    items: &[CheckItem<'_>],
    now: Timestamp,
    steps_max: u64,
) -> Vec<Result<CheckAnswer, QueryError>> {
    let mut closures = FxHashMap::default();
    closures.reserve(items.len().min(CLOSURES));
    let mut bulk = Bulk { graph, program, now, steps_max, closures, last: None };
    let mut answers = Vec::with_capacity(items.len());
    for batch in items.chunks(BATCH) {
        bulk.batch(batch, &mut answers);
    }
    answers
}

struct Bulk<'a, G> {
    graph: &'a G,
    program: &'a Program,
    now: Timestamp,
    steps_max: u64,
    /// By the address of the subject kind's program, and subject.
    closures: FxHashMap<(usize, Ordinal), Option<Closure>>,
    /// The item before and its question: most items ask the same of another object.
    last: Option<(CheckItem<'a>, Question<'a>)>,
}

/// An item in numbers, or why it has none.
type Resolved<'a> = Result<(Question<'a>, Ordinal, Ordinal), QueryError>;

impl<'a, G: Graph> Bulk<'a, G> {
    fn batch(&mut self, items: &[CheckItem<'a>], answers: &mut Vec<Result<CheckAnswer, QueryError>>) {
        let resolved = self.resolve(items);
        let (graph, program) = (self.graph, self.program);
        for (question, object, subject) in resolved.iter().flatten() {
            let asked = Asked { graph, program, question, object: *object, subject: *subject };
            if let Some(ahead) = question.specialised.ahead(question.predicate) {
                asked.ask_ahead(ahead, !self.closures.contains_key(&closure_key(question, *subject)));
            }
        }
        for (question, object, _) in resolved.iter().flatten() {
            self.ask_further_ahead(question, *object);
        }
        for (item, resolved) in items.iter().zip(resolved) {
            answers.push(resolved.and_then(|(question, object, subject)| {
                let context =
                    QueryContext { now: self.now, steps_max: self.steps_max, caveats: item.caveats };
                let closure = self.closures.entry(closure_key(&question, subject)).or_default();
                Asked { graph, program, question: &question, object, subject }.answer(closure, &context)
            }));
        }
    }

    fn resolve(&mut self, items: &[CheckItem<'a>]) -> SmallVec<[Resolved<'a>; BATCH]> {
        let mut asked: SmallVec<[(TypeId, &str); 2 * BATCH]> = SmallVec::new();
        let mut questions: SmallVec<[Result<Question<'a>, QueryError>; BATCH]> = SmallVec::new();
        for item in items {
            let question = self.question(item);
            if let Ok(question) = &question {
                asked.push((question.resource_type, item.resource.object_id.as_str()));
                asked.push((question.subject_type, item.subject.object.object_id.as_str()));
            }
            questions.push(question);
        }
        let mut found: SmallVec<[Option<Ordinal>; 2 * BATCH]> = SmallVec::from_elem(None, asked.len());
        self.graph.ordinals(&asked, &mut found);
        let (asked, found) = (asked.as_chunks::<2>().0, found.as_chunks::<2>().0);
        let mut pairs = asked.iter().zip(found);
        let numbered = questions.into_iter().map(|question| {
            let question = question?;
            let (object, subject) = match pairs.next() {
                Some((asked, found)) => ordinals_of(&question, *asked, *found),
                None => ordinals_of(&question, [(question.resource_type, ""); 2], [None; 2]),
            };
            Ok((question, object, subject))
        });
        numbered.collect()
    }

    fn question(&mut self, item: &CheckItem<'a>) -> Result<Question<'a>, QueryError> {
        if let Some((last, question)) = &self.last
            && last.permission == item.permission
            && last.resource.object_type == item.resource.object_type
            && last.subject.object.object_type == item.subject.object.object_type
            && last.subject.relation == item.subject.relation
        {
            return Ok(*question);
        }
        let question = self.program.question(item.resource, item.permission, item.subject)?;
        self.last = Some((*item, question));
        Ok(question)
    }

    /// Asks for the rows of the objects that arrows lead to.
    fn ask_further_ahead(&self, question: &Question<'_>, object: Ordinal) {
        let specialised = question.specialised;
        let Some(ahead) = specialised.ahead(question.predicate) else { return };
        for (kind, target) in &ahead.steps {
            let Some(beyond) = specialised.ahead(*target) else { continue };
            let others = self.graph.subjects(*kind, object);
            if others.len() > AHEAD_MAX {
                continue;
            }
            for other in others.iter() {
                beyond.rows.iter().for_each(|kind| self.graph.prefetch_subjects(*kind, other));
            }
        }
    }
}

fn closure_key(question: &Question<'_>, subject: Ordinal) -> (usize, Ordinal) {
    (std::ptr::from_ref(question.specialised).addr(), subject)
}
