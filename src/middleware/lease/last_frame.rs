//! The last frame of a body that its lease has ended: the status of gRPC, where the response speaks it.

use bytes::{BufMut as _, Bytes, BytesMut};
use http::header::{HeaderMap, HeaderValue};
use http_body::Frame;

use crate::middleware::response::grpc::{GRPC_MESSAGE, GRPC_STATUS, ResponseProtocol};
use crate::model::decision::lease_end::LeaseEnd;

/// The flag of a gRPC-Web frame that holds trailers ("gRPC-Web", section "Message framing").
const TRAILERS: u8 = 0x80;

/// The frame; `None` where the body ends without one.
pub(super) fn last_frame(protocol: ResponseProtocol, end: LeaseEnd) -> Option<Frame<Bytes>> {
    let status = status(end);
    match protocol {
        ResponseProtocol::Http => None,
        ResponseProtocol::Grpc => {
            let mut trailers = HeaderMap::with_capacity(2);
            trailers.insert(GRPC_STATUS, HeaderValue::from_static(status));
            trailers.insert(GRPC_MESSAGE, HeaderValue::from_static(end.sentence()));
            Some(Frame::trailers(trailers))
        }
        ResponseProtocol::GrpcWeb => Some(Frame::data(in_body(status, end))),
        ResponseProtocol::GrpcWebText => {
            use base64::Engine as _;
            let text = base64::engine::general_purpose::STANDARD.encode(in_body(status, end));
            Some(Frame::data(text.into()))
        }
    }
}

/// `UNAUTHENTICATED`, or `UNAVAILABLE` where the token could not be checked.
const fn status(end: LeaseEnd) -> &'static str {
    match end {
        LeaseEnd::Unavailable => "14",
        LeaseEnd::Expired
        | LeaseEnd::Revoked(_)
        | LeaseEnd::KeyRemoved
        | LeaseEnd::IssuerReplaced
        | LeaseEnd::Status => "16",
    }
}

/// The trailers of gRPC-Web: the last message of the body.
fn in_body(status: &str, end: LeaseEnd) -> Bytes {
    let text = format!(
        "grpc-status:{status}\r\ngrpc-message:{}\r\n",
        end.sentence()
    );
    let mut frame = BytesMut::with_capacity(5 + text.len());
    frame.put_u8(TRAILERS);
    frame.put_u32(u32::try_from(text.len()).unwrap_or_default());
    frame.put_slice(text.as_bytes());
    frame.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::revocation::RevocationKind;

    #[test]
    fn a_last_frame_has_the_status_where_the_protocol_has_one() {
        let revoked = LeaseEnd::Revoked(RevocationKind::Subject);
        assert!(last_frame(ResponseProtocol::Http, revoked).is_none());
        for (end, status) in [
            (revoked, "16"),
            (LeaseEnd::Expired, "16"),
            (LeaseEnd::KeyRemoved, "16"),
            (LeaseEnd::Status, "16"),
            (LeaseEnd::Unavailable, "14"),
        ] {
            let frame = last_frame(ResponseProtocol::Grpc, end).expect("a frame");
            let trailers = frame.into_trailers().expect("trailers");
            assert_eq!(trailers["grpc-status"], status);
            assert_eq!(trailers["grpc-message"], end.sentence());
        }
        let frame = last_frame(ResponseProtocol::GrpcWeb, revoked).expect("a frame");
        let data = frame.into_data().expect("data");
        let text = b"grpc-status:16\r\ngrpc-message:the access token was revoked\r\n";
        assert_eq!(data[..5], [0x80, 0, 0, 0, 59]);
        assert_eq!(data[5..], text[..]);
        let frame = last_frame(ResponseProtocol::GrpcWebText, revoked).expect("a frame");
        let text = frame.into_data().expect("data");
        assert!(text.starts_with(b"gAAAADtncnBjLXN0YXR1czoxNg0K"));
    }
}
