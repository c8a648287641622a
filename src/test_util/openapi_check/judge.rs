//! What the answers to the check mean.

use http::header::WWW_AUTHENTICATE;
use http::{HeaderMap, StatusCode};

use crate::test_util::openapi_check::document::{Access, Operation};
use crate::test_util::openapi_check::fault::OpenApiFault;
use crate::test_util::openapi_check::request::Call;

/// The answer to one call.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
}

/// The fault of an answer, if it has one.
pub(super) fn judge(
    operation: &Operation<'_>,
    access: &Access,
    call: Call,
    answer: &Answer,
) -> Option<OpenApiFault> {
    let status = answer.status.as_u16();
    let fault = |problem| {
        Some(OpenApiFault::new(
            &operation.method,
            operation.path,
            problem,
        ))
    };
    if status >= 500 {
        return fault(format!("{call} the answer is {status}"));
    }
    match access {
        Access::Undeclared if [401, 403].contains(&status) => {
            return fault(format!(
                "{call} the answer is {status}, and the document declares no `security`"
            ));
        }
        Access::Undeclared => {
            let problem = format!(
                "it is open ({call} the answer is {status}) and not declared public; guard it, or declare `security: []`"
            );
            return fault(problem).map(OpenApiFault::open);
        }
        Access::Public if call == Call::WithoutToken && is_refusal(status) => {
            return fault(format!(
                "it is declared public, and {call} the answer is {status}"
            ));
        }
        Access::Guarded(_) if call == Call::WithoutToken => {
            if status != 401 {
                let problem = format!("{call} the answer is {status}, and must be 401");
                let fault = fault(problem);
                return fault.map(|one| if is_refusal(status) { one } else { one.open() });
            }
            if !answer.headers.contains_key(WWW_AUTHENTICATE) {
                return fault(format!(
                    "{call} the answer is 401 without `WWW-Authenticate`"
                ));
            }
        }
        Access::Guarded(sets) if call == Call::WithoutScope && !sets.iter().any(Vec::is_empty) => {
            let demanded = sets.iter().map(|set| set.join(" "));
            let mut demanded: Vec<String> = demanded.collect();
            demanded.dedup();
            let demanded = demanded.join("` or `");
            if status != 403 {
                let problem = format!(
                    "{call} the answer is {status}, and must be 403: the document demands the scope `{demanded}`"
                );
                let fault = fault(problem);
                return fault.map(|one| if is_refusal(status) { one } else { one.open() });
            }
            if let Some(named) = challenged_scope(&answer.headers) {
                let tokens: Vec<&str> = named.split(' ').collect();
                // One guard of several names its own scope alone.
                let is_named = |set: &Vec<String>| {
                    set.iter().all(|one| tokens.contains(&one.as_str()))
                        || tokens.iter().all(|one| set.iter().any(|own| own == one))
                };
                if !sets.iter().any(is_named) {
                    return fault(format!(
                        "{call} the challenge names the scope `{named}`, and the document demands `{demanded}`"
                    ));
                }
            }
        }
        Access::Guarded(_) if call == Call::Good && status == 400 => {
            return fault(format!(
                "{call} the answer is 400; give values that fit with `body(..)` and `path_parameter(..)`"
            ));
        }
        Access::Guarded(_) if call == Call::Good && is_refusal(status) => {
            return fault(format!(
                "{call} the answer is {status}: what the operation demands and the token does not have is not documented, or the token is not good enough"
            ));
        }
        Access::Public | Access::Guarded(_) => {}
    }
    if operation.has_status(status) {
        return None;
    }
    let way_out = match status {
        404 => "; give a value that exists with `path_parameter(..)`, or document it",
        415 | 422 => "; give a value that fits with `body(..)`, or document it",
        _ => "",
    };
    fault(format!(
        "{call} the answer is {status}, which is not documented{way_out}"
    ))
}

/// An answer that the caller gets for what it is, not for what it sent.
const fn is_refusal(status: u16) -> bool {
    matches!(status, 400 | 401 | 403)
}

/// The `scope` of a challenge.
fn challenged_scope(headers: &HeaderMap) -> Option<String> {
    let mut challenges = headers.get_all(WWW_AUTHENTICATE).iter();
    challenges.find_map(|challenge| {
        let (_, rest) = challenge.to_str().ok()?.split_once(" scope=\"")?;
        let (scope, _) = rest.split_once('"')?;
        Some(scope.to_owned())
    })
}
