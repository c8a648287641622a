//! A guard of a scope, with a hierarchy of 1,000 scopes and without.

use http::StatusCode;
use portcullis::config::ScopeHierarchy;
use portcullis::layer::RequireLayer;
use portcullis::test_util::MockIssuer;
use portcullis::{Algorithm, ResourceServerBuilder};
use tower::Layer as _;

use super::tokens::{Mint, Size, roomy, server, values};
use super::{Goal, Row, Scale, Scene, built, call, handler, skewed, with};

portcullis::scopes! { Read = "app/read"; }

const SCOPES: usize = 1_000;

/// The scope of the route below one other, among many that concern no token here.
fn hierarchy() -> ScopeHierarchy {
    let first = ScopeHierarchy::new().implies("app/root", "app/read");
    (1..SCOPES / 2).fold(first, |all, name| {
        all.implies(format!("wide:{name}"), format!("narrow:{name}"))
    })
}

pub(crate) fn scene(scale: Scale) -> Scene {
    let issuer = MockIssuer::new().with_algorithms([Algorithm::ES256]);
    let mint = Mint::new(&issuer, Size::Kb1);
    let row = |name, held: &str, is_guarded: bool, builder: ResourceServerBuilder| {
        let scope = format!("{held} app/write dashboard/read");
        let tokens: Vec<String> = (0..scale.seen)
            .map(|name| mint.token(name).scope(&scope).sign())
            .collect();
        let values = values(&tokens);
        let server = built(roomy(builder, scale));
        let mut order = skewed(tokens.len());
        if is_guarded {
            let guarded = RequireLayer::of::<Read>().layer(handler());
            let mut service = server.authenticate().layer(guarded);
            for value in values.iter() {
                call(&mut service, with(value), StatusCode::OK);
            }
            return Row::new(name, move || {
                call(&mut service, with(&values[order()]), StatusCode::OK);
            });
        }
        let mut service = server.authenticate().layer(handler());
        for value in values.iter() {
            call(&mut service, with(value), StatusCode::OK);
        }
        Row::new(name, move || {
            call(&mut service, with(&values[order()]), StatusCode::OK);
        })
    };
    let flat = || server(&issuer);
    let with_hierarchy = || server(&issuer).scope_hierarchy(hierarchy());
    Scene {
        name: "guard of a scope".to_owned(),
        rows: vec![
            row("no guard", "app/read", false, flat()),
            row("guard", "app/read", true, flat()).over("no guard", Goal::None),
            row("guard, 1,000 scopes", "app/read", true, with_hierarchy())
                .over("guard", Goal::Above(20.0)),
            row(
                "guard, implied by 1,000 scopes",
                "app/root",
                true,
                with_hierarchy(),
            )
            .over("guard", Goal::Above(20.0)),
        ],
    }
}
