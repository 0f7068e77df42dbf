//! Check, expand and both lookups.

use anyhow::Result;
use pemba_client::{Check, LookupResources, LookupSubjects, Permissionship};
use pemba_model::text::{parse_object, parse_subject};
use serde_json::json;

use super::{connect, consistency, context};
use crate::args::{CheckArgs, ExpandArgs, LookupResourcesArgs, LookupSubjectsArgs};
use crate::output::Output;
use crate::tree;

fn word(permissionship: &Permissionship) -> &'static str {
    match permissionship {
        Permissionship::Yes => "yes",
        Permissionship::No => "no",
        Permissionship::Conditional { .. } => "conditional",
    }
}

fn missing(permissionship: &Permissionship) -> &[String] {
    match permissionship {
        Permissionship::Conditional { missing } => missing,
        Permissionship::Yes | Permissionship::No => &[],
    }
}

/// What is missing, in brackets, for people.
fn condition(permissionship: &Permissionship) -> String {
    match permissionship {
        Permissionship::Conditional { missing } => format!(" (depends on {})", missing.join(", ")),
        Permissionship::Yes | Permissionship::No => String::new(),
    }
}

pub(super) async fn check(args: CheckArgs, output: &mut Output) -> Result<bool> {
    let subject = args.subject.unwrap_or_default();
    let question = Check::new(parse_object(&args.resource)?, args.permission, parse_subject(&subject)?)
        .at(consistency(&args.freshness))
        .context(context(args.context.as_deref())?);
    let answer = connect(&args.connection).await?.check(question).await?;
    let permissionship = &answer.permissionship;
    let value = json!({
        "permissionship": word(permissionship), "missing": missing(permissionship),
        "checked_at": answer.checked_at.as_str(), "valid_until": answer.valid_until.map(|at| at.to_string()),
    });
    output.either(&format!("{}{}", word(permissionship), condition(permissionship)), &value)?;
    Ok(answer.is_allowed())
}

pub(super) async fn expand(args: ExpandArgs, output: &mut Output) -> Result<bool> {
    let resource = parse_object(&args.resource)?;
    let client = connect(&args.connection).await?;
    let (found, token) = client.expand(&resource, &args.permission, &consistency(&args.freshness)).await?;
    if output.is_json() {
        output.json(&json!({"tree": tree::to_json(&found), "expanded_at": token.as_str()}))?;
        return Ok(true);
    }
    let mut lines = Vec::new();
    tree::lines(&found, 0, &mut lines);
    for line in lines {
        output.line(&line)?;
    }
    Ok(true)
}

pub(super) async fn lookup_resources(args: LookupResourcesArgs, output: &mut Output) -> Result<bool> {
    let lookup =
        LookupResources::new(args.resource_type.as_str(), args.permission, parse_subject(&args.subject)?)
            .at(consistency(&args.freshness))
            .context(context(args.context.as_deref())?);
    let mut found = connect(&args.connection).await?.lookup_resources(lookup);
    while let Some(resource) = found.next().await {
        let resource = resource?;
        let text =
            format!("{}:{}{}", args.resource_type, resource.object_id, condition(&resource.permissionship));
        let value = json!({
            "resource": format!("{}:{}", args.resource_type, resource.object_id),
            "permissionship": word(&resource.permissionship), "missing": missing(&resource.permissionship),
        });
        output.either(&text, &value)?;
    }
    Ok(true)
}

pub(super) async fn lookup_subjects(args: LookupSubjectsArgs, output: &mut Output) -> Result<bool> {
    let (subject_type, relation) = match args.subject_type.split_once('#') {
        None => (args.subject_type.as_str(), None),
        Some((subject_type, relation)) => (subject_type, Some(relation)),
    };
    let mut lookup = LookupSubjects::new(parse_object(&args.resource)?, args.permission, subject_type)
        .at(consistency(&args.freshness))
        .context(context(args.context.as_deref())?);
    if let Some(relation) = relation {
        lookup = lookup.subject_relation(relation);
    }
    let mut found = connect(&args.connection).await?.lookup_subjects(lookup);
    while let Some(subject) = found.next().await {
        let subject = subject?;
        let suffix = relation.map(|relation| format!("#{relation}")).unwrap_or_default();
        let excluded: Vec<_> =
            subject.excluded.iter().map(|one| format!("{subject_type}:{}", one.object_id)).collect();
        let but =
            if excluded.is_empty() { String::new() } else { format!(" but not {}", excluded.join(", ")) };
        let name = format!("{subject_type}:{}{suffix}", subject.object_id);
        let value = json!({
            "subject": name, "permissionship": word(&subject.permissionship),
            "missing": missing(&subject.permissionship), "excluded": excluded,
        });
        output.either(&format!("{name}{but}{}", condition(&subject.permissionship)), &value)?;
    }
    Ok(true)
}
