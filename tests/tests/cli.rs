//! The binary's commands as a person or a script runs them: what they print and their exit codes.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    missing_docs,
    reason = "tests"
)]

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::Stdio;

use pemba_tests::checkout::root;
use pemba_tests::command_line::Pemba;
use pemba_tests::process::ServerProcess;

fn with_support_desk(server: &ServerProcess) -> Pemba {
    let pemba = Pemba { endpoint: server.endpoint() };
    let schema = root().join("schema/support-desk/schema.zed");
    assert!(
        pemba.expect(0, &["schema", "write", schema.to_str().unwrap()]).starts_with("schema written at ")
    );
    pemba.expect(
        0,
        &[
            "relationship",
            "write",
            "customer:acme#agent@agent:assistant",
            "customer:acme#viewer@user:vera",
            "customer:acme#blocked@user:vera",
            "ticket:1#customer@customer:acme",
            "ticket:2#customer@customer:acme",
        ],
    );
    pemba
}

#[test]
fn questions_are_answered_by_text_json_and_exit_code() {
    let server = ServerProcess::start(None, &[]);
    let pemba = with_support_desk(&server);
    assert_eq!(pemba.expect(0, &["check", "ticket:1", "view", "agent:assistant"]), "yes\n");
    assert_eq!(pemba.expect(1, &["check", "ticket:1", "view", "user:vera"]), "no\n");
    let json = pemba.expect(0, &["check", "ticket:1", "view", "agent:assistant", "--json"]);
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(value["permissionship"], "yes");
    assert_eq!(
        pemba.expect(0, &["lookup-resources", "ticket", "view", "agent:assistant"]),
        "ticket:1\nticket:2\n"
    );
    assert_eq!(pemba.expect(0, &["lookup-subjects", "ticket:1", "view", "agent"]), "agent:assistant\n");
    let tree = pemba.expect(0, &["expand", "customer:acme", "view"]);
    assert!(tree.contains("customer:acme#blocked: user:vera"), "{tree}");
    let error = pemba.expect(2, &["check", "ticket:1", "fly", "agent:assistant"]);
    assert!(error.contains("fly"), "{error}");
    assert!(pemba.expect(2, &["check", "ticket1", "view", "agent:assistant"]).contains("type:id"));
}

#[test]
fn relationships_are_written_read_and_deleted_and_tokens_name_revisions() {
    let server = ServerProcess::start(None, &[]);
    let pemba = with_support_desk(&server);
    let read = pemba.expect(0, &["relationship", "read", "--type", "ticket"]);
    assert_eq!(read, "ticket:1#customer@customer:acme\nticket:2#customer@customer:acme\n");
    let created = pemba.expect(2, &["relationship", "write", "--create", "ticket:1#customer@customer:acme"]);
    assert!(created.to_lowercase().contains("already"), "{created}");
    let json = pemba.expect(0, &["relationship", "delete", "ticket:1#customer@customer:acme", "--json"]);
    let token: serde_json::Value = serde_json::from_str(&json).unwrap();
    let token = token["deleted_at"].as_str().unwrap();
    let after = ["check", "ticket:1", "view", "agent:assistant", "--at-least", token];
    assert_eq!(pemba.expect(1, &after), "no\n");
    let gone = pemba.expect(0, &["relationship", "delete", "--type", "ticket"]);
    assert!(gone.starts_with("1 deleted at "), "{gone}");
    assert_eq!(pemba.expect(0, &["relationship", "read", "--type", "ticket"]), "");
}

