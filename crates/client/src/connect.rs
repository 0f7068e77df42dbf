//! Reaching a server: where, with which key, over which security.

use std::time::Duration;

use base64::Engine as _;
use tonic::{
    Code, Request, Status,
    metadata::{Ascii, MetadataValue},
    service::Interceptor,
    transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity},
};

use crate::{error::Error, retry::RetryPolicy};

/// How a connection is protected.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Tls {
    /// Not at all: the bearer token travels in the clear. For a trusted network.
    #[default]
    Off,
    /// TLS, trusting the certificate authorities of the operating system.
    SystemRoots,
    /// TLS, trusting only the certificate authorities in this PEM text.
    Roots(Vec<u8>),
}

/// Where a server is and how to talk to it.
#[derive(Clone)]
pub struct ConnectOptions {
    endpoint: String,
    token: Option<String>,
    tls: Tls,
    tls_domain: Option<String>,
    identity: Option<Identity>,
    connect_timeout: Duration,
    request_timeout: Duration,
    message_max_bytes: usize,
    retry: RetryPolicy,
}

impl ConnectOptions {
    /// A server at `host:port`, or at a URL with scheme `http` or `https`.
    pub fn new(endpoint: impl Into<String>) -> ConnectOptions {
        ConnectOptions {
            endpoint: endpoint.into(),
            token: None,
            tls: Tls::Off,
            tls_domain: None,
            identity: None,
            connect_timeout: Duration::from_secs(5),
            request_timeout: Duration::from_secs(30),
            message_max_bytes: 16 * 1024 * 1024,
            retry: RetryPolicy::default(),
        }
    }

    /// The preshared key, sent with every call.
    #[must_use]
    pub fn token(mut self, token: impl Into<String>) -> ConnectOptions {
        self.token = Some(token.into());
        self
    }

    /// How the connection is protected; [`Tls::Off`] unless said.
    #[must_use]
    pub fn tls(mut self, tls: Tls) -> ConnectOptions {
        self.tls = tls;
        self
    }

    /// The name the server's certificate must carry, when it is not the host of the endpoint.
    #[must_use]
    pub fn tls_domain(mut self, domain: impl Into<String>) -> ConnectOptions {
        self.tls_domain = Some(domain.into());
        self
    }

    /// The certificate chain to show to the server, the client's own certificate first, and its private key, both as PEM
    /// text. For a server that takes certificates instead of keys; needs TLS.
    #[must_use]
    pub fn client_certificate(mut self, chain_pem: &str, key_pem: &str) -> ConnectOptions {
        self.identity = Some(Identity::from_pem(chain_pem, key_pem));
        self
    }

    /// The longest a connection may take to open; 5 s unless said.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> ConnectOptions {
        self.connect_timeout = timeout;
        self
    }

    /// The longest one attempt of a call with a single answer may take; 30 s unless said. Streams and imports are not
    /// bounded by it.
    #[must_use]
    pub fn request_timeout(mut self, timeout: Duration) -> ConnectOptions {
        self.request_timeout = timeout;
        self
    }

    /// The largest answer message accepted, in bytes; 16 MiB unless said.
    #[must_use]
    pub fn message_max_bytes(mut self, bytes: usize) -> ConnectOptions {
        self.message_max_bytes = bytes;
        self
    }

    /// How calls are repeated that found the server unavailable.
    #[must_use]
    pub fn retry(mut self, policy: RetryPolicy) -> ConnectOptions {
        self.retry = policy;
        self
    }

    /// Opens the channel, trying again as the policy allows.
    pub(crate) async fn open(self) -> Result<Opened, Error> {
        let endpoint = self.endpoint()?;
        let bearer = Bearer::new(self.token.as_deref())?;
        let channel = self
            .retry
            .run(|| {
                let endpoint = endpoint.clone();
                async move { endpoint.connect().await.map_err(|error| Status::unavailable(describe(&error))) }
            })
            .await
            .map_err(|status| {
                Error::new(
                    Code::Unavailable,
                    format!("cannot reach `{}`: {}", self.endpoint, status.message()),
                )
            })?;
        Ok(Opened {
            channel,
            bearer,
            request_timeout: self.request_timeout,
            message_max_bytes: self.message_max_bytes,
            retry: self.retry,
        })
    }

    fn endpoint(&self) -> Result<Endpoint, Error> {
        let scheme = if self.tls == Tls::Off { "http" } else { "https" };
        let url = match self.endpoint.split_once("://") {
            None => format!("{scheme}://{}", self.endpoint),
            Some((given, _)) if given.eq_ignore_ascii_case(scheme) => self.endpoint.clone(),
            Some((given, _)) => {
                return Err(Error::invalid(format!(
                    "endpoint `{}` has scheme `{given}`, but the TLS option asks for `{scheme}`",
                    self.endpoint
                )));
            }
        };
        let wrong = |error| Error::invalid(format!("endpoint `{}`: {}", self.endpoint, describe(&error)));
        let endpoint = Endpoint::from_shared(url)
            .map_err(wrong)?
            .connect_timeout(self.connect_timeout)
            .user_agent(concat!("pemba-client/", env!("CARGO_PKG_VERSION")))
            .map_err(wrong)?;
        match self.tls_config()? {
            Some(tls) => endpoint.tls_config(tls).map_err(wrong),
            None => Ok(endpoint),
        }
    }

    fn tls_config(&self) -> Result<Option<ClientTlsConfig>, Error> {
        let roots = match &self.tls {
            Tls::Off if self.identity.is_some() => {
                return Err(Error::invalid("a client certificate is shown over TLS only, and TLS is off"));
            }
            Tls::Off => return Ok(None),
            Tls::SystemRoots => system_roots()?,
            Tls::Roots(pem) => pem.clone(),
        };
        let mut config = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(roots));
        if let Some(identity) = &self.identity {
            config = config.identity(identity.clone());
        }
        Ok(Some(match &self.tls_domain {
            Some(domain) => config.domain_name(domain),
            None => config,
        }))
    }
}

