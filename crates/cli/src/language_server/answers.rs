//! The answers about one file, as the protocol writes them.

use std::collections::HashMap;

use lsp_types::{
    CompletionItem, CompletionItemKind, CompletionList, CompletionParams, CompletionResponse,
    CompletionTextEdit, Diagnostic, DiagnosticRelatedInformation, DiagnosticSeverity,
    DocumentFormattingParams, DocumentSymbol, DocumentSymbolParams, DocumentSymbolResponse, Documentation,
    GotoDefinitionParams, GotoDefinitionResponse, Hover, HoverContents, HoverParams, Location, MarkupContent,
    MarkupKind, NumberOrString, PrepareRenameResponse, ReferenceParams, RenameParams, SymbolKind,
    TextDocumentPositionParams, TextEdit, Uri, WorkspaceEdit,
};
use pemba_model::Severity;
use pemba_schema::editor::{CompletionKind, Symbol, SymbolKind as Declared};

use super::session::Failure;
use super::source::Source;

/// What is wrong or probably not meant. The help is told as the finding's second line and as what it is related to.
pub(super) fn diagnostics(uri: &Uri, source: &Source) -> Vec<Diagnostic> {
    let found = source.document().map_or(&[][..], |document| document.diagnostics()).iter();
    found
        .map(|finding| {
            let range = source.range(finding.span);
            let location = Location { uri: uri.clone(), range };
            let related =
                finding.help.clone().map(|message| DiagnosticRelatedInformation { location, message });
            Diagnostic {
                range,
                severity: Some(match finding.severity {
                    Severity::Error => DiagnosticSeverity::ERROR,
                    Severity::Warning => DiagnosticSeverity::WARNING,
                }),
                code: Some(NumberOrString::String(finding.code.to_owned())),
                source: Some("pemba".to_owned()),
                message: match &finding.help {
                    Some(help) => format!("{}\n{help}", finding.message),
                    None => finding.message.clone(),
                },
                related_information: related.map(|related| vec![related]),
                ..Diagnostic::default()
            }
        })
        .collect()
}

fn markdown(value: String) -> MarkupContent {
    MarkupContent { kind: MarkupKind::Markdown, value }
}

pub(super) fn hover(source: &Source, params: &HoverParams) -> Result<Option<Hover>, Failure> {
    let position = params.text_document_position_params.position;
    let hover = source.at(position).and_then(|(document, offset)| document.hover(offset));
    Ok(hover.map(|hover| Hover {
        contents: HoverContents::Markup(markdown(hover.markdown)),
        range: Some(source.range(hover.span)),
    }))
}

pub(super) fn completion(
    source: &Source,
    params: &CompletionParams,
) -> Result<Option<CompletionResponse>, Failure> {
    let Some((document, offset)) = source.at(params.text_document_position.position) else { return Ok(None) };
    let found = document.completions(offset);
    let range = source.range(found.replaces);
    let items = found.items.into_iter().map(|item| CompletionItem {
        kind: Some(match item.kind {
            CompletionKind::Keyword => CompletionItemKind::KEYWORD,
            CompletionKind::Type => CompletionItemKind::CLASS,
            CompletionKind::Relation => CompletionItemKind::FIELD,
            CompletionKind::Permission => CompletionItemKind::METHOD,
            CompletionKind::Caveat => CompletionItemKind::FUNCTION,
            CompletionKind::Partial => CompletionItemKind::MODULE,
            CompletionKind::Parameter => CompletionItemKind::VARIABLE,
        }),
        detail: (!item.detail.is_empty()).then_some(item.detail),
        documentation: (!item.doc.is_empty()).then(|| Documentation::MarkupContent(markdown(item.doc))),
        text_edit: Some(CompletionTextEdit::Edit(TextEdit { range, new_text: item.label.to_string() })),
        label: item.label.to_string(),
        ..CompletionItem::default()
    });
    let list = CompletionList { is_incomplete: found.is_cut, items: items.collect() };
    Ok(Some(CompletionResponse::List(list)))
}

