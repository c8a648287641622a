//! Subjects of security events (RFC 9493, SSF 1.0 section 3).
//!
//! 1. A format that is known has all its members, as strings of 1 to 1024 bytes; otherwise the SET is
//!    refused. A format that is not known is kept as it is.
//! 2. Aliases are not nested (RFC 9493 section 3.2.8), and members of a complex subject are simple (SSF
//!    1.0 section 3.3).
//! 3. Members of an identifier that its format does not define are ignored, except in complex subjects,
//!    where each object is a member of the subject.

use std::borrow::Cow;
use std::fmt;

use crate::model::error::rejection_detail::Problem;
use crate::model::error::token_error::TokenError;
use crate::verify::json::claim_error::{claim_error, wrong_type};
use crate::verify::json::claims_reader::{strict_id, texts, too_long};
use crate::verify::json::object::{Object, Value};

/// The most identifiers of `aliases`, members of a complex subject, and IP addresses.
const MOST_PARTS: usize = 32;

/// The subject of a security event: who or what it is about.
///
/// The formats are those of [RFC 9493 section 3](https://www.rfc-editor.org/rfc/rfc9493#section-3) and
/// of SSF 1.0 section 3.5; each text has 1 to 1024 bytes, as the transmitter writes it. `Debug` shows the
/// format and no value.
#[derive(Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[doc(alias = "sub_id")]
pub enum SubjectIdentifier {
    /// `account`: an account at a service.
    #[non_exhaustive]
    Account {
        /// An `acct` URI (RFC 7565).
        uri: String,
    },
    /// `email`: an e-mail address.
    #[non_exhaustive]
    Email {
        /// The address.
        email: String,
    },
    /// `iss_sub`: an issuer and the subject that its tokens have.
    #[non_exhaustive]
    IssSub {
        /// The `iss` of the tokens.
        issuer: String,
        /// The `sub` of the tokens.
        subject: String,
    },
    /// `opaque`: an identifier without a meaning of its own.
    #[non_exhaustive]
    Opaque {
        /// The identifier.
        id: String,
    },
    /// `phone_number`: a telephone number.
    #[non_exhaustive]
    PhoneNumber {
        /// The number, which should be in the form of E.164.
        phone_number: String,
    },
    /// `did`: a decentralized identifier.
    #[non_exhaustive]
    Did {
        /// The DID URL.
        url: String,
    },
    /// `uri`: a URI.
    #[non_exhaustive]
    Uri {
        /// The URI.
        uri: String,
    },
    /// `aliases`: several identifiers of one subject, 1 to 32 and not nested.
    Aliases(Vec<Self>),
    /// `jwt_id`: a token.
    #[non_exhaustive]
    JwtId {
        /// The `iss` of the token.
        issuer: String,
        /// The `jti` of the token.
        token_id: String,
    },
    /// `saml_assertion_id`: a SAML 2.0 assertion.
    #[non_exhaustive]
    SamlAssertionId {
        /// The `Issuer` of the assertion.
        issuer: String,
        /// The `ID` of the assertion.
        assertion_id: String,
    },
    /// `ip-addresses`: 1 to 32 addresses at which the transmitter has seen the subject.
    IpAddresses(Vec<String>),
    /// `complex`: 1 to 32 simple identifiers that describe one subject together, each with its name:
    /// `user`, `session`, `device`, `tenant`, `application`, `org_unit`, `group` or another one.
    Complex(Vec<(String, Self)>),
    /// Another format.
    #[non_exhaustive]
    Other {
        /// The value of `format`.
        format: String,
        /// The whole identifier as JSON text.
        json: String,
    },
}

impl SubjectIdentifier {
    /// The name of the format, as `format` states it.
    #[must_use]
    pub fn format(&self) -> &str {
        match self {
            Self::Account { .. } => "account",
            Self::Email { .. } => "email",
            Self::IssSub { .. } => "iss_sub",
            Self::Opaque { .. } => "opaque",
            Self::PhoneNumber { .. } => "phone_number",
            Self::Did { .. } => "did",
            Self::Uri { .. } => "uri",
            Self::Aliases(_) => "aliases",
            Self::JwtId { .. } => "jwt_id",
            Self::SamlAssertionId { .. } => "saml_assertion_id",
            Self::IpAddresses(_) => "ip-addresses",
            Self::Complex(_) => "complex",
            Self::Other { format, .. } => format,
        }
    }

    /// A member of a complex subject, such as `user` or `session`; absent in every other format.
    #[must_use]
    pub fn member(&self, name: &str) -> Option<&Self> {
        let Self::Complex(members) = self else {
            return None;
        };
        let mut members = members.iter();
        members.find(|(own, _)| own == name).map(|(_, one)| one)
    }

    /// Reads `sub_id`.
    pub(in crate::verify) fn parse(json: &str) -> Result<Self, TokenError> {
        let object = members(json)?;
        match format_of(&object)? {
            Some(format) => Self::of_format(&format, &object, json, true),
            None => Err(claim_error("format", Problem::Missing, "a subject format")),
        }
    }

    /// Reads the member `subject` of an event as drafts of CAEP and RISC have it: the format may be
    /// called `subject_type`, with hyphens, and that of complex subjects is absent.
    pub(in crate::verify) fn parse_event_member(json: &str) -> Result<Self, TokenError> {
        let object = members(json)?;
        if let Some(format) = format_of(&object)? {
            return Self::of_format(&format, &object, json, true);
        }
        match strict_id(&object, "subject_type")? {
            Some(kind) => Self::of_format(&kind.replace('-', "_"), &object, json, true),
            None => Self::complex(&object, Self::parse_event_member),
        }
    }

