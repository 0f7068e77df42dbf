//! Who calls: which client a key or a certificate belongs to.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arc_swap::ArcSwap;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use pemba_agents::client::Client;
use tokio::sync::watch;
use tonic::{Code, Status};

use super::credential::{Credential, Shown};
use super::key::KeyDigest;
use crate::options::{ClientKey, ServerOptions, StartError};
use crate::status::plain;

/// Services that anybody may ask: load balancers and tools have no key.
const OPEN_SERVICES: [&str; 2] = ["/grpc.health.v1.Health/", "/grpc.reflection."];
/// Who calls where no key is asked for, and where each token has a database of its own.
const ANYBODY: &str = "anybody";
const TESTING: &str = "testing";
/// The client of the first preshared key; those of the others have a number behind.
const DEFAULT: &str = "default";

/// Who may call.
pub(crate) struct Authentication {
    known: ArcSwap<Known>,
    /// The clients of preshared keys, which stay as they are.
    preshared: Vec<ClientKey>,
    /// Told whenever `known` was replaced.
    replaced: watch::Sender<()>,
}

enum Known {
    /// Everybody is this client.
    Anybody(Arc<Client>),
    /// Whoever shows one of these. Looking a digest up takes time that depends on the digest, from which no key can be
    /// guessed.
    Shown { clients: HashMap<Credential, Arc<Client>>, unknown: Code },
}

impl Authentication {
    /// Any of the preshared keys opens everything; without a key and without clients everything is open to everybody.
    pub(crate) fn new(options: &ServerOptions) -> Result<Authentication, StartError> {
        let preshared = preshared(&options.preshared_keys);
        let known = match &options.clients {
            None if preshared.is_empty() => {
                let name = if options.per_token.is_some() { TESTING } else { ANYBODY };
                Known::Anybody(Arc::new(Client::unrestricted(name)))
            }
            clients => Known::shown(&preshared, clients.as_deref())?,
        };
        let known = ArcSwap::from_pointee(known);
        Ok(Authentication { known, preshared, replaced: watch::Sender::new(()) })
    }

    /// Replaces the clients, except those of preshared keys. On an error the clients stay as they are.
    pub(crate) fn replace(&self, clients: &[ClientKey]) -> Result<(), StartError> {
        self.known.store(Arc::new(Known::shown(&self.preshared, Some(clients))?));
        self.replaced.send_replace(());
        Ok(())
    }

    /// Tells of every replacement from here on.
    pub(crate) fn replacements(&self) -> watch::Receiver<()> {
        self.replaced.subscribe()
    }

    /// Whether something that is shown still belongs to exactly this client.
    pub(crate) fn still_knows(&self, client: &Client) -> bool {
        match &**self.known.load() {
            Known::Anybody(anybody) => anybody.is_same(client),
            Known::Shown { clients, .. } => clients.values().any(|known| known.is_same(client)),
        }
    }

    /// The client that calls this path with these headers, over a connection that showed this; none where anybody may
    /// ask. A key says who calls; a certificate does where there is no key, and must not contradict one.
    pub(crate) fn client(
        &self,
        path: &str,
        headers: &HeaderMap,
        shown: Option<&Shown>,
    ) -> Result<Option<Arc<Client>>, Status> {
        if OPEN_SERVICES.iter().any(|service| path.starts_with(service)) {
            return Ok(None);
        }
        let known = self.known.load();
        let client = match &**known {
            Known::Anybody(anybody) => anybody,
            Known::Shown { clients, unknown } => {
                let certified = shown.and_then(|shown| shown.credentials().find_map(|one| clients.get(&one)));
                let keyed = match bearer(headers) {
                    None => None,
                    Some(key) => match clients.get(&Credential::Key(KeyDigest::of(key))) {
                        Some(client) => Some(client),
                        None => return Err(plain(*unknown, "the key is not valid here")),
                    },
                };
                who(keyed, certified, shown.is_some())?
            }
        };
        Ok(Some(shown.map_or_else(|| Arc::clone(client), |shown| shown.by(client))))
    }
}

impl Known {
    /// No credential may belong to two clients, and no two clients may differ under one name.
    fn shown(preshared: &[ClientKey], clients: Option<&[ClientKey]>) -> Result<Known, StartError> {
        let twice = |reason: String| Err(StartError::Option { option: "clients", reason });
        let mut by_credential: HashMap<Credential, Arc<Client>> = HashMap::new();
        for one in preshared {
            by_credential.entry(one.credential.clone()).or_insert_with(|| Arc::clone(&one.client));
        }
        let reserved: HashSet<_> = by_credential.values().map(|client| client.name.clone()).collect();
        let mut by_name: HashMap<_, Arc<Client>> = HashMap::new();
        for one in clients.unwrap_or_default() {
            let name = &one.client.name;
            let first = by_name.entry(name.clone()).or_insert_with(|| Arc::clone(&one.client));
            if reserved.contains(name) || *first != one.client {
                return twice(format!("name two different clients `{name}`"));
            }
            if let Some(other) = by_credential.insert(one.credential.clone(), Arc::clone(&one.client)) {
                return twice(format!("give one key or certificate to `{}` and to `{name}`", other.name));
            }
        }
        // With preshared keys alone a wrong one is told as clients of the interface know it. Among clients with rights
        // PERMISSION_DENIED says what a client may not.
        let unknown = if clients.is_some() { Code::Unauthenticated } else { Code::PermissionDenied };
        Ok(Known::Shown { clients: by_credential, unknown })
    }
}

