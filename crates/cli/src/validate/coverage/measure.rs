//! Asking every question again without one part, and again without the next.

use std::collections::BTreeMap;

use pemba_db::{Database, Write};
use pemba_engine::Permissionship;
use pemba_model::{Operation, Relationship, Update};
use pemba_schema::Schema;

use super::parts::{Part, PartKind};
use super::without;
use crate::validate::file::ValidationFile;
use crate::validate::run;

/// Most questions that one file's coverage may ask.
const QUESTIONS_MAX: usize = 50_000_000;
/// Relationships of one write.
const CHUNK: usize = 1000;

/// Which parts the answers of a file depend on, in the order of the parts.
pub(super) fn covered(file: &ValidationFile, parts: &[Part]) -> Result<Vec<bool>, String> {
    let questions = file.assertions.len().saturating_add(file.expected.len());
    let asked = questions.saturating_mul(parts.len());
    if asked > QUESTIONS_MAX {
        return Err(format!(
            "coverage would ask {asked} questions, {questions} for each of {} parts of the schema; at most {QUESTIONS_MAX} are \
             asked",
            parts.len()
        ));
    }
    let probe = Probe::new(file)?;
    let covered = parts.iter().map(|part| probe.depends_on(part)).collect();
    probe.database.close();
    covered
}

/// The answer to a question: an assertion's is a value or no answer at all, an expected permission's is what of it does
/// not hold.
#[derive(PartialEq, Eq)]
enum Answer {
    Assertion(Option<Permissionship>),
    Expected(Result<(), Vec<String>>),
}

struct Probe<'a> {
    file: &'a ValidationFile,
    schema: Schema,
    /// Of relationships with the same ends the last, as in the database.
    relationships: Vec<&'a Relationship>,
    database: Database,
    /// With every part in place.
    answers: Vec<Answer>,
}

impl<'a> Probe<'a> {
    fn new(file: &'a ValidationFile) -> Result<Probe<'a>, String> {
        let schema = pemba_schema::compile(&file.schema).map_err(|rejected| rejected.to_string())?.schema;
        let database = run::load(file)?;
        let mut last = BTreeMap::new();
        for relationship in &file.relationships {
            let ends = (&relationship.resource, &relationship.relation, &relationship.subject);
            last.insert(ends, relationship);
        }
        let relationships = last.into_values().collect();
        let mut probe = Probe { file, schema, relationships, database, answers: Vec::new() };
        let view = run::view(&probe.database)?;
        probe.answers = probe.ask(&view).collect();
        Ok(probe)
    }

    fn ask<'p>(&'p self, view: &'p pemba_db::View) -> impl Iterator<Item = Answer> + 'p {
        let assertions = self.file.assertions.iter().map(|asked| {
            let answer =
                view.check(&asked.resource, &asked.permission, &asked.subject, asked.context.as_ref());
            Answer::Assertion(answer.ok().map(|answer| answer.permissionship))
        });
        let expected = self.file.expected.iter();
        assertions
            .chain(expected.map(|(target, lines)| Answer::Expected(run::check_expected(view, target, lines))))
    }

    /// Whether some answer is another now than with every part in place.
    fn differs(&self) -> Result<bool, String> {
        let view = run::view(&self.database)?;
        let differs = self.ask(&view).zip(&self.answers).any(|(now, before)| now != *before);
        Ok(differs)
    }

    /// Takes a part away, asks, and puts it back.
    fn depends_on(&self, part: &Part) -> Result<bool, String> {
        match &part.kind {
            PartKind::Operand(number) => {
                self.write_schema(without::operand(&self.schema, &part.owner, &part.member, *number))?;
                let differs = self.differs();
                self.write_schema(self.file.schema.clone())?;
                differs
            }
            PartKind::Subjects(kind) => {
                let of_kind = |found: &&Relationship| without::is_of(found, &part.owner, &part.member, kind);
                self.differs_without(&self.chosen(of_kind))
            }
            PartKind::CaveatAllows => {
                let caveated = self.chosen(|found| without::has_caveat(found, &part.owner));
                self.differs_without(&caveated)
            }
            PartKind::CaveatRefuses => {
                let caveated = self.chosen(|found| without::has_caveat(found, &part.owner));
                if caveated.is_empty() {
                    return Ok(false);
                }
                self.write_schema(without::optional_caveat(&self.schema, &part.owner))?;
                let plain: Vec<Relationship> =
                    caveated.iter().map(|found| Relationship { caveat: None, ..(*found).clone() }).collect();
                self.write(Operation::Touch, &plain.iter().collect::<Vec<_>>())?;
                let differs = self.differs();
                self.write(Operation::Touch, &caveated)?;
                self.write_schema(self.file.schema.clone())?;
                differs
            }
        }
    }

    fn chosen(&self, choose: impl Fn(&&Relationship) -> bool) -> Vec<&'a Relationship> {
        self.relationships.iter().copied().filter(|found| choose(found)).collect()
    }

    fn differs_without(&self, relationships: &[&Relationship]) -> Result<bool, String> {
        if relationships.is_empty() {
            return Ok(false);
        }
        self.write(Operation::Delete, relationships)?;
        let differs = self.differs();
        self.write(Operation::Touch, relationships)?;
        differs
    }

    fn write_schema(&self, text: String) -> Result<(), String> {
        let written = self.database.write_schema(text).wait();
        written.map(drop).map_err(|error| format!("coverage: a changed schema is refused: {error}"))
    }

    fn write(&self, operation: Operation, relationships: &[&Relationship]) -> Result<(), String> {
        for chunk in relationships.chunks(CHUNK) {
            let updates = chunk.iter().map(|found| Update { operation, relationship: (*found).clone() });
            let write = Write { updates: updates.collect(), preconditions: Vec::new(), metadata: None };
            let written = self.database.write(write).wait();
            written.map_err(|error| format!("coverage: changed relationships are refused: {error}"))?;
        }
        Ok(())
    }
}
