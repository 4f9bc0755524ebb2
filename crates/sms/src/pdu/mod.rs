//! Protocol data units between phone and service centre (3GPP TS 23.040 §9.2).
//!
//! All octets here begin with the service-centre address, as PDUs do on the AT interface (3GPP TS 27.005 §3.1):
//! a single `00` stands for "the one the SIM knows".

mod dcs;
mod deliver;
mod status_report;
mod submit;
mod timestamp;
mod user_data;
mod validity;

#[cfg(test)]
mod tests;

pub use dcs::{Dcs, MessageWaiting};
pub use deliver::DeliverPdu;
pub use status_report::{StatusClass, StatusReportPdu, StatusReportStatus};
pub use submit::SubmitPdu;
pub use timestamp::{CivilTime, ServiceCentreTimestamp};
pub use user_data::{
    Body, Concatenation, InformationElement, USER_DATA_OCTETS_MAX, UserData, UserDataTooLong,
};
pub use validity::{RelativeValidity, Validity};

use crate::address::{Address, AddressError};
use crate::hex;

/// Why octets are not the PDU they should be.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum PduError {
    /// The octets end before a mandatory field does.
    #[error("the PDU ends before the end of {field}")]
    Truncated {
        /// Name of the field in 3GPP TS 23.040.
        field: &'static str,
    },
    /// An address that cannot be read.
    #[error("the {field} of the PDU cannot be read")]
    Address {
        /// Name of the field in 3GPP TS 23.040.
        field: &'static str,
        /// What is wrong with it.
        #[source]
        source: AddressError,
    },
    /// TP-UDL beyond what one message carries.
    #[error("TP-UDL {length} promises more than 140 octets")]
    UserDataLength {
        /// As received.
        length: usize,
    },
    /// The user data header is longer than the user data.
    #[error("TP-UDHL {length} runs over the end of the user data")]
    HeaderLength {
        /// As received.
        length: u8,
    },
    /// Another message type than the one asked for.
    #[error("message type indicator {indicator} is not the one expected here")]
    MessageType {
        /// Bits 1-0 of the first octet.
        indicator: u8,
    },
}

/// A PDU ready for `AT+CMGS`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct EncodedPdu {
    /// Service-centre address and TPDU.
    pub octets: Vec<u8>,
    /// Octets of the TPDU alone: the number `AT+CMGS=` wants.
    pub tpdu_len: usize,
}

impl EncodedPdu {
    /// Upper-case hexadecimal, as it follows the prompt.
    pub fn to_hex(&self) -> String {
        hex::encode(&self.octets)
    }

    fn new(smsc: Option<&Address>, tpdu: &[u8]) -> Self {
        let mut octets = Vec::with_capacity(tpdu.len() + 12);
        match smsc {
            Some(address) => address.encode_smsc(&mut octets),
            None => octets.push(0),
        }
        octets.extend(tpdu);
        Self {
            octets,
            tpdu_len: tpdu.len(),
        }
    }
}

/// What a service centre sends to a phone.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Pdu {
    /// A message from somebody.
    Deliver(DeliverPdu),
    /// What became of a message sent earlier.
    StatusReport(StatusReportPdu),
}

impl Pdu {
    /// Reads a PDU from the service centre by its message type (§9.2.3.1). The reserved type 3 is read as
    /// SMS-DELIVER, as the standard asks of a phone.
    pub fn decode_incoming(octets: &[u8]) -> Result<Self, PduError> {
        match indicator(octets)? {
            0 | 3 => DeliverPdu::decode(octets).map(Self::Deliver),
            2 => StatusReportPdu::decode(octets).map(Self::StatusReport),
            indicator => Err(PduError::MessageType { indicator }),
        }
    }
}

/// TP-MTI of a PDU.
fn indicator(octets: &[u8]) -> Result<u8, PduError> {
    let mut reader = Reader { rest: octets };
    reader.smsc()?;
    Ok(reader.octet("first octet")? & 3)
}

/// The unread rest of a PDU.
struct Reader<'a> {
    rest: &'a [u8],
}

impl Reader<'_> {
    fn smsc(&mut self) -> Result<Option<Address>, PduError> {
        let (address, taken) =
            Address::decode_smsc(self.rest).map_err(|source| PduError::Address {
                field: "service-centre address",
                source,
            })?;
        self.rest = &self.rest[taken..];
        Ok(address)
    }

    fn octet(&mut self, field: &'static str) -> Result<u8, PduError> {
        let (&octet, rest) = self
            .rest
            .split_first()
            .ok_or(PduError::Truncated { field })?;
        self.rest = rest;
        Ok(octet)
    }

    fn seven(&mut self, field: &'static str) -> Result<[u8; 7], PduError> {
        let (octets, rest) = self
            .rest
            .split_first_chunk()
            .ok_or(PduError::Truncated { field })?;
        self.rest = rest;
        Ok(*octets)
    }

    fn address(&mut self, field: &'static str) -> Result<Address, PduError> {
        let (address, taken) =
            Address::decode_tp(self.rest).map_err(|source| PduError::Address { field, source })?;
        self.rest = &self.rest[taken..];
        Ok(address)
    }
}
