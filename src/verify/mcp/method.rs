//! The methods of all revisions of the protocol that a client may call, and what each names.

/// A kind of thing that a server offers by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TargetKind {
    Tool,
    Prompt,
    /// By its URI, or by a URI template.
    Resource,
}

/// What a method names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MethodClass {
    /// The member of `params` with this name says which. `Mcp-Name` mirrors it for some methods.
    Names {
        kind: TargetKind,
        member: &'static str,
        in_header: bool,
    },
    /// `params.ref` is a prompt or the URI template of a resource.
    Completes,
    /// `params.notifications.resourceSubscriptions` are URIs of resources.
    Listens,
    /// Nothing: a method of the protocol that concerns the connection, a list or a task.
    NamesNothing,
    /// No method of the protocol.
    Unknown,
}

impl MethodClass {
    /// Revisions 2025-03-26 to 2026-07-28, and the extension for tasks. What a server alone sends is
    /// unknown here.
    pub(crate) fn of(method: &str) -> Self {
        let names = |kind, member, in_header| Self::Names {
            kind,
            member,
            in_header,
        };
        match method {
            "tools/call" => names(TargetKind::Tool, "name", true),
            "prompts/get" => names(TargetKind::Prompt, "name", true),
            "resources/read" => names(TargetKind::Resource, "uri", true),
            "resources/subscribe" | "resources/unsubscribe" => {
                names(TargetKind::Resource, "uri", false)
            }
            "completion/complete" => Self::Completes,
            "subscriptions/listen" => Self::Listens,
            "initialize"
            | "ping"
            | "server/discover"
            | "tools/list"
            | "prompts/list"
            | "resources/list"
            | "resources/templates/list"
            | "logging/setLevel"
            | "tasks/get"
            | "tasks/list"
            | "tasks/result"
            | "tasks/update"
            | "tasks/cancel"
            | "notifications/initialized"
            | "notifications/cancelled"
            | "notifications/progress"
            | "notifications/message"
            | "notifications/roots/list_changed"
            | "notifications/tasks/status" => Self::NamesNothing,
            _ => Self::Unknown,
        }
    }

    /// Whether header fields alone tell everything that the method names.
    pub(crate) const fn is_told_by_headers(self) -> bool {
        matches!(
            self,
            Self::Names {
                in_header: true,
                ..
            } | Self::NamesNothing
                | Self::Unknown
        )
    }
}

/// Whether the answer to a method is a list of what the server offers.
pub(crate) fn is_list(method: &str) -> bool {
    matches!(
        method,
        "tools/list" | "prompts/list" | "resources/list" | "resources/templates/list"
    )
}
