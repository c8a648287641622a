//! HTTP clients that issuers with equal options share: a client holds the parsed roots of the system.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use crate::runtime::http::tls::{HttpOptions, RootCertificate};

/// Clients that are kept. Options beyond them get clients of their own.
const MOST_CLIENTS: usize = 64;

/// The clients of one server, by their options. Clones are the same clients.
#[derive(Clone, Default)]
pub(crate) struct HttpClients(Arc<Mutex<Vec<SharedClient>>>);

struct SharedClient {
    roots: Vec<RootCertificate>,
    proxied: bool,
    pooled: bool,
    client: reqwest::Client,
}

impl HttpClients {
    /// The client with these options, with or without a connection pool.
    pub(super) fn get(
        &self,
        options: &HttpOptions,
        pooled: bool,
        build: impl FnOnce() -> Result<reqwest::Client, String>,
    ) -> Result<reqwest::Client, String> {
        let mut clients = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = clients.iter().find(|one| {
            one.pooled == pooled && one.proxied == options.proxied && one.roots == options.roots
        });
        if let Some(known) = known {
            return Ok(known.client.clone());
        }
        let client = build()?;
        if clients.len() < MOST_CLIENTS {
            clients.push(SharedClient {
                roots: options.roots.clone(),
                proxied: options.proxied,
                pooled,
                client: client.clone(),
            });
        }
        Ok(client)
    }
}

impl fmt::Debug for HttpClients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HttpClients")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_options_share_a_client_and_others_do_not() {
        let clients = HttpClients::default();
        let built = std::cell::Cell::new(0);
        let get = |proxied: bool, pooled: bool| {
            let options = HttpOptions {
                proxied,
                ..HttpOptions::default()
            };
            let build = || {
                built.set(built.get() + 1);
                reqwest::Client::builder()
                    .build()
                    .map_err(|error| error.to_string())
            };
            clients.get(&options, pooled, build).expect("a client");
            built.get()
        };
        assert_eq!(get(false, false), 1);
        assert_eq!(get(false, false), 1, "shared");
        assert_eq!(get(true, false), 2);
        assert_eq!(get(false, true), 3);
        assert_eq!([get(true, false), get(false, true)], [3, 3], "shared");
    }
}
