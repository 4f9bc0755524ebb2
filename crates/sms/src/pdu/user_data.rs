//! User data: an optional header and the text or octets behind it (3GPP TS 23.040 §9.2.3.24).

use super::{Dcs, PduError};
use crate::alphabet::{self, Alphabet, NationalLanguage, NationalShift};

/// Octets of user data one message carries, header included.
pub const USER_DATA_OCTETS_MAX: usize = 140;

/// What a message says: header elements and a body that together fit one PDU.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct UserData {
    header: Vec<InformationElement>,
    body: Body,
}

/// The part of the user data behind the header, in the units of its alphabet.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Body {
    /// Septets, one per element.
    Gsm7(Vec<u8>),
    /// 8-bit data, or compressed text.
    Octets(Vec<u8>),
    /// UTF-16 code units.
    Ucs2(Vec<u16>),
}

/// One element of a user data header: an identifier and its data.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct InformationElement {
    /// IEI (3GPP TS 23.040 §9.2.3.24, table of identifiers).
    pub identifier: u8,
    /// At most 137 octets fit.
    pub data: Vec<u8>,
}

impl InformationElement {
    /// Concatenated message, 8-bit reference.
    pub const CONCATENATED_8_BIT: u8 = 0x00;
    /// Concatenated message, 16-bit reference.
    pub const CONCATENATED_16_BIT: u8 = 0x08;
    /// National language single shift.
    pub const NATIONAL_SINGLE_SHIFT: u8 = 0x24;
    /// National language locking shift.
    pub const NATIONAL_LOCKING_SHIFT: u8 = 0x25;
}

/// Which part of a longer message this is (3GPP TS 23.040 §9.2.3.24.1, §9.2.3.24.8).
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Concatenation {
    /// Equal in all parts of a message.
    pub reference: u16,
    /// 8 or 16; the same number in another width is another message.
    pub reference_bits: u8,
    /// How many parts there are, 1-255.
    pub total: u8,
    /// Which one this is, 1 to `total`.
    pub sequence: u8,
}

impl Concatenation {
    /// The header element that says so.
    pub fn element(self) -> InformationElement {
        let [high, low] = self.reference.to_be_bytes();
        if self.reference_bits == 16 {
            let data = vec![high, low, self.total, self.sequence];
            InformationElement {
                identifier: InformationElement::CONCATENATED_16_BIT,
                data,
            }
        } else {
            let data = vec![low, self.total, self.sequence];
            InformationElement {
                identifier: InformationElement::CONCATENATED_8_BIT,
                data,
            }
        }
    }

    fn read(element: &InformationElement) -> Option<Self> {
        let concatenation = match (element.identifier, element.data.as_slice()) {
            (InformationElement::CONCATENATED_8_BIT, &[reference, total, sequence]) => Self {
                reference: u16::from(reference),
                reference_bits: 8,
                total,
                sequence,
            },
            (InformationElement::CONCATENATED_16_BIT, &[high, low, total, sequence]) => Self {
                reference: u16::from_be_bytes([high, low]),
                reference_bits: 16,
                total,
                sequence,
            },
            _ => return None,
        };
        // The standard: such an element is to be ignored, and the message read as if it stood alone.
        let usable = concatenation.sequence != 0 && concatenation.sequence <= concatenation.total;
        usable.then_some(concatenation)
    }
}

/// The user data does not fit one message.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("user data of {octets} octets does not fit the 140 of one message; segment the text")]
pub struct UserDataTooLong {
    /// Octets needed, header included.
    pub octets: usize,
}

impl UserData {
    /// Checks that header and body fit one message.
    pub fn new(header: Vec<InformationElement>, body: Body) -> Result<Self, UserDataTooLong> {
        let header_octets = header_octets(&header);
        let body_octets = match &body {
            Body::Gsm7(septets) => {
                (alphabet::fill_bits(header_octets) + septets.len() * 7).div_ceil(8)
            }
            Body::Octets(octets) => octets.len(),
            Body::Ucs2(units) => units.len() * 2,
        };
        let octets = header_octets + body_octets;
        if octets > USER_DATA_OCTETS_MAX {
            return Err(UserDataTooLong { octets });
        }
        Ok(Self { header, body })
    }

    /// A short text without header: GSM 7-bit when every character has its place, else UCS2.
    pub fn of_text(text: &str) -> Result<Self, UserDataTooLong> {
        let body = match alphabet::encode_gsm7(text) {
            Some(septets) => Body::Gsm7(septets),
            None => Body::Ucs2(alphabet::encode_ucs2(text)),
        };
        Self::new(Vec::new(), body)
    }

    /// Header elements in the order they stand.
    pub fn header(&self) -> &[InformationElement] {
        &self.header
    }

    /// What follows the header.
    pub fn body(&self) -> &Body {
        &self.body
    }

    /// The alphabet of the body.
    pub fn alphabet(&self) -> Alphabet {
        match self.body {
            Body::Gsm7(_) => Alphabet::Gsm7,
            Body::Octets(_) => Alphabet::Octets,
            Body::Ucs2(_) => Alphabet::Ucs2,
        }
    }

