//! A token whose issuer is not configured. Whose it claims to be is a stranger's text, and is shown
//! only where a setting asks for it: escaped and cut.

use crate::model::error::rejection::TokenFault;
use crate::model::error::rejection_detail::{Problem, RejectionDetail};
use crate::model::error::token_error::TokenError;
use crate::runtime::util::excerpt::excerpt;

/// How much of it is shown, in characters before they are escaped.
const MAX_SHOWN: usize = 200;

#[cold]
pub(in crate::server) fn unknown_issuer(issuer: &str, is_shown: bool) -> TokenError {
    let fault = TokenFault::UnknownIssuer;
    if !is_shown {
        return fault.into();
    }
    let shown = excerpt(issuer, MAX_SHOWN);
    let detail = RejectionDetail::new()
        .with_claim("iss")
        .with_problem(Problem::Differs)
        .with_setting("issuer")
        .with_found(shown);
    TokenError::new(fault, detail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::error::rejection::Rejection;

    fn found(issuer: &str, is_shown: bool) -> Option<String> {
        let rejection = Rejection::from(unknown_issuer(issuer, is_shown));
        rejection.detail()?.found().map(ToOwned::to_owned)
    }

    #[test]
    fn unknown_issuer_is_shown_on_demand_escaped_and_cut() {
        assert_eq!(found("https://a.example", false), None);
        assert_eq!(
            found("https://a.example", true).as_deref(),
            Some("https://a.example")
        );
        assert_eq!(
            found("a\r\nb\u{1b}[0m\u{202e}\"", true).as_deref(),
            Some("a\\r\\nb\\u{1b}[0m\\u{202e}\\\"")
        );
        let long = found(&"x".repeat(10_000), true);
        assert_eq!(long.map(|shown| shown.len()), Some(MAX_SHOWN));
    }
}
