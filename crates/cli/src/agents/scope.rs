//! Scopes as text, a clause each: `TYPE:PERMISSION[,PERMISSION...]@OBJECTS[\[CAVEAT[:{JSON}]\]]`.
//!
//! OBJECTS are ids (`t1,t2`), all from which a relation leads to one object (`subtree(parent=folder:x)`), or all of the
//! type (`*`).

use anyhow::{Context as _, Result, bail};
use pemba_client::wire;
use pemba_model::Context;
use pemba_model::text::parse_object;
use pemba_proto::authzed::api::v1::ContextualizedCaveat;
use pemba_proto::pemba::v1::scope_clause::Selector;
use pemba_proto::pemba::v1::{AllOfType, ObjectIds, Scope, ScopeClause, Subtree};

use super::nouns::object_text;

const SUBTREE: &str = "subtree(";

/// Reads one clause.
pub(crate) fn clause(text: &str) -> Result<ScopeClause, String> {
    read(text).map_err(|error| format!("{error:#}; such as `ticket:view,reply@t1,t2`"))
}

fn read(text: &str) -> Result<ScopeClause> {
    let (body, caveat) = match text.split_once('[') {
        Some((body, caveat)) => (body, Some(read_caveat(caveat)?)),
        None => (text, None),
    };
    let (what, objects) = body.split_once('@').context("expected `@` before the objects")?;
    let (of, permissions) = what.split_once(':').context("expected `:` between type and permissions")?;
    let permissions: Vec<String> = permissions.split(',').map(str::to_owned).collect();
    if of.is_empty() || permissions.iter().any(String::is_empty) {
        bail!("expected a type and at least one permission");
    }
    Ok(ScopeClause {
        resource_type: of.to_owned(),
        permissions,
        selector: Some(read_objects(objects)?),
        optional_caveat: caveat,
    })
}

fn read_objects(text: &str) -> Result<Selector> {
    if text == "*" {
        return Ok(Selector::AllOfType(AllOfType {}));
    }
    if let Some(inner) = text.strip_prefix(SUBTREE) {
        let wrong = "a subtree is `subtree(RELATION=TYPE:ID)`";
        let (relation, top) =
            inner.strip_suffix(')').and_then(|inner| inner.split_once('=')).context(wrong)?;
        let top = parse_object(top).context(wrong)?;
        let (relation, top) = (relation.to_owned(), Some(wire::object_to_wire(&top)));
        return Ok(Selector::Subtree(Subtree { relation, top }));
    }
    let ids: Vec<String> = text.split(',').map(str::to_owned).collect();
    for id in &ids {
        // Only for its check of the id.
        parse_object(&format!("object:{id}"))
            .with_context(|| format!("`{id}` is not the id of an object"))?;
    }
    Ok(Selector::Objects(ObjectIds { ids }))
}

fn read_caveat(text: &str) -> Result<ContextualizedCaveat> {
    let inner = text.strip_suffix(']').context("expected `]` after the caveat")?;
    let (name, values) = match inner.split_once(':') {
        Some((name, json)) => {
            let values: Context =
                serde_json::from_str(json).context("the caveat's values are no JSON object")?;
            (name, values)
        }
        None => (inner, Context::new()),
    };
    Ok(ContextualizedCaveat { caveat_name: name.to_owned(), context: wire::context_to_wire(&values)? })
}

/// A scope of clauses; none for no clause.
pub(crate) fn scope(clauses: Vec<ScopeClause>) -> Option<Scope> {
    if clauses.is_empty() { None } else { Some(Scope { clauses }) }
}

/// One clause as it is read.
pub(crate) fn clause_text(clause: &ScopeClause) -> String {
    let objects = match &clause.selector {
        None => String::new(),
        Some(Selector::AllOfType(_)) => "*".to_owned(),
        Some(Selector::Objects(objects)) => objects.ids.join(","),
        Some(Selector::Subtree(subtree)) => {
            format!("{SUBTREE}{}={})", subtree.relation, object_text(subtree.top.as_ref()))
        }
    };
    let caveat = clause.optional_caveat.as_ref().map(caveat_text).unwrap_or_default();
    format!("{}:{}@{objects}{caveat}", clause.resource_type, clause.permissions.join(","))
}

fn caveat_text(caveat: &ContextualizedCaveat) -> String {
    match wire::context_from_wire(caveat.context.clone()) {
        Ok(values) if values.is_empty() => format!("[{}]", caveat.caveat_name),
        Ok(values) => format!("[{}:{}]", caveat.caveat_name, serde_json::Value::Object(values)),
        Err(error) => format!("[{}: {error}]", caveat.caveat_name),
    }
}

/// All clauses of a scope, as they are read.
pub(crate) fn scope_texts(scope: Option<&Scope>) -> Vec<String> {
    scope.map(|scope| scope.clauses.iter().map(clause_text).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clauses_are_printed_as_they_are_read() {
        for text in [
            "ticket:view,reply@t1,t2",
            "ticket:view@*",
            "acme/ticket:view@subtree(parent=acme/folder:x=y)",
            "ticket:view@t1[office_hours]",
            r#"ticket:view@*[on_network:{"cidr":"10.0.0.0/8","n":[1,2]}]"#,
        ] {
            assert_eq!(clause_text(&clause(text).unwrap()), text);
        }
    }

    #[test]
    fn what_is_wrong_with_a_clause_is_said() {
        for (text, part) in [
            ("ticket:view", "`@`"),
            ("ticket@t1", "`:`"),
            ("ticket:@t1", "permission"),
            (":view@t1", "type"),
            ("ticket:view@", "id of an object"),
            ("ticket:view@t1, t2", "` t2`"),
            ("ticket:view@subtree(parent)", "subtree(RELATION=TYPE:ID)"),
            ("ticket:view@subtree(parent=folder:x", "subtree(RELATION=TYPE:ID)"),
            ("ticket:view@*[on_network", "`]`"),
            ("ticket:view@*[on_network:{]", "JSON"),
        ] {
            let error = clause(text).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
