//! An editor's session with `pemba lsp`, message by message over its pipes.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, missing_docs, reason = "tests")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use pemba_tests::process::binary;
use serde_json::{Value, json};

const URI: &str = "file:///folder/schema.zed";
const SCHEMA: &str = "\
/** 𝒫eople */
definition user {}

caveat odd(number int) { number % 2 == 1 }

definition folder {
	relation viewer: user
	permission view = viewer
}

definition doc {
	relation parent: folder
	/* 𝒳 */ relation owner: user with odd
	// who may see it
	permission view = owner + parent->view
}
";

struct Editor {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    next_id: i64,
}

impl Editor {
    fn start() -> Editor {
        let mut child = Command::new(binary())
            .args(["lsp", "--stdio"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().unwrap());
        Editor { child, input, output, next_id: 0 }
    }

    fn initialized() -> Editor {
        let mut editor = Editor::start();
        let result =
            editor.ask("initialize", json!({"processId": null, "rootUri": null, "capabilities": {}}));
        assert_eq!(result["result"]["serverInfo"]["name"], "pemba");
        assert_eq!(result["result"]["capabilities"]["hoverProvider"], true);
        editor.tell("initialized", json!({}));
        editor
    }

    fn raw(&mut self, bytes: &[u8]) {
        let input = self.input.as_mut().unwrap();
        input.write_all(bytes).unwrap();
        input.flush().unwrap();
    }

    fn send(&mut self, message: &Value) {
        let body = message.to_string();
        self.raw(format!("Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes());
    }

    fn tell(&mut self, method: &str, params: Value) {
        self.send(&json!({"jsonrpc": "2.0", "method": method, "params": params}));
    }

    /// Sends a request and returns the whole answer.
    fn ask(&mut self, method: &str, params: Value) -> Value {
        self.next_id += 1;
        let id = self.next_id;
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}));
        let answer = self.receive();
        assert_eq!(answer["id"], id, "{answer}");
        answer
    }

    fn receive(&mut self) -> Value {
        let mut size_bytes = 0;
        loop {
            let mut line = String::new();
            assert_ne!(self.output.read_line(&mut line).unwrap(), 0, "the server ended");
            match line.trim_end() {
                "" => break,
                header => size_bytes = header.strip_prefix("Content-Length: ").unwrap().parse().unwrap(),
            }
        }
        let mut body = vec![0; size_bytes];
        self.output.read_exact(&mut body).unwrap();
        serde_json::from_slice(&body).unwrap()
    }

    /// Opens a file and returns what is said to be wrong with it.
    fn open(&mut self, uri: &str, language: &str, text: &str) -> Vec<Value> {
        let document = json!({"uri": uri, "languageId": language, "version": 1, "text": text});
        self.tell("textDocument/didOpen", json!({"textDocument": document}));
        self.diagnostics(uri)
    }

    fn diagnostics(&mut self, uri: &str) -> Vec<Value> {
        let said = self.receive();
        assert_eq!(said["method"], "textDocument/publishDiagnostics", "{said}");
        assert_eq!(said["params"]["uri"], uri);
        said["params"]["diagnostics"].as_array().unwrap().clone()
    }

    /// Asks about a place: the `at`-th byte of the `nth` time that `needle` occurs in the schema.
    fn at(&mut self, method: &str, needle: &str, nth: usize, at: usize, more: Value) -> Value {
        let mut params = json!({"textDocument": {"uri": URI}, "position": position(SCHEMA, needle, nth, at)});
        for (key, value) in more.as_object().unwrap() {
            params[key] = value.clone();
        }
        self.ask(method, params)
    }

    /// Says that no more comes, and returns the exit code.
    fn end(mut self) -> i32 {
        drop(self.input.take());
        self.child.wait().unwrap().code().unwrap()
    }
}

