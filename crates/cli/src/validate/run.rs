//! Runs one validation file and says what did not hold.

use std::collections::{BTreeMap, BTreeSet};

use pemba_db::{Consistency, Database, Options, Storage, View, Write};
use pemba_engine::{ExpandNode, ExpandTree, Permissionship};
use pemba_model::{ObjectRef, Operation, SmolStr, SubjectRef, Update, WILDCARD_ID, text};

use super::file::{Assertion, ValidationFile, Wanted};

/// Deepest chain of usersets that expected relations follow, in levels.
const EXPAND_DEPTH_MAX: usize = 100;

/// What came of one file.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// Assertions and expected permissions that held.
    pub passed: usize,
    /// What did not hold, one text each, with the reason.
    pub failures: Vec<String>,
}

/// Runs a file on a fresh in-memory database. A schema or relationship that is refused is one failure.
pub fn run(file: &ValidationFile) -> Outcome {
    let mut outcome = Outcome::default();
    let view = match load(file).and_then(|database| view(&database)) {
        Ok(view) => view,
        Err(reason) => {
            outcome.failures.push(reason);
            return outcome;
        }
    };
    for assertion in &file.assertions {
        match check_assertion(&view, assertion) {
            Ok(()) => outcome.passed += 1,
            Err(reason) => outcome.failures.push(reason),
        }
    }
    for (target, lines) in &file.expected {
        match check_expected(&view, target, lines) {
            Ok(()) => outcome.passed += 1,
            Err(reasons) => outcome.failures.extend(reasons),
        }
    }
    outcome
}

/// A fresh in-memory database with the file's schema and relationships; why they are refused otherwise.
pub(super) fn load(file: &ValidationFile) -> Result<Database, String> {
    let database = Database::open(Storage::Memory, Options::default())
        .map_err(|error| format!("cannot start: {error}"))?;
    pemba_schema::compile(&file.schema).map_err(|rejected| {
        let name = file.schema_path.as_deref().unwrap_or(&file.path).display().to_string();
        crate::diagnostics::render(&name, &file.schema, &rejected.diagnostics)
    })?;
    database.write_schema(file.schema.clone()).wait().map_err(|error| format!("schema refused: {error}"))?;
    for chunk in file.relationships.chunks(1000) {
        let updates = chunk
            .iter()
            .map(|relationship| Update { operation: Operation::Touch, relationship: relationship.clone() })
            .collect();
        let write = Write { updates, preconditions: Vec::new(), metadata: None };
        database.write(write).wait().map_err(|error| format!("relationships refused: {error}"))?;
    }
    Ok(database)
}

/// What the database holds now.
pub(super) fn view(database: &Database) -> Result<View, String> {
    database.view(&Consistency::FullyConsistent).map_err(|error| format!("cannot read: {error}"))
}

fn check_assertion(view: &View, assertion: &Assertion) -> Result<(), String> {
    let Assertion { wanted, text, resource, permission, subject, context } = assertion;
    let answer = view
        .check(resource, permission, subject, context.as_ref())
        .map_err(|error| format!("assertion `{text}` has no answer: {error}"))?;
    let found = match answer.permissionship {
        Permissionship::Yes => Wanted::True,
        Permissionship::Conditional => Wanted::Caveated,
        Permissionship::No => Wanted::False,
    };
    if found == *wanted {
        return Ok(());
    }
    let word = |wanted| match wanted {
        Wanted::True => "granted",
        Wanted::Caveated => "conditional",
        Wanted::False => "denied",
    };
    let mut reason = format!("assertion `{text}`: expected {}, found {}", word(*wanted), word(found));
    if !answer.missing.is_empty() {
        reason.push_str(&format!(" (missing context: {})", answer.missing.join(", ")));
    }
    Err(reason)
}

/// Compares everybody who has a permission with the lines that say so.
pub(super) fn check_expected(view: &View, target: &str, lines: &[String]) -> Result<(), Vec<String>> {
    let (resource, permission) =
        text::parse_object_relation(target).map_err(|error| vec![error.to_string()])?;
    let found =
        found_subjects(view, &resource, &permission).map_err(|error| vec![format!("`{target}`: {error}")])?;
    let mut reasons = Vec::new();
    let mut named = BTreeSet::new();
    for line in lines {
        let Some((subject, through)) = split_line(line) else {
            reasons.push(format!(
                "`{target}`: cannot read `{line}`: expected `[subject] is <type:id#relation>/...`"
            ));
            continue;
        };
        named.insert(subject.clone());
        match found.get(&subject) {
            None => reasons.push(format!("`{target}`: `[{subject}]` is expected and was not found")),
            Some(relations) if !through.is_empty() && through != *relations => reasons.push(format!(
                "`{target}`: `[{subject}]` is expected through {}, found through {}",
                list(&through),
                list(relations)
            )),
            Some(_) => {}
        }
    }
    for (subject, relations) in &found {
        if !named.contains(subject) {
            reasons.push(format!(
                "`{target}`: `[{subject}] is {}` was found and is not expected",
                list(relations)
            ));
        }
    }
    if reasons.is_empty() { Ok(()) } else { Err(reasons) }
}

fn list(relations: &BTreeSet<String>) -> String {
    relations.iter().map(|relation| format!("<{relation}>")).collect::<Vec<_>>().join("/")
}

