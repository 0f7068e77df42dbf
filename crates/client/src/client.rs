//! The client itself: one channel, three services.

use std::{future::Future, time::Duration};

use pemba_proto::authzed::api::v1::{
    permissions_service_client::PermissionsServiceClient, schema_service_client::SchemaServiceClient,
    watch_service_client::WatchServiceClient,
};
use tonic::{Request, Response, Status, service::interceptor::InterceptedService, transport::Channel};

use crate::{
    acting::{Presented, Presenting},
    connect::{Bearer, ConnectOptions, Opened},
    error::Error,
    retry::RetryPolicy,
};

/// A connection that puts the key on every request.
pub type AuthenticatedChannel = InterceptedService<Channel, Bearer>;

type Transport = InterceptedService<Presenting<Channel>, Bearer>;

/// A connection to one server. Cloning is cheap and shares the connection; calls may run side by side.
///
/// A read that found the server unavailable is made again with growing pauses, as the
/// [`RetryPolicy`] says; a stream of results continues after the last result it gave. A write is repeated
/// only when doing it twice is the same as doing it once.
#[derive(Clone)]
pub struct Client {
    pub(crate) api: Api,
    pub(crate) retry: RetryPolicy,
    request_timeout: Duration,
    channel: Channel,
    bearer: Bearer,
    message_max_bytes: usize,
}

/// The generated clients over the one channel.
#[derive(Clone)]
pub(crate) struct Api {
    pub(crate) permissions: PermissionsServiceClient<Transport>,
    pub(crate) schema: SchemaServiceClient<Transport>,
    pub(crate) watch: WatchServiceClient<Transport>,
}

impl Api {
    fn new(channel: Channel, bearer: Bearer, message_max_bytes: usize, presented: Option<Presented>) -> Api {
        let transport = InterceptedService::new(Presenting { inner: channel, presented }, bearer);
        let bytes = message_max_bytes;
        Api {
            permissions: PermissionsServiceClient::new(transport.clone()).max_decoding_message_size(bytes),
            schema: SchemaServiceClient::new(transport.clone()).max_decoding_message_size(bytes),
            watch: WatchServiceClient::new(transport).max_decoding_message_size(bytes),
        }
    }
}

/// Whether a call may be made twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// It changes nothing, or the second time changes nothing more.
    Safe,
    /// An attempt whose answer was lost may have taken effect, and a second one would tell or do something else.
    Unsafe,
}

impl Client {
    /// Opens the connection.
    ///
    /// # Errors
    /// `InvalidArgument` when the options do not fit together, `Unavailable` when the server cannot be reached. The
    /// token is not tested: a wrong one shows with the first call.
    pub async fn connect(options: ConnectOptions) -> Result<Client, Error> {
        let opened = options.open().await?;
        let Opened { channel, bearer, request_timeout, message_max_bytes, retry } = opened;
        let api = Api::new(channel.clone(), bearer.clone(), message_max_bytes, None);
        Ok(Client { api, retry, request_timeout, channel, bearer, message_max_bytes })
    }

    /// The connection itself, for the generated clients of services that have no method here, such as those of
    /// `pemba.v1`. Its calls are neither repeated nor bounded in time, and present nothing but the key.
    pub fn channel(&self) -> AuthenticatedChannel {
        InterceptedService::new(self.channel.clone(), self.bearer.clone())
    }

    /// The same client, presenting something with every call.
    pub(crate) fn presenting(&self, presented: Presented) -> Client {
        let (channel, bearer) = (self.channel.clone(), self.bearer.clone());
        let api = Api::new(channel, bearer, self.message_max_bytes, Some(presented));
        Client { api, ..self.clone() }
    }

    /// Makes a call with one answer.
    pub(crate) async fn unary<M: Clone, R, F>(
        &self,
        message: M,
        repeat: Repeat,
        call: impl Fn(Api, Request<M>) -> F,
    ) -> Result<R, Error>
    where
        F: Future<Output = Result<Response<R>, Status>>,
    {
        let once = || {
            let mut request = Request::new(message.clone());
            request.set_timeout(self.request_timeout);
            call(self.api.clone(), request)
        };
        let answer = match repeat {
            Repeat::Safe => self.retry.run(once).await?,
            Repeat::Unsafe => once().await?,
        };
        Ok(answer.into_inner())
    }
}