impl Drop for Editor {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn position(text: &str, needle: &str, nth: usize, at: usize) -> Value {
    let offset = text.match_indices(needle).nth(nth).unwrap().0 + at;
    let before = text.split_at(offset).0;
    let line = before.matches('\n').count();
    let character = before.rsplit('\n').next().unwrap().encode_utf16().count();
    json!({"line": line, "character": character})
}

fn range(needle: &str, nth: usize, length: usize) -> Value {
    json!({"start": position(SCHEMA, needle, nth, 0), "end": position(SCHEMA, needle, nth, length)})
}

#[test]
fn a_session_from_beginning_to_end() {
    let mut editor = Editor::initialized();
    assert!(editor.open(URI, "zed", SCHEMA).is_empty());

    let hover = editor.at("textDocument/hover", "view = owner", 0, 1, json!({}));
    let text = hover["result"]["contents"]["value"].as_str().unwrap();
    assert!(
        text.contains("permission view = owner + parent->view") && text.contains("who may see it"),
        "{text}"
    );
    let hover = editor.at("textDocument/hover", "owner: user", 0, 2, json!({}));
    assert_eq!(hover["result"]["range"], range("owner: user", 0, 5), "UTF-16 after a wide character");
    let hover = editor.at("textDocument/hover", "user with", 0, 2, json!({}));
    assert!(hover["result"]["contents"]["value"].as_str().unwrap().contains("𝒫eople"));
    let nothing = editor.at("textDocument/hover", "{ number", 0, 0, json!({}));
    assert_eq!(nothing["result"], Value::Null);

    let definition = editor.at("textDocument/definition", "owner + parent", 0, 1, json!({}));
    assert_eq!(definition["result"], json!([{"uri": URI, "range": range("owner: user", 0, 5)}]));
    let definition = editor.at("textDocument/definition", "parent->view", 0, 9, json!({}));
    assert_eq!(definition["result"][0]["range"], range("view = viewer", 0, 4));
    let used = editor.at(
        "textDocument/references",
        "viewer: user",
        0,
        1,
        json!({"context": {"includeDeclaration": false}}),
    );
    assert_eq!(used["result"].as_array().unwrap().len(), 1);

    let completion = editor.at("textDocument/completion", "parent->view", 0, 8, json!({}));
    let labels: Vec<&str> = completion["result"]["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["label"].as_str().unwrap())
        .collect();
    assert_eq!(labels, ["viewer", "view"]);

    let symbols = editor.ask("textDocument/documentSymbol", json!({"textDocument": {"uri": URI}}));
    assert_eq!(symbols["result"][3]["name"], "doc");
    assert_eq!(symbols["result"][3]["children"][2]["name"], "view");

    let prepared = editor.at("textDocument/prepareRename", "owner + parent", 0, 1, json!({}));
    assert_eq!(prepared["result"], range("owner + parent", 0, 5));
    let renamed = editor.at("textDocument/rename", "owner + parent", 0, 1, json!({"newName": "holder"}));
    assert_eq!(renamed["result"]["changes"][URI].as_array().unwrap().len(), 2);
    let refused = editor.at("textDocument/rename", "owner + parent", 0, 1, json!({"newName": "parent"}));
    assert!(refused["error"]["message"].as_str().unwrap().contains("would be refused"), "{refused}");

    let formatted = editor.ask(
        "textDocument/formatting",
        json!({"textDocument": {"uri": URI}, "options": {"tabSize": 4, "insertSpaces": false}}),
    );
    assert!(formatted["result"].is_array(), "{formatted}");

    assert_eq!(editor.ask("shutdown", Value::Null)["result"], Value::Null);
    let late = editor.ask("textDocument/hover", json!({}));
    assert_eq!(late["error"]["code"], -32600);
    editor.tell("exit", Value::Null);
    assert_eq!(editor.end(), 0);
}

#[test]
fn findings_follow_the_text_as_it_changes() {
    let mut editor = Editor::initialized();
    editor.open(URI, "zed", SCHEMA);
    let change = |version: i32, range: Value, text: &str| json!({"textDocument": {"uri": URI, "version": version}, "contentChanges": [{"range": range, "text": text}]});
    editor.tell("textDocument/didChange", change(2, range("owner: user", 0, 5), "holder"));
    let found = editor.diagnostics(URI);
    assert_eq!(
        (found[0]["code"].as_str(), found[0]["severity"].as_i64()),
        (Some("unknown-relation"), Some(1))
    );
    assert_eq!(found[0]["range"], range("owner + parent", 0, 5));
    let whole = json!({"textDocument": {"uri": URI, "version": 3}, "contentChanges": [{"text": SCHEMA.replace("viewer: user", "folder: user").replace("= viewer", "= folder")}]});
    editor.tell("textDocument/didChange", whole);
    let found = editor.diagnostics(URI);
    assert_eq!(found[0]["code"], "relation-name-references-parent");
    assert_eq!(found[0]["severity"], 2, "a warning");
    assert!(found[0]["message"].as_str().unwrap().contains('\n'), "with its help");
    editor.tell("textDocument/didClose", json!({"textDocument": {"uri": URI}}));
    assert!(editor.diagnostics(URI).is_empty());
    let closed = editor.at("textDocument/hover", "doc", 0, 0, json!({}));
    assert_eq!(closed["error"]["code"], -32602);
}

#[test]
fn the_schema_of_a_validation_file_is_understood_in_its_place() {
    let mut editor = Editor::initialized();
    let uri = "file:///folder/validation.yaml";
    let text = "schema: |\n  definition user {}\n  definition doc {\n    relation viewer: usr\n  }\nrelationships: ''\n";
    let found = editor.open(uri, "yaml", text);
    assert_eq!(found[0]["range"]["start"], json!({"line": 3, "character": 21}));
    let hover = editor.ask(
        "textDocument/hover",
        json!({"textDocument": {"uri": uri}, "position": {"line": 2, "character": 14}}),
    );
    assert!(hover["result"]["contents"]["value"].as_str().unwrap().contains("definition doc"));
}

#[test]
fn what_is_no_message_or_no_method_is_answered_and_survived() {
    let mut editor = Editor::start();
    let early = editor.ask("textDocument/hover", json!({}));
    assert_eq!(early["error"]["code"], -32002);
    editor.ask("initialize", json!({"capabilities": {}}));
    editor.tell("initialized", json!({}));
    assert_eq!(editor.ask("initialize", json!({"capabilities": {}}))["error"]["code"], -32600);

    editor.raw(b"Content-Length: 9\r\n\r\n{\"id\": 1,");
    let answer = editor.receive();
    assert_eq!((answer["error"]["code"].as_i64(), &answer["id"]), (Some(-32700), &Value::Null));
    for message in [json!([]), json!(7), json!({"id": {}, "method": "x"}), json!({"id": 5})] {
        editor.send(&message);
        assert_eq!(editor.receive()["error"]["code"], -32600, "{message}");
    }
    assert_eq!(editor.ask("workspace/teleport", json!({}))["error"]["code"], -32601);
    assert_eq!(editor.ask("textDocument/hover", json!({"textDocument": 3}))["error"]["code"], -32602);
    editor.tell("$/cancelRequest", json!({"id": 99}));
    editor.tell("made/up", json!({}));
    editor.tell("textDocument/didOpen", json!({"nonsense": true}));
    assert_eq!(editor.receive()["method"], "window/logMessage");
    let large = "x".repeat(9 * 1024 * 1024);
    let document = json!({"uri": URI, "languageId": "zed", "version": 1, "text": large});
    editor.tell("textDocument/didOpen", json!({"textDocument": document}));
    let said = editor.receive();
    assert!(said["params"]["message"].as_str().unwrap().contains("longer than"), "{said}");
    let too_long_a_schema = "// ".repeat(2 * 1024 * 1024);
    let found = editor.open(URI, "zed", &too_long_a_schema);
    assert_eq!(found[0]["code"], "schema-too-large");
    editor.send(&json!({"jsonrpc": "2.0", "id": "text", "method": "shutdown"}));
    assert_eq!(editor.receive()["id"], "text");
    assert_eq!(editor.end(), 0, "the input ended after `shutdown`");
}

#[test]
fn an_end_without_shutdown_and_broken_headers_are_failures() {
    let mut editor = Editor::initialized();
    editor.tell("exit", Value::Null);
    assert_eq!(editor.end(), 1);
    let mut editor = Editor::initialized();
    editor.raw(b"hello\r\n\r\n");
    assert_eq!(editor.end(), 2);
}
