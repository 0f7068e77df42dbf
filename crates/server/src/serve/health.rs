//! Health, whose watches end with the server: one that never ended would hold a shutdown up for the whole time that
//! calls in progress get.

use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_server::Health;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};
use tonic_health::server::{HealthReporter, HealthService};

/// How long a watch that is to end waits for the news that the server stops.
const LAST_NEWS_WAIT_MAX: Duration = Duration::from_millis(500);
/// News made and not yet taken by the connection.
const NEWS_WAITING_MAX: usize = 4;

/// The service.
pub(super) struct EndingHealth {
    inner: HealthService,
    stopping: watch::Receiver<bool>,
}

impl EndingHealth {
    pub(super) fn new(reporter: HealthReporter, stopping: watch::Receiver<bool>) -> EndingHealth {
        EndingHealth { inner: HealthService::from_health_reporter(reporter), stopping }
    }
}

#[tonic::async_trait]
impl Health for EndingHealth {
    type WatchStream = ReceiverStream<Result<HealthCheckResponse, Status>>;

    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        self.inner.check(request).await
    }

    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let news = self.inner.watch(request).await?.into_inner();
        let (sender, receiver) = mpsc::channel(NEWS_WAITING_MAX);
        tokio::spawn(pass_on(news, sender, self.stopping.clone()));
        Ok(Response::new(ReceiverStream::new(receiver)))
    }
}

type News = Result<HealthCheckResponse, Status>;

/// Passes news on until the client is gone or the server stops, and then up to the last.
async fn pass_on(
    mut news: impl tokio_stream::Stream<Item = News> + Unpin,
    sender: mpsc::Sender<News>,
    mut stopping: watch::Receiver<bool>,
) {
    loop {
        let next = tokio::select! {
            next = news.next() => next,
            () = sender.closed() => return,
            _ = stopping.wait_for(|stopping| *stopping) => break,
        };
        let Some(next) = next else { return };
        if sender.send(next).await.is_err() {
            return;
        }
    }
    let last = async {
        while let Some(next) = news.next().await {
            let is_last = matches!(&next, Ok(news) if news.status() == ServingStatus::NotServing);
            if sender.send(next).await.is_err() || is_last {
                return;
            }
        }
    };
    // Without the news in time the stream ends all the same, which says it too.
    let _ = tokio::time::timeout(LAST_NEWS_WAIT_MAX, last).await;
}
