//! The decision about a request: by its head alone, or by its body too.
//!
//! 1. Without a good token nothing of the body is read.
//! 2. Revision 2026-07-28: a caller that lacks a scope is refused by the header fields alone. What is admitted by
//!    them is compared with the body, unless the service compares it. What they name without having been declared is
//!    compared too: where the body differs, that is the fault.
//! 3. Earlier revisions: by the body.
//! 4. The decision is about what the body says, whenever it is read.

use std::borrow::Cow;

use http::header::CONTENT_ENCODING;
use http::{Extensions, HeaderMap, HeaderValue, Method, Request, StatusCode};

use crate::middleware::authenticate::context::AuthContext;
use crate::middleware::mcp::access::McpPolicy;
use crate::middleware::mcp::check::{check, check_token};
use crate::middleware::mcp::scopes::{DemandSet, McpScopes, Undeclared};
use crate::middleware::response::refusal::Refusal;
use crate::model::error::rejection::{Rejection, RequestFault};
use crate::model::error::rejection_detail::RejectionDetail;
use crate::verify::mcp::message::{JsonRpcError, Message, MessageFault, read_body};
use crate::verify::mcp::method::{MethodClass, is_list};
use crate::verify::mcp::name_header::decode;
use crate::verify::mcp::revision::{MCP_METHOD, MCP_NAME, MCP_PROTOCOL_VERSION, Revision, single};

/// What the head of a request leads to.
pub(super) enum Head {
    /// The service gets it as it is.
    Admitted { lists: bool },
    /// The body decides.
    NeedsBody(Undecided),
}

/// What the head of a request has led to so far.
pub(super) struct Undecided {
    revision: Revision,
    /// What is wrong already. The body then only says which message the answer is for.
    fault: Option<MessageFault>,
    /// What the header fields demand is met: a body that says the same is admitted.
    is_met: bool,
}

/// A request that the service does not get.
pub(super) enum Denied {
    /// In the way of the authentication layer.
    Refused(Refusal),
    /// With a JSON-RPC error.
    Fault(Box<DeniedMessage>),
}

/// A message that is refused as such.
pub(super) struct DeniedMessage {
    pub(super) status: StatusCode,
    pub(super) fault: MessageFault,
    /// As it was logged.
    pub(super) refusal: Refusal,
}

impl From<Refusal> for Denied {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// The decision by the head. The header fields are read first, so that the request stays whole.
pub(super) fn decide_head<B>(policy: &McpPolicy, request: &mut Request<B>) -> Result<Head, Denied> {
    // A service that does not look at the method takes the body of any other for a message.
    let has_no_message = matches!(
        *request.method(),
        Method::GET | Method::HEAD | Method::DELETE | Method::OPTIONS
    );
    let plan = if has_no_message {
        // Streams and the end of sessions of revisions before 2026-07-28.
        let lists = request.method() == Method::GET;
        Plan::token_and(Head::Admitted { lists })
    } else {
        plan(policy, request.headers())
    };
    let extensions = request.extensions_mut();
    match plan.demands {
        Some(demands) => check(extensions, demands.requirements(&policy.scopes))?,
        None => check_token(extensions)?,
    }
    Ok(plan.head)
}

/// What a head demands, and what it leads to where that is there.
struct Plan<'s> {
    /// `None`: a good token alone.
    demands: Option<DemandSet<'s>>,
    head: Head,
}

impl Plan<'_> {
    const fn token_and(head: Head) -> Self {
        Self {
            demands: None,
            head,
        }
    }
}

fn plan<'s>(policy: &'s McpPolicy, headers: &HeaderMap) -> Plan<'s> {
    let needs_body = |revision, fault| {
        Head::NeedsBody(Undecided {
            revision,
            fault,
            is_met: false,
        })
    };
    let revision = match Revision::of(headers) {
        Ok(revision) if revision.has_headers() => revision,
        Ok(revision) => return Plan::token_and(needs_body(revision, None)),
        Err(fault) => return Plan::token_and(needs_body(Revision::Body, Some(fault))),
    };
    let operation = match HeaderOperation::of(headers) {
        Ok(Some(operation)) => operation,
        other => return Plan::token_and(needs_body(revision, other.err())),
    };
    // The body may differ from fields that name what is not declared.
    let Ok(demands) = operation.demands(&policy.scopes) else {
        return Plan::token_and(needs_body(revision, None));
    };
    let trusts_headers = policy.service_compares_headers
        && revision == Revision::Headers
        && operation.class.is_told_by_headers();
    let head = if trusts_headers {
        let lists = is_list(operation.method);
        Head::Admitted { lists }
    } else {
        Head::NeedsBody(Undecided {
            revision,
            fault: None,
            is_met: true,
        })
    };
    Plan {
        demands: Some(demands),
        head,
    }
}

