//! Scopes for the tools, prompts, resources and methods of an MCP server; see the
//! [chapter](crate::manual::mcp).

#[doc(inline)]
pub use crate::middleware::mcp::access::McpAccess;
#[doc(inline)]
pub use crate::middleware::mcp::body::McpBody;
#[doc(inline)]
pub use crate::middleware::mcp::layer::McpLayer;
#[doc(inline)]
pub use crate::middleware::mcp::scopes::McpScopes;
#[doc(inline)]
pub use crate::middleware::mcp::service::{McpFuture, McpService};
