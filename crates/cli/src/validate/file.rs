//! Validation files: a schema, relationships, what must hold and what must not, in one YAML file.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use pemba_model::{Context, ObjectRef, Relationship, SmolStr, SubjectRef, text};
use serde::Deserialize;

/// Largest validation file that is read, in bytes.
const FILE_MAX_BYTES: u64 = 64 * 1024 * 1024;

/// A validation file, read and taken apart.
#[derive(Debug, Clone)]
pub struct ValidationFile {
    /// Where it was read from, as given.
    pub path: PathBuf,
    /// The schema's text.
    pub schema: String,
    /// The file the schema came from, when it is not in the validation file itself.
    pub schema_path: Option<PathBuf>,
    /// The relationships, in order.
    pub relationships: Vec<Relationship>,
    /// What must hold, must depend, must not hold.
    pub assertions: Vec<Assertion>,
    /// Who must have which permission on which object, in full, by `type:id#permission`.
    pub expected: BTreeMap<String, Vec<String>>,
}

/// One line of `assertions`.
#[derive(Debug, Clone)]
pub struct Assertion {
    /// The answer it demands.
    pub wanted: Wanted,
    /// The line, as written.
    pub text: String,
    /// The resource.
    pub resource: ObjectRef,
    /// The permission or relation.
    pub permission: SmolStr,
    /// The subject.
    pub subject: SubjectRef,
    /// The request's caveat context, after ` with `.
    pub context: Option<Context>,
}

