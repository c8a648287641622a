//! The MCP server: three tools about missions.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use portcullis::AccessToken;
use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::{CallToolResult, ContentBlock};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler, schemars, tool, tool_handler, tool_router};

/// The missions, by their id.
#[derive(Clone)]
pub(crate) struct Missions {
    names: Arc<Mutex<BTreeMap<String, String>>>,
}

impl Default for Missions {
    fn default() -> Self {
        let names = [("apollo", "Apollo"), ("voyager", "Voyager")];
        let names = names.map(|(id, name)| (id.to_owned(), name.to_owned()));
        Self {
            names: Arc::new(Mutex::new(names.into())),
        }
    }
}

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Rename {
    /// The mission's id.
    id: String,
    /// Its new name.
    name: String,
}

#[tool_router]
impl Missions {
    #[tool(description = "Lists all missions")]
    async fn list_missions(&self) -> String {
        let names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        let lines = names.iter().map(|(id, name)| format!("{id}: {name}"));
        lines.collect::<Vec<_>>().join("\n")
    }

    #[tool(description = "Says who is calling")]
    async fn who_am_i(
        &self,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResult, ErrorData> {
        let token = token_of(&context)?;
        let subject = token.subject().map_or("no subject", |it| it.as_str());
        let text = format!("{subject} with the scope `{}`", token.scope());
        Ok(CallToolResult::success(vec![ContentBlock::text(text)]))
    }

    #[tool(description = "Gives a mission another name")]
    async fn rename_mission(
        &self,
        Parameters(Rename { id, name }): Parameters<Rename>,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResult, ErrorData> {
        let token = token_of(&context)?;
        let subject = token.subject().map_or("no subject", |it| it.as_str());
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(known) = names.get_mut(&id) else {
            return Err(ErrorData::invalid_params("no such mission", None));
        };
        let text = format!("{known} is now {name}, by {subject}");
        *known = name;
        Ok(CallToolResult::success(vec![ContentBlock::text(text)]))
    }
}

#[tool_handler]
impl ServerHandler for Missions {}

/// The token of the HTTP request that this call came with. In a session of an earlier revision each
/// call has the token of its own request.
fn token_of(context: &RequestContext<RoleServer>) -> Result<AccessToken, ErrorData> {
    let parts = context.extensions.get::<http::request::Parts>();
    let token = parts.and_then(|parts| AccessToken::of(&parts.extensions).ok());
    token.ok_or_else(|| ErrorData::internal_error("the layer is missing", None))
}
