//! What the operations of an MCP server demand, declared in code.

use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use crate::middleware::mcp::uri::is_normal;
use crate::model::requirement::route_requirement::{Requirement, RouteRequirement};
use crate::verify::mcp::method::{MethodClass, TargetKind};

/// What each tool, prompt, resource and method of an MCP server demands.
///
/// What is not declared is refused: a tool, prompt or resource with 403, a method that no revision of the
/// protocol has with 404 (403 in revisions before 2026-07-28) and the JSON-RPC error -32601. Methods of the
/// protocol that name nothing, such as `initialize`, `ping`, `server/discover`, `tools/list` and
/// `tasks/get`, need a good token alone unless [`method`](Self::method) demands more.
///
/// Names are compared byte for byte. Declarations of one name add up: all of them are demanded.
///
/// ```
/// use portcullis::mcp::McpScopes;
///
/// portcullis::scopes! {
///     ReadMissions = "missions:read";
///     EditMissions = "missions:read missions:write";
/// }
///
/// let scopes = McpScopes::new()
///     .tool::<ReadMissions>("list_missions")
///     .tool::<EditMissions>("edit_mission")
///     .open_tool("server_time")
///     .prompt::<ReadMissions>("brief_mission")
///     .resource::<ReadMissions>("missions://all")
///     .resource_prefix::<ReadMissions>("missions://by-id/");
/// # let _ = scopes;
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
#[doc(alias("tool_scopes", "tools/call", "required_scopes"))]
pub struct McpScopes {
    /// Each once.
    demands: Vec<RouteRequirement>,
    tools: Declared,
    prompts: Declared,
    resources: Declared,
    methods: Declared,
    /// The longest first.
    resource_prefixes: Vec<(Box<str>, Demands)>,
}

/// Places in the list of demands.
pub(super) type Demands = Vec<usize>;

/// Declared names of one kind, and what is demanded of all other names.
#[derive(Clone, Debug, Default)]
struct Declared {
    names: HashMap<Box<str>, Demands, BuildHasherDefault<NameHasher>>,
    others: Option<Demands>,
}

impl Declared {
    fn find(&self, name: &str) -> Option<&Demands> {
        self.names.get(name)
    }
}

impl McpScopes {
    /// Nothing is declared: only methods of the protocol that name nothing are admitted.
    pub fn new() -> Self {
        Self::default()
    }

    /// Demands `R` for calls of the tool with this name.
    pub fn tool<R: Requirement>(mut self, name: impl Into<String>) -> Self {
        let demand = self.demand::<R>();
        add(&mut self.tools, name, Some(demand));
        self
    }

    /// Admits calls of the tool with this name with any good token.
    pub fn open_tool(mut self, name: impl Into<String>) -> Self {
        add(&mut self.tools, name, None);
        self
    }

    /// Demands `R` for calls of every tool that is not declared by its name. Default: refused.
    pub fn other_tools<R: Requirement>(mut self) -> Self {
        let demand = self.demand::<R>();
        self.tools.others.get_or_insert_default().push(demand);
        self
    }

    /// Demands `R` for the prompt with this name: for `prompts/get`, and for completions of its
    /// arguments.
    pub fn prompt<R: Requirement>(mut self, name: impl Into<String>) -> Self {
        let demand = self.demand::<R>();
        add(&mut self.prompts, name, Some(demand));
        self
    }

    /// Admits the prompt with this name with any good token.
    pub fn open_prompt(mut self, name: impl Into<String>) -> Self {
        add(&mut self.prompts, name, None);
        self
    }

    /// Demands `R` for every prompt that is not declared by its name. Default: refused.
    pub fn other_prompts<R: Requirement>(mut self) -> Self {
        let demand = self.demand::<R>();
        self.prompts.others.get_or_insert_default().push(demand);
        self
    }

    /// Demands `R` for the resource with this URI: to read it, to subscribe to it, and for completions
    /// where it is a URI template.
    pub fn resource<R: Requirement>(mut self, uri: impl Into<String>) -> Self {
        let demand = self.demand::<R>();
        add(&mut self.resources, uri, Some(demand));
        self
    }

    /// Admits the resource with this URI with any good token.
    pub fn open_resource(mut self, uri: impl Into<String>) -> Self {
        add(&mut self.resources, uri, None);
        self
    }

