//! One editor's session: what it has open, and what each of its messages is answered.

use std::collections::BTreeMap;

use lsp_types::notification::{self, Notification as _};
use lsp_types::request::{self, Request as _};
use lsp_types::{
    CompletionOptions, DidChangeTextDocumentParams, DidCloseTextDocumentParams, DidOpenTextDocumentParams,
    HoverProviderCapability, InitializeResult, OneOf, PublishDiagnosticsParams, RenameOptions,
    ServerCapabilities, ServerInfo, TextDocumentSyncCapability, TextDocumentSyncKind, Uri,
    WorkDoneProgressOptions,
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::answers;
use super::source::{SOURCE_MAX_BYTES, Source};

/// Most files that an editor may have open.
const SOURCES_MAX: usize = 1000;

/// What the protocol calls errors.
#[derive(Debug, Clone, Copy)]
enum Code {
    Parse = -32700,
    InvalidRequest = -32600,
    MethodNotFound = -32601,
    InvalidParams = -32602,
    NotInitialized = -32002,
    RequestFailed = -32803,
}

/// Why a request has no result.
pub(super) struct Failure {
    code: Code,
    message: String,
}

impl Failure {
    /// What is asked for cannot be done.
    pub(super) fn failed(message: impl ToString) -> Failure {
        Failure { code: Code::RequestFailed, message: message.to_string() }
    }
}

/// What to do after a message.
#[derive(Debug, PartialEq)]
pub(super) enum Next {
    /// Send these, and go on.
    Say(Vec<Value>),
    /// End.
    End,
}

#[derive(Default, PartialEq, Eq, Clone, Copy)]
enum Phase {
    #[default]
    New,
    Running,
    ShutDown,
}

/// A session.
#[derive(Default)]
pub(super) struct Session {
    phase: Phase,
    sources: BTreeMap<String, Source>,
}

/// The answer to what is no message.
pub(super) fn unreadable(reason: &str) -> Value {
    error(&Value::Null, &Failure { code: Code::Parse, message: reason.to_owned() })
}

fn error(id: &Value, failure: &Failure) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "error": {"code": failure.code as i32, "message": failure.message}})
}

fn notify<N: lsp_types::notification::Notification>(params: &N::Params) -> Value {
    json!({"jsonrpc": "2.0", "method": N::METHOD, "params": params})
}

impl Session {
    /// Whether the editor has said `shutdown`.
    pub(super) fn is_shut_down(&self) -> bool {
        self.phase == Phase::ShutDown
    }

    /// Takes one message. A request is answered with one message, whatever is wrong with it.
    pub(super) fn take(&mut self, mut message: Value) -> Next {
        let params = message.get_mut("params").map(Value::take).unwrap_or_default();
        let id = message.get("id").cloned();
        match (message.get("method").and_then(Value::as_str), id) {
            (Some(method), Some(id)) if is_id(&id) => Next::Say(vec![match self.request(method, params) {
                Ok(result) => json!({"jsonrpc": "2.0", "id": id, "result": result}),
                Err(failure) => error(&id, &failure),
            }]),
            (Some(notification::Exit::METHOD), None) => Next::End,
            (Some(method), None) => Next::Say(self.notification(method, params)),
            // The answer to a request; this server makes none.
            (None, Some(_)) if message.get("result").is_some() || message.get("error").is_some() => {
                Next::Say(Vec::new())
            }
            (_, id) => {
                let message =
                    "a message must have a `method`, and a request an `id` that is a number or text";
                let failure = Failure { code: Code::InvalidRequest, message: message.to_owned() };
                let id = id.filter(is_id).unwrap_or_default();
                Next::Say(vec![error(&id, &failure)])
            }
        }
    }

