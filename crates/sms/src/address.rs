//! Addresses of phones and service centres (3GPP TS 23.040 §9.1.2.5).

use std::fmt;

use crate::alphabet;

/// Most semi-octets an address may have (3GPP TS 23.040 §9.1.2.5: 10 octets of address value).
const SEMI_OCTETS_MAX: usize = 20;

/// Why an address is not one.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum AddressError {
    /// Nothing was given.
    #[error("the address is empty; give a phone number such as +358401234567")]
    Empty,
    /// Neither digits nor a name that fits the 7-bit alphabet.
    #[error("{text:?} is not a phone number; give one such as +358401234567")]
    NotANumber {
        /// What was given.
        text: String,
    },
    /// More than 20 digits, or more than 11 characters.
    #[error("{text:?} is longer than an SMS address can be (20 digits or 11 characters)")]
    TooLong {
        /// What was given.
        text: String,
    },
    /// The octets end before the address does.
    #[error("the octets end inside an address")]
    Truncated,
    /// The length octet promises more than 20 semi-octets.
    #[error("an address of {semi_octets} semi-octets is longer than the 20 allowed")]
    LengthOctet {
        /// As received.
        semi_octets: usize,
    },
}

/// How the digits are to be read (type of number, bits 6-4 of the type-of-address octet).
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum TypeOfNumber {
    /// 0: nothing known; short codes and numbers as dialled.
    Unknown,
    /// 1: starts with a country code; shown with a leading `+`.
    International,
    /// 2: national number without prefix.
    National,
    /// 3: meaning known to the network only.
    NetworkSpecific,
    /// 4: local number.
    Subscriber,
    /// 5: a name in the 7-bit alphabet; cannot be answered.
    Alphanumeric,
    /// 6: abbreviated number.
    Abbreviated,
    /// 7: reserved for extension.
    Reserved,
}

impl TypeOfNumber {
    fn from_bits(bits: u8) -> Self {
        match bits & 7 {
            0 => Self::Unknown,
            1 => Self::International,
            2 => Self::National,
            3 => Self::NetworkSpecific,
            4 => Self::Subscriber,
            5 => Self::Alphanumeric,
            6 => Self::Abbreviated,
            _ => Self::Reserved,
        }
    }

    fn bits(self) -> u8 {
        match self {
            Self::Unknown => 0,
            Self::International => 1,
            Self::National => 2,
            Self::NetworkSpecific => 3,
            Self::Subscriber => 4,
            Self::Alphanumeric => 5,
            Self::Abbreviated => 6,
            Self::Reserved => 7,
        }
    }
}

/// The numbering plan of telephone numbers (ITU-T E.164), bits 3-0 of the type-of-address octet.
const PLAN_TELEPHONE: u8 = 1;

/// A phone number, short code or sender name as it stands in a PDU.
///
/// `Display` gives `+358401234567`, `16400` or `Holdfast`. Digits are `0-9*#abc`.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Address {
    type_of_number: TypeOfNumber,
    numbering_plan: u8,
    value: String,
}

impl Address {
    /// A number with its country code; the leading `+` may be missing, spaces and dashes are dropped.
    pub fn international(text: &str) -> Result<Self, AddressError> {
        let digits = without_separators(text);
        Self::of_digits(
            TypeOfNumber::International,
            digits.strip_prefix('+').unwrap_or(&digits),
        )
    }

    /// A national number: no country code.
    pub fn national(text: &str) -> Result<Self, AddressError> {
        Self::of_digits(TypeOfNumber::National, &without_separators(text))
    }

    /// Digits exactly as one would dial them: short codes, or numbers of unknown form.
    pub fn unknown(text: &str) -> Result<Self, AddressError> {
        Self::of_digits(TypeOfNumber::Unknown, &without_separators(text))
    }

    /// A sender name of at most 11 septets of the GSM 7-bit alphabet.
    pub fn alphanumeric(text: &str) -> Result<Self, AddressError> {
        if text.is_empty() {
            return Err(AddressError::Empty);
        }
        let septets = alphabet::gsm7_septets(text).ok_or_else(|| AddressError::NotANumber {
            text: text.to_owned(),
        })?;
        if septets > 11 {
            return Err(AddressError::TooLong {
                text: text.to_owned(),
            });
        }
        Ok(Self {
            type_of_number: TypeOfNumber::Alphanumeric,
            numbering_plan: 0,
            value: text.to_owned(),
        })
    }