    /// The text of this one part; `None` for data. A part may begin or end inside a character: to read a whole
    /// message use [`Reassembler`](crate::reassembly::Reassembler).
    pub fn text(&self) -> Option<String> {
        match &self.body {
            Body::Gsm7(septets) => Some(alphabet::decode_gsm7_with(septets, self.national_shift())),
            Body::Octets(_) => None,
            Body::Ucs2(units) => Some(alphabet::decode_ucs2(units)),
        }
    }

    /// Which part of a longer message this is. Elements with impossible numbers are ignored; the last usable one counts.
    pub fn concatenation(&self) -> Option<Concatenation> {
        self.header.iter().rev().find_map(Concatenation::read)
    }

    /// The national tables the header asks for.
    pub fn national_shift(&self) -> NationalShift {
        let language = |identifier| {
            let element = self
                .header
                .iter()
                .rev()
                .find(|element| element.identifier == identifier)?;
            NationalLanguage::from_identifier(*element.data.first()?)
        };
        NationalShift {
            locking: language(InformationElement::NATIONAL_LOCKING_SHIFT),
            single: language(InformationElement::NATIONAL_SINGLE_SHIFT),
        }
    }

    pub(crate) fn has_header(&self) -> bool {
        !self.header.is_empty()
    }

    /// TP-UDL and TP-UD.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        let mut header = Vec::new();
        if self.has_header() {
            header.push((header_octets(&self.header) - 1) as u8);
            for element in &self.header {
                header.extend([element.identifier, element.data.len() as u8]);
                header.extend(&element.data);
            }
        }
        let fill = alphabet::fill_bits(header.len());
        // Every length fits its octet: `new` held the whole to 140 octets, which are 160 septets.
        match &self.body {
            Body::Gsm7(septets) => {
                out.push(((header.len() * 8 + fill) / 7 + septets.len()) as u8);
                out.extend(header);
                out.extend(alphabet::pack_septets(septets, fill));
            }
            Body::Octets(octets) => {
                out.push((header.len() + octets.len()) as u8);
                out.extend(header);
                out.extend(octets);
            }
            Body::Ucs2(units) => {
                out.push((header.len() + units.len() * 2) as u8);
                out.extend(header);
                out.extend(units.iter().flat_map(|unit| unit.to_be_bytes()));
            }
        }
    }

    /// Reads TP-UDL and TP-UD; octets behind them are ignored.
    pub(crate) fn decode(octets: &[u8], dcs: Dcs, has_header: bool) -> Result<Self, PduError> {
        let (&length, data) = octets
            .split_first()
            .ok_or(PduError::Truncated { field: "TP-UDL" })?;
        let length = usize::from(length);
        let in_septets = dcs.alphabet() == Alphabet::Gsm7 && !dcs.is_compressed();
        let octets_used = if in_septets {
            (length * 7).div_ceil(8)
        } else {
            length
        };
        if octets_used > USER_DATA_OCTETS_MAX {
            return Err(PduError::UserDataLength { length });
        }
        let data = data
            .get(..octets_used)
            .ok_or(PduError::Truncated { field: "TP-UD" })?;
        let (header, header_octets) = if has_header {
            decode_header(data)?
        } else {
            (Vec::new(), 0)
        };
        let rest = &data[header_octets..];
        let body = if in_septets {
            let fill = alphabet::fill_bits(header_octets);
            let header_septets = (header_octets * 8 + fill) / 7;
            Body::Gsm7(alphabet::unpack_septets(
                rest,
                fill,
                length.saturating_sub(header_septets),
            ))
        } else if dcs.alphabet() == Alphabet::Ucs2 && !dcs.is_compressed() {
            // A lone octet at the end is half a character of nothing.
            Body::Ucs2(
                rest.as_chunks()
                    .0
                    .iter()
                    .map(|pair| u16::from_be_bytes(*pair))
                    .collect(),
            )
        } else {
            Body::Octets(rest.to_vec())
        };
        Ok(Self { header, body })
    }
}

/// Octets of the header with its length octet; 0 without elements.
fn header_octets(header: &[InformationElement]) -> usize {
    let elements: usize = header.iter().map(|element| 2 + element.data.len()).sum();
    if header.is_empty() { 0 } else { 1 + elements }
}

/// The elements and how many octets the header takes. An element that runs over the header's end is dropped:
/// the text behind it still stands where the header's length says.
fn decode_header(data: &[u8]) -> Result<(Vec<InformationElement>, usize), PduError> {
    let (&length, rest) = data
        .split_first()
        .ok_or(PduError::Truncated { field: "TP-UDHL" })?;
    let mut rest = rest
        .get(..usize::from(length))
        .ok_or(PduError::HeaderLength { length })?;
    let mut elements = Vec::new();
    while let [identifier, data_length, after @ ..] = rest {
        let Some((data, next)) = after.split_at_checked(usize::from(*data_length)) else {
            break;
        };
        elements.push(InformationElement {
            identifier: *identifier,
            data: data.to_vec(),
        });
        rest = next;
    }
    Ok((elements, 1 + usize::from(length)))
}