    /// Demands `R` for every resource whose URI begins with this text. A resource that is declared by its
    /// whole URI is not concerned; of several prefixes the longest counts. The text is compared as it is:
    /// end it with a `/` where it is a folder.
    ///
    /// A URI that normalization would change (RFC 3986 section 6.2.2: a segment `..` or `.`, an escaped
    /// letter, a scheme in capitals), or with a backslash, a control character or a blank at the end,
    /// matches no prefix. Nor does a URL whose host has another spelling (capitals, a user, the default
    /// port, a dot at the end), nor a `file` URI with two slashes in a row or an escaped slash.
    pub fn resource_prefix<R: Requirement>(mut self, prefix: impl Into<String>) -> Self {
        let demand = self.demand::<R>();
        self.add_prefix(prefix.into(), Some(demand));
        self
    }

    /// Admits every resource whose URI begins with this text with any good token; matched as for
    /// [`resource_prefix`](Self::resource_prefix).
    pub fn open_resource_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.add_prefix(prefix.into(), None);
        self
    }

    /// Demands `R` of every call of this method, beside what it names: of `tools/list`, say, or of all
    /// `tools/call`. A method that is no method of the protocol is admitted by its declaration.
    pub fn method<R: Requirement>(mut self, method: impl Into<String>) -> Self {
        let demand = self.demand::<R>();
        add(&mut self.methods, method, Some(demand));
        self
    }

    /// Admits calls of a method that is no method of the protocol with any good token.
    pub fn open_method(mut self, method: impl Into<String>) -> Self {
        add(&mut self.methods, method, None);
        self
    }

    /// All requirements, each once, in the order of their declaration: for documents and tests.
    pub fn requirements(&self) -> impl Iterator<Item = &RouteRequirement> {
        self.demands.iter()
    }

    fn demand<R: Requirement>(&mut self) -> usize {
        let demand = RouteRequirement::of::<R>();
        let known = self.demands.iter().position(|known| *known == demand);
        known.unwrap_or_else(|| {
            self.demands.push(demand);
            self.demands.len() - 1
        })
    }

    fn add_prefix(&mut self, prefix: String, demand: Option<usize>) {
        let prefixes = &mut self.resource_prefixes;
        if let Some((_, demands)) = prefixes.iter_mut().find(|(known, _)| **known == *prefix) {
            demands.extend(demand);
            return;
        }
        let shorter = prefixes
            .iter()
            .position(|(known, _)| known.len() < prefix.len());
        let place = shorter.unwrap_or(prefixes.len());
        prefixes.insert(place, (prefix.into(), demand.into_iter().collect()));
    }

    /// What a method demands, whatever it names.
    ///
    /// # Errors
    ///
    /// It is neither a method of the protocol nor declared.
    pub(super) fn of_method(
        &self,
        method: &str,
        class: MethodClass,
    ) -> Result<&[usize], Undeclared> {
        match self.methods.find(method) {
            Some(demands) => Ok(demands),
            None if class == MethodClass::Unknown => Err(Undeclared::Method),
            None => Ok(&[]),
        }
    }

    /// What a tool, prompt or resource demands.
    ///
    /// # Errors
    ///
    /// It is not declared.
    pub(super) fn of_target(&self, kind: TargetKind, name: &str) -> Result<&[usize], Undeclared> {
        let found = match kind {
            TargetKind::Tool => self.tools.find(name).or(self.tools.others.as_ref()),
            TargetKind::Prompt => self.prompts.find(name).or(self.prompts.others.as_ref()),
            TargetKind::Resource => self.resources.find(name).or_else(|| {
                let prefixes = &mut self.resource_prefixes.iter();
                let (_, demands) = prefixes.find(|(prefix, _)| name.starts_with(&**prefix))?;
                is_normal(name).then_some(demands)
            }),
        };
        found.map(Vec::as_slice).ok_or(match kind {
            TargetKind::Tool => Undeclared::Tool,
            TargetKind::Prompt => Undeclared::Prompt,
            TargetKind::Resource => Undeclared::Resource,
        })
    }

    pub(super) fn requirement(&self, place: usize) -> Option<&RouteRequirement> {
        self.demands.get(place)
    }
}

fn add(declared: &mut Declared, name: impl Into<String>, demand: Option<usize>) {
    let name = name.into().into_boxed_str();
    declared.names.entry(name).or_default().extend(demand);
}

/// What a request names and nothing declares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Undeclared {
    Tool,
    Prompt,
    Resource,
    Method,
}

impl Undeclared {
    /// The reason of the refusal, for events and metrics.
    pub(crate) const fn reason(self) -> &'static str {
        match self {
            Self::Tool => "undeclared_tool",
            Self::Prompt => "undeclared_prompt",
            Self::Resource => "undeclared_resource",
            Self::Method => "undeclared_method",
        }
    }
}

/// A hash of names that come from the configuration, so that strangers cannot make them collide.
#[derive(Clone, Copy, Debug, Default)]
struct NameHasher(u64);

impl NameHasher {
    fn mix(&mut self, word: u64) {
        self.0 = (self.0 ^ word)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .rotate_left(29);
    }
}

