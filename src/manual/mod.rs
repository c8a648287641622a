//! The manual: how to use this library, what it does and why.
//!
//! | chapter | content |
//! |---|---|
//! | [`getting_started`] | the first program, the first requests, what the log says, optional authentication, GraphQL |
//! | [`configuration`] | every setting and every fixed limit: value, bounds, reason; settings from a file |
//! | [`tenants`] | accounts, workspaces, users, machine clients and principals: who may act where, by which claims |
//! | [`resources_and_metadata`] | several resources in one server, RFC 9728 metadata, which resource a token is for |
//! | [`mcp`] | MCP servers: a scope for each tool, prompt, resource and method; revisions, bodies, lists |
//! | [`step_up`] | requirements of a route, authentication of the user (RFC 9470), scope hierarchies |
//! | [`agents`] | agents and services that act for a user (RFC 8693 `act`): guards, revocation, who acts for whom |
//! | [`bound_tokens`] | DPoP, mutual TLS, FAPI 2.0: tokens that are useless without their client's key |
//! | [`introspection`] | opaque tokens: when to use them, how their issuer is called, how long an answer is cached |
//! | [`revocation`] | how tokens are revoked, for how long, what a restart forgets, back-channel logout |
//! | [`token_status_list`] | the status of tokens in Token Status Lists: what is checked, how fresh it is, outages |
//! | [`shared_signals`] | security events (SSF, CAEP, RISC) that end tokens and sessions: push, poll, which event does what |
//! | [`clustering`] | several instances that share revocations and introspection answers through Redis or Valkey |
//! | [`responses`] | statuses, challenges, bodies of refusals, your own errors, gRPC |
//! | [`openapi`] | OpenAPI documents of utoipa and aide from the guards' types, and a test that finds open routes |
//! | [`browsers`] | CORS, tokens in cookies, cross-site requests |
//! | [`streaming`] | streams that end with their token; WebSockets and server-sent events of browsers |
//! | [`clients`] | how MCP, gRPC, Node.js and other clients react to refusals |
//! | [`providers`] | settings for Cognito, Auth0, Keycloak, Entra ID, Okta and many others; Kubernetes, CI jobs, SPIFFE |
//! | [`troubleshooting`] | each refusal kind and fault, its usual cause and the setting to look at |
//! | [`operations`] | logging, health and liveness, changing issuers while running, starts while an issuer is down, AWS Lambda |
//! | [`decisions`] | who was admitted or refused and why: observers, records for audit, layers that only observe |
//! | [`explain`] | why was this token refused, what is wrong with this issuer: every check and every finding |
//! | [`metrics`] | counters, gauges and histograms: names, labels, a dashboard, alerts |
//! | [`security`] | which attack each rule stops, and what this library does not do |
//! | [`performance`] | what a request costs, beside the goals and other libraries, and how to measure it |
//! | [`testing`] | how to test an application, and how this library is tested |
//! | [`authorization_server`] | a development authorization server: sign-in, tokens, faults, for tests and front ends |
//! | [`architecture`] | how a request and a key set flow, the folders of the source, the glossary |
//! | [`faq`] | short answers to common questions |
//! | [`migrating`] | from jwt-authorizer, axum-keycloak-auth, hand-written jsonwebtoken, Spring Security |
//! | [`changelog`] | what changed in which version |
//!
//! These modules hold text and no code. Their examples are compiled and run as tests.

// Without a feature its items are absent, and links to them lead nowhere.
#![cfg_attr(
    not(all(
        feature = "axum",
        feature = "jwks",
        feature = "mcp",
        feature = "metrics",
        feature = "redis",
        feature = "status-list",
        feature = "ssf",
        feature = "test-util",
        feature = "ws"
    )),
    allow(rustdoc::broken_intra_doc_links)
)]
// Link definitions for rustdoc come first: of several definitions of a link the first counts.

