//! The peers whose header fields are believed, by their address.
//!
//! 1. The address is that of the connection's other end, never one that a header field states.
//! 2. IPv4-mapped IPv6 addresses (RFC 4291 section 2.5.5.2) count as IPv4, in networks and in
//!    requests: a socket that accepts both versions shows IPv4 peers in the mapped form.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use crate::model::text_conversions::converts_from_text;

/// The address of the other end of a request's connection, as a request extension.
///
/// Servers that do not put axum's `ConnectInfo<SocketAddr>` into requests put this there, so that
/// [`TrustedPeers`] can be compared with it. Where both are present, this one counts. It is the
/// address of the connection, never one of a header field such as `X-Forwarded-For`.
///
/// ```
/// use portcullis::binding::PeerAddress;
/// use std::net::{IpAddr, Ipv4Addr};
///
/// let mut request = http::Request::new(());
/// request.extensions_mut().insert(PeerAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerAddress(pub IpAddr);

/// The addresses and networks of proxies whose header fields are believed.
///
/// A text is a list separated by commas: addresses, and networks with the length of their prefix. An
/// address inside a network does not stand for the network: `10.1.2.3/8` is refused. IPv4-mapped IPv6
/// addresses count as IPv4, so `::/0` contains no IPv4 address.
///
/// ```
/// use portcullis::binding::TrustedPeers;
///
/// let peers: TrustedPeers = "10.0.0.0/8, ::1, fd00::/8".parse()?;
/// assert!(peers.contains("10.1.2.3".parse()?));
/// assert!(peers.contains("::ffff:10.1.2.3".parse()?));
/// assert!(!peers.contains("192.0.2.1".parse()?));
///
/// assert!("10.1.2.3/8".parse::<TrustedPeers>().is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct TrustedPeers(Vec<Network>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Network {
    /// The bits behind the prefix are zero.
    address: IpAddr,
    prefix: u8,
}

/// A text that is not an address or a network, or a list without any.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an IP address or a network such as 10.0.0.0/8")]
pub struct InvalidPeer;

impl TrustedPeers {
    /// Whether a peer with this address is one of them.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(address))
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromStr for TrustedPeers {
    type Err = InvalidPeer;

    fn from_str(text: &str) -> Result<Self, InvalidPeer> {
        let networks = text.split(',').map(|peer| peer.trim().parse());
        networks.collect::<Result<_, _>>().map(Self)
    }
}

converts_from_text!(TrustedPeers, InvalidPeer);

impl From<IpAddr> for TrustedPeers {
    fn from(address: IpAddr) -> Self {
        [address].into_iter().collect()
    }
}

impl FromIterator<IpAddr> for TrustedPeers {
    fn from_iter<I: IntoIterator<Item = IpAddr>>(addresses: I) -> Self {
        Self(addresses.into_iter().map(Network::from).collect())
    }
}

/// All peers of several lists.
impl FromIterator<Self> for TrustedPeers {
    fn from_iter<I: IntoIterator<Item = Self>>(lists: I) -> Self {
        Self(lists.into_iter().flat_map(|list| list.0).collect())
    }
}

impl Network {
    fn contains(self, address: IpAddr) -> bool {
        masked(address, self.prefix) == Some(self.address)
            && address.is_ipv4() == self.address.is_ipv4()
    }
}

impl From<IpAddr> for Network {
    fn from(address: IpAddr) -> Self {
        let address = address.to_canonical();
        Self {
            address,
            prefix: bits(address),
        }
    }
}

impl FromStr for Network {
    type Err = InvalidPeer;

    fn from_str(text: &str) -> Result<Self, InvalidPeer> {
        let Some((address, prefix)) = text.split_once('/') else {
            return text
                .parse::<IpAddr>()
                .map(Self::from)
                .map_err(|_| InvalidPeer);
        };
        let written: IpAddr = address.parse().map_err(|_| InvalidPeer)?;
        if !prefix.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(InvalidPeer);
        }
        let prefix: u8 = prefix.parse().map_err(|_| InvalidPeer)?;
        let address = written.to_canonical();
        let prefix = prefix
            .checked_sub(bits(written) - bits(address))
            .ok_or(InvalidPeer)?;
        if masked(address, prefix) != Some(address) {
            return Err(InvalidPeer);
        }
        Ok(Self { address, prefix })
    }
}

const fn bits(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

/// The address with the bits behind the prefix zero. `None`: the prefix is longer than the address.
fn masked(address: IpAddr, prefix: u8) -> Option<IpAddr> {
    let behind = u32::from(bits(address).checked_sub(prefix)?);
    Some(match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(behind).unwrap_or(0);
            Ipv4Addr::from_bits(address.to_bits() & mask).into()
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(behind).unwrap_or(0);
            Ipv6Addr::from_bits(address.to_bits() & mask).into()
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contains(peers: &str, address: &str) -> bool {
        let peers: TrustedPeers = peers.parse().expect("peers");
        peers.contains(address.parse().expect("an address"))
    }

    #[test]
    fn peers_are_addresses_and_networks_of_both_versions() {
        for (peers, inside, outside) in [
            ("10.0.0.0/8", "10.255.0.1", "11.0.0.0"),
            ("192.0.2.7", "192.0.2.7", "192.0.2.6"),
            ("192.0.2.6/31", "192.0.2.7", "192.0.2.8"),
            ("0.0.0.0/0", "203.0.113.1", "::1"),
            ("::/0", "2001:db8::1", "203.0.113.1"),
            ("::/0", "::", "::ffff:203.0.113.1"),
            ("::1", "::1", "127.0.0.1"),
            ("fd00::/8", "fdff::1", "fe80::1"),
            ("2001:db8::8000:0/97", "2001:db8::8000:1", "2001:db8::1"),
            ("10.0.0.0/8, ::1", "::1", "::2"),
            ("127.0.0.1", "::ffff:127.0.0.1", "::127.0.0.1"),
            ("::ffff:127.0.0.1", "127.0.0.1", "127.0.0.2"),
            ("::ffff:10.0.0.0/104", "10.1.1.1", "11.0.0.0"),
        ] {
            assert!(contains(peers, inside), "{peers} {inside}");
            assert!(!contains(peers, outside), "{peers} {outside}");
        }
    }

    #[test]
    fn what_is_no_address_and_no_network_is_refused() {
        for text in [
            "",
            " ",
            ",",
            "::1,",
            "10.0.0.0/33",
            "::/129",
            "10.1.0.0/8",
            "10.0.0.0/-1",
            "10.0.0.0/+8",
            "10.0.0.0/",
            "/8",
            "10.0.0/8",
            "localhost",
            "fe80::1%eth0",
            "10.0.0.0/8/8",
            "127.0.0.1:80",
            "[::1]",
            "::ffff:10.0.0.0/64",
            "010.0.0.1",
            "10.0.0.0/255.0.0.0",
            "10.0.0.0/1000",
        ] {
            assert_eq!(text.parse::<TrustedPeers>(), Err(InvalidPeer), "{text}");
        }
    }

    #[test]
    fn lists_are_collected_and_none_is_empty() {
        let lists: TrustedPeers = ["::1", "10.0.0.0/8"]
            .map(|text| TrustedPeers::try_from(text).expect("a peer"))
            .into_iter()
            .collect();
        assert_eq!(lists, "::1,10.0.0.0/8".parse().expect("peers"));
        let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
        assert_eq!(TrustedPeers::from(address), [address].into_iter().collect());
        assert!(TrustedPeers::default().is_empty());
        assert!(!TrustedPeers::default().contains(address));
    }
}