/// The answer an assertion demands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// `assertTrue`.
    True,
    /// `assertCaveated`.
    Caveated,
    /// `assertFalse`.
    False,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Yaml {
    #[serde(default)]
    schema: Option<String>,
    #[serde(default, rename = "schemaFile")]
    schema_file: Option<String>,
    #[serde(default)]
    relationships: Option<String>,
    #[serde(default)]
    assertions: Option<YamlAssertions>,
    #[serde(default)]
    validation: Option<BTreeMap<String, Option<Vec<String>>>>,
    #[serde(default)]
    namespace_configs: Option<serde_json::Value>,
    #[serde(default)]
    validation_tuples: Option<serde_json::Value>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct YamlAssertions {
    #[serde(default, rename = "assertTrue")]
    assert_true: Option<Vec<String>>,
    #[serde(default, rename = "assertCaveated")]
    assert_caveated: Option<Vec<String>>,
    #[serde(default, rename = "assertFalse")]
    assert_false: Option<Vec<String>>,
}

impl ValidationFile {
    /// Reads a validation file and the schema file it names. Errors name the file, and the line or entry within it.
    pub fn read(path: &Path) -> Result<ValidationFile> {
        let source = read_bounded(path)?;
        let yaml: Yaml = serde_saphyr::from_str(&source)
            .with_context(|| format!("{}: not a validation file", path.display()))?;
        Self::from_yaml(path, yaml).with_context(|| path.display().to_string())
    }

    /// Takes a validation file from memory, whose `schemaFile`, whatever its name, is `schema`.
    pub fn parse(source: &str, schema: &str) -> Result<ValidationFile> {
        let mut yaml: Yaml = serde_saphyr::from_str(source).context("not a validation file")?;
        if yaml.schema_file.take().is_some() {
            yaml.schema = Some(schema.to_owned());
        }
        Self::from_yaml(Path::new(""), yaml)
    }

    fn from_yaml(path: &Path, yaml: Yaml) -> Result<ValidationFile> {
        if yaml.namespace_configs.is_some() || yaml.validation_tuples.is_some() {
            bail!(
                "`namespace_configs` and `validation_tuples` are of an older format: write `schema` and `relationships`"
            );
        }
        let (schema, schema_path) = match (yaml.schema, yaml.schema_file) {
            (Some(_), Some(_)) => bail!("`schema` and `schemaFile` exclude one another"),
            (Some(schema), None) => (schema, None),
            (None, Some(file)) => {
                let schema_path = beside(path, &file)?;
                (read_bounded(&schema_path)?, Some(schema_path))
            }
            (None, None) => bail!("neither `schema` nor `schemaFile` is given"),
        };
        let mut assertions = Vec::new();
        let lists = yaml.assertions.unwrap_or_default();
        for (wanted, lines) in [
            (Wanted::True, lists.assert_true),
            (Wanted::Caveated, lists.assert_caveated),
            (Wanted::False, lists.assert_false),
        ] {
            for line in lines.unwrap_or_default() {
                assertions.push(parse_assertion(wanted, &line)?);
            }
        }
        let expected = yaml.validation.unwrap_or_default();
        Ok(ValidationFile {
            path: path.to_owned(),
            schema,
            schema_path,
            relationships: parse_relationships(&yaml.relationships.unwrap_or_default())?,
            assertions,
            expected: expected.into_iter().map(|(key, lines)| (key, lines.unwrap_or_default())).collect(),
        })
    }
}

/// The schema file that a validation file names, whether it is there or not; nothing when the validation file cannot be
/// read.
pub(super) fn schema_file(path: &Path) -> Option<PathBuf> {
    let yaml: Yaml = serde_saphyr::from_str(&read_bounded(path).ok()?).ok()?;
    beside(path, &yaml.schema_file?).ok()
}

fn read_bounded(path: &Path) -> Result<String> {
    let size_bytes =
        std::fs::metadata(path).with_context(|| format!("cannot read {}", path.display()))?.len();
    if size_bytes > FILE_MAX_BYTES {
        bail!("{} is {size_bytes} bytes long; at most {FILE_MAX_BYTES} are read", path.display());
    }
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

/// The schema file next to the validation file; one that climbs out of that folder is refused.
fn beside(path: &Path, file: &str) -> Result<PathBuf> {
    let climbs =
        Path::new(file).components().any(|part| !matches!(part, Component::Normal(_) | Component::CurDir));
    if climbs {
        bail!("`schemaFile: {file}` leaves the folder of the validation file");
    }
    Ok(path.parent().unwrap_or(Path::new("")).join(file))
}

/// Reads relationships, one a line; blank lines and lines that begin with `//` are skipped.
pub fn parse_relationships(lines: &str) -> Result<Vec<Relationship>> {
    let mut relationships = Vec::new();
    for (index, line) in lines.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with("//") {
            continue;
        }
        let relationship =
            text::parse_relationship(line).with_context(|| format!("relationships, line {}", index + 1))?;
        relationships.push(relationship);
    }
    Ok(relationships)
}

fn parse_assertion(wanted: Wanted, line: &str) -> Result<Assertion> {
    let (question, context) = match line.split_once(" with ") {
        None => (line, None),
        Some((question, json)) => {
            let context = serde_json::from_str(json)
                .with_context(|| format!("assertion `{line}`: the part after `with` is no JSON object"))?;
            (question, Some(context))
        }
    };
    let (resource, subject) = question
        .trim()
        .split_once('@')
        .with_context(|| format!("assertion `{line}`: expected `@` between resource and subject"))?;
    let (resource, permission) =
        text::parse_object_relation(resource).with_context(|| format!("assertion `{line}`"))?;
    let subject = text::parse_subject(subject).with_context(|| format!("assertion `{line}`"))?;
    Ok(Assertion { wanted, text: line.to_owned(), resource, permission, subject, context })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(yaml: &str) -> Result<ValidationFile> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file.yaml");
        std::fs::write(&path, yaml).unwrap();
        ValidationFile::read(&path)
    }

    #[test]
    fn a_whole_file_is_taken_apart() {
        let file = read(
            "schema: definition user {}\nrelationships: |\n  // a comment\n\n  doc:a#viewer@user:b\nassertions:\n  assertTrue:\n    - 'doc:a#view@user:b with {\"x\": 1}'\n  assertFalse: []\nvalidation:\n  doc:a#view:\n    - '[user:b] is <doc:a#viewer>'\n",
        )
        .unwrap();
        assert_eq!(file.relationships.len(), 1);
        assert_eq!(file.assertions[0].wanted, Wanted::True);
        assert!(file.assertions[0].context.is_some());
        assert_eq!(file.expected["doc:a#view"].len(), 1);
    }

    #[test]
    fn faults_are_named_with_their_place() {
        for (yaml, part) in [
            ("relationships: ''", "neither"),
            ("schema: ''\nschemaFile: a", "exclude"),
            ("schemaFile: ../a.zed", "leaves"),
            ("schema: ''\nnamespace_configs: []", "older"),
            ("schema: ''\nrelationships: nonsense", "line 1"),
            ("schema: ''\nassertions: {assertTrue: ['a#b']}", "assertion"),
            ("schema: ''\nunknown: 1", "unknown"),
        ] {
            let error = format!("{:#}", read(yaml).unwrap_err());
            assert!(error.contains(part), "{yaml}: {error}");
        }
    }
}
