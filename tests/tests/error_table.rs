//! Every error that clients of the interface know, provoked over gRPC: code, reason and the metadata's names; the same
//! calls on the real SpiceDB.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::disallowed_methods,
    missing_docs,
    reason = "tests"
)]

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use pemba_proto::authzed::api::v1 as wire;
use pemba_proto::authzed::api::v1::relationship_update::Operation::Touch;
use pemba_tests::differential::answer::Fault;
use pemba_tests::differential::oracle::{Kind, Oracle};
use pemba_tests::error_table::call::{Call, Caller, check, of_type, write};
use pemba_tests::error_table::{
    CHAIN, COUNTER, RELATIONSHIPS, Row, SCHEMA, STEPS_MAX, fields, reads, schemas, writes,
};
use pemba_tests::process::{KEY, ServerProcess, binary, free_port};
use pemba_tests::wire::{Wire, at_exact};
use tonic::Code;

/// Errors that no call can provoke here, and why.
const UNPROVOKED: [(&str, &str); 9] = [
    ("a caveat that data names is gone", "a schema that drops one is refused while an allowed type names it"),
    ("a write conflicts with another", "writes are applied one after another"),
    ("retries of a write are exhausted", "no write is retried"),
    ("a cursor of a read lacks its position", "every cursor has one, or is none"),
    ("a cursor of another dispatch version", "there is one form of cursor"),
    ("a lookup of subjects with a limit", "it is answered in pages"),
    ("a watch where watches are disabled", "they cannot be"),
    (
        "the memory guard refuses a call",
        "the full queue of writes, in the server's own tests, is the one such guard",
    ),
    ("a watcher that falls behind", "needs a client that does not read; in the server's own tests"),
];

/// Rows where the real SpiceDB says something else, and why Pemba does not.
const DIFFERS: [(&str, &str); 12] = [
    ("write: context of the wrong type", "UNKNOWN there; clients can tell what to mend"),
    ("write: context with a parameter that the caveat lacks", "UNKNOWN there; the same"),
    ("import: caveat context too large", "taken there; one bound for every way to write"),
    ("lookup of subjects: limit over the cap", "UNIMPLEMENTED there; it is answered in pages here"),
    ("bulk check: too many items", "UNSPECIFIED there, though the interface has a reason for it"),
    ("export: empty filter", "UNKNOWN there; the error of the other calls"),
    ("export: id and prefix of an id", "UNKNOWN there; the error of the other calls"),
    ("export: definition unknown", "an empty answer there; the error of the other calls"),
    ("lookup of resources: context too large", "taken there; one bound for all calls"),
    ("read: empty cursor", "INTERNAL there; it is a bad field"),
    ("write schema: too long", "RESOURCE_EXHAUSTED there, where no message may be longer; it is a bad field"),
    ("write schema: cycle of permissions", "UNKNOWN there; it is a fault of the schema"),
];

fn rows() -> Vec<Row> {
    let bad = fields::rows().into_iter().map(|(row, _)| row).collect();
    [writes::rows(), reads::rows(), schemas::rows(), bad].concat()
}

/// What is wrong with an error, if it is not the row's.
fn wrong(row: &Row, found: Option<&Fault>) -> Option<String> {
    let Some(fault) = found else { return Some(format!("{}: it was answered", row.name)) };
    let missing: Vec<_> = row.keys.iter().filter(|key| !fault.metadata.contains_key(**key)).collect();
    let same = fault.code == row.code && fault.reason == row.reason && missing.is_empty();
    let silent = fault.message.is_empty();
    (!same || silent)
        .then(|| format!("{}: {:?} {} without {missing:?}: {fault}", row.name, row.code, row.reason))
}

/// Puts in place what the rows are about.
async fn prepare(caller: &Caller) {
    let chain: Vec<String> =
        (1..CHAIN).map(|n| format!("group:g{}#member@group:g{n}#member", n - 1)).collect();
    let mut texts: Vec<&str> = chain.iter().map(String::as_str).collect();
    let last = format!("group:g{}#member@user:bottom", CHAIN - 1);
    texts.extend(["document:deep#viewer@group:g0#member", &last]);
    texts.extend(RELATIONSHIPS);
    for call in [
        Call::WriteSchema(wire::WriteSchemaRequest { schema: SCHEMA.to_owned() }),
        Call::WriteRelationships(write(Touch, &texts)),
        Call::RegisterCounter(wire::ExperimentalRegisterRelationshipCounterRequest {
            name: COUNTER.to_owned(),
            relationship_filter: Some(of_type("document")),
        }),
    ] {
        let fault = caller.fault(&call).await;
        assert!(fault.is_none(), "{}", fault.unwrap());
    }
}