/// What [`ConnectOptions::open`] gives.
pub(crate) struct Opened {
    pub(crate) channel: Channel,
    pub(crate) bearer: Bearer,
    pub(crate) request_timeout: Duration,
    pub(crate) message_max_bytes: usize,
    pub(crate) retry: RetryPolicy,
}

/// Puts the key on every request.
#[derive(Clone)]
pub struct Bearer(Option<MetadataValue<Ascii>>);

impl Bearer {
    fn new(token: Option<&str>) -> Result<Bearer, Error> {
        let value = token
            .map(|token| {
                // The token itself stays out of the message.
                let mut value = MetadataValue::try_from(format!("Bearer {token}"))
                    .map_err(|_| Error::invalid("the token holds characters that no header may carry"))?;
                value.set_sensitive(true);
                Ok::<_, Error>(value)
            })
            .transpose()?;
        Ok(Bearer(value))
    }
}

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(value) = &self.0 {
            request.metadata_mut().insert("authorization", value.clone());
        }
        Ok(request)
    }
}

/// The certificate authorities of the operating system, as PEM text.
fn system_roots() -> Result<Vec<u8>, Error> {
    let found = rustls_native_certs::load_native_certs();
    if found.certs.is_empty() {
        let why = found.errors.first().map_or_else(|| "none installed".to_owned(), ToString::to_string);
        return Err(Error::invalid(format!("no certificate authority of the system can be used: {why}")));
    }
    let mut pem = String::new();
    for certificate in &found.certs {
        pem.push_str("-----BEGIN CERTIFICATE-----\n");
        pem.push_str(&base64::engine::general_purpose::STANDARD.encode(certificate));
        pem.push_str("\n-----END CERTIFICATE-----\n");
    }
    Ok(pem.into_bytes())
}

/// The error and what caused it: the outermost text alone only says "transport error".
fn describe(error: &tonic::transport::Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scheme_follows_the_tls_option() {
        let uri = |options: ConnectOptions| options.endpoint().map(|endpoint| endpoint.uri().to_string());
        assert_eq!(uri(ConnectOptions::new("localhost:50051")).unwrap(), "http://localhost:50051/");
        assert_eq!(uri(ConnectOptions::new("http://localhost:1")).unwrap(), "http://localhost:1/");
        let error = uri(ConnectOptions::new("https://localhost:1")).unwrap_err();
        assert!(error.message().contains("scheme `https`"), "{error}");
        assert!(uri(ConnectOptions::new("not a host")).is_err());
        let error = uri(ConnectOptions::new("localhost:1").client_certificate("", "")).unwrap_err();
        assert!(error.message().contains("TLS is off"), "{error}");
    }

    #[test]
    fn the_key_is_sent_and_a_broken_one_is_not_repeated() {
        let mut bearer = Bearer::new(Some("secret")).unwrap();
        let request = bearer.call(Request::new(())).unwrap();
        let value = request.metadata().get("authorization").unwrap();
        assert_eq!(value, "Bearer secret");
        assert!(value.is_sensitive());
        let error = Bearer::new(Some("two\nlines")).err().unwrap();
        assert!(!error.message().contains("two"), "{error}");
    }

    #[tokio::test]
    async fn a_server_that_is_not_there_is_unavailable() {
        let options = ConnectOptions::new("127.0.0.1:1").retry(RetryPolicy::never());
        let error = options.open().await.err().unwrap();
        assert_eq!(error.code(), Code::Unavailable);
        assert!(error.message().contains("127.0.0.1:1"), "{error}");
    }
}
