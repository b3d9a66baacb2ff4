//! `ip`: addresses that nobody has, or addresses whose neighbours stay neighbours.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Generate;
use super::ids::Ids;
use crate::masking::key::Prf;
use crate::masking::mask::MaskError;

pub(super) struct Ip {
    pub(super) prf: Prf,
    pub(super) prefix: bool,
    /// Whether bits behind the length of a network's prefix are zero, as `cidr` wants them.
    pub(super) cidr: bool,
    /// For texts that are no addresses, where the column is one of texts.
    pub(super) otherwise: Option<Ids>,
}

impl Generate for Ip {
    fn generate(&self, value: &str, _: Option<&str>, turn: u32, out: &mut String) -> Result<(), MaskError> {
        use std::fmt::Write;
        let (address, length) = match value.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (value, None),
        };
        let (Ok(address), Ok(bits)) = (address.parse::<IpAddr>(), length.map_or(Ok(128), str::parse::<u32>)) else {
            return match &self.otherwise {
                Some(ids) => ids.generate(value, None, turn, out),
                None => Err(MaskError("not an address")),
            };
        };
        let masked = match address {
            IpAddr::V4(v4) => {
                let mapped = u32::from(v4);
                let masked = if self.prefix {
                    self.prefix_kept(u128::from(mapped) << 96, 32) >> 96
                } else {
                    self.reserved(v4, turn)
                };
                IpAddr::V4(Ipv4Addr::from((masked as u32) & self.network(bits, 32) as u32))
            }
            IpAddr::V6(v6) => {
                let masked =
                    if self.prefix { self.prefix_kept(u128::from(v6), 128) } else { self.documentation(v6, turn) };
                IpAddr::V6(Ipv6Addr::from(masked & self.network(bits, 128)))
            }
        };
        let _ = write!(out, "{masked}");
        if let Some(length) = length {
            let _ = write!(out, "/{length}");
        }
        Ok(())
    }
}

impl Ip {
    /// The bits that belong to the network.
    fn network(&self, length: u32, of: u32) -> u128 {
        let all = u128::MAX >> (128 - of);
        if self.cidr && length < of { all & !(all >> length) } else { all }
    }

    /// 198.18.0.0/15, reserved for measurements (RFC 2544): 131 072 addresses.
    fn reserved(&self, address: Ipv4Addr, turn: u32) -> u128 {
        let drawn = self.prf.draw(&address.octets(), turn).bits();
        u128::from(u32::from(Ipv4Addr::new(198, 18, 0, 0))) | (drawn & 0x1_ffff)
    }

    /// 2001:db8::/32, reserved for documentation (RFC 3849).
    fn documentation(&self, address: Ipv6Addr, turn: u32) -> u128 {
        let drawn = self.prf.draw(&address.octets(), turn).bits();
        0x2001_0db8 << 96 | drawn >> 32
    }

    /// The scheme of Xu, Fan, Ammar and Moon ("Prefix-Preserving IP Address Anonymization", 2002), with HMAC: a bit is turned
    /// according to the bits before it, so addresses share as long a prefix afterwards as before, and none become one. The
    /// first bit is always turned, so no address stays.
    fn prefix_kept(&self, address: u128, of: u32) -> u128 {
        let mut turned = 1u128 << 127;
        // One draw says which bits to turn for all prefixes that end in the same eight.
        for eight in 0..of / 8 {
            let before = if eight == 0 { 0 } else { address >> (128 - 8 * eight) };
            let mut draw = self.prf.draw_parts(&[&before.to_le_bytes(), &[eight as u8, of as u8]], 0);
            let tree = [draw.next(), draw.next(), draw.next(), draw.next()];
            let byte = (address >> (120 - 8 * eight)) as u8;
            for bit in 0..8u32 {
                // The nodes of a binary tree of prefixes, numbered as a heap is.
                let node = (1usize << bit) | usize::from(byte) >> (8 - bit);
                if (eight, bit) != (0, 0) && tree[node / 64] >> (node % 64) & 1 == 1 {
                    turned |= 1 << (127 - 8 * eight - bit);
                }
            }
        }
        address ^ turned
    }
}
