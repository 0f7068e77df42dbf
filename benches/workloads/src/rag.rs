//! A filter of retrieved chunks: eight chunks a document, and subjects who reach 0.1 %, 10 % and 90 % of the documents.

use pemba_model::{ObjectRef, Relationship, SubjectRef};

use crate::{Workload, draw, edge, nested, object};

const SCHEMA: &str = "\
definition user {}

definition tier {
\trelation member: user
}

definition document {
\trelation reader: user | tier#member
\tpermission read = reader
}

definition chunk {
\trelation document: document
\tpermission read = document->read
}
";

/// Chunks of a document.
const CHUNKS: u64 = 8;
/// Documents in a thousand that each tier reaches.
const REACH_PER_MILLE: [u64; 3] = [1, 100, 900];
/// Questions in a row from one subject: one retrieval's chunks.
const RETRIEVED: u64 = 100;

#[derive(Debug, Clone, Copy)]
pub(crate) struct Rag {
    seed: u64,
    documents: u64,
    users: u64,
}

impl Rag {
    /// A document has its chunks and about one tier; a million chunks are some 1.13 million relationships.
    pub(crate) fn new(relationships: u64, seed: u64) -> Rag {
        Rag { seed, documents: (relationships / (CHUNKS + 1)).max(20), users: (relationships / 1000).max(9) }
    }

    fn reaches(&self, document: u64, tier: u64) -> bool {
        let reach = usize::try_from(tier).ok().and_then(|tier| REACH_PER_MILLE.get(tier));
        reach.is_some_and(|reach| draw(self.seed, 1, document) % 1000 < *reach)
    }

    fn of_document(self, document: u64) -> impl Iterator<Item = Relationship> {
        let chunks = (document * CHUNKS..(document + 1) * CHUNKS)
            .map(move |chunk| edge(object("chunk", chunk), "document", object("document", document)));
        let readers = (0..3)
            .filter(move |tier| self.reaches(document, *tier))
            .map(move |tier| nested(object("document", document), "reader", object("tier", tier), "member"));
        chunks.chain(readers)
    }
}

impl Workload for Rag {
    fn name(&self) -> &'static str {
        "rag"
    }

    fn schema(&self) -> &'static str {
        SCHEMA
    }

    fn relationships(&self) -> Box<dyn Iterator<Item = Relationship> + Send> {
        let this = *self;
        let members =
            (0..this.users).map(|user| edge(object("tier", user % 3), "member", object("user", user)));
        Box::new(members.chain((0..this.documents).flat_map(move |document| this.of_document(document))))
    }

    fn permission(&self) -> &'static str {
        "read"
    }

    fn resources(&self) -> u64 {
        self.documents * CHUNKS
    }

    fn resource(&self, number: u64) -> ObjectRef {
        object("chunk", number)
    }

    fn subjects(&self) -> u64 {
        self.users
    }

    fn subject(&self, number: u64) -> ObjectRef {
        object("user", number)
    }

    fn holds(&self, resource: u64, subject: u64) -> bool {
        self.reaches(resource / CHUNKS, subject % 3)
    }

    fn pair(&self, number: u64) -> (u64, u64) {
        let subject = draw(self.seed, 2, number / RETRIEVED) % self.users;
        (draw(self.seed, 3, number) % self.resources(), subject)
    }

    fn churn(&self, number: u64) -> Relationship {
        let document = object("document", draw(self.seed, 4, number) % self.documents);
        Relationship::new(document, "reader", SubjectRef::direct("user", format!("guest-{number}")))
    }
}
