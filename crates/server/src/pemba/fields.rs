//! What the fields of a command are called in the request it came from.

use pemba_agents::Refused;

/// Most fields are called alike; these are the exceptions of one call.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Fields {
    /// The message of the request in which the fields stand; empty for the request itself.
    pub(crate) under: &'static str,
    /// Fields that stand beside that message.
    pub(crate) beside: &'static [&'static str],
    /// Names of the command, and those of the request.
    pub(crate) renamed: &'static [(&'static str, &'static str)],
}

impl Fields {
    /// The refusal, about the field of the request.
    pub(crate) fn of_request(&self, mut refused: Refused) -> Refused {
        refused.field = self.name(&refused.field);
        refused
    }

    fn name(&self, field: &str) -> String {
        let (head, rest) =
            field.find(['.', '[']).and_then(|at| field.split_at_checked(at)).unwrap_or((field, ""));
        let renamed = self.renamed.iter().find(|(name, _)| *name == head).map_or(head, |(_, name)| *name);
        // Scopes are the same everywhere; of their fields one is called otherwise.
        let rest = match rest.strip_suffix(".caveat") {
            Some(clause) => format!("{clause}.optional_caveat"),
            None => rest.to_owned(),
        };
        if self.under.is_empty() || self.beside.contains(&head) {
            return format!("{renamed}{rest}");
        }
        format!("{}.{renamed}{rest}", self.under)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_called_as_in_the_request() {
        let fields =
            Fields { under: "spec", beside: &["reason"], renamed: &[("bindings", "external_names")] };
        assert_eq!(fields.name("bindings.issuer"), "spec.external_names.issuer");
        assert_eq!(fields.name("ceiling.clauses[2].caveat"), "spec.ceiling.clauses[2].optional_caveat");
        assert_eq!(fields.name("reason"), "reason");
        assert_eq!(Fields::default().name("principals[1]"), "principals[1]");
    }
}
