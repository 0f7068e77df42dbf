//! The relationships as they count while some agents may not act: a userset of an agent that is not live gives nothing
//! where a relation grants, and takes away what it takes away where an exclusion reads it. Whether an agent is live is
//! read in the newest book, whatever revision the relationships are of.

use std::cell::Cell;

use pemba_engine::{
    CheckAnswer, CheckBegun, CheckItem, Graph, Ordinal, Program, QueryContext, QueryError, ResourceSet,
    SchemaCaveats, SubjectSet, Trace, Withheld, Withholding,
};
use pemba_model::{Context, ObjectRef, SmolStr, SubjectRef, Timestamp};

use crate::answer::{self, earlier};
use crate::book::Book;
use crate::limits::AgentLimits;
use crate::liveness::liveness;
use crate::moment::Facts;

/// Relationships with the records that say whose usersets count. Without any userset of an agent the engine's own graph
/// answers.
#[derive(Debug)]
pub struct Judged<'a, G: Graph> {
    facts: Facts<'a, G>,
    book: &'a Book,
    limits: &'a AgentLimits,
}

impl<'a, G: Graph> Facts<'a, G> {
    /// The same relationships, judged by a book.
    pub fn judged(&self, book: &'a Book, limits: &'a AgentLimits) -> Judged<'a, G> {
        Judged { facts: *self, book, limits }
    }
}

/// One of many questions.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'q> {
    /// The object.
    pub resource: &'q ObjectRef,
    /// The permission or relation.
    pub permission: &'q str,
    /// Who, or which userset.
    pub subject: &'q SubjectRef,
    /// Values for caveats.
    pub values: Option<&'q Context>,
}

/// A query, whatever the graph is.
trait Query {
    type Answer;
    fn run<G: Graph>(
        self,
        graph: &G,
        program: &Program,
        context: &QueryContext<'_>,
    ) -> Result<Self::Answer, QueryError>;
    /// Notes an instant at which the answer could change by the clock.
    fn bound(answer: &mut Self::Answer, until: Option<Timestamp>);
}

