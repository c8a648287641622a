//! A token seen before, with something that listens to decisions and without.

use http::StatusCode;
use portcullis::observe::{DecisionRecords, Metrics, Observer};
use portcullis::test_util::MockIssuer;
use portcullis::{Algorithm, ResourceServerBuilder};
use tower::Layer as _;

use super::tokens::{Mint, Size, roomy, server, values};
use super::{Goal, Row, Scale, Scene, built, call, handler, skewed, with};

struct Nothing;

impl Observer for Nothing {}

pub(crate) fn scene(scale: Scale) -> Scene {
    // The first recorder of the process counts.
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    let _ = metrics::set_global_recorder(recorder);
    let issuer = MockIssuer::new().with_algorithms([Algorithm::ES256]);
    let tokens = Mint::new(&issuer, Size::Kb1).sign(scale.seen);
    let values = values(&tokens);
    let row = |name, builder: ResourceServerBuilder| {
        let server = built(roomy(builder, scale));
        let mut service = server.authenticate().layer(handler());
        for value in values.iter() {
            call(&mut service, with(value), StatusCode::OK);
        }
        let (values, mut order) = (values.clone(), skewed(tokens.len()));
        Row::new(name, move || {
            call(&mut service, with(&values[order()]), StatusCode::OK);
        })
    };
    let plain = || server(&issuer);
    Scene {
        name: "observed, 1 KB".to_owned(),
        rows: vec![
            row("off", plain()),
            row("an observer", plain().observer(Nothing)).over("off", Goal::None),
            row("metrics", plain().observer(Metrics::new()))
                .over("off", Goal::Times(1.15))
                .allocates(1),
            row(
                "records that nothing reads",
                plain().decision_records(DecisionRecords::new()),
            )
            .over("off", Goal::None),
        ],
    }
}
