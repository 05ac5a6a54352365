//! Where messages may go: to public addresses alone, unless the settings say otherwise. A name is looked up here, and the
//! connection made to what was found: nobody can answer twice, once for the look and once for the call.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Addresses of one name that are tried.
const ADDRESSES_MAX: usize = 4;

/// Whether this is an address of the public internet: not this machine, not a network beside it, not one for other uses (IANA's
/// special-purpose registries).
pub fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => is_public_v6(ip),
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    let special = ip.is_private()
        || ip.is_loopback()
        || ip.is_link_local()
        || ip.is_documentation()
        || ip.is_multicast()
        || a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (b == 18 || b == 19));
    !special
}

fn is_public_v6(ip: Ipv6Addr) -> bool {
    let [a, b, c, d, e, f, g, h] = ip.segments();
    let embedded = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        is_public_v4(Ipv4Addr::new(a, b, c, d))
    };
    match (a, b) {
        // An IPv4 address in another form, or behind a translator.
        (0, 0) if (c, d, e) == (0, 0, 0) && f == 0xffff => embedded(g, h),
        (0x64, 0xff9b) if (c, d, e, f) == (0, 0, 0, 0) => embedded(g, h),
        (0x2002, _) => embedded(b, c),
        (0x2001, 0xdb8) => false,
        // Special uses in the first block of it, among them Teredo.
        (0x2001, b) if b < 0x200 => false,
        // Global unicast is 2000::/3.
        _ => (0x2000..0x4000).contains(&a),
    }
}

/// Looks a host up; the addresses that may be called.
///
/// # Errors
/// In words for whoever set the address.
pub(super) async fn resolve(host: &str, port: u16, to_private: bool) -> Result<Vec<SocketAddr>, &'static str> {
    let plain = host.trim_start_matches('[').trim_end_matches(']');
    let found = tokio::net::lookup_host((plain, port)).await.map_err(|_| "its name is not known")?;
    let found: Vec<SocketAddr> = found.collect();
    if found.is_empty() {
        return Err("its name is not known");
    }
    let mut may: Vec<SocketAddr> = found.into_iter().filter(|at| to_private || is_public(at.ip())).collect();
    may.truncate(ADDRESSES_MAX);
    if may.is_empty() { Err("its address is of a private network, which is not called") } else { Ok(may) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_addresses_are_called() {
        for public in [
            "8.8.8.8",
            "93.184.216.34",
            "172.15.0.1",
            "172.32.0.1",
            "100.63.0.1",
            "2606:4700::1111",
            "64:ff9b::808:808",
        ] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
        for other in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "0.0.0.0",
            "100.64.0.1",
            "192.0.0.8",
            "192.0.2.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "192.88.99.1",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "fe80::1",
            "fc00::1",
            "fd12::1",
            "ff02::1",
            "2001:db8::1",
            "2001::1",
            "64:ff9b::a00:1",
            "2002:a00:1::1",
            "2002:7f00:1::",
            "64:ff9b:1::1",
            "100::1",
            "::7f00:1",
        ] {
            assert!(!is_public(other.parse().unwrap()), "{other}");
        }
    }

    #[tokio::test]
    async fn a_name_is_looked_up_before_it_is_judged() {
        let port = 443;
        for host in ["127.0.0.1", "[::1]", "localhost", "169.254.169.254"] {
            assert_eq!(
                resolve(host, port, false).await,
                Err("its address is of a private network, which is not called")
            );
        }
        assert_eq!(resolve("127.0.0.1", port, true).await, Ok(vec![SocketAddr::from(([127, 0, 0, 1], port))]));
    }
}