    /// `+` makes a number international, digits alone stay as dialled, anything else is a sender name.
    ///
    /// A leading `00` is *not* turned into `+`: which prefix dials abroad depends on the country.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let digits = without_separators(text);
        if digits.is_empty() {
            return Err(AddressError::Empty);
        }
        if let Some(rest) = digits.strip_prefix('+') {
            return Self::of_digits(TypeOfNumber::International, rest);
        }
        if digits.chars().any(|c| c.is_ascii_digit())
            && digits.chars().all(|c| semi_octet(c).is_some())
        {
            return Self::of_digits(TypeOfNumber::Unknown, &digits);
        }
        Self::alphanumeric(text.trim())
    }

    /// How the digits are to be read.
    pub fn type_of_number(&self) -> TypeOfNumber {
        self.type_of_number
    }

    /// Numbering plan, 0-15; 1 is ITU-T E.164.
    pub fn numbering_plan(&self) -> u8 {
        self.numbering_plan
    }

    /// The digits without `+`, or the name. May be empty when a network sent no address.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// False for sender names and empty addresses: nobody is there to read a reply.
    pub fn can_be_answered(&self) -> bool {
        self.type_of_number != TypeOfNumber::Alphanumeric && !self.value.is_empty()
    }

    /// Whether both may name the same phone: equal, or the last 8 digits agree.
    ///
    /// Networks rewrite numbers between international and national form, also in status reports.
    pub fn same_subscriber(&self, other: &Self) -> bool {
        const SIGNIFICANT: usize = 8;
        if self.type_of_number == TypeOfNumber::Alphanumeric
            || other.type_of_number == TypeOfNumber::Alphanumeric
        {
            return self == other;
        }
        // Digits are ASCII by construction, so byte offsets are character offsets.
        let tail = |value: &str| value[value.len().saturating_sub(SIGNIFICANT)..].to_owned();
        let full = self.value.len() >= SIGNIFICANT && other.value.len() >= SIGNIFICANT;
        self.value == other.value || (full && tail(&self.value) == tail(&other.value))
    }

    /// TP-OA, TP-DA and TP-RA: the length octet counts useful semi-octets (3GPP TS 23.040 §9.1.2.5).
    pub(crate) fn encode_tp(&self, out: &mut Vec<u8>) {
        let (semi_octets, octets) = self.packed();
        out.push(semi_octets as u8);
        out.push(self.type_octet());
        out.extend(octets);
    }

    /// A service-centre address: the length octet counts octets including the type (3GPP TS 24.011 §8.2.5.1).
    pub(crate) fn encode_smsc(&self, out: &mut Vec<u8>) {
        let (_, octets) = self.packed();
        out.push(octets.len() as u8 + 1);
        out.push(self.type_octet());
        out.extend(octets);
    }

    /// Reads a TP address from the start of `octets`; also gives how many octets it took.
    pub(crate) fn decode_tp(octets: &[u8]) -> Result<(Self, usize), AddressError> {
        let [length, type_octet, rest @ ..] = octets else {
            return Err(AddressError::Truncated);
        };
        let semi_octets = usize::from(*length);
        if semi_octets > SEMI_OCTETS_MAX {
            return Err(AddressError::LengthOctet { semi_octets });
        }
        let value = rest
            .get(..semi_octets.div_ceil(2))
            .ok_or(AddressError::Truncated)?;
        Ok((
            Self::unpacked(*type_octet, value, semi_octets),
            2 + value.len(),
        ))
    }

    /// Reads a service-centre address (`None` when its length is zero) and how many octets it took.
    pub(crate) fn decode_smsc(octets: &[u8]) -> Result<(Option<Self>, usize), AddressError> {
        let (length, rest) = octets.split_first().ok_or(AddressError::Truncated)?;
        let taken = rest
            .get(..usize::from(*length))
            .ok_or(AddressError::Truncated)?;
        let Some((type_octet, value)) = taken.split_first() else {
            return Ok((None, 1));
        };
        if value.len() * 2 > SEMI_OCTETS_MAX {
            return Err(AddressError::LengthOctet {
                semi_octets: value.len() * 2,
            });
        }
        Ok((
            Some(Self::unpacked(*type_octet, value, value.len() * 2)),
            1 + taken.len(),
        ))
    }

    fn of_digits(type_of_number: TypeOfNumber, digits: &str) -> Result<Self, AddressError> {
        if digits.is_empty() {
            return Err(AddressError::Empty);
        }
        if !digits.chars().all(|c| semi_octet(c).is_some()) {
            return Err(AddressError::NotANumber {
                text: digits.to_owned(),
            });
        }
        if digits.len() > SEMI_OCTETS_MAX {
            return Err(AddressError::TooLong {
                text: digits.to_owned(),
            });
        }
        Ok(Self {
            type_of_number,
            numbering_plan: PLAN_TELEPHONE,
            value: digits.to_ascii_lowercase(),
        })
    }

    fn type_octet(&self) -> u8 {
        0x80 | self.type_of_number.bits() << 4 | self.numbering_plan
    }

    /// Useful semi-octets and the octets that carry them.
    fn packed(&self) -> (usize, Vec<u8>) {
        if self.type_of_number == TypeOfNumber::Alphanumeric {
            let septets = alphabet::encode_gsm7_lossy(&self.value);
            return (
                (septets.len() * 7).div_ceil(4),
                alphabet::pack_septets(&septets, 0),
            );
        }
        let digits: Vec<u8> = self.value.chars().filter_map(semi_octet).collect();
        let octets = digits
            .chunks(2)
            .map(|pair| pair.get(1).unwrap_or(&0xF) << 4 | pair[0])
            .collect();
        (digits.len(), octets)
    }

    fn unpacked(type_octet: u8, octets: &[u8], semi_octets: usize) -> Self {
        let type_of_number = TypeOfNumber::from_bits(type_octet >> 4);
        let value = match type_of_number {
            TypeOfNumber::Alphanumeric => {
                let mut septets = alphabet::unpack_septets(octets, 0, semi_octets * 4 / 7);
                // Senders that count whole octets turn seven characters into eight; the eighth is padding, not `@`.
                if septets.len() == 8 && septets.last() == Some(&0) {
                    septets.pop();
                }
                alphabet::decode_gsm7(&septets)
            }
            TypeOfNumber::Unknown
            | TypeOfNumber::International
            | TypeOfNumber::National
            | TypeOfNumber::NetworkSpecific
            | TypeOfNumber::Subscriber
            | TypeOfNumber::Abbreviated
            | TypeOfNumber::Reserved => octets
                .iter()
                .flat_map(|octet| [octet & 0xF, octet >> 4])
                .take(semi_octets)
                .map_while(digit)
                .collect(),
        };
        Self {
            type_of_number,
            numbering_plan: type_octet & 0xF,
            value,
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.type_of_number == TypeOfNumber::International {
            f.write_str("+")?;
        }
        f.write_str(&self.value)
    }
}

