//! Giving what a name means another name, everywhere in the text.

use pemba_model::{InvalidName, SmolStr, Span, names};

use super::{Document, Target};
use crate::compile;

/// Why something cannot get another name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RenameError {
    /// There is no name at the place that means something declared.
    #[error("there is no name here that the schema declares")]
    Nothing,
    /// The new name is none.
    #[error(transparent)]
    Name(#[from] InvalidName),
    /// A parameter's new name is none.
    #[error("the parameter `{name}` must be letters, digits and `_`, not beginning with a digit, at most 64")]
    Parameter {
        /// The new name, cut to 64 characters.
        name: String,
    },
    /// An arrow means several at once.
    #[error("an arrow to `{name}` leads to {others} at once: renaming one of them would break it")]
    Shared {
        /// The old name.
        name: SmolStr,
        /// The types, each in backticks, joined by commas.
        others: String,
    },
    /// The text would no longer be accepted.
    #[error("with the name `{name}` the schema would be refused: {reason}")]
    Refused {
        /// The new name.
        name: String,
        /// The first error.
        reason: String,
    },
}

impl Document {
    /// What would be renamed at a place: the name there.
    pub fn renameable(&self, offset: usize) -> Result<Span, RenameError> {
        self.sole_target(offset).map(|(span, _)| span)
    }

    /// All places to write `name` over, in the order of the text, so that what is named at `offset` is called `name`.
    /// A schema that was accepted still is.
    pub fn rename(&self, offset: usize, name: &str) -> Result<Vec<Span>, RenameError> {
        let (_, target) = self.sole_target(offset)?;
        match target {
            Target::Type(_) | Target::Partial(_) => names::check_object_type(name)?,
            Target::Caveat(_) => names::check_caveat_name(name)?,
            Target::Member { .. } => names::check_relation(name)?,
            Target::Parameter { .. } => check_parameter(name)?,
        }
        let named = |found: &&super::Occurrence| found.targets.contains(target);
        let spans: Vec<Span> =
            self.index.occurrences().iter().filter(named).map(|found| found.span).collect();
        let was_accepted = !self.diagnostics().iter().any(pemba_model::Diagnostic::is_error);
        if was_accepted && let Err(rejected) = compile::compile(&self.with(&spans, name)) {
            let reason = rejected.first().map(|first| first.message.clone()).unwrap_or_default();
            return Err(RenameError::Refused { name: name.to_owned(), reason });
        }
        Ok(spans)
    }

    /// The text with `name` over each of these spans, which are in order and apart.
    fn with(&self, spans: &[Span], name: &str) -> String {
        let mut text = String::with_capacity(self.text().len());
        let mut from = 0;
        for span in spans {
            text.push_str(Span::new(from, span.start).text(self.text()));
            text.push_str(name);
            from = span.end;
        }
        text.push_str(Span::new(from, self.text().len()).text(self.text()));
        text
    }

    /// The one thing that the name at a place means, when no use of it means others too.
    fn sole_target(&self, offset: usize) -> Result<(Span, &Target), RenameError> {
        let asked = self.occurrence(offset).ok_or(RenameError::Nothing)?;
        let target = asked.targets.first().ok_or(RenameError::Nothing)?;
        let shared = self
            .index
            .occurrences()
            .iter()
            .find(|found| found.targets.len() > 1 && found.targets.contains(target));
        let Some(shared) = shared else { return Ok((asked.span, target)) };
        let owners = shared.targets.iter().filter_map(|target| match target {
            Target::Member { owner, .. } => Some(format!("`{owner}`")),
            _ => None,
        });
        let others = owners.collect::<Vec<_>>().join(", ");
        Err(RenameError::Shared { name: SmolStr::new(asked.span.text(self.text())), others })
    }
}

fn check_parameter(name: &str) -> Result<(), RenameError> {
    let is_word = name.chars().all(|c| c == '_' || c.is_ascii_alphanumeric());
    let begins = name.starts_with(|c: char| c == '_' || c.is_ascii_alphabetic());
    if is_word && begins && name.len() <= 64 {
        return Ok(());
    }
    Err(RenameError::Parameter { name: name.chars().take(64).collect() })
}
