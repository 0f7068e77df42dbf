//! `TestingService`: the clock of a test's own database.

use std::sync::Arc;

use pemba_db::StoppableClock;
use pemba_proto::pemba::v1::testing_service_server::TestingService;
use pemba_proto::pemba::v1::{AdvanceClockRequest, AdvanceClockResponse};
use tonic::{Request, Response, Status};

use super::convert;
use crate::convert::timestamp_to_wire;
use crate::errors;
use crate::validate::Path;

/// The service, for one database.
pub(crate) struct Testing {
    clock: Arc<StoppableClock>,
}

impl Testing {
    pub(crate) fn new(clock: Arc<StoppableClock>) -> Testing {
        Testing { clock }
    }
}

#[tonic::async_trait]
impl TestingService for Testing {
    async fn advance_clock(
        &self,
        request: Request<AdvanceClockRequest>,
    ) -> Result<Response<AdvanceClockResponse>, Status> {
        let by = request.into_inner().by;
        let ms = convert::optional_millis(Path::Root.field("by"), by.as_ref())
            .map_err(|refused| errors::agents(&refused))?;
        let now = self.clock.stop_and_advance_ms(i64::try_from(ms.unwrap_or(0)).unwrap_or(i64::MAX));
        Ok(Response::new(AdvanceClockResponse { now: Some(timestamp_to_wire(now)) }))
    }
}
