//! Network addresses and ranges. An IPv4 address mapped into IPv6 is that IPv4 address.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use smol_str::SmolStr;

/// Reads an address and the zone of an IPv6 one.
pub(crate) fn parse(text: &str) -> Option<(IpAddr, Option<SmolStr>)> {
    let (address, zone) = match text.split_once('%') {
        Some((address, zone)) if !zone.is_empty() => (address, Some(SmolStr::new(zone))),
        Some(_) => return None,
        None => (text, None),
    };
    match address.parse().ok()? {
        IpAddr::V4(_) if zone.is_some() => None,
        IpAddr::V6(address) => match address.to_ipv4_mapped() {
            Some(mapped) => Some((IpAddr::V4(mapped), None)),
            None => Some((IpAddr::V6(address), zone)),
        },
        address @ IpAddr::V4(_) => Some((address, None)),
    }
}

/// Whether an address lies in a range like `10.0.0.0/8`; none when the range is none.
pub(crate) fn contains(range: &str, address: IpAddr) -> Option<bool> {
    let (network, length) = range.rsplit_once('/')?;
    let network: IpAddr = network.parse().ok()?;
    let plain =
        length.bytes().all(|byte| byte.is_ascii_digit()) && (length == "0" || !length.starts_with('0'));
    let length: u32 = if plain { length.parse().ok()? } else { return None };
    let width = if network.is_ipv4() { 32 } else { 128 };
    if length > width {
        return None;
    }
    Some(match (network, address) {
        (IpAddr::V4(network), IpAddr::V4(address)) => {
            let shift = 32 - length;
            let bits = |address: Ipv4Addr| u32::from(address).checked_shr(shift).unwrap_or(0);
            bits(network) == bits(address)
        }
        (IpAddr::V6(network), IpAddr::V6(address)) => {
            let shift = 128 - length;
            let bits = |address: Ipv6Addr| u128::from(address).checked_shr(shift).unwrap_or(0);
            bits(network) == bits(address)
        }
        _ => false,
    })
}
