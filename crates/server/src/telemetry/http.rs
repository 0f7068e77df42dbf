//! `/metrics` and `/healthz` over plain HTTP.

use std::sync::Arc;

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use pemba_db::State as DatabaseState;
use tokio::net::TcpListener;

use crate::state::State;

/// The media type of Prometheus text in its OpenMetrics form.
const METRICS_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Serves until the server stops.
pub(crate) async fn serve(listener: TcpListener, state: Arc<State>) -> std::io::Result<()> {
    let mut stopping = state.stopping.clone();
    let metrics_state = Arc::clone(&state);
    let routes = Router::new()
        .route("/metrics", get(move || async move { metrics(&metrics_state) }))
        .route("/healthz", get(move || async move { health(&state) }));
    axum::serve(listener, routes)
        .with_graceful_shutdown(async move {
            // An error means that the server is gone, which ends this too.
            let _ = stopping.wait_for(|stopping| *stopping).await;
        })
        .await
}

fn metrics(state: &State) -> Response {
    match state.metrics.text(state.attached()) {
        Ok(text) => ([(header::CONTENT_TYPE, METRICS_TYPE)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

fn health(state: &State) -> Response {
    let serving = match state.attached().map(pemba_db::Database::state) {
        None => Err("the database is being recovered".to_owned()),
        Some(DatabaseState::Serving) if *state.stopping.borrow() => Err("shutting down".to_owned()),
        Some(DatabaseState::Serving) => Ok(()),
        Some(DatabaseState::Poisoned(reason)) => Err(format!("writes are refused: {reason}")),
        Some(DatabaseState::Stopped) => Err("the database is closed".to_owned()),
    };
    match serving {
        Ok(()) => (StatusCode::OK, "serving\n").into_response(),
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")).into_response(),
    }
}