impl Hasher for NameHasher {
    fn write(&mut self, bytes: &[u8]) {
        let mut left = bytes;
        while let Some((word, rest)) = left.split_first_chunk::<8>() {
            self.mix(u64::from_le_bytes(*word));
            left = rest;
        }
        let last = left
            .iter()
            .fold(0, |word, byte| word << 8 | u64::from(*byte));
        self.mix(last);
    }

    fn write_u8(&mut self, byte: u8) {
        self.mix(byte.into());
    }

    fn finish(&self) -> u64 {
        self.0.wrapping_mul(0xc2b2_ae3d_27d4_eb4f) ^ self.0 >> 32
    }
}

/// The demands of one request: those of a single operation without a copy.
#[derive(Clone, Debug)]
pub(super) struct DemandSet<'s> {
    pub(super) method: &'s [usize],
    pub(super) target: Cow<'s, [usize]>,
}

impl<'s> DemandSet<'s> {
    pub(super) fn requirements<'d>(
        &'d self,
        scopes: &'d McpScopes,
    ) -> impl Iterator<Item = &'d RouteRequirement> + Clone {
        let places = self.method.iter().chain(self.target.iter());
        places.filter_map(|place| scopes.requirement(*place))
    }

    /// Those of all operations together, each once.
    pub(super) fn union(sets: impl Iterator<Item = &'s [usize]>, scopes: &McpScopes) -> Self {
        let mut is_seen = vec![false; scopes.demands.len()];
        let mut places = Vec::new();
        for place in sets.flatten() {
            if let Some(seen) = is_seen.get_mut(*place) {
                if !std::mem::replace(seen, true) {
                    places.push(*place);
                }
            }
        }
        Self {
            method: &[],
            target: Cow::Owned(places),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    crate::scopes! {
        Read = "read";
        Write = "write";
    }

    fn names(scopes: &McpScopes, found: Result<&[usize], Undeclared>) -> String {
        match found {
            Ok(places) => {
                let demands = places.iter().filter_map(|place| scopes.requirement(*place));
                demands
                    .flat_map(RouteRequirement::scopes)
                    .copied()
                    .collect::<Vec<_>>()
                    .join("+")
            }
            Err(undeclared) => undeclared.reason().to_owned(),
        }
    }

    #[test]
    fn names_are_found_exactly_and_declarations_add_up() {
        let scopes = McpScopes::new()
            .tool::<Read>("a")
            .tool::<Write>("a")
            .open_tool("a")
            .open_tool("open")
            .prompt::<Read>("a");
        let tool = |name| names(&scopes, scopes.of_target(TargetKind::Tool, name));
        assert_eq!(tool("a"), "read+write");
        assert_eq!(tool("open"), "");
        for other in ["", "A", "a ", "aa", "open\0"] {
            assert_eq!(tool(other), "undeclared_tool", "{other:?}");
        }
        let prompt = |name| names(&scopes, scopes.of_target(TargetKind::Prompt, name));
        assert_eq!(
            (prompt("a").as_str(), prompt("open").as_str()),
            ("read", "undeclared_prompt")
        );
        assert_eq!(scopes.requirements().count(), 2);
    }

    #[test]
    fn longest_prefix_counts_and_a_whole_uri_before_it() {
        let scopes = McpScopes::new()
            .resource_prefix::<Read>("m://")
            .resource_prefix::<Write>("m://secret/")
            .open_resource_prefix("m://public/")
            .resource::<Write>("m://public/x")
            .resource::<Write>("m://public/../y");
        let resource = |uri| names(&scopes, scopes.of_target(TargetKind::Resource, uri));
        assert_eq!(resource("m://all"), "read");
        assert_eq!(resource("m://secret/1"), "write");
        assert_eq!(resource("m://public/1"), "");
        assert_eq!(resource("m://public/x"), "write");
        assert_eq!(resource("m://public/../y"), "write");
        for other in [
            "m://public/../secret/1",
            "m://%73ecret/1",
            "M://all",
            "m:/all",
            "",
        ] {
            assert_eq!(resource(other), "undeclared_resource", "{other}");
        }
    }

    #[test]
    fn methods_outside_the_protocol_need_a_declaration() {
        let scopes = McpScopes::new()
            .method::<Write>("tools/list")
            .open_method("custom/x");
        let method = |method| names(&scopes, scopes.of_method(method, MethodClass::of(method)));
        assert_eq!(method("tools/list"), "write");
        assert_eq!(method("ping"), "");
        assert_eq!(method("custom/x"), "");
        assert_eq!(method("custom/y"), "undeclared_method");
        assert_eq!(method("Tools/call"), "undeclared_method");
    }
}
