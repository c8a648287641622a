//! Why a development authorization server does not start.

use std::fmt;
use std::io;
use std::net::SocketAddr;

/// Why an [`AuthorizationServer`](super::AuthorizationServer) does not start, or why
/// [`Accounts`](super::Accounts) cannot be read. `Display` is one line; it holds no secret.
#[derive(Debug)]
#[non_exhaustive]
pub enum AuthorizationServerError {
    /// A mistake in the accounts: where it is, and what it is.
    #[non_exhaustive]
    Accounts {
        /// The place, such as `clients[2].redirect_uris`.
        path: String,
        /// The line of the text, from 1; absent where the accounts are no text.
        line: Option<usize>,
        /// The column in the line, from 1.
        column: Option<usize>,
        /// What is wrong.
        problem: String,
    },
    /// The text of [`listen`](super::AuthorizationServer::listen) is no address.
    Address(String),
    /// The address is reachable from other machines.
    BeyondLoopback(SocketAddr),
    /// The operating system does not let it listen at this address.
    Bind(String, io::Error),
}

impl fmt::Display for AuthorizationServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accounts {
                path,
                line,
                column,
                problem,
            } => {
                if !path.is_empty() {
                    write!(f, "`{path}`: ")?;
                }
                f.write_str(problem)?;
                match (line, column) {
                    (Some(line), Some(column)) => write!(f, " (line {line}, column {column})"),
                    _ => Ok(()),
                }
            }
            Self::Address(text) => write!(
                f,
                "`{text}` is no address to listen at: write `127.0.0.1:9400`, `[::1]:9400` or `localhost:9400`"
            ),
            Self::BeyondLoopback(address) => write!(
                f,
                "`{address}` is reachable from other machines, and any caller there could sign in as any user: \
                 listen at 127.0.0.1, or call `danger().listen_beyond_loopback()`"
            ),
            Self::Bind(address, error) => write!(f, "cannot listen at `{address}`: {error}"),
        }
    }
}

impl std::error::Error for AuthorizationServerError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Bind(_, error) => Some(error),
            _ => None,
        }
    }
}
