//! `pemba schema diff`: what changes from one schema to another, which of it a server may refuse, and who may gain or
//! lose access.

mod change;

use std::path::Path;

use anyhow::{Result, bail};
use pemba_schema::impact::{Cause, Effect, Impact, impact};
use pemba_schema::reflection::diff;
use pemba_schema::{Schema, SubjectShape};
use serde_json::{Value, json};

use crate::diagnostics::render;
use crate::output::Output;
use crate::schema_files::{STANDARD, read_schema};
use crate::tool_args::{DiffArgs, FailOn};
use change::{Change, Refusal};

/// Compares two schemas. Returns whether there is no change of a kind that shall fail.
pub fn run(args: &DiffArgs, output: &mut Output) -> Result<bool> {
    let (old, new) = match args.files.as_slice() {
        [new] => (stored(args)?, read(new)?),
        [old, new] if old == Path::new(STANDARD) && new == old => {
            bail!("standard input can be one of the two schemas only")
        }
        [old, new] => (read(old)?, read(new)?),
        _ => bail!("expected one or two schema files"),
    };
    let comparison = Comparison::new(&old, &new)?;
    if output.is_json() {
        output.json(&comparison.json())?;
    } else {
        for line in comparison.lines() {
            output.line(&line)?;
        }
    }
    Ok(!args.fail_on.iter().any(|kind| comparison.has(*kind)))
}

fn read(path: &Path) -> Result<Schema> {
    compiled(&path.display().to_string(), &read_schema(path)?)
}

fn stored(args: &DiffArgs) -> Result<Schema> {
    compiled(&args.connection.endpoint, &crate::remote::schema::stored(&args.connection)?)
}

fn compiled(name: &str, text: &str) -> Result<Schema> {
    match pemba_schema::compile(text) {
        Ok(compiled) => Ok(compiled.schema),
        Err(rejected) => bail!("the schema is refused\n{}", render(name, text, &rejected.diagnostics)),
    }
}

struct Comparison {
    changes: Vec<Change>,
    impacts: Vec<Impact>,
}

impl Comparison {
    fn new(old: &Schema, new: &Schema) -> Result<Comparison> {
        let changes = diff(old, new)?.iter().map(|found| Change::new(found, old, new)).collect();
        Ok(Comparison { changes, impacts: impact(old, new) })
    }

    fn with_effect(&self, effect: Effect) -> impl Iterator<Item = &Impact> {
        self.impacts.iter().filter(move |impact| impact.effect == effect)
    }

    fn has(&self, kind: FailOn) -> bool {
        match kind {
            FailOn::Any => !self.changes.is_empty(),
            FailOn::Refusal => self.changes.iter().any(|change| change.refusal.is_some()),
            FailOn::Widening => self.with_effect(Effect::Widens).next().is_some(),
        }
    }

    fn lines(&self) -> Vec<String> {
        if self.changes.is_empty() {
            return vec!["no changes".to_owned()];
        }
        let mut lines = Vec::new();
        for change in &self.changes {
            lines.push(format!("{} {}", change.sign, change.what));
            lines.extend(change.refusal.as_ref().map(|refusal| format!("    refused {refusal}")));
        }
        for (effect, title) in
            [(Effect::Widens, "may give access:"), (Effect::Narrows, "may take access away:")]
        {
            let mut impacts = self.with_effect(effect).peekable();
            if impacts.peek().is_some() {
                lines.push(title.to_owned());
            }
            lines.extend(impacts.map(|impact| {
                let (definition, name) = &impact.permission;
                format!("    {definition}#{name}: {}", because(&impact.cause))
            }));
        }
        let refusable = self.changes.iter().filter(|change| change.refusal.is_some()).count();
        lines.push(format!(
            "{} changes, {refusable} may be refused, {} permissions may give access, {} may take it away",
            self.changes.len(),
            self.with_effect(Effect::Widens).count(),
            self.with_effect(Effect::Narrows).count()
        ));
        lines
    }