/// Who it is of whom the key names and whom the certificate.
fn who<'a>(
    keyed: Option<&'a Arc<Client>>,
    certified: Option<&'a Arc<Client>>,
    has_certificate: bool,
) -> Result<&'a Arc<Client>, Status> {
    let missing = |message: &str| Err(plain(Code::Unauthenticated, message));
    match (keyed, certified) {
        (Some(keyed), Some(certified)) if !keyed.is_same(certified) => {
            missing("the key and the certificate belong to different clients")
        }
        (Some(client), _) | (None, Some(client)) => Ok(client),
        (None, None) if has_certificate => missing(
            "the certificate is no client's, and the call carries no key: send the metadata `authorization: Bearer <key>`",
        ),
        (None, None) => missing("the call carries no key: send the metadata `authorization: Bearer <key>`"),
    }
}

/// Each key is a client of its own that may do everything.
fn preshared(keys: &[String]) -> Vec<ClientKey> {
    let name = |at: usize| if at == 0 { DEFAULT.to_owned() } else { format!("{DEFAULT}-{}", at + 1) };
    let client = |(at, key): (usize, &String)| ClientKey {
        credential: KeyDigest::of(key.as_bytes()).into(),
        client: Arc::new(Client::unrestricted(name(at))),
    };
    keys.iter().enumerate().map(client).collect()
}