#[test]
fn schemas_are_checked_formatted_and_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.zed");
    let path = file.to_str().unwrap();
    let server = ServerProcess::start(None, &[]);
    let pemba = Pemba { endpoint: server.endpoint() };
    assert!(pemba.expect(2, &["schema", "read"]).contains("no schema"));

    std::fs::write(
        &file,
        "definition user {}\ndefinition doc { relation viewer: usr\n permission view = viewr }",
    )
    .unwrap();
    let found = pemba.expect(1, &["schema", "check", path]);
    for part in ["did you mean", "user", "viewer", "a.zed:2:"] {
        assert!(found.contains(part), "{part}: {found}");
    }
    assert!(pemba.expect(2, &["schema", "write", path]).contains("usr"));

    std::fs::write(&file, "definition user {}\ndefinition doc {\nrelation viewer:user // who reads\n}")
        .unwrap();
    assert!(pemba.expect(1, &["schema", "fmt", "--check", path]).contains("would change"));
    pemba.expect(0, &["schema", "fmt", path]);
    assert!(pemba.expect(0, &["schema", "fmt", "--check", path]).contains("unchanged"));
    let formatted = std::fs::read_to_string(&file).unwrap();
    assert!(
        formatted.contains("// who reads") && formatted.contains("\trelation viewer: user"),
        "{formatted}"
    );
    pemba.expect(0, &["schema", "write", path]);
    assert!(pemba.expect(0, &["schema", "read"]).contains("definition doc {"));
}

#[test]
fn import_export_backup_and_verify_move_everything() {
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let server = ServerProcess::start(Some(Path::new(&place("data"))), &[]);
    let pemba = with_support_desk(&server);
    assert!(pemba.expect(0, &["export", &place("all.txt")]).starts_with("5 relationships exported"));
    let exported = std::fs::read_to_string(place("all.txt")).unwrap();
    assert_eq!(exported.lines().count(), 5);
    pemba.expect(0, &["relationship", "delete", "--type", "ticket"]);
    pemba.expect(0, &["relationship", "delete", "--type", "customer"]);

    std::fs::write(place("bad.txt"), format!("{exported}nonsense\n")).unwrap();
    let error = pemba.expect(2, &["import", &place("bad.txt")]);
    assert!(error.contains("line 6") && error.contains("nothing was imported"), "{error}");
    assert_eq!(pemba.expect(0, &["export", "-"]), "", "a file with a fault leaves nothing");
    assert_eq!(pemba.expect(0, &["import", &place("all.txt")]), "5 relationships imported\n");
    assert_eq!(pemba.expect(0, &["check", "ticket:2", "view", "agent:assistant"]), "yes\n");

    server.stop();
    let backup = pemba.expect(0, &["backup", "--data", &place("data"), &place("copy")]);
    assert!(backup.contains("5 relationships"), "{backup}");
    assert!(pemba.expect(0, &["verify", &place("copy")]).contains("5 relationships"));
    let restored = ServerProcess::start(Some(Path::new(&place("copy"))), &[]);
    let pemba = Pemba { endpoint: restored.endpoint() };
    assert_eq!(pemba.expect(0, &["check", "ticket:2", "view", "agent:assistant"]), "yes\n");
    assert_eq!(pemba.expect(2, &["verify", &place("nowhere")]).lines().count(), 1);
}

#[test]
fn watch_prints_what_is_written() {
    let server = ServerProcess::start(None, &[]);
    let pemba = with_support_desk(&server);
    let json = pemba.expect(0, &["relationship", "write", "ticket:8#customer@customer:acme", "--json"]);
    let token: serde_json::Value = serde_json::from_str(&json).unwrap();
    let mut watch = pemba
        .command(&["watch", "ticket", "--after", token["written_at"].as_str().unwrap()])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    pemba.expect(
        0,
        &["relationship", "write", "customer:other#viewer@user:vera", "ticket:9#customer@customer:acme"],
    );
    pemba.expect(0, &["relationship", "delete", "ticket:8#customer@customer:acme"]);
    let mut lines = BufReader::new(watch.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "+ ticket:9#customer@customer:acme");
    assert_eq!(lines.next().unwrap().unwrap(), "- ticket:8#customer@customer:acme");
    watch.kill().unwrap();
    watch.wait().unwrap();
}

