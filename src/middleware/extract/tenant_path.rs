//! The tenant that the route's path parameters address, percent-decoded once by the router.
//!
//! The names of the parameters are settings of the server, which a layer can override:
//! [`PathParameters`].

use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{FromRequestParts, RawPathParams};
use http::request::Parts;

use crate::model::error::rejection::{Rejection, RejectionKind, WiringFault};
use crate::model::error::rejection_detail::{Problem, RejectionDetail};
use crate::server::settings::path_parameters::PathParameters;
use crate::verify::identity::access::RequestedPlace;

/// The matched route's parameters, with their values.
pub(super) struct RouteParameters(Result<RawPathParams, RawPathParamsRejection>);

impl RouteParameters {
    pub(super) async fn of(parts: &mut Parts) -> Self {
        Self(RawPathParams::from_request_parts(parts, &()).await)
    }

    /// The workspace of the path, and the account where the route has that parameter.
    ///
    /// # Errors
    ///
    /// `NoWorkspaceParameter` for a route without it; `RepeatedParameter` for two values.
    pub(super) fn workspace(&self, names: &PathParameters) -> Result<RequestedPlace, Rejection> {
        let missing = WiringFault::NoWorkspaceParameter;
        let workspace = self.value(&names.workspace)?;
        Ok(RequestedPlace {
            workspace: workspace
                .ok_or_else(|| self.missing(missing, "workspace_parameter", &names.workspace))?,
            account: self.value(&names.account)?,
        })
    }

    /// The account of the path.
    ///
    /// # Errors
    ///
    /// `NoAccountParameter` for a route without it, `WorkspaceParameter` for one that addresses a
    /// workspace too, `RepeatedParameter` for two values.
    pub(super) fn account(&self, names: &PathParameters) -> Result<String, Rejection> {
        let missing = WiringFault::NoAccountParameter;
        // Access to an account says nothing about a workspace that the path puts below it.
        if self.value(&names.workspace)?.is_some() {
            let detail = RejectionDetail::new()
                .with_setting("workspace_parameter")
                .with_problem(Problem::Contradicts)
                .with_found(format!("`{{{}}}` in the route", names.workspace));
            return Err(Rejection::from(WiringFault::WorkspaceParameter).with_detail(detail));
        }
        self.value(&names.account)?
            .ok_or_else(|| self.missing(missing, "account_parameter", &names.account))
    }

    /// Whether the route has the workspace's parameter, with whatever value.
    pub(super) fn addresses_workspace(&self, names: &PathParameters) -> bool {
        !matches!(self.value(&names.workspace), Ok(None))
    }

    /// The value of a parameter. Nested routers can bring it twice, and must agree.
    fn value(&self, name: &str) -> Result<Option<String>, Rejection> {
        let parameters = match &self.0 {
            Ok(parameters) => parameters,
            // A path that is not UTF-8 is no tenant's id.
            Err(RawPathParamsRejection::InvalidUtf8InPathParam(_)) => {
                return Err(RejectionKind::WrongTenant.into());
            }
            // A route without any parameter.
            Err(_) => return Ok(None),
        };
        let mut values = parameters
            .iter()
            .filter(|(key, _)| *key == name)
            .map(|(_, value)| value);
        let Some(first) = values.next() else {
            return Ok(None);
        };
        if values.any(|other| other != first) {
            let detail = RejectionDetail::new()
                .with_problem(Problem::Contradicts)
                .with_found(format!("`{{{name}}}` twice, with different values"));
            return Err(Rejection::from(WiringFault::RepeatedParameter).with_detail(detail));
        }
        Ok(Some(first.to_owned()))
    }

    /// A route without the parameter: names what was looked for, the setting, and what the route
    /// has. All of them are names of the program's own.
    #[cold]
    fn missing(&self, fault: WiringFault, setting: &'static str, name: &str) -> Rejection {
        let found: Vec<String> = match &self.0 {
            Ok(parameters) => parameters
                .iter()
                .map(|(key, _)| format!("{{{key}}}"))
                .collect(),
            Err(_) => Vec::new(),
        };
        let found = if found.is_empty() {
            "a route without parameters".to_owned()
        } else {
            found.join(" ")
        };
        let detail = RejectionDetail::new()
            .with_setting(setting)
            .with_problem(Problem::Missing)
            .with_expected(format!("{{{name}}} in the route"))
            .with_found(found);
        Rejection::from(fault).with_detail(detail)
    }
}
