//! The protocol of a refusal: HTTP, or gRPC in HTTP.
//!
//! 1. Only a layer with `.grpc()` looks; elsewhere every refusal is plain HTTP.
//! 2. The media type of the request decides: `application/grpc` and the two of gRPC-Web, in
//!    any letter case, with or without `+` and a format or `;` and parameters.
//! 3. A gRPC refusal is a trailers-only response: HTTP 200, the status in `grpc-status`, no
//!    body. What else a refusal says in headers is metadata there, and stays.

use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use http::{Response, StatusCode};

pub(in crate::middleware) const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
pub(in crate::middleware) const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");

/// The protocol of a request's client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ResponseProtocol {
    Http,
    Grpc,
    GrpcWeb,
    GrpcWebText,
}

impl ResponseProtocol {
    const GRPC: [Self; 3] = [Self::Grpc, Self::GrpcWeb, Self::GrpcWebText];

    /// The protocol that the `Content-Type` names.
    pub(in crate::middleware) fn of(headers: &HeaderMap) -> Self {
        let Some(field) = headers.get(CONTENT_TYPE) else {
            return Self::Http;
        };
        // RFC 9110 s8.3.1: parameters follow a `;`, with blanks around it, and types have no
        // case. RFC 6839 s2: a `+` and a suffix name the format of the messages.
        let essence = field.as_bytes().split(|byte| *byte == b';').next();
        let essence = essence.unwrap_or_default().trim_ascii();
        let family = essence.split(|byte| *byte == b'+').next();
        let family = family.unwrap_or_default();
        Self::GRPC
            .into_iter()
            .find(|one| family.eq_ignore_ascii_case(one.media_type().as_bytes()))
            .unwrap_or(Self::Http)
    }

    pub(in crate::middleware) fn is_grpc(self) -> bool {
        self != Self::Http
    }

    const fn media_type(self) -> &'static str {
        match self {
            Self::Http => "",
            Self::Grpc => "application/grpc",
            Self::GrpcWeb => "application/grpc-web",
            Self::GrpcWebText => "application/grpc-web-text",
        }
    }

    /// Turns a refusal without a body into a response of this protocol.
    pub(in crate::middleware) fn translate<B>(
        self,
        response: &mut Response<B>,
        message: Option<&'static str>,
    ) {
        if !self.is_grpc() {
            return;
        }
        let code = code_of(response.status());
        *response.status_mut() = StatusCode::OK;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.media_type()));
        headers.insert(GRPC_STATUS, HeaderValue::from_static(code));
        if let Some(message) = message {
            headers.insert(GRPC_MESSAGE, HeaderValue::from_static(message));
        }
    }
}

/// The code of gRPC for a status of the wire table: `INVALID_ARGUMENT`, `UNAUTHENTICATED`,
/// `PERMISSION_DENIED`, `UNAVAILABLE`, and `INTERNAL` for what the application has to mend.
fn code_of(status: StatusCode) -> &'static str {
    match status {
        StatusCode::BAD_REQUEST => "3",
        StatusCode::UNAUTHORIZED => "16",
        StatusCode::FORBIDDEN => "7",
        StatusCode::SERVICE_UNAVAILABLE => "14",
        _ => "13",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(field: &[u8]) -> ResponseProtocol {
        let mut headers = HeaderMap::new();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_bytes(field).expect("a value"),
        );
        ResponseProtocol::of(&headers)
    }

    #[test]
    fn the_media_type_tells_grpc_and_nothing_that_only_begins_like_it() {
        for (field, protocol) in [
            ("application/grpc", ResponseProtocol::Grpc),
            ("APPLICATION/gRPC", ResponseProtocol::Grpc),
            ("application/grpc+proto", ResponseProtocol::Grpc),
            ("application/grpc+", ResponseProtocol::Grpc),
            ("application/grpc;charset=utf-8", ResponseProtocol::Grpc),
            ("application/grpc ; a=b", ResponseProtocol::Grpc),
            ("application/grpc+json; a=b", ResponseProtocol::Grpc),
            ("application/grpc-web", ResponseProtocol::GrpcWeb),
            ("application/grpc-web+proto", ResponseProtocol::GrpcWeb),
            ("Application/Grpc-Web-Text", ResponseProtocol::GrpcWebText),
            (
                "application/grpc-web-text+proto",
                ResponseProtocol::GrpcWebText,
            ),
        ] {
            assert_eq!(of(field.as_bytes()), protocol, "{field:?}");
        }
        for other in [
            "",
            ";",
            "+",
            "application/grpcfoo",
            "application/grpc-webfoo",
            "application/grpc-webtext",
            "application/grpc proto",
            "application/grpc,application/json",
            "application/json",
            "application/json;application/grpc",
            "text/application/grpc",
        ] {
            assert_eq!(of(other.as_bytes()), ResponseProtocol::Http, "{other:?}");
        }
        assert_eq!(of(b"application/grpc\xff"), ResponseProtocol::Http);
        assert_eq!(
            ResponseProtocol::of(&HeaderMap::new()),
            ResponseProtocol::Http
        );
    }
}
