//! Writing, deleting and reading relationships.

use anyhow::{Context as _, Result};
use pemba_client::{Delete, Read, Write};
use pemba_model::text::{parse_relationship, parse_subject};
use pemba_model::{RelationFilter, Relationship, RelationshipFilter, SubjectFilter};
use serde_json::json;

use super::{connect, consistency};
use crate::args::{FilterArgs, RelationshipCommand};
use crate::output::Output;

/// Relationships a page when reading.
const PAGE: u32 = 1000;

pub(super) async fn run(command: RelationshipCommand, output: &mut Output) -> Result<bool> {
    match command {
        RelationshipCommand::Write { relationships, create, connection } => {
            let mut write = Write::new();
            for relationship in parse_all(&relationships)? {
                write = if create { write.create(relationship) } else { write.touch(relationship) };
            }
            let token = connect(&connection).await?.write(write).await?;
            output.either(&format!("written at {token}"), &json!({"written_at": token.as_str()}))?;
        }
        RelationshipCommand::Delete { relationships, filter, connection } if relationships.is_empty() => {
            let deleted = connect(&connection).await?.delete(Delete::new(filter_of(&filter)?)).await?;
            let value = json!({"deleted_at": deleted.deleted_at.as_str(), "count": deleted.count});
            output.either(&format!("{} deleted at {}", deleted.count, deleted.deleted_at), &value)?;
        }
        RelationshipCommand::Delete { relationships, connection, .. } => {
            let write = parse_all(&relationships)?.into_iter().fold(Write::new(), Write::delete);
            let token = connect(&connection).await?.write(write).await?;
            output.either(&format!("deleted at {token}"), &json!({"deleted_at": token.as_str()}))?;
        }
        RelationshipCommand::Read { filter, freshness, connection } => {
            let read = Read::new(filter_of(&filter)?).at(consistency(&freshness)).page_size(PAGE);
            let mut found = connect(&connection).await?.read(read);
            while let Some(relationship) = found.next().await {
                let text = relationship?.to_string();
                output.either(&text, &json!({"relationship": text}))?;
            }
        }
    }
    Ok(true)
}

fn parse_all(texts: &[String]) -> Result<Vec<Relationship>> {
    texts.iter().map(|text| Ok(parse_relationship(text)?)).collect()
}

fn filter_of(args: &FilterArgs) -> Result<RelationshipFilter> {
    Ok(RelationshipFilter {
        resource_type: args.resource_type.as_deref().map(Into::into),
        resource_id: args.id.as_deref().map(Into::into),
        resource_id_prefix: args.id_prefix.as_deref().map(Into::into),
        relation: args.relation.as_deref().map(Into::into),
        subject: args.subject.as_deref().map(subject_filter).transpose()?,
    })
}

fn subject_filter(text: &str) -> Result<SubjectFilter> {
    if !text.contains(':') {
        return Ok(SubjectFilter {
            subject_type: text.into(),
            subject_id: None,
            relation: RelationFilter::Any,
        });
    }
    let subject = parse_subject(text).context("`--subject` is `type`, `type:id` or `type:id#relation`")?;
    let relation = match subject.relation {
        Some(relation) => RelationFilter::Is(relation),
        None => RelationFilter::NoRelation,
    };
    Ok(SubjectFilter {
        subject_type: subject.object.object_type,
        subject_id: Some(subject.object.object_id),
        relation,
    })
}
