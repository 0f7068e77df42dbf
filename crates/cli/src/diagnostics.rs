//! Diagnostics as a person reads them: the line, the place, the help.

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use pemba_model::{Diagnostic, Severity};

/// Renders diagnostics about `source`, which was read from `name`; no colours.
pub fn render(name: &str, source: &str, diagnostics: &[Diagnostic]) -> String {
    let texts: Vec<String> =
        diagnostics.iter().map(|diagnostic| render_one(name, source, diagnostic)).collect();
    texts.join("\n\n")
}

fn render_one(name: &str, source: &str, diagnostic: &Diagnostic) -> String {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let start = diagnostic.span.start.min(source.len());
    let end = diagnostic.span.end.clamp(start, source.len());
    let snippet = Snippet::source(source).path(name).annotation(AnnotationKind::Primary.span(start..end));
    let mut group = level.primary_title(&diagnostic.message).id(diagnostic.code).element(snippet);
    if let Some(help) = &diagnostic.help {
        group = group.element(Level::HELP.message(help));
    }
    Renderer::plain().render(&[group])
}

#[cfg(test)]
mod tests {
    use super::*;
    use pemba_model::Span;

    #[test]
    fn the_place_and_the_help_are_shown() {
        let diagnostic = Diagnostic::error("unknown-type", Span::new(11, 15), "no type `usre`")
            .with_help("did you mean `user`?");
        let text = render("a.zed", "relation x: usre", &[diagnostic]);
        for part in ["unknown-type", "no type `usre`", "a.zed:1:12", "did you mean"] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }
}
