//! The same database in a folder: reopening, the lock, backup and verification.

use std::path::Path;

use pemba_db::{
    BackupError, Consistency, Database, OpenError, Options, Storage, VerifyError, WatchRequest, verify,
};
use pemba_model::Revision;

use crate::deciding::{change, put};
use crate::ledger::Documents;
use crate::support::{SCHEMA, create, everything, head, texts, write};

fn open(directory: &Path) -> Result<Database, OpenError> {
    Database::open(
        Storage::Directory(directory.to_owned()),
        Options { ledger: Documents::none(), ..Options::default() },
    )
}

#[test]
fn a_folder_is_a_database_of_one_process() {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("data");
    let database = open(&directory).unwrap();
    database.write_schema(SCHEMA.to_owned()).wait().unwrap();
    let first = database.write(write([create("document:a#viewer@user:x")])).wait().unwrap();
    let second = database.write(write([create("document:b#viewer@user:*")])).wait().unwrap();
    let Err(OpenError::Refused(message)) = open(&directory) else { panic!("opened twice") };
    assert!(message.contains("in use"), "{message}");
    database.close();

    let database = open(&directory).unwrap();
    assert_eq!(everything(&head(&database)), texts(["document:a#viewer@user:x", "document:b#viewer@user:*"]));
    let old = database.view(&Consistency::AtExactSnapshot(first.token)).unwrap();
    assert_eq!(everything(&old), texts(["document:a#viewer@user:x"]));
    assert_eq!(head(&database).token(), second.token);
    let mut watch =
        database.watch(WatchRequest { after: Some(Revision(1)), ..WatchRequest::default() }).unwrap();
    let event = watch.next_blocking(std::time::Duration::ZERO).unwrap().unwrap();
    assert_eq!(event.token, first.token);
    assert!(database.statistics().store.disk_bytes > 0);
}

#[test]
fn a_backup_opens_and_verifies_like_the_original() {
    let folder = tempfile::tempdir().unwrap();
    let (directory, copy) = (folder.path().join("data"), folder.path().join("copy"));
    let database = open(&directory).unwrap();
    database.write_schema(SCHEMA.to_owned()).wait().unwrap();
    for n in 0..20 {
        database.write(write([create(&format!("document:d{n}#viewer@user:x"))])).wait().unwrap();
    }
    change(&database, [put("a", "1"), put("b", "1")], []).wait().unwrap();
    let report = database.backup(&copy).unwrap();
    assert_eq!((report.revision, report.relationships, report.documents), (Revision(22), 20, 2));
    assert_eq!(database.backup(&copy), Err(BackupError::Exists(copy.clone())));
    database.write(write([create("document:later#viewer@user:x")])).wait().unwrap();
    let verified = verify(&copy, Documents::none()).unwrap();
    assert_eq!((verified.head, verified.relationships, verified.log_revisions), (Revision(22), 20, 22));
    assert_eq!((verified.documents, verified.log_mutations), (2, 22));
    assert_eq!(verified.database_id, database.database_id());
    let restored = open(&copy).unwrap();
    assert_eq!(everything(&head(&restored)).len(), 20);
    assert_eq!(Documents::of(&restored.ledger()), Documents::of(&database.ledger()));
    restored.write(write([create("document:later#viewer@user:x")])).wait().unwrap();
}

#[test]
fn a_foreign_folder_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("notes.txt"), "mine").unwrap();
    let Err(OpenError::Refused(message)) = open(folder.path()) else { panic!("opened") };
    assert!(message.contains("notes.txt"), "{message}");
    let names: Vec<_> =
        std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["notes.txt"]);
    assert!(matches!(
        verify(folder.path(), Documents::none()),
        Err(VerifyError::Open(OpenError::Refused(_)))
    ));
}