fn bearer() -> String {
    format!("Bearer {KEY}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn error_table() {
    let server = ServerProcess::start(None, &["--query-steps-max", STEPS_MAX]);
    let caller = Caller::new(&server.endpoint(), Some(&bearer()));
    let before = schemas::before();
    assert_eq!(wrong(&before, caller.fault(&before.call).await.as_ref()), None);
    prepare(&caller).await;
    let rows = rows();
    let names: BTreeSet<&str> = rows.iter().map(|row| row.name).collect();
    assert_eq!(names.len(), rows.len(), "each row has a name of its own");
    let mut failures = Vec::new();
    for row in &rows {
        failures.extend(wrong(row, caller.fault(&row.call).await.as_ref()));
    }
    for (row, broken) in fields::rows() {
        let told = caller.fault(&row.call).await.map(|fault| fault.broken()).unwrap_or_default();
        if told != broken {
            failures.push(format!("{}: {told:#?} is told to be broken", row.name));
        }
    }
    println!("{} errors were provoked, {} cannot be", rows.len() + 1, UNPROVOKED.len());
    assert!(failures.is_empty(), "{} of {}:\n{}", failures.len(), rows.len(), failures.join("\n"));
    assert!(rows.len() >= 80 && UNPROVOKED.len() < 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_real_spicedb_says_the_same() {
    let Some(oracle) = Oracle::start() else {
        println!("SKIPPED: PEMBA_ORACLE=skip, the errors were not compared with the real SpiceDB");
        return;
    };
    if oracle.kind == Kind::Library {
        println!(
            "SKIPPED: the library lacks many calls and all details, the errors were not compared with it"
        );
        return;
    }
    let server = ServerProcess::start(None, &["--query-steps-max", STEPS_MAX]);
    let ours = Caller::new(&server.endpoint(), Some(&bearer()));
    let theirs = Caller::new(&oracle.endpoint, Some("Bearer errors"));
    prepare(&ours).await;
    prepare(&theirs).await;
    let mut found = BTreeSet::new();
    let mut failures = Vec::new();
    for row in rows() {
        let (here, there) = (ours.fault(&row.call).await, theirs.fault(&row.call).await);
        let same = match (&here, &there) {
            (Some(here), Some(there)) => here.same(there),
            (here, there) => here.is_none() && there.is_none(),
        };
        if same {
            continue;
        }
        found.insert(row.name);
        if !DIFFERS.iter().any(|(name, _)| *name == row.name) {
            let text = |fault: Option<Fault>| fault.map_or("an answer".to_owned(), |fault| fault.to_string());
            failures.push(format!("{}:\n  here  {}\n  there {}", row.name, text(here), text(there)));
        }
    }
    println!("{} errors compared, {} differ on purpose", rows().len(), found.len());
    assert!(failures.is_empty(), "{} differences:\n{}", failures.len(), failures.join("\n"));
    let stale: Vec<_> = DIFFERS.iter().filter(|(name, _)| !found.contains(name)).collect();
    assert!(stale.is_empty(), "these do not differ: {stale:?}");
}

fn question() -> Call {
    Call::CheckPermission(check("document:a#view@user:ada"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_without_the_key() {
    let server = ServerProcess::start(None, &[]);
    for (authorization, code) in [
        (None, Code::Unauthenticated),
        (Some("Basic dXNlcg=="), Code::Unauthenticated),
        (Some("Bearer another-key"), Code::PermissionDenied),
    ] {
        let fault = Caller::new(&server.endpoint(), authorization).fault(&question()).await.unwrap();
        assert_eq!((fault.code, fault.reason.as_str()), (code, ""), "{authorization:?}: {fault}");
    }
}

/// `pemba serve-testing`, ended when dropped.
struct Testing(Child);

impl Drop for Testing {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_to_an_address_that_serves_reads_only() {
    let addresses = [free_port(), free_port()].map(|port| format!("127.0.0.1:{port}"));
    let child = Command::new(binary())
        .args(["serve-testing", "--listen", &addresses[0], "--readonly-listen", &addresses[1]])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let _testing = Testing(child);
    for _ in 0..600 {
        if addresses.iter().all(|address| std::net::TcpStream::connect(address).is_ok()) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let caller = |address: &str| Caller::new(&format!("http://{address}"), Some("Bearer errors"));
    prepare(&caller(&addresses[0])).await;
    let reads = caller(&addresses[1]);
    assert!(reads.fault(&question()).await.is_none(), "reads are answered");
    let call = Call::WriteRelationships(write(Touch, &["document:z#owner@user:ada"]));
    let fault = reads.fault(&call).await.unwrap();
    assert_eq!((fault.code, fault.reason.as_str()), (Code::Unavailable, "SERVICE_READ_ONLY"), "{fault}");
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// A check at exactly the revision of a token.
fn at(token: &str) -> Call {
    let consistency = at_exact(token);
    Call::CheckPermission(wire::CheckPermissionRequest { consistency, ..check("document:a#view@user:ada") })
}

async fn touch(server: &ServerProcess, text: &str) -> String {
    let relationship = pemba_model::text::parse_relationship(text).unwrap();
    let mut wire = Wire::connect(&server.endpoint()).await;
    wire.write(vec![(pemba_model::Operation::Touch, relationship)]).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_ahead_of_the_head_and_behind_the_window() {
    let folder = tempfile::tempdir().unwrap();
    let (data, restored) = (folder.path().join("data"), folder.path().join("restored"));
    let window = ["--history-window-ms", "1", "--snapshots-retained-max", "1"];
    let server = ServerProcess::start(Some(&data), &window);
    let caller = |server: &ServerProcess| Caller::new(&server.endpoint(), Some(&bearer()));
    prepare(&caller(&server)).await;
    server.stop();
    copy(&data, &restored);
    let server = ServerProcess::start(Some(&data), &window);
    let old = touch(&server, "document:x#owner@user:ada").await;
    let mut newest = old.clone();
    for number in 0..10 {
        newest = touch(&server, &format!("document:x{number}#owner@user:ada")).await;
    }
    let fault = async {
        loop {
            match caller(&server).fault(&at(&old)).await {
                Some(fault) => return fault,
                None => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    };
    let fault = tokio::time::timeout(Duration::from_secs(30), fault).await.expect("the history is collected");
    assert_eq!((fault.code, fault.reason.as_str()), (Code::OutOfRange, ""), "{fault}");
    drop(server);
    // A backup from before the newest write does not know its revision.
    let server = ServerProcess::start(Some(&restored), &[]);
    let fault = caller(&server).fault(&at(&newest)).await.unwrap();
    assert_eq!((fault.code, fault.reason.as_str()), (Code::OutOfRange, ""), "{fault}");
}