    fn request(&mut self, method: &str, params: Value) -> Result<Value, Failure> {
        match (self.phase, method) {
            (Phase::New, request::Initialize::METHOD) => {
                self.phase = Phase::Running;
                return Ok(json!(InitializeResult {
                    capabilities: capabilities(),
                    server_info: Some(ServerInfo {
                        name: "pemba".to_owned(),
                        version: Some(env!("CARGO_PKG_VERSION").to_owned()),
                    }),
                }));
            }
            (Phase::New, _) => {
                let message = "the first request must be `initialize`".to_owned();
                return Err(Failure { code: Code::NotInitialized, message });
            }
            (Phase::Running, request::Shutdown::METHOD) => {
                self.phase = Phase::ShutDown;
                return Ok(Value::Null);
            }
            (Phase::ShutDown, _) | (_, request::Initialize::METHOD) => {
                let message = format!("`{}` is not allowed at this point", cut(method));
                return Err(Failure { code: Code::InvalidRequest, message });
            }
            (Phase::Running, _) => {}
        }
        self.question(method, params)
    }

    fn question(&self, method: &str, params: Value) -> Result<Value, Failure> {
        match method {
            request::HoverRequest::METHOD => self.ask::<request::HoverRequest>(
                params,
                |params| &params.text_document_position_params.text_document.uri,
                answers::hover,
            ),
            request::Completion::METHOD => self.ask::<request::Completion>(
                params,
                |params| &params.text_document_position.text_document.uri,
                answers::completion,
            ),
            request::GotoDefinition::METHOD => self.ask::<request::GotoDefinition>(
                params,
                |params| &params.text_document_position_params.text_document.uri,
                answers::definition,
            ),
            request::References::METHOD => self.ask::<request::References>(
                params,
                |params| &params.text_document_position.text_document.uri,
                answers::references,
            ),
            request::DocumentSymbolRequest::METHOD => self.ask::<request::DocumentSymbolRequest>(
                params,
                |params| &params.text_document.uri,
                answers::symbols,
            ),
            request::Formatting::METHOD => self.ask::<request::Formatting>(
                params,
                |params| &params.text_document.uri,
                answers::formatting,
            ),
            request::PrepareRenameRequest::METHOD => self.ask::<request::PrepareRenameRequest>(
                params,
                |params| &params.text_document.uri,
                answers::prepare_rename,
            ),
            request::Rename::METHOD => self.ask::<request::Rename>(
                params,
                |params| &params.text_document_position.text_document.uri,
                answers::rename,
            ),
            _ => {
                let message = format!("there is no method `{}` here", cut(method));
                Err(Failure { code: Code::MethodNotFound, message })
            }
        }
    }

    /// Answers a request about an open file.
    fn ask<R: lsp_types::request::Request>(
        &self,
        params: Value,
        uri: fn(&R::Params) -> &Uri,
        answer: fn(&Source, &R::Params) -> Result<R::Result, Failure>,
    ) -> Result<Value, Failure> {
        let params: R::Params = parse(params)?;
        let uri = uri(&params);
        let source = self.sources.get(uri.as_str()).ok_or_else(|| Failure {
            code: Code::InvalidParams,
            message: format!("`{}` is not open", cut(uri.as_str())),
        })?;
        answer(source, &params).map(|result| json!(result))
    }

    /// Takes a notification. One that is not known, or comes at the wrong time, is passed over, as the protocol has it.
    fn notification(&mut self, method: &str, params: Value) -> Vec<Value> {
        if self.phase != Phase::Running {
            return Vec::new();
        }
        let taken = match method {
            notification::DidOpenTextDocument::METHOD => parse(params).and_then(|params| self.open(params)),
            notification::DidChangeTextDocument::METHOD => {
                parse(params).and_then(|params| self.change(params))
            }
            notification::DidCloseTextDocument::METHOD => parse(params).map(|params| self.close(&params)),
            _ => Ok(Vec::new()),
        };
        taken.unwrap_or_else(|failure| {
            let params = lsp_types::LogMessageParams {
                typ: lsp_types::MessageType::ERROR,
                message: format!("{}: {}", cut(method), failure.message),
            };
            vec![notify::<notification::LogMessage>(&params)]
        })
    }

