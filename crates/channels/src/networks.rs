//! Networks as settings write them: an address and how many of its leading bits count.

use std::net::IpAddr;

/// Whether the first `bits` of both addresses are the same.
pub(crate) fn contains(net: IpAddr, bits: u8, address: IpAddr) -> bool {
    match (net, address) {
        (IpAddr::V4(net), IpAddr::V4(address)) => {
            let shift = 32_u32.saturating_sub(u32::from(bits));
            let top = |ip: u32| ip.checked_shr(shift).unwrap_or(0);
            top(net.to_bits()) == top(address.to_bits())
        }
        (IpAddr::V6(net), IpAddr::V6(address)) => {
            let shift = 128_u32.saturating_sub(u32::from(bits));
            let top = |ip: u128| ip.checked_shr(shift).unwrap_or(0);
            top(net.to_bits()) == top(address.to_bits())
        }
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_told_by_their_leading_bits() {
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        for (net, bits, address, inside) in [
            ("10.1.0.0", 16, "10.1.2.3", true),
            ("10.1.0.0", 16, "10.2.2.3", false),
            ("10.1.2.3", 32, "10.1.2.3", true),
            ("0.0.0.0", 0, "192.0.2.1", true),
            ("fd00::", 8, "fd12::1", true),
            ("fd00::", 8, "10.1.2.3", false),
        ] {
            assert_eq!(
                contains(ip(net), bits, ip(address)),
                inside,
                "{net}/{bits} {address}"
            );
        }
    }
}
