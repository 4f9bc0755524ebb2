//! Septets in octets (3GPP TS 23.038 §6.1.2.1.1): the first septet in the low bits of the first octet.

/// Zero bits between a user data header and the first septet, so that the text starts on a septet
/// boundary (3GPP TS 23.040 §9.2.3.24). `header_octets` counts the length octet; 0 means no header.
pub fn fill_bits(header_octets: usize) -> usize {
    (7 - header_octets * 8 % 7) % 7
}

/// Packs septets behind `fill` zero bits (0-6); the last octet is filled up with zeros.
pub fn pack_septets(septets: &[u8], fill: usize) -> Vec<u8> {
    let mut octets = vec![0; (fill + septets.len() * 7).div_ceil(8)];
    for (index, septet) in septets.iter().enumerate() {
        let bit = fill + index * 7;
        let spread = u16::from(septet & 0x7F) << (bit % 8);
        let [low, high] = spread.to_le_bytes();
        octets[bit / 8] |= low;
        if high != 0 {
            octets[bit / 8 + 1] |= high;
        }
    }
    octets
}

/// Unpacks `count` septets that start after `fill` bits; fewer when the octets end earlier.
pub fn unpack_septets(octets: &[u8], fill: usize, count: usize) -> Vec<u8> {
    let available = (octets.len() * 8).saturating_sub(fill) / 7;
    (0..count.min(available))
        .map(|index| {
            let bit = fill + index * 7;
            let low = octets[bit / 8];
            let high = octets.get(bit / 8 + 1).copied().unwrap_or(0);
            (u16::from_le_bytes([low, high]) >> (bit % 8)) as u8 & 0x7F
        })
        .collect()
}
