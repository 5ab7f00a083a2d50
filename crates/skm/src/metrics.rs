//! What is counted, for Prometheus. No label holds what a client chooses, and none says who it is.

use std::fmt;
use std::time::Duration;

use mikey_sakke::identity::Uri;
use mikey_sakke::time::Timestamp;
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

/// The upper bounds of durations, in seconds.
const BUCKETS: [f64; 11] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Request {
    listener: &'static str,
    route: String,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Refusal {
    listener: &'static str,
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Listener {
    listener: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Kms {
    kms: String,
}

/// The metrics of one server.
pub struct Metrics {
    registry: Registry,
    requests: Family<Request, Counter>,
    refusals: Family<Refusal, Counter>,
    handshake_failures: Family<Refusal, Counter>,
    connections: Family<Listener, Gauge>,
    issue_seconds: Histogram,
    issue_queue: Gauge,
    certificate_ends: Family<Kms, Gauge>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix("skms"),
            requests: Family::default(),
            refusals: Family::default(),
            handshake_failures: Family::default(),
            connections: Family::default(),
            issue_seconds: Histogram::new(BUCKETS),
            issue_queue: Gauge::default(),
            certificate_ends: Family::default(),
        };
        let registry = &mut metrics.registry;
        registry.register("requests", "Requests by route and status", metrics.requests.clone());
        registry.register("refusals", "Requests that were refused, by reason", metrics.refusals.clone());
        let failures = metrics.handshake_failures.clone();
        registry.register("handshake_failures", "Handshakes that came to nothing, by reason", failures);
        registry.register("connections", "Connections that are open", metrics.connections.clone());
        let seconds = metrics.issue_seconds.clone();
        registry.register_with_unit("issue", "How long it takes to issue a key set", Unit::Seconds, seconds);
        registry.register("issue_queue", "Key sets that wait to be issued", metrics.issue_queue.clone());
        let help = "When the last certificate of another domain ends, in seconds since 1970";
        let ends = metrics.certificate_ends.clone();
        registry.register_with_unit("external_certificate_end_timestamp", help, Unit::Seconds, ends);
        metrics
    }
}

impl Metrics {
    /// A request was answered; the route is one of those that there are, not what the client wrote.
    pub(crate) fn request(&self, listener: &'static str, route: &str, status: u16) {
        self.requests.get_or_create(&Request { listener, route: route.to_owned(), status }).inc();
    }

    /// A request was refused.
    pub(crate) fn refusal(&self, listener: &'static str, reason: &'static str) {
        self.refusals.get_or_create(&Refusal { listener, reason }).inc();
    }

    /// A handshake came to nothing.
    pub(crate) fn handshake_failure(&self, listener: &'static str, reason: &'static str) {
        self.handshake_failures.get_or_create(&Refusal { listener, reason }).inc();
    }

    /// A connection is open, for as long as what is returned is kept.
    pub(crate) fn connection(&self, listener: &'static str) -> Counted {
        Counted::new(self.connections.get_or_create(&Listener { listener }).clone())
    }

    /// A key set was issued, from the request to the end.
    pub(crate) fn issued(&self, time: Duration) {
        self.issue_seconds.observe(time.as_secs_f64());
    }

    /// A key set waits to be issued, for as long as what is returned is kept.
    pub(crate) fn queued(&self) -> Counted {
        Counted::new(self.issue_queue.clone())
    }

    /// The last certificate of another domain ends then.
    pub(crate) fn certificates_end(&self, kms: &Uri, end: Timestamp) {
        let kms = Kms { kms: kms.to_string() };
        self.certificate_ends.get_or_create(&kms).set(end.to_unix().cast_signed());
    }

    /// There are no certificates of another domain any more, or none that end.
    pub(crate) fn certificates_removed(&self, kms: &Uri) {
        self.certificate_ends.remove(&Kms { kms: kms.to_string() });
    }

    /// All of them in the text format of OpenMetrics.
    ///
    /// # Errors
    ///
    /// None: a String takes everything.
    pub fn encode(&self) -> Result<String, fmt::Error> {
        let mut out = String::new();
        text::encode(&mut out, &self.registry)?;
        Ok(out)
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

/// One that a gauge counts.
#[derive(Debug)]
pub(crate) struct Counted(Gauge);

impl Counted {
    fn new(gauge: Gauge) -> Self {
        gauge.inc();
        Self(gauge)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.dec();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_is_written() {
        let metrics = Metrics::default();
        metrics.request("km_uu", "/a/{id}", 200);
        metrics.request("km_uu", "/a/{id}", 200);
        metrics.refusal("km_s", "TOKEN");
        metrics.handshake_failure("km_s", "timeout");
        metrics.issued(Duration::from_millis(3));
        let open = metrics.connection("km_uu");
        drop(metrics.connection("km_uu"));
        let kms = Uri::parse("kms.example.net").unwrap();
        metrics.certificates_end(&kms, Timestamp::from_unix(1_795_000_000).unwrap());
        let _waits = [metrics.queued(), metrics.queued()];
        let text = metrics.encode().unwrap();
        for line in [
            r#"skms_requests_total{listener="km_uu",route="/a/{id}",status="200"} 2"#,
            r#"skms_refusals_total{listener="km_s",reason="TOKEN"} 1"#,
            r#"skms_handshake_failures_total{listener="km_s",reason="timeout"} 1"#,
            r#"skms_connections{listener="km_uu"} 1"#,
            r#"skms_issue_seconds_bucket{le="0.005"} 1"#,
            "skms_issue_seconds_count 1",
            "skms_issue_queue 2",
            r#"skms_external_certificate_end_timestamp_seconds{kms="kms.example.net"} 1795000000"#,
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
        }
        metrics.certificates_removed(&kms);
        assert!(!metrics.encode().unwrap().contains("kms.example.net"));
        drop(open);
        assert!(metrics.encode().unwrap().contains(r#"skms_connections{listener="km_uu"} 0"#));
    }
}