/// The key of `authorization: Bearer <key>`; `None` when there is none or the header has another form.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let value = headers.get(AUTHORIZATION)?.as_bytes();
    let (scheme, rest) = value.split_at_checked(7)?;
    if !scheme.eq_ignore_ascii_case(b"bearer ") {
        return None;
    }
    let key = rest.trim_ascii();
    if key.is_empty() { None } else { Some(key) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHECK: &str = "/authzed.api.v1.PermissionsService/CheckPermission";

    fn options(keys: &[&str], clients: Option<Vec<ClientKey>>) -> ServerOptions {
        let preshared_keys = keys.iter().map(ToString::to_string).collect();
        ServerOptions { preshared_keys, clients, ..ServerOptions::default() }
    }

    fn named(name: &str, key: &str) -> ClientKey {
        let client = Client { rights: Default::default(), ..Client::unrestricted(name) };
        ClientKey { client: Arc::new(client), credential: KeyDigest::of(key.as_bytes()).into() }
    }

    /// The name of the client, empty for none, or why not.
    fn ask(authentication: &Authentication, path: &str, header: Option<&str>) -> Result<String, Code> {
        let mut headers = HeaderMap::new();
        if let Some(header) = header {
            headers.insert(AUTHORIZATION, header.parse().unwrap());
        }
        let client = authentication.client(path, &headers, None).map_err(|status| status.code())?;
        Ok(client.map(|client| client.name.to_string()).unwrap_or_default())
    }

    fn preshared(keys: &[&str], path: &str, header: Option<&str>) -> Result<String, Code> {
        ask(&Authentication::new(&options(keys, None)).unwrap(), path, header)
    }

    #[test]
    fn any_of_the_keys_opens() {
        let keys = ["first", "second"];
        assert_eq!(preshared(&keys, CHECK, Some("Bearer first")).unwrap(), "default");
        assert_eq!(preshared(&keys, CHECK, Some("bearer second")).unwrap(), "default-2");
        for wrong in ["Bearer third", "Bearer firs", "Bearer firstt"] {
            assert_eq!(preshared(&keys, CHECK, Some(wrong)), Err(Code::PermissionDenied));
        }
    }

    #[test]
    fn a_missing_or_malformed_key_is_no_wrong_key() {
        for header in [None, Some("Bearer"), Some("Bearer "), Some("first"), Some("Basic first"), Some("")] {
            assert_eq!(preshared(&["first"], CHECK, header), Err(Code::Unauthenticated), "{header:?}");
        }
    }

    #[test]
    fn health_and_reflection_are_open_and_so_is_everything_without_keys() {
        assert_eq!(preshared(&["first"], "/grpc.health.v1.Health/Check", None).unwrap(), "");
        let reflection = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
        assert_eq!(preshared(&["first"], reflection, None).unwrap(), "");
        assert_eq!(preshared(&["first"], "/made.up/Call", None), Err(Code::Unauthenticated));
        assert_eq!(preshared(&[], CHECK, None).unwrap(), "anybody");
        // An empty list of clients is a list: nobody is known.
        let nobody = Authentication::new(&options(&[], Some(Vec::new()))).unwrap();
        assert_eq!(ask(&nobody, CHECK, Some("Bearer first")), Err(Code::Unauthenticated));
    }

    #[test]
    fn a_key_is_one_client_and_a_name_too() {
        let clients = vec![named("portal", "one"), named("portal", "two"), named("batch", "three")];
        let known = Authentication::new(&options(&["old"], Some(clients))).unwrap();
        for (key, name) in [("one", "portal"), ("two", "portal"), ("three", "batch"), ("old", "default")] {
            assert_eq!(ask(&known, CHECK, Some(&format!("Bearer {key}"))).unwrap(), name);
        }
        assert_eq!(ask(&known, CHECK, Some("Bearer four")), Err(Code::Unauthenticated));
        let refused = |keys: &[&str], clients| {
            Authentication::new(&options(keys, Some(clients))).map(|_| ()).unwrap_err().to_string()
        };
        let text = refused(&[], vec![named("portal", "one"), named("batch", "one")]);
        assert!(text.contains("one key or certificate to `portal` and to `batch`"), "{text}");
        let text = refused(&["one"], vec![named("portal", "one")]);
        assert!(text.contains("one key or certificate to `default` and to `portal`"), "{text}");
        let text = refused(&["one"], vec![named("default", "two")]);
        assert!(text.contains("two different clients `default`"), "{text}");
        let other = ClientKey { client: Arc::new(Client::unrestricted("portal")), ..named("", "two") };
        let text = refused(&[], vec![named("portal", "one"), other]);
        assert!(text.contains("two different clients `portal`"), "{text}");
    }

    #[test]
    fn replaced_clients_are_gone_and_preshared_keys_stay() {
        let (portal, batch) = (named("portal", "one"), named("batch", "two"));
        let known = Authentication::new(&options(&["old"], Some(vec![portal.clone()]))).unwrap();
        let mut replacements = known.replacements();
        assert!(!replacements.has_changed().unwrap());
        known.replace(&[portal.clone(), portal.clone()]).unwrap_err();
        assert!(!replacements.has_changed().unwrap() && known.still_knows(&portal.client));
        known.replace(std::slice::from_ref(&batch)).unwrap();
        assert!(replacements.has_changed().unwrap());
        replacements.mark_unchanged();
        assert!(known.still_knows(&batch.client) && !known.still_knows(&portal.client));
        assert_eq!(ask(&known, CHECK, Some("Bearer one")), Err(Code::Unauthenticated));
        assert_eq!(ask(&known, CHECK, Some("Bearer two")).unwrap(), "batch");
        assert_eq!(ask(&known, CHECK, Some("Bearer old")).unwrap(), "default");
    }

    #[test]
    fn a_certificate_names_a_client_where_no_key_does_and_contradicts_none() {
        let mut params = rcgen::CertificateParams::default();
        let id = "spiffe://example.org/triage";
        params.subject_alt_names = vec![rcgen::SanType::URI(id.try_into().unwrap())];
        let signing = rcgen::KeyPair::generate().unwrap();
        let shown = Shown::new(params.self_signed(&signing).unwrap().der());
        let credential = |credential: Credential, one: ClientKey| ClientKey { credential, ..one };
        let by_id = credential(Credential::SpiffeId(id.parse().unwrap()), named("triage", ""));
        let by_print = credential(shown.credentials().next().unwrap(), named("triage", ""));
        let stranger = named("portal", "one");
        let ask = |clients: &[ClientKey], key: Option<&str>| {
            let known = Authentication::new(&options(&[], Some(clients.to_vec()))).unwrap();
            let mut headers = HeaderMap::new();
            if let Some(key) = key {
                headers.insert(AUTHORIZATION, format!("Bearer {key}").parse().unwrap());
            }
            known.client(CHECK, &headers, Some(&shown)).map(Option::unwrap)
        };
        for one in [by_id, by_print] {
            let clients = [one, stranger.clone(), named("triage", "two")];
            let found = ask(&clients, None).unwrap();
            assert_eq!(found.name, "triage");
            assert_eq!(found.certificate.as_ref().map(|print| print.len()), Some(64));
            assert_eq!(ask(&clients, Some("two")).unwrap().name, "triage");
            let refused = ask(&clients, Some("one")).unwrap_err();
            assert!(refused.message().contains("different clients"), "{refused}");
            assert_eq!(ask(&clients, Some("three")).unwrap_err().code(), Code::Unauthenticated);
        }
        // Who is known by the key may show a certificate that nobody knows: sessions are bound to it.
        let known = ask(std::slice::from_ref(&stranger), Some("one")).unwrap();
        assert!(known.certificate.is_some() && known.is_same(&stranger.client));
        let refused = ask(std::slice::from_ref(&stranger), None).unwrap_err();
        assert!(refused.message().contains("no client's"), "{refused}");
    }
}
