//! Where things are in the checkout.

use std::path::{Path, PathBuf};

/// The root of the checkout.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Every file of the checkout, relative to its root, without what builds and tools leave behind.
pub fn files() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                if !matches!(
                    name.as_str(),
                    ".git" | "target" | "node_modules" | "corpus" | "artifacts" | "__pycache__"
                ) {
                    folders.push(path);
                }
            } else {
                found.push(path.strip_prefix(root()).unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

/// The folder with SpiceDB's validation files, if it is there: `spicedb` in `PEMBA_CONFORMANCE_DIR`, or in the folder
/// `shared/conformance` beside the checkout.
pub fn conformance() -> Option<PathBuf> {
    let named = std::env::var_os("PEMBA_CONFORMANCE_DIR").map(PathBuf::from);
    let folder = named.unwrap_or_else(|| root().join("../shared/conformance")).join("spicedb");
    folder.is_dir().then_some(folder)
}

/// The validation files of a folder, sorted.
pub fn yaml_files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .collect();
    files.sort();
    files
}

/// The validation files of the example schemas.
pub fn examples() -> Vec<PathBuf> {
    let mut files: Vec<_> = std::fs::read_dir(root().join("schema"))
        .unwrap()
        .map(|entry| entry.unwrap().path().join("validation.yaml"))
        .filter(|path| path.exists())
        .collect();
    files.sort();
    files
}
