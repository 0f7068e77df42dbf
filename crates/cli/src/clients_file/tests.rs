//! Clients files that load, and what is said about those that do not.

use super::*;

fn load(text: &str) -> Result<Vec<ClientKey>> {
    parse(text, Path::new(""))
}

#[track_caller]
fn refused(text: &str, wanted: &[&str]) {
    let error = format!("{:#}", load(text).map(|_| ()).unwrap_err());
    for part in wanted {
        assert!(error.contains(part), "`{part}` is not in: {error}");
    }
    assert!(!error.contains("s3cret"), "a key is told: {error}");
}

/// A file of one client with a key and these further lines, each indented under the client.
fn with(lines: &[&str]) -> String {
    let mut text = String::from("clients:\n  - name: portal\n    keys: [{ key: s3cret }]\n");
    for line in lines {
        text.push_str(&format!("    {line}\n"));
    }
    text
}

#[test]
fn the_example_loads() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/examples/clients.yaml");
    let clients = read(Path::new(path)).unwrap();
    let by_name = |name: &str| &clients.iter().find(|one| one.client.name == name).unwrap().client;
    assert_eq!(clients.iter().filter(|one| one.client.name == "support-portal").count(), 2);
    let portal = by_name("support-portal");
    portal.may_check("ticket", "view", "user").unwrap();
    portal.may_check("ticket", "view", "agent").unwrap_err();
    portal.may_assert_root(&ObjectRef::new("user", "omar")).unwrap();
    let runtime = by_name("triage-runtime");
    runtime.may_assert_root(&ObjectRef::new("agent", "triage-bot")).unwrap();
    runtime.may_assert_root(&ObjectRef::new("user", "omar")).unwrap_err();
    by_name("operations").may(Verb::Kill).unwrap();
    by_name("operations").may(Verb::Schema).unwrap_err();
    by_name("deployment").may(Verb::Schema).unwrap();
    // Someone who starts from the page must find the same file there.
    let page = include_str!("../../../../docs/clients.md");
    assert!(page.contains("examples/clients.yaml"));
}

#[test]
fn keys_come_in_three_ways() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("portal.key"), "from-a-file\n").unwrap();
    let digits = "0".repeat(63) + "1";
    let text = format!(
        "clients:\n  - name: portal\n    keys:\n      - key_sha256: {}\n      - key_file: portal.key\n      - key: plain\n      \
         - key_sha256: {digits}\n",
        KeyDigest::of(b"hashed")
    );
    let clients = parse(&text, folder.path()).unwrap();
    let shown: Vec<Credential> = clients.iter().map(|one| one.credential.clone()).collect();
    let wanted = [b"hashed".as_slice(), b"from-a-file", b"plain"].map(|key| KeyDigest::of(key).into());
    assert_eq!(shown[..3], wanted);
    assert_eq!(shown[3], Credential::Key(digits.parse().unwrap()));
    assert!(clients.iter().all(|one| Arc::ptr_eq(&one.client, &clients[0].client)));
    // No rule is no right.
    clients[0].client.may(Verb::Check).unwrap_err();

    let key = |text: &str| format!("clients:\n  - name: portal\n    keys: [{text}]\n");
    refused(&key(""), &["line 2: client `portal`", "`keys`: 0 are given; 1 to 16"]);
    refused(&key("{ key: s3cret, key_file: x }"), &["line 3", "exactly one of"]);
    refused(
        &key("{ key_sha256: s3cre }"),
        &["line 3", "`key_sha256`", "64 hexadecimal digits; 5 characters"],
    );
    refused(&key("{ key_file: nowhere.key }"), &["line 3", "`key_file`", "nowhere.key"]);
    refused(&key("{ key: '' }"), &["`key`: the key is 0 bytes long; 1 to 4096"]);
    refused(&key("{ key: 's3cret s3cret' }"), &["`key`", "printable ASCII"]);
    refused("clients:\n  - name: portal\n", &["keys"]);
}