/// The decision by the body. Whether the service answers with a list.
pub(super) fn decide_body(
    policy: &McpPolicy,
    undecided: Undecided,
    headers: &HeaderMap,
    extensions: &mut Extensions,
    body: &[u8],
) -> Result<bool, Denied> {
    let Undecided {
        revision,
        fault,
        is_met,
    } = undecided;
    if is_encoded(headers) {
        let found = MessageFault::new(JsonRpcError::InvalidRequest, "the body is compressed");
        return Err(deny(extensions, revision, fault.unwrap_or(found)));
    }
    let messages = match read_body(body, revision == Revision::BodyOrBatch) {
        Ok(messages) => messages,
        // The fault of the head comes first: what it is about is what clients act upon.
        Err(found) => return Err(deny(extensions, revision, fault.unwrap_or(found))),
    };
    let first_id = messages.first().and_then(|message| message.id.as_deref());
    if let Some(fault) = fault {
        let fault = fault.of_message(first_id);
        return Err(deny(extensions, revision, fault));
    }
    if let (true, Some(message)) = (revision.has_headers(), messages.first()) {
        match compare(headers, message) {
            Ok(Compared::SaysTheSame { lists }) if is_met => return Ok(lists),
            Ok(Compared::SaysTheSame { .. } | Compared::SaysMore) => {}
            Err(fault) => {
                let fault = fault.of_message(first_id);
                return Err(deny(extensions, revision, fault));
            }
        }
    }
    let demands = match all_demands(&policy.scopes, &messages) {
        Ok(demands) => demands,
        Err((Undeclared::Method, id)) => {
            let fault = no_method().of_message(id);
            return Err(deny(extensions, revision, fault));
        }
        Err((undeclared, _)) => return Err(refuse_undeclared(extensions, undeclared)),
    };
    check(extensions, demands.requirements(&policy.scopes))?;
    let mut calls = messages.iter().filter_map(|message| message.call.as_ref());
    Ok(calls.any(|call| is_list(&call.method)))
}

/// Whether a service could decode the body to another one than that which is judged here.
fn is_encoded(headers: &HeaderMap) -> bool {
    let mut fields = headers.get_all(CONTENT_ENCODING).iter();
    fields.any(|field| {
        let coding = field.as_bytes().trim_ascii();
        !(coding.is_empty() || coding.eq_ignore_ascii_case(b"identity"))
    })
}

/// The demands of all messages together. With what is not declared comes the `id` of its message.
fn all_demands<'s, 'm>(
    scopes: &'s McpScopes,
    messages: &'m [Message<'m>],
) -> Result<DemandSet<'s>, (Undeclared, Option<&'m str>)> {
    let mut sets: Vec<&'s [usize]> = Vec::new();
    for message in messages {
        let Some(call) = &message.call else {
            continue; // a response names nothing
        };
        let with_id = |undeclared| (undeclared, message.id.as_deref());
        let of_method = scopes.of_method(&call.method, call.class);
        sets.push(of_method.map_err(with_id)?);
        for target in &call.targets {
            let of_target = scopes.of_target(target.kind, &target.name);
            sets.push(of_target.map_err(with_id)?);
        }
    }
    Ok(DemandSet::union(sets.into_iter(), scopes))
}

/// What `Mcp-Method` and `Mcp-Name` say.
struct HeaderOperation<'h> {
    method: &'h str,
    class: MethodClass,
    name: Option<Cow<'h, str>>,
}

impl<'h> HeaderOperation<'h> {
    /// `None` without `Mcp-Method`.
    fn of(headers: &'h HeaderMap) -> Result<Option<Self>, MessageFault> {
        let Some(method) = single(headers, &MCP_METHOD)? else {
            return Ok(None);
        };
        let method = method.to_str().map_err(|_| {
            MessageFault::headers("Header mismatch: Mcp-Method has invalid characters")
        })?;
        let class = MethodClass::of(method);
        let name = match single(headers, &MCP_NAME)?.map(HeaderValue::as_bytes) {
            None => None,
            Some(value) => {
                let malformed = MessageFault::headers("Header mismatch: Mcp-Name is malformed");
                Some(decode(value).ok_or(malformed)?)
            }
        };
        let needs_name = matches!(
            class,
            MethodClass::Names {
                in_header: true,
                ..
            }
        );
        if needs_name && name.is_none() {
            return Err(MessageFault::headers(
                "Header mismatch: Mcp-Name is missing",
            ));
        }
        Ok(Some(Self {
            method,
            class,
            name,
        }))
    }