    fn open(&mut self, params: DidOpenTextDocumentParams) -> Result<Vec<Value>, Failure> {
        let document = params.text_document;
        let key = document.uri.as_str();
        if self.sources.len() >= SOURCES_MAX && !self.sources.contains_key(key) {
            return Err(Failure::failed(format!("at most {SOURCES_MAX} files can be open")));
        }
        if document.text.len() > SOURCE_MAX_BYTES {
            return Err(too_long(key));
        }
        let path = key.split(['?', '#']).next().unwrap_or(key);
        let is_yaml = document.language_id == "yaml" || path.ends_with(".yaml") || path.ends_with(".yml");
        let source = Source::new(document.text, is_yaml);
        let said = publish(document.uri.clone(), Some(document.version), Some(&source));
        self.sources.insert(key.to_owned(), source);
        Ok(vec![said])
    }

    fn change(&mut self, params: DidChangeTextDocumentParams) -> Result<Vec<Value>, Failure> {
        let uri = params.text_document.uri;
        let source = self.sources.get_mut(uri.as_str()).ok_or_else(|| Failure {
            code: Code::InvalidParams,
            message: format!("`{}` is not open", cut(uri.as_str())),
        })?;
        let Some(changed) = source.changed(params.content_changes) else {
            // Further changes would be to a text that this server does not have.
            self.sources.remove(uri.as_str());
            return Err(too_long(uri.as_str()));
        };
        *source = changed;
        Ok(vec![publish(uri, Some(params.text_document.version), Some(source))])
    }

    fn close(&mut self, params: &DidCloseTextDocumentParams) -> Vec<Value> {
        let uri = &params.text_document.uri;
        match self.sources.remove(uri.as_str()) {
            Some(_) => vec![publish(uri.clone(), None, None)],
            None => Vec::new(),
        }
    }
}

/// Tells what is wrong with a file; with one that is closed, nothing.
fn publish(uri: Uri, version: Option<i32>, source: Option<&Source>) -> Value {
    let diagnostics = source.map(|source| answers::diagnostics(&uri, source)).unwrap_or_default();
    notify::<notification::PublishDiagnostics>(&PublishDiagnosticsParams { uri, diagnostics, version })
}

fn too_long(uri: &str) -> Failure {
    Failure::failed(format!("`{}` is longer than {SOURCE_MAX_BYTES} bytes", cut(uri)))
}

fn is_id(id: &Value) -> bool {
    id.is_string() || id.is_i64() || id.is_u64()
}

fn parse<P: DeserializeOwned>(params: Value) -> Result<P, Failure> {
    serde_json::from_value(params)
        .map_err(|error| Failure { code: Code::InvalidParams, message: error.to_string() })
}

/// What an editor said, as messages repeat it.
fn cut(text: &str) -> String {
    text.chars().take(200).collect()
}

fn capabilities() -> ServerCapabilities {
    let triggers = [":", "|", "#", "=", "+", "&", "(", ".", ">", "/"];
    ServerCapabilities {
        text_document_sync: Some(TextDocumentSyncCapability::Kind(TextDocumentSyncKind::INCREMENTAL)),
        hover_provider: Some(HoverProviderCapability::Simple(true)),
        completion_provider: Some(CompletionOptions {
            trigger_characters: Some(triggers.map(str::to_owned).to_vec()),
            ..CompletionOptions::default()
        }),
        definition_provider: Some(OneOf::Left(true)),
        references_provider: Some(OneOf::Left(true)),
        document_symbol_provider: Some(OneOf::Left(true)),
        document_formatting_provider: Some(OneOf::Left(true)),
        rename_provider: Some(OneOf::Right(RenameOptions {
            prepare_provider: Some(true),
            work_done_progress_options: WorkDoneProgressOptions::default(),
        })),
        ..ServerCapabilities::default()
    }
}
