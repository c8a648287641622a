//! Which claims are read and required, and in which forms.

use crate::model::claim_path::ClaimPath;
use crate::model::requirement::claim_value::ClaimValue;
use crate::server::settings::issuer::value::Issuer;

/// Which claims are read and required.
impl Issuer {
    /// The claim that holds the audience. Default: `aud`.
    pub fn audience_claim(mut self, claim: impl Into<ClaimPath>) -> Self {
        let claim = claim.into();
        self.once.set("audience_claim", &claim);
        self.audience_claim = claim;
        self
    }

    /// Demands that a claim has exactly this value: a string, or `true` or `false`, which are equal
    /// to the boolean alone and never to a text. Call it once for each. Default: none.
    pub fn require_claim(
        mut self,
        claim: impl Into<ClaimPath>,
        value: impl Into<ClaimValue>,
    ) -> Self {
        self.required_claims.push((claim.into(), value.into()));
        self
    }

    /// Demands that a header parameter is a string of exactly this value, such as a `ver` that the
    /// issuer writes into access tokens alone. Default: none.
    pub fn require_header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.required_headers.push((name.into(), value.into()));
        self
    }

    /// The claim that holds the scope: a string with spaces, or an array of strings.
    /// Default: `scope`.
    #[doc(alias = "scp")]
    pub fn scope_claim(mut self, claim: impl Into<ClaimPath>) -> Self {
        let claim = claim.into();
        self.once.set("scope_claim", &claim);
        self.scope_claim = claim;
        self
    }

    /// The claim that holds the roles: an array of strings. Default: `roles`
    /// (RFC 9068 section 2.2.3.1).
    #[doc(alias = "realm_access")]
    #[doc(alias = "resource_access")]
    #[doc(alias = "permissions")]
    #[doc(alias = "authorities")]
    pub fn roles_claim(mut self, claim: impl Into<ClaimPath>) -> Self {
        let claim = claim.into();
        self.once.set("roles_claim", &claim);
        self.roles_claim = claim;
        self
    }

    /// The claim that holds the groups: an array of strings. Default: `cognito:groups` for
    /// Cognito, else `groups` (RFC 9068 section 2.2.3.1).
    pub fn groups_claim(mut self, claim: impl Into<ClaimPath>) -> Self {
        let claim = claim.into();
        self.once.set("groups_claim", &claim);
        self.groups_claim = claim;
        self
    }

    /// Reads a lone string in the roles or groups claim as a list of one. Default: it grants
    /// nothing, since a string where an array belongs is often a list in disguise.
    pub fn lone_roles_and_groups(mut self) -> Self {
        self.name_forms.lone = true;
        self
    }

    /// The claim that holds the authentication context class, as text or as an array of texts: for
    /// routes that demand an [`acr`](crate::requirements) (RFC 9470). Entra ID writes its
    /// authentication contexts into `acrs`. Default: `acr`.
    #[doc(alias("acr", "acrs", "acr_values"))]
    pub fn acr_claim(mut self, claim: impl Into<ClaimPath>) -> Self {
        let claim = claim.into();
        self.once.set("acr_claim", &claim);
        self.acr_claim = claim;
        self
    }

    /// The claim that holds the subject. Default: `sub`.
    pub fn subject_claim(mut self, claim: impl Into<ClaimPath>) -> Self {
        let claim = claim.into();
        self.once.set("subject_claim", &claim);
        self.subject_claim = claim;
        self
    }

    /// The claim that holds the client id. Default: `client_id`, and for [`oidc`](Self::oidc)
    /// `azp` where that is absent.
    pub fn client_id_claim(mut self, claim: impl Into<ClaimPath>) -> Self {
        let claim = claim.into();
        self.once.set("client_id_claim", &claim);
        self.client_id_claim = Some(claim);
        self
    }
}

/// Other values and forms of claims.
impl Issuer {
    /// Takes this `token_use` for an access token's too; call it once for each. Amazon Cognito
    /// alone defines that claim; other servers write what they like. Default: `access` and
    /// `access_token`, or no such claim. [`cognito`](Self::cognito) has `access` alone.
    pub fn accept_token_use(mut self, value: impl Into<String>) -> Self {
        self.token_uses.push(value.into());
        self
    }

    /// Reads the names of an object's members as roles and groups, as ZITADEL writes them:
    /// `{"admin":{"223":"acme.example"}}` is the role `admin`. A member whose value is `null`,
    /// `false`, zero or empty counts for nothing. Default: an object grants nothing.
    pub fn member_names_as_roles_and_groups(mut self) -> Self {
        self.name_forms.members = true;
        self
    }

    /// Reads an array of objects as roles and groups, each by the text in this member:
    /// `[{"id":7,"name":"admin"}]` with `name` is the role `admin`. Default: it grants nothing.
    pub fn roles_and_groups_named_by(mut self, member: impl Into<String>) -> Self {
        self.name_forms.named_by = Some(member.into().into());
        self
    }

    /// Reads whole numbers as the names of roles and groups, by their digits: `[7]` is the role
    /// `7`. A number with a fraction or an exponent is no name. Default: it grants nothing.
    pub fn numeric_roles_and_groups(mut self) -> Self {
        self.name_forms.numbers = true;
        self
    }
}

/// Actors: agents and services that act with a token that is about another party.
impl Issuer {
    /// The claim that names the actor, as an array of names where it is nested (RFC 8693 section 4.1):
    /// an object with `sub`, `client_id` or both, and perhaps `iss`. One that is anything else is refused,
    /// 401, since it would hide an agent from guards and revocations. The actors before the current one
    /// stand in its member `act`, whatever this claim is called. Default: `act`.
    #[doc(alias("act", "agent", "on_behalf_of"))]
    pub fn actor_claim(mut self, claim: impl Into<ClaimPath>) -> Self {
        let claim = claim.into();
        self.once.set("actor_claim", &claim);
        self.actor_claim = claim;
        self
    }

    /// How many actors a token may have, the current one and those before it: 1 to 16. A token with more
    /// is refused, 401. Default: 4.
    #[doc(alias("delegation_depth", "act"))]
    pub fn max_actors(mut self, actors: usize) -> Self {
        self.once.set("max_actors", &actors);
        self.max_actors = actors;
        self
    }
}