/// Takes `[subject] is <a#b>/<c#d>` apart; the subject is normalised, its exclusions sorted.
fn split_line(line: &str) -> Option<(String, BTreeSet<String>)> {
    let (subject, through) = match line.split_once("] is ") {
        Some((subject, through)) => (subject, through),
        None => (line.strip_suffix(']')?, ""),
    };
    let subject = subject.strip_prefix('[')?.trim();
    let relations = through.split('/').collect::<Vec<_>>().join("/");
    let relations = relations.split(">/<").map(|part| part.trim_matches(['<', '>', ' ']).to_owned());
    let relations = relations.filter(|relation| !relation.is_empty()).collect();
    let subject = match subject.split_once(" - ") {
        None => subject.to_owned(),
        Some((wildcard, excluded)) => {
            let excluded = excluded.trim().trim_start_matches('{').trim_end_matches('}');
            let excluded: BTreeSet<_> = excluded.split(',').map(str::trim).collect();
            format!("{wildcard} - {{{}}}", excluded.into_iter().collect::<Vec<_>>().join(","))
        }
    };
    Some((subject, relations))
}

/// Every subject that has the permission, written as a line writes it, with the relations it comes through.
fn found_subjects(
    view: &View,
    resource: &ObjectRef,
    permission: &SmolStr,
) -> Result<BTreeMap<String, BTreeSet<String>>, String> {
    let mut through: BTreeMap<SubjectRef, BTreeSet<String>> = BTreeMap::new();
    let mut visited = BTreeSet::new();
    follow(view, resource, permission, &mut visited, &mut through, 0)?;
    let mut found = BTreeMap::new();
    for (subject, relations) in &through {
        if subject.object.object_id == WILDCARD_ID {
            if let Some(line) = wildcard_line(view, resource, permission, &subject.object.object_type)? {
                found.insert(line, relations.clone());
            }
            continue;
        }
        let answer = view.check(resource, permission, subject, None).map_err(|error| error.to_string())?;
        match answer.permissionship {
            Permissionship::No => {}
            Permissionship::Conditional => drop(found.insert(format!("{subject}[...]"), relations.clone())),
            Permissionship::Yes => drop(found.insert(subject.to_string(), relations.clone())),
        }
    }
    Ok(found)
}

/// The line of a wildcard grant with its exclusions; none when the wildcard does not reach the permission.
fn wildcard_line(
    view: &View,
    resource: &ObjectRef,
    permission: &str,
    subject_type: &SmolStr,
) -> Result<Option<String>, String> {
    let set = view
        .lookup_subjects(resource, permission, subject_type, None, None)
        .map_err(|error| error.to_string())?;
    let suffix = match set.wildcard.0 {
        Permissionship::No => return Ok(None),
        Permissionship::Conditional => "[...]",
        Permissionship::Yes => "",
    };
    let mut excluded = BTreeSet::new();
    for subject in &set.excluded {
        let Some(id) = set.subject_type.and_then(|of| view.object_id(of, subject.ordinal)) else { continue };
        let condition = if subject.permissionship == Permissionship::Conditional { "[...]" } else { "" };
        excluded.insert(format!("{subject_type}:{id}{condition}"));
    }
    let wildcard = format!("{subject_type}:{WILDCARD_ID}{suffix}");
    if excluded.is_empty() {
        return Ok(Some(wildcard));
    }
    Ok(Some(format!("{wildcard} - {{{}}}", excluded.into_iter().collect::<Vec<_>>().join(","))))
}

/// Walks the expanded permission and the usersets in its leaves, and notes who is named by which relation.
fn follow(
    view: &View,
    object: &ObjectRef,
    relation: &SmolStr,
    visited: &mut BTreeSet<(ObjectRef, SmolStr)>,
    through: &mut BTreeMap<SubjectRef, BTreeSet<String>>,
    depth: usize,
) -> Result<(), String> {
    if depth > EXPAND_DEPTH_MAX {
        return Err(format!("usersets nest deeper than {EXPAND_DEPTH_MAX} levels at `{object}#{relation}`"));
    }
    if !visited.insert((object.clone(), relation.clone())) {
        return Ok(());
    }
    let tree = view.expand(object, relation).map_err(|error| error.to_string())?;
    collect(view, &tree, visited, through, depth)
}

fn collect(
    view: &View,
    tree: &ExpandTree,
    visited: &mut BTreeSet<(ObjectRef, SmolStr)>,
    through: &mut BTreeMap<SubjectRef, BTreeSet<String>>,
    depth: usize,
) -> Result<(), String> {
    match &tree.node {
        ExpandNode::Leaf(subjects) => {
            let is_relation = view
                .snapshot()
                .schema()
                .definition(&tree.object.object_type)
                .is_some_and(|definition| definition.relations.contains_key(&tree.relation));
            for subject in subjects {
                if is_relation {
                    let name = format!("{}#{}", tree.object, tree.relation);
                    through.entry(subject.clone()).or_default().insert(name);
                }
                if let Some(relation) = &subject.relation {
                    follow(view, &subject.object, relation, visited, through, depth + 1)?;
                }
            }
            Ok(())
        }
        ExpandNode::Union(children) | ExpandNode::Intersection(children) => {
            children.iter().try_for_each(|child| collect(view, child, visited, through, depth))
        }
        // What is taken away is nobody's way in.
        ExpandNode::Exclusion(children) => {
            children.first().map_or(Ok(()), |child| collect(view, child, visited, through, depth))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_taken_apart() {
        let (subject, through) = split_line("[user:tom] is <doc:a/b#viewer>/<doc:a#writer>").unwrap();
        assert_eq!(subject, "user:tom");
        assert_eq!(through.into_iter().collect::<Vec<_>>(), ["doc:a#writer", "doc:a/b#viewer"]);
        let (subject, _) = split_line("[user:* - {user:b,user:a}] is <doc:a#viewer>").unwrap();
        assert_eq!(subject, "user:* - {user:a,user:b}");
        assert_eq!(split_line("[user:tom[...]]").unwrap().0, "user:tom[...]");
        assert!(split_line("user:tom").is_none());
    }
}