#[test]
fn names_and_keys_come_once() {
    let two = |names: [&str; 2], keys: [&str; 2]| {
        format!(
            "clients:\n  - name: {}\n    keys: [{{ key: {} }}]\n  - name: {}\n    keys: [{{ key: {} }}]\n",
            names[0], keys[0], names[1], keys[1]
        )
    };
    load(&two(["one", "two"], ["a", "b"])).unwrap();
    refused(&two(["one", "one"], ["a", "b"]), &["line 4: client `one`", "`name`", "line 2"]);
    refused(&two(["one", "two"], ["s3cret", "s3cret"]), &["line 4: client `two`", "`keys`", "to `one`"]);
    refused(&two(["one", "Two"], ["a", "b"]), &["client `Two`", "`name` must be 1 to 64"]);
    refused(&two(["one", "a".repeat(65).as_str()], ["a", "b"]), &["`name` must be 1 to 64"]);
}

#[test]
fn rules_say_what_they_are_about() {
    let rule = |text: &str| with(&["rules:", &format!("  - {text}")]);
    let all = "resource_types: all, relations: all, subject_types: all";
    load(&rule(&format!("{{ verbs: [check, schema], {all} }}"))).unwrap();
    load(&rule("{ verbs: [kill, agents] }")).unwrap();
    refused(
        &rule("{ verbs: [check], resource_types: all, relations: all }"),
        &["line 5", "`subject_types` is missing"],
    );
    refused(&rule(&format!("{{ verbs: [chek], {all} }}")), &["line 5", "`verbs`", "did you mean `check`?"]);
    refused(&rule(&format!("{{ verbs: [], {all} }}")), &["line 5", "`verbs` is empty"]);
    refused(&rule("{ verbs: [admin], resource_types: [document] }"), &["`resource_types`", "whole database"]);
    refused(
        &rule("{ verbs: [read], resource_types: [Doc], relations: all, subject_types: all }"),
        &["line 5", "`resource_types`: object type `Doc`"],
    );
    refused(
        &rule("{ verbs: [read], resource_types: document, relations: all, subject_types: all }"),
        &["line 5", "`document` is neither `all` nor a list"],
    );
}

#[test]
fn principals_and_assertions_are_read() {
    let text = with(&["principal: agent:triage", "may_assert: { roots: ['user:*'], actors: ['*'] }"]);
    let client = &load(&text).unwrap()[0].client;
    client.may_assert_root(&ObjectRef::new("agent", "triage")).unwrap();
    client.may_assert_root(&ObjectRef::new("user", "ada")).unwrap();
    client.may_assert_root(&ObjectRef::new("agent", "other")).unwrap_err();
    client.may_assert_actor(&ObjectRef::new("agent", "other")).unwrap();
    refused(&with(&["principal: 'agent:*'"]), &["line 2: client `portal`", "`principal`", "agent:*"]);
    refused(&with(&["may_assert: { roots: [user] }"]), &["`may_assert.roots`", "`user`"]);
    refused(&with(&["may_assert: { actors: ['agent:a#b'] }"]), &["`may_assert.actors`"]);
}

#[test]
fn what_is_not_known_is_refused() {
    refused(&with(&["verbs: [check]"]), &["not a clients file", "verbs", "line 4"]);
    refused(&with(&["may_assert: { root: ['*'] }"]), &["root", "line 4"]);
    refused(&with(&["name: again"]), &["name"]);
    refused("client: []\n", &["client"]);
    refused("", &["not a clients file"]);
    assert!(load("clients: []\n").unwrap().is_empty());
}

#[test]
fn certificates_are_given_by_thumbprint_or_by_identity() {
    let key = |text: &str| format!("clients:\n  - name: portal\n    keys: [{text}]\n");
    let digits = "ab".repeat(32);
    let id = "spiffe://example.org/agents/triage";
    let clients =
        load(&key(&format!("{{ certificate_sha256: {digits} }}, {{ spiffe_id: '{id}' }}"))).unwrap();
    let shown: Vec<Credential> = clients.iter().map(|one| one.credential.clone()).collect();
    let wanted =
        [Credential::Certificate(digits.parse().unwrap()), Credential::SpiffeId(id.parse().unwrap())];
    assert_eq!(shown, wanted);
    refused(&key("{ spiffe_id: 'https://example.org' }"), &["line 3", "`spiffe_id`", "no SPIFFE id"]);
    refused(&key("{ certificate_sha256: ab }"), &["line 3", "`certificate_sha256`", "2 characters"]);
    refused(&key(&format!("{{ key: s3cret, spiffe_id: '{id}' }}")), &["line 3", "exactly one of"]);
    let twice = format!("{{ spiffe_id: '{id}' }}, {{ spiffe_id: '{id}' }}");
    refused(&key(&twice), &["a key is given twice, to `portal` before"]);
}
