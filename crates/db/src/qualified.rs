//! Where a snapshot has relationships with a caveat or an expiry.

use pemba_engine::{Graph as _, Snapshot};
use pemba_model::RelationshipFilter;

/// One filter for each relation that has such a relationship; it matches the relation's plain ones too.
pub(crate) fn qualified_relations(snapshot: &Snapshot) -> impl Iterator<Item = RelationshipFilter> {
    let catalog = snapshot.catalog();
    let mut seen = None;
    catalog.kinds().filter(|(id, _)| snapshot.has_qualified(*id)).filter_map(move |(_, kind)| {
        let resource_type = catalog.type_name(kind.resource_type)?;
        // The kinds of one relation are scanned together.
        let relation = Some((kind.resource_type, kind.relation.clone()));
        if seen == relation {
            return None;
        }
        seen = relation;
        Some(RelationshipFilter {
            resource_type: Some(resource_type.clone()),
            relation: Some(kind.relation.clone()),
            ..RelationshipFilter::default()
        })
    })
}
