//! Scopes on the wire.

use pemba_agents::Refused;
use pemba_agents::scope::{Clause, Scope, Selector};
use pemba_model::CaveatRef;
use pemba_proto::authzed::api::v1 as authzed;
use pemba_proto::pemba::v1 as wire;
use pemba_proto::pemba::v1::scope_clause::Selector as WireSelector;

use super::{Read, context, missing, names_of, object, texts};
use crate::convert;
use crate::validate::Path;

/// A scope; what it names is checked against the schema when it is used.
pub(crate) fn scope(path: Path<'_>, scope: wire::Scope) -> Read<Scope> {
    let clauses = scope.clauses.into_iter().enumerate();
    let clauses = clauses.map(|(at, one)| clause(path.item("clauses", at), one));
    Ok(Scope { clauses: clauses.collect::<Result<_, Refused>>()? })
}

fn clause(path: Path<'_>, clause: wire::ScopeClause) -> Read<Clause> {
    let selector = match clause.selector {
        None => return Err(missing(path.field("selector"))),
        Some(WireSelector::Objects(objects)) => Selector::Objects(names_of(objects.ids)),
        Some(WireSelector::AllOfType(wire::AllOfType {})) => Selector::AllOfType,
        Some(WireSelector::Subtree(subtree)) => {
            let path = path.field("subtree");
            let top = object(path.field("top"), subtree.top.as_ref())?;
            Selector::Subtree { relation: subtree.relation.into(), top }
        }
    };
    let caveat = clause.optional_caveat.map(|caveat| {
        let path = path.field("optional_caveat");
        let context = context(path.field("context"), caveat.context.as_ref())?.unwrap_or_default();
        Ok::<_, Refused>(CaveatRef { name: caveat.caveat_name.into(), context })
    });
    Ok(Clause {
        resource_type: clause.resource_type.into(),
        permissions: names_of(clause.permissions),
        selector,
        caveat: caveat.transpose()?,
    })
}

/// The wire form of a scope.
pub(crate) fn scope_to_wire(scope: &Scope) -> wire::Scope {
    wire::Scope { clauses: scope.clauses.iter().map(clause_to_wire).collect() }
}

fn clause_to_wire(clause: &Clause) -> wire::ScopeClause {
    let selector = match &clause.selector {
        Selector::Objects(ids) => WireSelector::Objects(wire::ObjectIds { ids: texts(ids) }),
        Selector::Subtree { relation, top } => WireSelector::Subtree(wire::Subtree {
            relation: relation.to_string(),
            top: Some(convert::object_to_wire(top)),
        }),
        Selector::AllOfType => WireSelector::AllOfType(wire::AllOfType {}),
    };
    wire::ScopeClause {
        resource_type: clause.resource_type.to_string(),
        permissions: texts(&clause.permissions),
        optional_caveat: clause.caveat.as_ref().map(|caveat| authzed::ContextualizedCaveat {
            caveat_name: caveat.name.to_string(),
            context: Some(convert::context::to_wire(&caveat.context)),
        }),
        selector: Some(selector),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_come_back() {
        let clause = |selector| wire::ScopeClause {
            resource_type: "document".into(),
            permissions: vec!["edit".into(), "view".into()],
            selector: Some(selector),
            optional_caveat: None,
        };
        let top = authzed::ObjectReference { object_type: "folder".into(), object_id: "a".into() };
        let caveat =
            authzed::ContextualizedCaveat { caveat_name: "ip".into(), context: Some(Default::default()) };
        let scope_wire = wire::Scope {
            clauses: vec![
                clause(WireSelector::Objects(wire::ObjectIds { ids: vec!["a".into(), "b".into()] })),
                clause(WireSelector::Subtree(wire::Subtree { relation: "parent".into(), top: Some(top) })),
                wire::ScopeClause {
                    optional_caveat: Some(caveat),
                    ..clause(WireSelector::AllOfType(wire::AllOfType {}))
                },
            ],
        };
        assert_eq!(scope_to_wire(&scope(Path::Root, scope_wire.clone()).unwrap()), scope_wire);
        let mut without = scope_wire;
        without.clauses[1].selector = None;
        assert_eq!(scope(Path::Root, without).unwrap_err().field, "clauses[1].selector");
    }
}
