//! A check in steps, for who has something else to do meanwhile: each step asks for the memory that the next one reads.

use pemba_model::{ObjectRef, SubjectRef};

use crate::check::{Asked, ask_groups, ask_rows, ordinals_of};
use crate::graph::Graph;
use crate::ids::TypeId;
use crate::names_sought::Sought;
use crate::program::{PredicateId, Program, Question};
use crate::query::{CheckAnswer, QueryContext, QueryError};
use crate::specialised::Ahead;

/// The part of a check that asks nothing of a subject yet: a permission on a resource that is being looked for.
pub struct CheckOpened<'a, G> {
    graph: &'a G,
    program: &'a Program,
    resource: &'a ObjectRef,
    resource_type: TypeId,
    predicate: PredicateId,
    object: Sought<'a>,
}

impl<'a, G: Graph> CheckOpened<'a, G> {
    /// Begins to look for the resource.
    pub fn new(
        graph: &'a G,
        program: &'a Program,
        resource: &'a ObjectRef,
        permission: &str,
    ) -> Result<CheckOpened<'a, G>, QueryError> {
        let (resource_type, predicate) = program.find(&resource.object_type, permission)?;
        let object = graph.seek(resource_type, &resource.object_id);
        Ok(CheckOpened { graph, program, resource, resource_type, predicate, object })
    }

    /// Begins to look for the subject, and goes on looking for the resource.
    pub fn by(mut self, subject: &'a SubjectRef) -> Result<CheckBegun<'a, G>, QueryError> {
        let relation = subject.relation.as_deref();
        let (subject_type, specialised) = self.program.find_subject(&subject.object.object_type, relation)?;
        let sought = self.graph.seek(subject_type, &subject.object.object_id);
        self.object.advance();
        let CheckOpened { graph, program, resource, resource_type, predicate, object } = self;
        let question = Question { resource_type, predicate, subject_type, specialised };
        Ok(CheckBegun { graph, program, question, resource, subject, object, sought })
    }
}

/// A check whose resource and subject are being looked for.
pub struct CheckBegun<'a, G> {
    graph: &'a G,
    program: &'a Program,
    question: Question<'a>,
    resource: &'a ObjectRef,
    subject: &'a SubjectRef,
    object: Sought<'a>,
    sought: Sought<'a>,
}

impl<'a, G: Graph> CheckBegun<'a, G> {
    /// Takes a step: both are looked for further, and of what is found the rows are asked for.
    pub fn advance(&mut self) {
        let ahead = self.ahead();
        if let (Some(object), Some(ahead)) = (self.object.advance(), ahead) {
            ask_rows(self.graph, ahead, object);
        }
        if let (Some(subject), Some(ahead)) = (self.sought.advance(), ahead) {
            ask_groups(self.graph, ahead, self.question.specialised, subject);
        }
    }

    /// A single row is read at once anyway.
    fn ahead(&self) -> Option<&'a Ahead> {
        self.question.specialised.ahead(self.question.predicate).filter(|ahead| ahead.rows.len() > 1)
    }

    /// The resource.
    pub fn resource(&self) -> &'a ObjectRef {
        self.resource
    }

    /// The subject.
    pub fn subject(&self) -> &'a SubjectRef {
        self.subject
    }

    /// What `check` says of the same.
    pub fn answer(mut self, context: &QueryContext<'_>) -> Result<CheckAnswer, QueryError> {
        // Three steps, whichever have been taken: line, record, rows.
        (0..3).for_each(|_| self.advance());
        let question = &self.question;
        let asked = [
            (question.resource_type, self.resource.object_id.as_str()),
            (question.subject_type, self.subject.object.object_id.as_str()),
        ];
        let found = [self.object.ordinal(), self.sought.ordinal()];
        let (object, subject) = ordinals_of(question, asked, found);
        let (graph, program) = (self.graph, self.program);
        Asked { graph, program, question, object, subject }.answer(&mut None, context)
    }
}