    fn json(&self) -> Value {
        let changes = self.changes.iter().map(|change| {
            let refused = change.refusal.as_ref();
            json!({
                "kind": change.kind, "definition": change.definition, "member": change.member,
                "caveat": change.caveat, "text": change.what, "refused": refused.map(Refusal::word),
                "refused_text": refused.map(ToString::to_string),
            })
        });
        let changes: Vec<Value> = changes.collect();
        let impacts = |effect| -> Vec<Value> {
            let impacts = self.with_effect(effect).map(|impact| {
                let (definition, name) = &impact.permission;
                json!({"definition": definition, "permission": name, "because": because(&impact.cause)})
            });
            impacts.collect()
        };
        json!({"changes": changes, "widens": impacts(Effect::Widens), "narrows": impacts(Effect::Narrows)})
    }
}

fn because(cause: &Cause) -> String {
    match cause {
        Cause::Itself => "it is computed in another way".to_owned(),
        Cause::Existence => "it comes or goes".to_owned(),
        Cause::Caveat(name) => format!("the caveat `{name}` is another"),
        Cause::Through((definition, name)) => format!("through {definition}#{name}"),
        Cause::Takes(allowed) => {
            let everyone =
                if allowed.shape == SubjectShape::Wildcard { ", which is everyone of the type" } else { "" };
            format!("it takes `{}`{everyone}", change::allowed_text(allowed))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "
caveat odd(number int) { number % 2 == 1 }
definition user {}
definition group {
    relation member: user
    permission all_members = member
}
definition folder {
    relation viewer: user | group#member | user with odd
    permission look = viewer
    permission spare = viewer
}
definition doc {
    relation parent: folder
    relation owner: user
    permission view = owner + parent->look
}";

    fn compare(new: &str) -> Comparison {
        let schema = |text: &str| pemba_schema::compile(text).unwrap().schema;
        Comparison::new(&schema(OLD), &schema(new)).unwrap()
    }

    #[test]
    fn every_change_is_told_with_what_a_server_does_about_it() {
        let new = OLD
            .replace("caveat odd(number int) { number % 2 == 1 }", "caveat odd(number uint) { number > 1 }")
            .replace("user | group#member | user with odd", "user | user:* | user with odd")
            .replace("    permission spare = viewer\n", "")
            .replace("view = owner + parent->look", "view = owner")
            .replace(
                "    relation owner: user",
                "    // whose it is\n    relation owner: user\n    relation more: user",
            );
        let text = compare(&new).lines().join("\n");
        for part in [
            "- folder#viewer takes `group#member`\n    refused while relationships are of this kind",
            "+ folder#viewer takes `user:*`",
            "- permission folder#spare\n",
            "~ permission doc#view: `owner + parent->look` becomes `owner`",
            "~ comment of relation doc#owner",
            "+ relation doc#more",
            "~ parameter `number` of caveat odd: `int` becomes `uint`\n    refused whatever the data",
            "~ condition of caveat odd",
            "may give access:\n    folder#look: through folder#viewer",
            "may take access away:\n    doc#view: it is computed in another way",
            "may be refused",
        ] {
            assert!(text.contains(part), "{part}\nin\n{text}");
        }
    }

    #[test]
    fn kinds_of_change_can_fail() {
        let none = compare(OLD);
        assert_eq!(none.lines(), ["no changes"]);
        assert!(!none.has(FailOn::Any));
        let narrower = compare(&OLD.replace("view = owner + parent->look", "view = owner"));
        assert!(
            narrower.has(FailOn::Any) && !narrower.has(FailOn::Refusal) && !narrower.has(FailOn::Widening)
        );
        let wider = compare(&OLD.replace("look = viewer", "look = viewer + spare"));
        assert!(wider.has(FailOn::Widening) && !wider.has(FailOn::Refusal), "{:?}", wider.lines());
    }

    #[test]
    fn removals_that_subjects_may_name_are_refused_while_they_do() {
        let used = OLD.replace("group#member", "group#all_members");
        let schema = |text: &str| pemba_schema::compile(text).unwrap().schema;
        let gone =
            used.replace("    permission all_members = member\n", "").replace("group#all_members | ", "");
        let comparison = Comparison::new(&schema(&used), &schema(&gone)).unwrap();
        let change = comparison.changes.iter().find(|change| change.kind == "permission_removed").unwrap();
        assert_eq!(change.refusal.as_ref().map(Refusal::word), Some("while_used"));
        let json = comparison.json();
        let changes = json["changes"].as_array().unwrap();
        let removed = changes.iter().find(|change| change["kind"] == "permission_removed").unwrap();
        assert_eq!(removed["definition"], "group");
    }
}