pub(super) fn definition(
    source: &Source,
    params: &GotoDefinitionParams,
) -> Result<Option<GotoDefinitionResponse>, Failure> {
    let asked = &params.text_document_position_params;
    let spans = source.at(asked.position).map(|(document, offset)| document.definitions(offset));
    let uri = &asked.text_document.uri;
    let locations: Vec<Location> = spans
        .unwrap_or_default()
        .into_iter()
        .map(|span| Location { uri: uri.clone(), range: source.range(span) })
        .collect();
    Ok((!locations.is_empty()).then_some(GotoDefinitionResponse::Array(locations)))
}

pub(super) fn references(
    source: &Source,
    params: &ReferenceParams,
) -> Result<Option<Vec<Location>>, Failure> {
    let asked = &params.text_document_position;
    let with_declaration = params.context.include_declaration;
    let spans =
        source.at(asked.position).map(|(document, offset)| document.references(offset, with_declaration));
    let uri = &asked.text_document.uri;
    let locate = |span| Location { uri: uri.clone(), range: source.range(span) };
    Ok(spans.map(|spans| spans.into_iter().map(locate).collect()))
}

pub(super) fn symbols(
    source: &Source,
    _params: &DocumentSymbolParams,
) -> Result<Option<DocumentSymbolResponse>, Failure> {
    let symbols = source.document().map(|document| document.symbols()).unwrap_or_default();
    let nested = symbols.into_iter().map(|found| symbol(source, found)).collect();
    Ok(Some(DocumentSymbolResponse::Nested(nested)))
}

#[allow(deprecated, reason = "the struct cannot be made without its old field")]
fn symbol(source: &Source, found: Symbol) -> DocumentSymbol {
    let children: Vec<DocumentSymbol> =
        found.children.into_iter().map(|child| symbol(source, child)).collect();
    DocumentSymbol {
        name: found.name.to_string(),
        detail: None,
        kind: match found.kind {
            Declared::Definition => SymbolKind::CLASS,
            Declared::Partial => SymbolKind::MODULE,
            Declared::Relation => SymbolKind::FIELD,
            Declared::Permission => SymbolKind::METHOD,
            Declared::Caveat => SymbolKind::FUNCTION,
            Declared::Parameter => SymbolKind::VARIABLE,
        },
        tags: None,
        deprecated: None,
        range: source.range(found.span),
        selection_range: source.range(found.name_span),
        children: (!children.is_empty()).then_some(children),
    }
}

/// Formats a schema. One that is not well-formed, and the schema within a validation file, are left as they are.
pub(super) fn formatting(
    source: &Source,
    _params: &DocumentFormattingParams,
) -> Result<Option<Vec<TextEdit>>, Failure> {
    let Some(text) = source.whole() else { return Ok(None) };
    let formatted = match pemba_schema::format(text) {
        Ok(formatted) => formatted,
        Err(findings) => {
            let first = findings.first().map(|finding| finding.message.clone()).unwrap_or_default();
            return Err(Failure::failed(format!("the schema cannot be formatted: {first}")));
        }
    };
    if formatted == text {
        return Ok(Some(Vec::new()));
    }
    Ok(Some(vec![TextEdit { range: source.whole_range(), new_text: formatted }]))
}

pub(super) fn prepare_rename(
    source: &Source,
    params: &TextDocumentPositionParams,
) -> Result<Option<PrepareRenameResponse>, Failure> {
    let Some((document, offset)) = source.at(params.position) else { return Ok(None) };
    let span = document.renameable(offset).map_err(Failure::failed)?;
    Ok(Some(PrepareRenameResponse::Range(source.range(span))))
}

pub(super) fn rename(source: &Source, params: &RenameParams) -> Result<Option<WorkspaceEdit>, Failure> {
    let asked = &params.text_document_position;
    let Some((document, offset)) = source.at(asked.position) else { return Ok(None) };
    let spans = document.rename(offset, &params.new_name).map_err(Failure::failed)?;
    let edits = spans
        .into_iter()
        .map(|span| TextEdit { range: source.range(span), new_text: params.new_name.clone() })
        .collect();
    // The protocol's type keys its edits by a text that it wraps.
    #[allow(clippy::mutable_key_type, reason = "the key is never changed")]
    let changes = HashMap::from([(asked.text_document.uri.clone(), edits)]);
    Ok(Some(WorkspaceEdit { changes: Some(changes), ..WorkspaceEdit::default() }))
}
