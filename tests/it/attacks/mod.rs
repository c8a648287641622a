//! Attacks on resources, metadata, requirements and the MCP layer: each with its accepted twin.

mod mcp_answers;
mod mcp_requests;
mod metadata;
mod requirements;

use std::convert::Infallible;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::{any, get};
use http::{HeaderMap, HeaderValue, Method, Request};
use portcullis::config::ScopeHierarchy;
use portcullis::extract::Authorized;
use portcullis::layer::RequireLayer;
use portcullis::mcp::{McpLayer, McpScopes};
use portcullis::test_util::{ManualClock, MockIssuer};
use portcullis::time::Clock as _;
use portcullis::{AccessToken, Resource, ResourceServer, Scoped};
use serde_json::{Value, json};

use crate::mcp::support::{McpApp, answering, call, echo, message, scopes};
use crate::support::logs::Logs;
use crate::support::{API, Requests as _, TestApp};

const MCP: &str = "https://api.example.com/mcp";
const READ: &str = "missions:read";
const ALL_VERSIONS: [Option<&str>; 9] = [
    None,
    Some(""),
    Some("2024-11-05"),
    Some("2025-03-26"),
    Some("2025-06-18"),
    Some("2025-11-25"),
    Some("2026-07-28"),
    Some("2027-01-01"),
    Some("2026-07-28 "),
];

/// What was found, so that one run shows all of it.
#[derive(Default)]
struct Found(Vec<String>);

impl Found {
    fn expect(&mut self, holds: bool, what: impl std::fmt::Display) {
        if !holds {
            self.0.push(what.to_string());
        }
    }
}

impl Drop for Found {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert!(self.0.is_empty(), "\n{}", self.0.join("\n"));
        }
    }
}

fn leaks(app_answer: &crate::support::TestResponse) -> bool {
    app_answer.status.is_success()
}
