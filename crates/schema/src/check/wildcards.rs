//! Which relations admit a wildcard, themselves or by their usersets.

use std::collections::BTreeMap;

use pemba_model::SmolStr;

use super::{MemberNode, World};
use crate::syntax::ShapeNode;

/// A wildcard that a relation admits.
#[derive(Debug, Clone)]
pub(super) struct Admitted {
    /// The type whose every object is admitted.
    pub(super) subject_type: SmolStr,
    /// The relation that takes it, as `type#relation`.
    pub(super) via: SmolStr,
}

/// The relations that admit a wildcard, by type and name.
#[derive(Debug, Default)]
pub(super) struct Wildcards(BTreeMap<(SmolStr, SmolStr), Admitted>);

impl Wildcards {
    /// Follows usersets backwards from the relations that take a wildcard; takes time linear in the schema.
    pub(super) fn find(world: &World<'_>) -> Wildcards {
        let mut taken_by: BTreeMap<(SmolStr, SmolStr), Vec<(SmolStr, SmolStr)>> = BTreeMap::new();
        let mut open = Vec::new();
        for (definition, member) in world.members() {
            let MemberNode::Relation(relation) = member else { continue };
            let own = (definition.clone(), relation.name.text.clone());
            for allowed in &relation.allowed {
                let subject_type = allowed.subject_type.text.clone();
                match &allowed.shape {
                    ShapeNode::Direct => {}
                    ShapeNode::Wildcard => {
                        let via = SmolStr::new(format!("{}#{}", own.0, own.1));
                        open.push((own.clone(), Admitted { subject_type, via }));
                    }
                    ShapeNode::Userset(name) => {
                        taken_by.entry((subject_type, name.text.clone())).or_default().push(own.clone());
                    }
                }
            }
        }
        let mut found = BTreeMap::new();
        while let Some((relation, admitted)) = open.pop() {
            if found.contains_key(&relation) {
                continue;
            }
            for taker in taken_by.get(&relation).into_iter().flatten() {
                open.push((taker.clone(), admitted.clone()));
            }
            found.insert(relation, admitted);
        }
        Wildcards(found)
    }

    /// The wildcard that a relation admits.
    pub(super) fn within(&self, object_type: &SmolStr, relation: &SmolStr) -> Option<&Admitted> {
        self.0.get(&(object_type.clone(), relation.clone()))
    }
}