impl std::str::FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

fn without_separators(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_whitespace() && !matches!(c, '-' | '.' | '(' | ')' | '/'))
        .collect()
}

/// 3GPP TS 23.040 §9.1.2.3: semi-octet values 10-14 are `*#abc`.
fn semi_octet(digit: char) -> Option<u8> {
    match digit {
        '0'..='9' => Some(digit as u8 - b'0'),
        '*' => Some(0xA),
        '#' => Some(0xB),
        'a' | 'A' => Some(0xC),
        'b' | 'B' => Some(0xD),
        'c' | 'C' => Some(0xE),
        _ => None,
    }
}

/// `None` for the filler 0xF, which ends a number wherever it stands.
fn digit(semi_octet: u8) -> Option<char> {
    match semi_octet {
        0..=9 => Some((b'0' + semi_octet) as char),
        0xA => Some('*'),
        0xB => Some('#'),
        0xC => Some('a'),
        0xD => Some('b'),
        0xE => Some('c'),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hex;

    fn tp(address: &Address) -> String {
        let mut out = Vec::new();
        address.encode_tp(&mut out);
        hex::encode(&out)
    }

    #[test]
    fn each_kind_of_address_has_its_octets() {
        assert_eq!(
            tp(&Address::international("+358 40-1234567").unwrap()),
            "0C91534810325476"
        );
        assert_eq!(
            tp(&Address::parse("+46708251358").unwrap()),
            "0B916407281553F8"
        );
        assert_eq!(
            tp(&Address::national("0401234567").unwrap()),
            "0AA14010325476"
        );
        assert_eq!(tp(&Address::parse("16400").unwrap()), "05816104F0");
    }
}