impl<G: Graph> Judged<'_, G> {
    /// Whether a principal has a permission.
    pub fn check(
        &self,
        resource: &ObjectRef,
        permission: &str,
        subject: &SubjectRef,
        values: Option<&Context>,
    ) -> Result<CheckAnswer, QueryError> {
        self.ask(values, Check { resource, permission, subject })
    }

    /// The answers to many questions, in their order; each has the bound of one query.
    pub fn check_bulk(&self, questions: &[Asked<'_>]) -> Vec<Result<CheckAnswer, QueryError>> {
        // Each question has values of its own; none is asked with those given here.
        let answers = self.ask(None, CheckBulk { questions, facts: &self.facts });
        answers.unwrap_or_else(|error| questions.iter().map(|_| Err(error.clone())).collect())
    }

    /// Whether a principal belongs to a userset that something was given to: to nobody's, while its agent is not live.
    pub(crate) fn is_member(
        &self,
        userset: &SubjectRef,
        who: &ObjectRef,
        values: Option<&Context>,
    ) -> Result<CheckAnswer, QueryError> {
        let standing = Standing::of(self);
        let (group, relation) = (&userset.object, userset.relation.as_deref().unwrap_or_default());
        if standing.has_any(&group.object_type) && standing.is_not_live(group) {
            return Ok(CheckAnswer { valid_until: standing.until.get(), ..answer::no() });
        }
        let member = SubjectRef { object: who.clone(), relation: None };
        let mut answer = self.check(group, relation, &member, values)?;
        Check::bound(&mut answer, standing.until.get());
        Ok(answer)
    }

    /// The resources of a type on which a subject has a permission.
    pub fn lookup_resources(
        &self,
        resource_type: &str,
        permission: &str,
        subject: &SubjectRef,
        values: Option<&Context>,
    ) -> Result<ResourceSet, QueryError> {
        self.ask(values, LookupResources { resource_type, permission, subject })
    }

    /// For each of these resources the parameters that decide whether the subject has the permission.
    pub fn lookup_missing(
        &self,
        resource_type: &str,
        permission: &str,
        subject: &SubjectRef,
        resources: &[Ordinal],
        values: Option<&Context>,
    ) -> Result<Vec<Vec<SmolStr>>, QueryError> {
        self.ask(
            values,
            LookupMissing { of: LookupResources { resource_type, permission, subject }, resources },
        )
    }

    /// The subjects of a type, or the usersets of a relation of it, that have a permission.
    pub fn lookup_subjects(
        &self,
        resource: &ObjectRef,
        permission: &str,
        subject_type: &str,
        subject_relation: Option<&str>,
        values: Option<&Context>,
    ) -> Result<SubjectSet, QueryError> {
        self.ask(values, LookupSubjects { resource, permission, subject_type, subject_relation })
    }

    /// How a check comes to its answer, in at most `nodes_max` nodes.
    pub fn trace(
        &self,
        resource: &ObjectRef,
        permission: &str,
        subject: &SubjectRef,
        nodes_max: usize,
        values: Option<&Context>,
    ) -> Result<Trace, QueryError> {
        self.ask(values, Tracing { of: Check { resource, permission, subject }, nodes_max })
    }

    /// What `check` says of a check that was begun on these relationships.
    pub(crate) fn finish(
        &self,
        begun: CheckBegun<'_, G>,
        permission: &str,
        values: Option<&Context>,
    ) -> Result<CheckAnswer, QueryError> {
        if self.withholding(&Standing::of(self)).is_none() {
            return self.facts.ask(values, |context| begun.answer(context));
        }
        self.check(begun.resource(), permission, begun.subject(), values)
    }

    fn ask<Q: Query>(&self, values: Option<&Context>, query: Q) -> Result<Q::Answer, QueryError> {
        let standing = Standing::of(self);
        self.facts.ask(values, |context| {
            let Some(withholding) = self.withholding(&standing) else {
                return query.run(self.facts.graph, self.facts.program, context);
            };
            let mut answer = query.run(&withholding, withholding.program(), context)?;
            Q::bound(&mut answer, standing.until.get());
            Ok(answer)
        })
    }

    /// The relationships without the usersets of agents that are not live, if there is any userset of an agent.
    fn withholding<'s>(&'s self, standing: &'s Standing<'_>) -> Option<Withholding<'s>> {
        let may = !self.book.is_empty();
        may.then(|| Withholding::over(self.facts.graph, self.facts.program, standing)).flatten()
    }
}

/// Which agents are live.
struct Standing<'a> {
    book: &'a Book,
    limits: &'a AgentLimits,
    now: Timestamp,
    /// The first instant at which that can change by the clock, for those asked about.
    until: Cell<Option<Timestamp>>,
}

impl<'a> Standing<'a> {
    fn of<G: Graph>(judged: &Judged<'a, G>) -> Standing<'a> {
        let Judged { facts, book, limits } = judged;
        Standing { book, limits, now: facts.now, until: Cell::new(None) }
    }

    fn is_not_live(&self, who: &ObjectRef) -> bool {
        let known = self.book.known(who);
        if !known.is_agent() {
            return false;
        }
        let stands = liveness(self.book, self.limits, known, None, self.now);
        self.until.set(earlier(self.until.get(), stands.valid_until));
        stands.not_live.is_some()
    }
}

impl Withheld for Standing<'_> {
    fn has_any(&self, object_type: &str) -> bool {
        self.book.has_agents_of(object_type)
    }

    fn is_withheld(&self, object_type: &str, object_id: &str) -> bool {
        self.is_not_live(&ObjectRef::new(object_type, object_id))
    }
}

#[derive(Clone, Copy)]
struct Check<'q> {
    resource: &'q ObjectRef,
    permission: &'q str,
    subject: &'q SubjectRef,
}

impl Query for Check<'_> {
    type Answer = CheckAnswer;

    fn run<G: Graph>(
        self,
        graph: &G,
        program: &Program,
        context: &QueryContext<'_>,
    ) -> Result<CheckAnswer, QueryError> {
        pemba_engine::check(graph, program, self.resource, self.permission, self.subject, context)
    }

    fn bound(answer: &mut CheckAnswer, until: Option<Timestamp>) {
        answer.valid_until = earlier(answer.valid_until, until);
    }
}