    fn demands<'s>(&self, scopes: &'s McpScopes) -> Result<DemandSet<'s>, Undeclared> {
        let method = scopes.of_method(self.method, self.class)?;
        let target = match (self.class, &self.name) {
            (
                MethodClass::Names {
                    kind,
                    in_header: true,
                    ..
                },
                Some(name),
            ) => scopes.of_target(kind, name)?,
            _ => &[],
        };
        Ok(DemandSet {
            method,
            target: target.into(),
        })
    }
}

/// How the body of a request of revision 2026-07-28 goes with its header fields.
enum Compared {
    /// It says the same, so that a decision by the fields holds.
    SaysTheSame { lists: bool },
    /// It does not contradict them, and decides.
    SaysMore,
}

/// Compares the header fields with the body (MCP 2026-07-28, Streamable HTTP, Server Validation).
fn compare(headers: &HeaderMap, message: &Message<'_>) -> Result<Compared, MessageFault> {
    let Some(call) = &message.call else {
        return Err(MessageFault::new(
            JsonRpcError::InvalidRequest,
            "clients send no responses in this revision of the protocol",
        ));
    };
    if let Some(version) = &call.protocol_version {
        let stated = headers.get(MCP_PROTOCOL_VERSION);
        if stated.is_none_or(|stated| stated.as_bytes() != version.as_bytes()) {
            return Err(MessageFault::headers(
                "Header mismatch: MCP-Protocol-Version does not match the body",
            ));
        }
    }
    let Some(operation) = HeaderOperation::of(headers)? else {
        // The handshake of earlier revisions has no such field, and for notifications none is defined.
        if call.is_notification || call.method == "initialize" {
            return Ok(Compared::SaysMore);
        }
        return Err(MessageFault::headers(
            "Header mismatch: Mcp-Method is missing",
        ));
    };
    if operation.method != call.method {
        return Err(MessageFault::headers(
            "Header mismatch: Mcp-Method does not match the body",
        ));
    }
    let is_named = matches!(call.class, MethodClass::Names { .. });
    if let (true, Some(name), Some(target)) = (is_named, operation.name, call.targets.first()) {
        if name != target.name {
            return Err(MessageFault::headers(
                "Header mismatch: Mcp-Name does not match the body",
            ));
        }
    }
    Ok(if call.class.is_told_by_headers() {
        let lists = is_list(&call.method);
        Compared::SaysTheSame { lists }
    } else {
        Compared::SaysMore
    })
}

const fn no_method() -> MessageFault {
    MessageFault::new(JsonRpcError::MethodNotFound, "Method not found")
}

/// 413 for a body beyond the limit.
pub(super) fn deny_too_large(extensions: &Extensions) -> Denied {
    let fault = MessageFault::new(
        JsonRpcError::InvalidRequest,
        "the body is larger than this server accepts",
    );
    let rejection = Rejection::from(RequestFault::McpBodyTooLarge);
    refuse_with(extensions, StatusCode::PAYLOAD_TOO_LARGE, fault, rejection)
}

/// 400 for a body that ended early.
pub(super) fn deny_cut_off(extensions: &Extensions) -> Denied {
    let fault = MessageFault::new(JsonRpcError::Parse, "the body was cut off");
    deny(extensions, Revision::Body, fault)
}

fn deny(extensions: &Extensions, revision: Revision, fault: MessageFault) -> Denied {
    let (status, rejection) = match fault.error {
        // In earlier revisions 404 says that the session has ended.
        JsonRpcError::MethodNotFound => {
            let status = if revision.has_headers() {
                StatusCode::NOT_FOUND
            } else {
                StatusCode::FORBIDDEN
            };
            (status, Rejection::forbidden(Undeclared::Method.reason()))
        }
        JsonRpcError::HeaderMismatch => (StatusCode::BAD_REQUEST, RequestFault::McpHeaders.into()),
        _ => (StatusCode::BAD_REQUEST, RequestFault::McpMessage.into()),
    };
    refuse_with(extensions, status, fault, rejection)
}

fn refuse_with(
    extensions: &Extensions,
    status: StatusCode,
    fault: MessageFault,
    rejection: Rejection,
) -> Denied {
    let context = match AuthContext::of(extensions) {
        Ok(context) => context,
        Err(refusal) => return refusal.into(),
    };
    let detail = RejectionDetail::new().with_found(fault.message);
    let refusal = context.refuse(rejection.with_detail(detail));
    Denied::Fault(Box::new(DeniedMessage {
        status,
        fault,
        refusal,
    }))
}

fn refuse_undeclared(extensions: &Extensions, undeclared: Undeclared) -> Denied {
    match AuthContext::of(extensions) {
        Ok(context) => {
            let detail = RejectionDetail::new()
                .with_setting("McpScopes")
                .with_expected("a tool, prompt or resource that is declared");
            let rejection = Rejection::forbidden(undeclared.reason());
            context.refuse(rejection.with_detail(detail)).into()
        }
        Err(refusal) => refusal.into(),
    }
}