#[doc = include_str!("links.md")]
#[doc = include_str!("../../docs/pictures/request.md")]
#[doc = include_str!("getting_started.md")]
pub mod getting_started {}

#[doc = include_str!("links.md")]
#[doc = include_str!("configuration.md")]
pub mod configuration {}

#[doc = include_str!("links.md")]
#[doc = include_str!("tenants.md")]
pub mod tenants {}

#[doc = include_str!("links.md")]
#[doc = include_str!("resources_and_metadata.md")]
pub mod resources_and_metadata {}

#[doc = include_str!("links.md")]
#[doc = include_str!("mcp.md")]
pub mod mcp {}

#[doc = include_str!("links.md")]
#[doc = include_str!("step_up.md")]
pub mod step_up {}

#[doc = include_str!("links.md")]
#[doc = include_str!("agents.md")]
pub mod agents {}

#[doc = include_str!("links.md")]
#[doc = include_str!("bound_tokens.md")]
pub mod bound_tokens {}

#[doc = include_str!("links.md")]
#[doc = include_str!("introspection.md")]
pub mod introspection {}

#[doc = include_str!("links.md")]
#[doc = include_str!("revocation.md")]
pub mod revocation {}

#[doc = include_str!("links.md")]
#[doc = include_str!("token_status_list.md")]
pub mod token_status_list {}

#[doc = include_str!("links.md")]
#[doc = include_str!("shared_signals.md")]
pub mod shared_signals {}

#[doc = include_str!("links.md")]
#[doc = include_str!("clustering.md")]
pub mod clustering {}

#[doc = include_str!("links.md")]
#[doc = include_str!("responses.md")]
pub mod responses {}

#[doc = include_str!("links.md")]
#[doc = include_str!("openapi.md")]
pub mod openapi {}

#[doc = include_str!("links.md")]
#[doc = include_str!("browsers.md")]
pub mod browsers {}

#[doc = include_str!("links.md")]
#[doc = include_str!("streaming.md")]
pub mod streaming {}

#[doc = include_str!("links.md")]
#[doc = include_str!("clients.md")]
pub mod clients {}

#[doc = include_str!("links.md")]
#[doc = include_str!("providers.md")]
pub mod providers {}

#[doc = include_str!("links.md")]
#[doc = include_str!("troubleshooting.md")]
pub mod troubleshooting {}

#[doc = include_str!("links.md")]
#[doc = include_str!("decisions.md")]
pub mod decisions {}

#[doc = include_str!("links.md")]
#[doc = include_str!("explain.md")]
pub mod explain {}

#[doc = include_str!("links.md")]
#[doc = include_str!("../../docs/pictures/dashboard.md")]
#[doc = include_str!("metrics.md")]
pub mod metrics {}

#[doc = include_str!("links.md")]
#[doc = include_str!("operations.md")]
pub mod operations {}

#[doc = include_str!("links.md")]
#[doc = include_str!("security.md")]
pub mod security {}

#[doc = include_str!("links.md")]
#[doc = include_str!("../../docs/pictures/cost.md")]
#[doc = include_str!("../../docs/pictures/memory.md")]
#[doc = include_str!("performance.md")]
pub mod performance {}

#[doc = include_str!("links.md")]
#[doc = include_str!("testing.md")]
pub mod testing {}

#[doc = include_str!("links.md")]
#[doc = include_str!("authorization_server.md")]
pub mod authorization_server {}

#[doc = include_str!("links.md")]
#[doc = include_str!("../../docs/pictures/request.md")]
#[doc = include_str!("../../docs/pictures/key_set.md")]
#[doc = include_str!("architecture.md")]
pub mod architecture {}

#[doc = include_str!("links.md")]
#[doc = include_str!("faq.md")]
pub mod faq {}

#[doc = include_str!("links.md")]
#[doc = include_str!("migrating.md")]
pub mod migrating {}

#[doc = include_str!("../../CHANGELOG.md")]
pub mod changelog {}
