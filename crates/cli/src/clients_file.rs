//! The clients file: which clients a server knows, their keys and certificates and their rights. `docs/clients.md` describes it.

use std::collections::HashMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow, bail};
use pemba_agents::client::{
    Client, MayAssert, PATTERNS_MAX, Pattern, Patterns, Rights, Rule, Selection, Verb,
};
use pemba_model::text::parse_object;
use pemba_model::{ObjectRef, SmolStr};
use pemba_server::{ClientKey, Credential, KeyDigest};
use serde::de::{Deserializer, SeqAccess, Visitor};
use serde::{Deserialize, de};
use serde_saphyr::Spanned;

/// Largest clients file that is read, in bytes.
const FILE_MAX_BYTES: u64 = 4 * 1024 * 1024;
/// Largest key, in bytes: it travels in a header.
const KEY_MAX_BYTES: usize = 4096;
/// A shorter key can be guessed from its digest.
const KEY_WARN_BYTES: usize = 16;
/// Longest name of a client, in bytes.
const NAME_MAX_BYTES: usize = 64;
/// Most clients of one server, and most keys of one client.
const CLIENTS_MAX: usize = 10_000;
const KEYS_MAX: usize = 16;
const EXACTLY_ONE: &str =
    "exactly one of `key_sha256`, `key_file`, `key`, `certificate_sha256` and `spiffe_id` is needed";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    clients: Vec<Spanned<Entry>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    keys: Vec<Spanned<Key>>,
    #[serde(default)]
    principal: Option<String>,
    #[serde(default)]
    rules: Vec<Spanned<RuleEntry>>,
    #[serde(default)]
    may_assert: Assertions,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Key {
    #[serde(default)]
    key_sha256: Option<String>,
    #[serde(default)]
    key_file: Option<String>,
    #[serde(default)]
    key: Option<String>,
    #[serde(default)]
    certificate_sha256: Option<String>,
    #[serde(default)]
    spiffe_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleEntry {
    verbs: Vec<String>,
    #[serde(default)]
    resource_types: Option<Names>,
    #[serde(default)]
    relations: Option<Names>,
    #[serde(default)]
    subject_types: Option<Names>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Assertions {
    #[serde(default)]
    roots: Vec<String>,
    #[serde(default)]
    actors: Vec<String>,
}

/// `all`, or a list.
struct Names(Selection);

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Names, D::Error> {
        deserializer.deserialize_any(NamesVisitor)
    }
}

struct NamesVisitor;

impl<'de> Visitor<'de> for NamesVisitor {
    type Value = Names;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("`all` or a list of names")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Names, E> {
        if text == "all" {
            Ok(Names(Selection::All))
        } else {
            Err(E::custom(format!("`{text}` is neither `all` nor a list of names")))
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Names, A::Error> {
        let mut names = Vec::new();
        while let Some(name) = list.next_element::<String>()? {
            names.push(SmolStr::from(name));
        }
        Ok(Names(Selection::Only(names)))
    }
}

/// Reads the file and the key files it names, which are found relative to it. Errors name the file, the line, the
/// client and the field; they never repeat a key.
pub fn read(path: &Path) -> Result<Vec<ClientKey>> {
    let text = read_bounded(path, FILE_MAX_BYTES)?;
    parse(&text, path.parent().unwrap_or(Path::new(""))).with_context(|| path.display().to_string())
}

/// Takes the text of a clients file; `folder` is where the key files are found.
fn parse(text: &str, folder: &Path) -> Result<Vec<ClientKey>> {
    // A snippet of the text might show a key.
    let options = serde_saphyr::options! { with_snippet: false };
    let file: File = serde_saphyr::from_str_with_options(text, options).context("not a clients file")?;
    let count = file.clients.len();
    if count > CLIENTS_MAX {
        bail!("`clients`: {count} are given; at most {CLIENTS_MAX} are allowed");
    }
    let mut names: HashMap<String, u64> = HashMap::new();
    let mut keys: HashMap<Credential, String> = HashMap::new();
    let mut clients = Vec::new();
    for entry in file.clients {
        let line = entry.referenced.line();
        let entry = entry.value;
        let name = entry.name.clone();
        let at = || format!("line {line}: client `{}`", name.escape_debug());
        if let Some(first) = names.insert(name.clone(), line) {
            bail!("{}: `name`: the client at line {first} has it too", at());
        }
        let (client, credentials) = client(entry, folder).with_context(at)?;
        for credential in credentials {
            if let Some(other) = keys.insert(credential.clone(), name.clone()) {
                bail!("{}: `keys`: a key is given twice, to `{other}` before", at());
            }
            clients.push(ClientKey { client: Arc::clone(&client), credential });
        }
    }
    Ok(clients)
}

fn client(entry: Entry, folder: &Path) -> Result<(Arc<Client>, Vec<Credential>)> {
    check_name(&entry.name)?;
    let count = entry.keys.len();
    if count == 0 || count > KEYS_MAX {
        bail!("`keys`: {count} are given; 1 to {KEYS_MAX} are needed");
    }
    let mut credentials = Vec::with_capacity(count);
    for key in &entry.keys {
        let line = key.referenced.line();
        let credential = credential(&entry.name, &key.value, folder);
        credentials.push(credential.with_context(|| format!("line {line}: `keys`"))?);
    }
    let mut rules = Vec::with_capacity(entry.rules.len());
    for entry in entry.rules {
        let line = entry.referenced.line();
        rules.push(rule(entry.value).with_context(|| format!("line {line}: `rules`"))?);
    }
    let client = Client {
        name: entry.name.into(),
        principal: entry.principal.as_deref().map(principal).transpose()?,
        rights: Rights::new(&rules).context("`rules`")?,
        may_assert: MayAssert {
            roots: patterns("roots", &entry.may_assert.roots)?,
            actors: patterns("actors", &entry.may_assert.actors)?,
        },
        certificate: None,
    };
    Ok((Arc::new(client), credentials))
}

fn check_name(name: &str) -> Result<()> {
    let is_good =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
    let begins = name.as_bytes().first().is_some_and(u8::is_ascii_lowercase);
    if begins && name.len() <= NAME_MAX_BYTES && name.bytes().all(is_good) {
        return Ok(());
    }
    bail!("`name` must be 1 to {NAME_MAX_BYTES} of `a-z`, `0-9`, `-`, `_`, starting with a letter")
}

fn principal(text: &str) -> Result<ObjectRef> {
    parse_object(text).context("`principal`")
}

/// What is given in one of the five ways.
fn credential(client: &str, key: &Key, folder: &Path) -> Result<Credential> {
    let Key { key_sha256, key_file, key: text, certificate_sha256, spiffe_id } = key;
    match (key_sha256.is_some() || key_file.is_some() || text.is_some(), certificate_sha256, spiffe_id) {
        (true, None, None) => digest(client, key, folder).map(Credential::Key),
        (false, Some(digest), None) => {
            Ok(Credential::Certificate(digest.parse().context("`certificate_sha256`")?))
        }
        (false, None, Some(id)) => Ok(Credential::SpiffeId(id.parse().context("`spiffe_id`")?)),
        _ => bail!(EXACTLY_ONE),
    }
}

/// The digest of a key that is given in one of the three ways.
fn digest(client: &str, key: &Key, folder: &Path) -> Result<KeyDigest> {
    match (&key.key_sha256, &key.key_file, &key.key) {
        (Some(digest), None, None) => digest.parse().context("`key_sha256`"),
        (None, Some(file), None) => {
            let path = folder.join(file);
            let text = read_bounded(&path, KEY_MAX_BYTES as u64 + 2).context("`key_file`")?;
            let text = text.strip_suffix('\n').unwrap_or(&text);
            let text = text.strip_suffix('\r').unwrap_or(text);
            check_key(client, text).with_context(|| format!("`key_file`: {}", path.display()))
        }
        (None, None, Some(text)) => {
            tracing::warn!(
                client,
                "the clients file holds a key in the clear: whoever reads the file can be this client; give \
                 `key_sha256` or `key_file` instead"
            );
            check_key(client, text).context("`key`")
        }
        _ => bail!(EXACTLY_ONE),
    }
}

fn check_key(client: &str, key: &str) -> Result<KeyDigest> {
    let length = key.len();
    if length == 0 || length > KEY_MAX_BYTES {
        bail!("the key is {length} bytes long; 1 to {KEY_MAX_BYTES} are needed");
    }
    if !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        bail!("the key may only contain printable ASCII without blanks, since it travels in a header");
    }
    if length < KEY_WARN_BYTES {
        tracing::warn!(client, length, "a key is short enough to be guessed; use 32 random bytes");
    }
    Ok(KeyDigest::of(key.as_bytes()))
}

fn rule(entry: RuleEntry) -> Result<Rule> {
    let verbs = entry.verbs.iter().map(|word| word.parse()).collect::<Result<Vec<Verb>, _>>();
    let verbs = verbs.context("`verbs`")?;
    // Forgetting a list must not widen a rule.
    let scoped = verbs.iter().find(|verb| verb.is_scoped());
    let names = |field: &str, given: Option<Names>| match (given, scoped) {
        (Some(Names(selection)), _) => Ok(selection),
        (None, None) => Ok(Selection::All),
        (None, Some(verb)) => Err(anyhow!("`{field}` is missing: `{verb}` needs `all` or a list of names")),
    };
    let rule = Rule {
        resource_types: names("resource_types", entry.resource_types)?,
        relations: names("relations", entry.relations)?,
        subject_types: names("subject_types", entry.subject_types)?,
        verbs,
    };
    rule.check()?;
    Ok(rule)
}

fn patterns(field: &str, texts: &[String]) -> Result<Patterns> {
    if texts.len() > PATTERNS_MAX {
        bail!("`may_assert.{field}`: {} patterns are given; at most {PATTERNS_MAX} are allowed", texts.len());
    }
    let patterns = texts.iter().map(|text| text.parse::<Pattern>()).collect::<Result<Patterns, _>>();
    patterns.with_context(|| format!("`may_assert.{field}`"))
}

/// The text of a file that is not too large.
fn read_bounded(path: &Path, max_bytes: u64) -> Result<String> {
    let size = std::fs::metadata(path).with_context(|| format!("cannot read {}", path.display()))?.len();
    if size > max_bytes {
        bail!("{} is {size} bytes long; at most {max_bytes} are read", path.display());
    }
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

#[cfg(test)]
mod tests;
