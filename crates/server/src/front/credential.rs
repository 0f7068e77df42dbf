//! What shows who calls: a key in the metadata, or the certificate of the connection.

use std::str::FromStr;
use std::sync::Arc;

use parking_lot::Mutex;
use pemba_agents::client::Client;
use pemba_model::SmolStr;
use rustls::pki_types::CertificateDer;
use webpki::EndEntityCert;

use super::key::KeyDigest;

/// Longest SPIFFE id, in bytes, by its standard.
const SPIFFE_ID_MAX_BYTES: usize = 2048;
const SPIFFE_SCHEME: &str = "spiffe://";

/// What a server knows a client by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Credential {
    /// A key, which the call brings as `authorization: Bearer <key>`.
    Key(KeyDigest),
    /// The certificate with this SHA-256 thumbprint.
    Certificate(KeyDigest),
    /// Whichever certificate has exactly this SPIFFE id.
    SpiffeId(SpiffeId),
}

impl From<KeyDigest> for Credential {
    fn from(digest: KeyDigest) -> Credential {
        Credential::Key(digest)
    }
}

/// `spiffe://trust-domain/path`, as certificates carry it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SpiffeId(SmolStr);

/// A text that is no SPIFFE id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is no SPIFFE id: `spiffe://`, a trust domain of `a-z`, `0-9`, `.`, `-`, `_`, and a path of segments of letters, digits, `.`, `-`, `_`, none empty, `.` or `..`"
)]
pub struct InvalidSpiffeId {
    text: String,
}

impl FromStr for SpiffeId {
    type Err = InvalidSpiffeId;

    /// Takes the form of the SPIFFE standard, which leaves one spelling for one identity; a workload's has a path.
    fn from_str(text: &str) -> Result<SpiffeId, InvalidSpiffeId> {
        let is_id = || {
            let (domain, path) = text.strip_prefix(SPIFFE_SCHEME)?.split_once('/')?;
            let is_mark = |byte: u8| matches!(byte, b'.' | b'-' | b'_');
            let in_domain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || is_mark(byte);
            let in_path = |byte: u8| byte.is_ascii_alphanumeric() || is_mark(byte);
            let is_segment = |part: &str| !matches!(part, "" | "." | "..") && part.bytes().all(in_path);
            let is_good =
                !domain.is_empty() && domain.bytes().all(in_domain) && path.split('/').all(is_segment);
            is_good.then_some(())
        };
        if text.len() <= SPIFFE_ID_MAX_BYTES && is_id().is_some() {
            Ok(SpiffeId(text.into()))
        } else {
            Err(InvalidSpiffeId { text: text.chars().take(128).collect() })
        }
    }
}

/// What a connection showed, and whom its calls come from.
#[derive(Debug)]
pub(crate) struct Shown {
    digest: KeyDigest,
    /// The one URI name of the certificate. One with several has none.
    spiffe_id: Option<SpiffeId>,
    /// The last client, as configured and with the certificate: a connection has one as a rule.
    last: Mutex<Option<(Arc<Client>, Arc<Client>)>>,
}

impl Shown {
    /// The first certificate of a chain that the connection has verified.
    pub(crate) fn new(certificate: &CertificateDer<'_>) -> Shown {
        let digest = KeyDigest::of(certificate);
        Shown { digest, spiffe_id: spiffe_id(certificate), last: Mutex::new(None) }
    }

    /// What it may be known by, the narrower first.
    pub(super) fn credentials(&self) -> impl Iterator<Item = Credential> + '_ {
        let spiffe_id = self.spiffe_id.clone().map(Credential::SpiffeId);
        std::iter::once(Credential::Certificate(self.digest)).chain(spiffe_id)
    }

    /// The client as it calls over this connection.
    pub(super) fn by(&self, client: &Arc<Client>) -> Arc<Client> {
        let mut last = self.last.lock();
        if let Some((configured, calling)) = &*last
            && Arc::ptr_eq(configured, client)
        {
            return Arc::clone(calling);
        }
        let certificate = Some(self.digest.to_string().into());
        let calling = Arc::new(Client { certificate, ..Client::clone(client) });
        *last = Some((Arc::clone(client), Arc::clone(&calling)));
        calling
    }
}

fn spiffe_id(certificate: &CertificateDer<'_>) -> Option<SpiffeId> {
    let certificate = EndEntityCert::try_from(certificate).ok()?;
    let mut names = certificate.valid_uri_names();
    let first = names.next()?;
    if names.next().is_some() { None } else { first.parse().ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_identity_has_one_spelling() {
        for good in ["spiffe://example.org/agents/triage", "spiffe://a/b", "spiffe://a-b_c.d/E/f.1"] {
            assert_eq!(good.parse::<SpiffeId>().unwrap().0, good);
        }
        for bad in [
            "",
            "spiffe://",
            "spiffe://example.org",
            "spiffe://example.org/",
            "spiffe:///x",
            "SPIFFE://a/b",
            "spiffe://A/b",
            "spiffe://a/b/",
            "spiffe://a//b",
            "spiffe://a/./b",
            "spiffe://a/../b",
            "spiffe://a:1/b",
            "spiffe://u@a/b",
            "spiffe://a/b?c",
            "spiffe://a/b#c",
            "spiffe://a/%62",
            "https://a/b",
        ] {
            assert!(bad.parse::<SpiffeId>().is_err(), "{bad}");
        }
        let long = format!("spiffe://a/{}", "b".repeat(SPIFFE_ID_MAX_BYTES));
        assert!(long.parse::<SpiffeId>().is_err());
    }

    fn certificate(uris: &[&str]) -> Shown {
        let mut params = rcgen::CertificateParams::default();
        params.subject_alt_names =
            uris.iter().map(|uri| rcgen::SanType::URI((*uri).try_into().unwrap())).collect();
        let key = rcgen::KeyPair::generate().unwrap();
        Shown::new(params.self_signed(&key).unwrap().der())
    }

    #[test]
    fn a_certificate_has_the_spiffe_id_that_is_its_only_uri() {
        let found = certificate(&["spiffe://example.org/agents/triage"]);
        assert_eq!(found.spiffe_id, "spiffe://example.org/agents/triage".parse().ok());
        let thumbprint = found.by(&Arc::new(Client::unrestricted("triage"))).certificate.clone().unwrap();
        assert_eq!(thumbprint.len(), 64);
        assert_eq!(thumbprint.parse(), Ok(found.digest));
        assert_eq!(certificate(&[]).spiffe_id, None);
        assert_eq!(certificate(&["https://example.org/a"]).spiffe_id, None);
        let two = ["spiffe://example.org/a", "spiffe://example.org/b"];
        assert_eq!(certificate(&two).spiffe_id, None);
    }
}
