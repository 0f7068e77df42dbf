//! Counts and times of requests, by method and code.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use prost::Message as _;
use prost_types::FileDescriptorSet;
use tonic::Code;

/// Upper bounds of the latency buckets, in seconds.
const LATENCY_BUCKETS: [f64; 15] = [
    0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0,
];
/// The name under which calls to no method of ours are counted: a caller must not be able to make up label values.
const OTHER: &str = "other";

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    method: Arc<str>,
    code: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct MethodLabels {
    method: Arc<str>,
}

/// One method's handles.
#[derive(Debug)]
pub(crate) struct Method {
    name: Arc<str>,
    ok: Counter,
    requests: Family<RequestLabels, Counter>,
    latency: Histogram,
}

/// All methods, by their HTTP path.
#[derive(Debug)]
pub(crate) struct Methods {
    by_path: HashMap<String, Arc<Method>>,
    other: Arc<Method>,
}

impl Method {
    /// The name, `authzed.api.v1.PermissionsService/CheckPermission`.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Counts one finished request.
    pub(crate) fn finished(&self, code: Code, took: Duration) {
        self.latency.observe(took.as_secs_f64());
        if code == Code::Ok {
            self.ok.inc();
            return;
        }
        let labels = RequestLabels { method: Arc::clone(&self.name), code: code_name(code) };
        self.requests.get_or_create(&labels).inc();
    }
}

impl Methods {
    /// One method for each of the served descriptors, registered.
    pub(super) fn new(registry: &mut Registry) -> Methods {
        let requests = Family::<RequestLabels, Counter>::default();
        let latency =
            Family::<MethodLabels, Histogram>::new_with_constructor(|| Histogram::new(LATENCY_BUCKETS));
        registry.register("pemba_requests", "Finished gRPC requests by method and code", requests.clone());
        registry.register(
            "pemba_request_duration_seconds",
            "Time from a gRPC request's headers to the end of its answer",
            latency.clone(),
        );
        let method = |name: &str| {
            let name: Arc<str> = name.into();
            let labels = RequestLabels { method: Arc::clone(&name), code: code_name(Code::Ok) };
            Arc::new(Method {
                ok: requests.get_or_create(&labels).clone(),
                latency: latency.get_or_create(&MethodLabels { method: Arc::clone(&name) }).clone(),
                requests: requests.clone(),
                name,
            })
        };
        let names = method_names();
        let by_path = names.iter().map(|name| (format!("/{name}"), method(name))).collect();
        Methods { by_path, other: method(OTHER) }
    }

    /// The method of an HTTP path.
    pub(crate) fn get(&self, path: &str) -> &Arc<Method> {
        self.by_path.get(path).unwrap_or(&self.other)
    }
}

/// The methods of all served services, as `package.Service/Method`.
fn method_names() -> Vec<String> {
    let sets = [pemba_proto::FILE_DESCRIPTOR_SET, tonic_health::pb::FILE_DESCRIPTOR_SET];
    let mut names = Vec::new();
    for set in sets {
        for file in FileDescriptorSet::decode(set).unwrap_or_default().file {
            for service in &file.service {
                let methods = service.method.iter();
                names.extend(
                    methods.map(|method| format!("{}.{}/{}", file.package(), service.name(), method.name())),
                );
            }
        }
    }
    names
}

/// The code's name as gRPC writes it.
pub(crate) fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_call_of_the_interface_has_a_name_of_its_own() {
        let methods = Methods::new(&mut Registry::default());
        let name = |path: &str| methods.get(path).name().to_owned();
        let check = "/authzed.api.v1.PermissionsService/CheckPermission";
        assert_eq!(name(check), check.trim_start_matches('/'));
        assert_eq!(name("/grpc.health.v1.Health/Check"), "grpc.health.v1.Health/Check");
        assert_eq!(name("/made.up/Call"), OTHER);
        assert!(methods.by_path.len() >= 27 + 2);
    }
}
