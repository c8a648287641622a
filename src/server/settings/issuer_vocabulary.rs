//! Settings of an issuer whose tokens say the same in other words and other forms.

use crate::server::settings::issuer::Issuer;

/// Settings for issuers with words and forms of their own.
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