#[test]
fn validate_ends_with_its_count_and_fails_on_failure() {
    let pemba = Pemba { endpoint: String::new() };
    let good = root().join("schema/support-desk/validation.yaml");
    let printed = pemba.expect(0, &["validate", good.to_str().unwrap()]);
    assert!(printed.ends_with("passed, 0 failed\n"), "{printed}");
    let folder = tempfile::tempdir().unwrap();
    let bad = folder.path().join("bad.yaml");
    let mut file = std::fs::File::create(&bad).unwrap();
    writeln!(file, "schema: |\n  definition user {{}}\nassertions:\n  assertTrue:\n    - user:a#view@user:b")
        .unwrap();
    let printed = pemba.expect(1, &["validate", bad.to_str().unwrap()]);
    assert!(printed.contains("`view`") && printed.ends_with("0 passed, 1 failed\n"), "{printed}");
    let unreadable = pemba.expect(1, &["validate", "/nonexistent.yaml"]);
    assert!(unreadable.contains("cannot read"), "{unreadable}");
}

/// A clients file of one client, with the verbs it may use anywhere.
fn clients_file(verbs: &str) -> String {
    format!(
        "clients:\n  - name: reader\n    keys: [{{ key_file: reader.key }}]\n    rules: [{{ verbs: [{verbs}], \
         resource_types: all, relations: all, subject_types: all }}]\n"
    )
}

#[test]
fn the_clients_file_is_read_at_the_start_and_at_a_hangup() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("clients.yaml");
    std::fs::write(folder.path().join("reader.key"), "the-key-of-the-reader\n").unwrap();
    std::fs::write(&file, clients_file("read")).unwrap();
    let server = ServerProcess::start(None, &["--clients", file.to_str().unwrap()]);
    let pemba = with_support_desk(&server);
    let reader = ["--key", "the-key-of-the-reader"];
    let export = |target: &str| {
        let path = folder.path().join(target);
        let output = pemba.run(&[&["export", path.to_str().unwrap()], &reader[..]].concat());
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    pemba.expect(0, &[&["schema", "read"], &reader[..]].concat());
    let (code, error) = export("one");
    assert_eq!(code, Some(2));
    assert!(error.contains("client `reader` has no right to export"), "{error}");
    // A file that is not good is told and changes nothing; a good one holds at once for the next call.
    std::fs::write(&file, clients_file("exprot")).unwrap();
    server.signal("HUP");
    std::thread::sleep(std::time::Duration::from_millis(300));
    pemba.expect(0, &[&["schema", "read"], &reader[..]].concat());
    std::fs::write(&file, clients_file("export")).unwrap();
    server.signal("HUP");
    let mut left = 100;
    while export(&left.to_string()).0 != Some(0) {
        left -= 1;
        assert!(left > 0, "the clients file is not read again");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let refused = pemba.expect(2, &[&["schema", "read"], &reader[..]].concat());
    assert!(refused.contains("no right to read"), "{refused}");
    pemba.expect(0, &["schema", "read"]);
    let log = server.stop();
    assert!(log.contains("did you mean `export`?") && log.contains("stay as they were"), "{log}");

    std::fs::write(&file, "clients: [{ nam: reader }]").unwrap();
    let arguments = ["serve", "--memory", "--metrics-listen", "", "--listen", "127.0.0.1:0", "--clients"];
    let refused = pemba.expect(2, &[&arguments[..], &[file.to_str().unwrap()]].concat());
    assert!(refused.contains("clients.yaml") && refused.contains("nam"), "{refused}");
}

#[test]
fn keys_and_addresses_are_minded() {
    let pemba = Pemba { endpoint: "http://127.0.0.1:1".to_owned() };
    assert!(pemba.expect(2, &["check", "a:b", "view", "user:a"]).starts_with("error: "));
    let open = pemba.expect(2, &["serve", "--memory", "--listen", "0.0.0.0:0", "--metrics-listen", ""]);
    assert!(open.contains("--preshared-key"), "{open}");
    let nowhere = pemba.expect(2, &["serve", "--memory", "--listen", "here", "--metrics-listen", ""]);
    assert!(nowhere.contains("--listen here"), "{nowhere}");
    let server = ServerProcess::start(None, &[]);
    let stranger = Pemba { endpoint: server.endpoint() };
    let refused = stranger.expect(2, &["schema", "read", "--key", "wrong"]);
    assert!(refused.to_lowercase().contains("key"), "{refused}");
}