    fn of_format(
        format: &str,
        object: &Object<'_>,
        json: &str,
        may_nest: bool,
    ) -> Result<Self, TokenError> {
        let text = |name: &str| match strict_id(object, name)? {
            Some(text) => Ok(text.into_owned()),
            None => Err(claim_error(name, Problem::Missing, "a string")),
        };
        Ok(match format {
            "account" => Self::Account { uri: text("uri")? },
            "email" => Self::Email {
                email: text("email")?,
            },
            "iss_sub" => Self::IssSub {
                issuer: text("iss")?,
                subject: text("sub")?,
            },
            "opaque" => Self::Opaque { id: text("id")? },
            "phone_number" => Self::PhoneNumber {
                phone_number: text("phone_number")?,
            },
            "did" => Self::Did { url: text("url")? },
            "uri" => Self::Uri { uri: text("uri")? },
            "jwt_id" => Self::JwtId {
                issuer: text("iss")?,
                token_id: text("jti")?,
            },
            "saml_assertion_id" => Self::SamlAssertionId {
                issuer: text("issuer")?,
                assertion_id: text("assertion_id")?,
            },
            "ip-addresses" => Self::IpAddresses(addresses(object.get("ip-addresses"))?),
            "aliases" if may_nest => Self::aliases(object.get("identifiers"))?,
            "complex" if may_nest => Self::complex(object, Self::simple)?,
            "aliases" | "complex" => {
                return Err(claim_error(
                    "format",
                    Problem::Malformed,
                    "a simple subject",
                ));
            }
            other => Self::Other {
                format: other.to_owned(),
                json: json.to_owned(),
            },
        })
    }

    /// An identifier inside another one.
    fn simple(json: &str) -> Result<Self, TokenError> {
        let object = members(json)?;
        match format_of(&object)? {
            Some(format) => Self::of_format(&format, &object, json, false),
            None => Err(claim_error("format", Problem::Missing, "a subject format")),
        }
    }

    fn aliases(value: Option<Value<'_>>) -> Result<Self, TokenError> {
        const NAME: &str = "identifiers";
        let elements = value.and_then(Value::elements);
        let elements = elements.ok_or_else(|| {
            claim_error(NAME, Problem::Missing, "an array of subject identifiers")
        })?;
        let mut all = Vec::new();
        for element in elements {
            let Value::Object(json) = element else {
                return Err(wrong_type(NAME, "objects", element));
            };
            push(&mut all, NAME, Self::simple(json)?)?;
        }
        if all.is_empty() {
            return Err(claim_error(NAME, Problem::Empty, "1 to 32 identifiers"));
        }
        Ok(Self::Aliases(all))
    }

    fn complex(
        object: &Object<'_>,
        parse: impl Fn(&str) -> Result<Self, TokenError>,
    ) -> Result<Self, TokenError> {
        let mut all = Vec::new();
        for (name, value) in object.members() {
            // SSF 1.0 s4.2.2: what is not understood is ignored.
            if let Value::Object(json) = value {
                if name.len() > crate::model::ids::MAX_FOREIGN_ID_BYTES {
                    return Err(too_long("sub_id"));
                }
                let member = parse(json)?;
                push(&mut all, "sub_id", (name.into_owned(), member))?;
            }
        }
        if all.is_empty() {
            return Err(claim_error("sub_id", Problem::Empty, "1 to 32 members"));
        }
        Ok(Self::Complex(all))
    }
}

fn members(json: &str) -> Result<Object<'_>, TokenError> {
    Object::parse_str(json).map_err(|_| claim_error("sub_id", Problem::Malformed, "an object"))
}

fn format_of<'o>(object: &Object<'o>) -> Result<Option<Cow<'o, str>>, TokenError> {
    strict_id(object, "format")
}

fn addresses(value: Option<Value<'_>>) -> Result<Vec<String>, TokenError> {
    const NAME: &str = "ip-addresses";
    const EXPECTED: &str = "1 to 32 strings";
    let value = value.filter(|value| matches!(value, Value::Array(_)));
    let found = value.and_then(texts);
    let found = found.ok_or_else(|| claim_error(NAME, Problem::Missing, EXPECTED))?;
    let mut all = Vec::new();
    for address in found {
        let address = address.ok_or_else(|| claim_error(NAME, Problem::WrongType, EXPECTED))?;
        push(&mut all, NAME, address.into_owned())?;
    }
    if all.is_empty() {
        return Err(claim_error(NAME, Problem::Empty, EXPECTED));
    }
    Ok(all)
}

fn push<T>(all: &mut Vec<T>, name: &str, one: T) -> Result<(), TokenError> {
    if all.len() == MOST_PARTS {
        return Err(claim_error(name, Problem::TooLong, "at most 32"));
    }
    all.push(one);
    Ok(())
}

impl fmt::Debug for SubjectIdentifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Complex(members) => {
                let mut complex = f.debug_map();
                for (name, one) in members {
                    complex.entry(name, one);
                }
                complex.finish()
            }
            Self::Aliases(all) => f.debug_list().entries(all).finish(),
            simple => write!(f, "SubjectIdentifier({:?})", simple.format()),
        }
    }
}

#[cfg(test)]
mod tests;
