//! Asking for a chain of principals: what is presented with every call, and proof that the server looked at it.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use tonic::{
    Status,
    body::Body,
    codegen::{Service, http},
};

use crate::{client::Client, error::Error};

const DELEGATION: &str = "pemba-delegation";
const SESSION: &str = "pemba-session";
const APPROVAL: &str = "pemba-approval";
/// The chain that the server applied: `root;actor,actor;delegation`.
const CHAIN_APPLIED: &str = "pemba-chain-applied";

/// On whose authority questions are asked: by a delegation, a session, an approval, or several of them together.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[must_use = "nothing is presented before `Client::as_chain`"]
pub struct Acting {
    delegation: Option<String>,
    session: Option<String>,
    approval: Option<String>,
}

impl Acting {
    /// Nothing presented yet.
    pub fn new() -> Acting {
        Acting::default()
    }

    /// By a delegation, the last hop of its chain: `dlg_` and 32 hexadecimal digits.
    pub fn delegation(mut self, id: impl Into<String>) -> Acting {
        self.delegation = Some(id.into());
        self
    }

    /// In a session: `ses_` and 32 hexadecimal digits.
    pub fn session(mut self, id: impl Into<String>) -> Acting {
        self.session = Some(id.into());
        self
    }

    /// With an approval: `apr_` and 32 hexadecimal digits.
    pub fn approval(mut self, id: impl Into<String>) -> Acting {
        self.approval = Some(id.into());
        self
    }

    fn presented(&self) -> Result<Presented, Error> {
        let given = [(DELEGATION, &self.delegation), (SESSION, &self.session), (APPROVAL, &self.approval)];
        let mut headers = Vec::new();
        for (name, id) in given {
            let Some(id) = id else { continue };
            let value = http::HeaderValue::from_str(id)
                .map_err(|_| Error::invalid(format!("`{name}` holds characters that no header may carry")))?;
            headers.push((name, value));
        }
        if headers.is_empty() {
            return Err(Error::invalid("nothing is presented: name a delegation, a session or an approval"));
        }
        Ok(Presented { headers, leaf: self.delegation.clone() })
    }
}

impl Client {
    /// This client, presenting a chain: its checks, bulk checks and lookups are answered for the chain, and their subject
    /// is the chain's root or who acts. The server refuses other calls. It shares the connection.
    ///
    /// An answer from a server that did not apply the chain is an error with code `Internal`, never an answer.
    ///
    /// # Errors
    /// `InvalidArgument` when nothing is presented, or an id could not be sent.
    pub fn as_chain(&self, acting: &Acting) -> Result<Client, Error> {
        Ok(self.presenting(acting.presented()?))
    }
}

/// What is put on every request, and what its answer must say.
#[derive(Debug, Clone)]
pub(crate) struct Presented {
    headers: Vec<(&'static str, http::HeaderValue)>,
    /// The delegation that must be applied, where one is named.
    leaf: Option<String>,
}

impl Presented {
    /// The answer, or an error in its place when it does not say that the chain was applied.
    fn proven(&self, answer: http::Response<Body>) -> http::Response<Body> {
        // An error is no answer, whoever made it.
        let is_refusal =
            Status::from_header_map(answer.headers()).is_some_and(|status| status.code() != tonic::Code::Ok);
        let applied = answer.headers().get(CHAIN_APPLIED).and_then(|value| value.to_str().ok());
        let is_proven = applied.is_some_and(|applied| {
            self.leaf.as_ref().is_none_or(|leaf| applied.rsplit(';').next() == Some(leaf.as_str()))
        });
        if is_refusal || is_proven {
            return answer;
        }
        let message =
            format!("the server did not say by `{CHAIN_APPLIED}` that it applied the chain presented");
        Status::internal(message).into_http()
    }
}

/// A transport that presents a chain, if it has one.
#[derive(Debug, Clone)]
pub(crate) struct Presenting<S> {
    pub(crate) inner: S,
    pub(crate) presented: Option<Presented>,
}

impl<S> Service<http::Request<Body>> for Presenting<S>
where
    S: Service<http::Request<Body>, Response = http::Response<Body>>,
    S::Future: Send + 'static,
    S::Error: 'static,
{
    type Response = http::Response<Body>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: http::Request<Body>) -> Self::Future {
        let Some(presented) = self.presented.clone() else { return Box::pin(self.inner.call(request)) };
        for (name, value) in &presented.headers {
            request.headers_mut().insert(*name, value.clone());
        }
        let answer = self.inner.call(request);
        Box::pin(async move { answer.await.map(|answer| presented.proven(answer)) })
    }
}

#[cfg(test)]
mod tests {
    use std::{convert::Infallible, future::Ready};

    use super::*;

    /// Answers with these headers, and checks what it is presented.
    struct Server(&'static [(&'static str, &'static str)]);

    impl Service<http::Request<Body>> for Server {
        type Response = http::Response<Body>;
        type Error = Infallible;
        type Future = Ready<Result<http::Response<Body>, Infallible>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, request: http::Request<Body>) -> Self::Future {
            assert_eq!(request.headers()[DELEGATION], "dlg_1");
            assert_eq!(request.headers()[SESSION], "ses_1");
            assert!(!request.headers().contains_key(APPROVAL));
            let mut answer = http::Response::new(Body::empty());
            for (name, value) in self.0 {
                answer.headers_mut().insert(*name, http::HeaderValue::from_static(value));
            }
            std::future::ready(Ok(answer))
        }
    }

    async fn code(headers: &'static [(&'static str, &'static str)]) -> Option<tonic::Code> {
        let presented = Acting::new().delegation("dlg_1").session("ses_1").presented().unwrap();
        let mut transport = Presenting { inner: Server(headers), presented: Some(presented) };
        let answer = transport.call(http::Request::new(Body::empty())).await.unwrap();
        Status::from_header_map(answer.headers()).map(|status| status.code())
    }

    #[tokio::test]
    async fn an_answer_without_proof_is_an_error() {
        assert_eq!(code(&[(CHAIN_APPLIED, "user:ada;agent:a;dlg_1")]).await, None);
        assert_eq!(code(&[]).await, Some(tonic::Code::Internal));
        assert_eq!(code(&[(CHAIN_APPLIED, "user:ada;agent:a;dlg_2")]).await, Some(tonic::Code::Internal));
        assert_eq!(code(&[("grpc-status", "0")]).await, Some(tonic::Code::Internal));
        assert_eq!(code(&[("grpc-status", "5")]).await, Some(tonic::Code::NotFound));
    }

    #[test]
    fn something_must_be_presented() {
        assert!(Acting::new().presented().is_err());
        assert!(Acting::new().session("a\nb").presented().is_err());
    }
}