struct CheckBulk<'q, G: Graph> {
    questions: &'q [Asked<'q>],
    facts: &'q Facts<'q, G>,
}

impl<F: Graph> Query for CheckBulk<'_, F> {
    type Answer = Vec<Result<CheckAnswer, QueryError>>;

    fn run<G: Graph>(
        self,
        graph: &G,
        program: &Program,
        context: &QueryContext<'_>,
    ) -> Result<Self::Answer, QueryError> {
        let schema = self.facts.schema;
        let evaluators: Vec<SchemaCaveats<'_>> =
            self.questions.iter().map(|asked| SchemaCaveats { schema, request: asked.values }).collect();
        let items: Vec<CheckItem<'_>> = self
            .questions
            .iter()
            .zip(&evaluators)
            .map(|(asked, caveats)| CheckItem {
                resource: asked.resource,
                permission: asked.permission,
                subject: asked.subject,
                caveats,
            })
            .collect();
        Ok(pemba_engine::check_bulk(graph, program, &items, context.now, context.steps_max))
    }

    fn bound(answers: &mut Self::Answer, until: Option<Timestamp>) {
        answers.iter_mut().flatten().for_each(|answer| Check::bound(answer, until));
    }
}

struct Tracing<'q> {
    of: Check<'q>,
    nodes_max: usize,
}

impl Query for Tracing<'_> {
    type Answer = Trace;

    fn run<G: Graph>(
        self,
        graph: &G,
        program: &Program,
        context: &QueryContext<'_>,
    ) -> Result<Trace, QueryError> {
        let Check { resource, permission, subject } = self.of;
        pemba_engine::trace(graph, program, resource, permission, subject, self.nodes_max, context)
    }

    fn bound(trace: &mut Trace, until: Option<Timestamp>) {
        if let Ok(answer) = &mut trace.answer {
            Check::bound(answer, until);
        }
    }
}

#[derive(Clone, Copy)]
struct LookupResources<'q> {
    resource_type: &'q str,
    permission: &'q str,
    subject: &'q SubjectRef,
}

impl Query for LookupResources<'_> {
    type Answer = ResourceSet;

    fn run<G: Graph>(
        self,
        graph: &G,
        program: &Program,
        context: &QueryContext<'_>,
    ) -> Result<ResourceSet, QueryError> {
        let LookupResources { resource_type, permission, subject } = self;
        pemba_engine::lookup_resources(graph, program, resource_type, permission, subject, context)
    }

    fn bound(set: &mut ResourceSet, until: Option<Timestamp>) {
        set.valid_until = earlier(set.valid_until, until);
    }
}

struct LookupMissing<'q> {
    of: LookupResources<'q>,
    resources: &'q [Ordinal],
}

impl Query for LookupMissing<'_> {
    type Answer = Vec<Vec<SmolStr>>;

    fn run<G: Graph>(
        self,
        graph: &G,
        program: &Program,
        context: &QueryContext<'_>,
    ) -> Result<Vec<Vec<SmolStr>>, QueryError> {
        let LookupResources { resource_type, permission, subject } = self.of;
        let resources = self.resources;
        pemba_engine::lookup_missing(graph, program, resource_type, permission, subject, resources, context)
    }

    fn bound(_: &mut Vec<Vec<SmolStr>>, _: Option<Timestamp>) {}
}

struct LookupSubjects<'q> {
    resource: &'q ObjectRef,
    permission: &'q str,
    subject_type: &'q str,
    subject_relation: Option<&'q str>,
}

impl Query for LookupSubjects<'_> {
    type Answer = SubjectSet;

    fn run<G: Graph>(
        self,
        graph: &G,
        program: &Program,
        context: &QueryContext<'_>,
    ) -> Result<SubjectSet, QueryError> {
        let LookupSubjects { resource, permission, subject_type, subject_relation } = self;
        pemba_engine::lookup_subjects(
            graph,
            program,
            resource,
            permission,
            subject_type,
            subject_relation,
            context,
        )
    }

    fn bound(set: &mut SubjectSet, until: Option<Timestamp>) {
        set.valid_until = earlier(set.valid_until, until);
    }
}
