//! SMS-SUBMIT (3GPP TS 23.040 §9.2.2.2): from the phone to the service centre.

use super::{
    Dcs, EncodedPdu, PduError, Reader, RelativeValidity, ServiceCentreTimestamp, UserData, Validity,
};
use crate::address::Address;

const MTI_SUBMIT: u8 = 0x01;
const REJECT_DUPLICATES: u8 = 0x04;
const VALIDITY_FORMAT: u8 = 0x18;
const VALIDITY_ENHANCED: u8 = 0x08;
const VALIDITY_RELATIVE: u8 = 0x10;
const STATUS_REPORT_REQUEST: u8 = 0x20;
const HAS_HEADER: u8 = 0x40;
const REPLY_PATH: u8 = 0x80;

/// A message, or one part of it, on its way out.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SubmitPdu {
    /// Service centre to use; `None` leaves it to the SIM.
    pub smsc: Option<Address>,
    /// TP-MR. Modems usually assign their own: trust only the one in `+CMGS:`.
    pub message_reference: u8,
    /// TP-DA.
    pub destination: Address,
    /// TP-PID, 0 for plain messages.
    pub pid: u8,
    /// TP-DCS. Its alphabet must be the one of `user_data`, else phones show noise.
    pub dcs: Dcs,
    /// TP-VP; `None` leaves it to the network.
    pub validity: Option<Validity>,
    /// TP-SRR: asks for a report of what became of it.
    pub status_report_request: bool,
    /// TP-RD: the centre should refuse a repetition of a message it still holds.
    pub reject_duplicates: bool,
    /// TP-RP.
    pub reply_path: bool,
    /// TP-UD.
    pub user_data: UserData,
}

impl SubmitPdu {
    /// A plain message: the SIM's service centre, no validity period, no report.
    pub fn new(destination: Address, user_data: UserData) -> Self {
        Self {
            smsc: None,
            message_reference: 0,
            destination,
            pid: 0,
            dcs: Dcs::of(user_data.alphabet()),
            validity: None,
            status_report_request: false,
            reject_duplicates: false,
            reply_path: false,
            user_data,
        }
    }

    /// The octets for `AT+CMGS`.
    pub fn encode(&self) -> EncodedPdu {
        let format = match self.validity {
            None => 0,
            Some(Validity::Relative(_)) => VALIDITY_RELATIVE,
            Some(Validity::Absolute(_)) => VALIDITY_FORMAT,
            Some(Validity::Enhanced(_)) => VALIDITY_ENHANCED,
        };
        let flag = |set: bool, bit: u8| if set { bit } else { 0 };
        let mut tpdu = vec![
            MTI_SUBMIT
                | format
                | flag(self.reject_duplicates, REJECT_DUPLICATES)
                | flag(self.status_report_request, STATUS_REPORT_REQUEST)
                | flag(self.user_data.has_header(), HAS_HEADER)
                | flag(self.reply_path, REPLY_PATH),
            self.message_reference,
        ];
        self.destination.encode_tp(&mut tpdu);
        tpdu.extend([self.pid, self.dcs.0]);
        match self.validity {
            None => {}
            Some(Validity::Relative(period)) => tpdu.push(period.0),
            Some(Validity::Absolute(until)) => tpdu.extend(until.octets()),
            Some(Validity::Enhanced(octets)) => tpdu.extend(octets),
        }
        self.user_data.encode(&mut tpdu);
        EncodedPdu::new(self.smsc.as_ref(), &tpdu)
    }

    /// Reads what a phone sends: the service centre's side, for emulators and tests.
    pub fn decode(octets: &[u8]) -> Result<Self, PduError> {
        let mut reader = Reader { rest: octets };
        let smsc = reader.smsc()?;
        let first = reader.octet("first octet")?;
        if first & 3 != MTI_SUBMIT {
            return Err(PduError::MessageType {
                indicator: first & 3,
            });
        }
        let message_reference = reader.octet("TP-MR")?;
        let destination = reader.address("TP-DA")?;
        let pid = reader.octet("TP-PID")?;
        let dcs = Dcs(reader.octet("TP-DCS")?);
        let validity = match first & VALIDITY_FORMAT {
            0 => None,
            VALIDITY_RELATIVE => Some(Validity::Relative(RelativeValidity(reader.octet("TP-VP")?))),
            VALIDITY_ENHANCED => Some(Validity::Enhanced(reader.seven("TP-VP")?)),
            _ => Some(Validity::Absolute(ServiceCentreTimestamp::from_octets(
                reader.seven("TP-VP")?,
            ))),
        };
        Ok(Self {
            smsc,
            message_reference,
            destination,
            pid,
            dcs,
            validity,
            status_report_request: first & STATUS_REPORT_REQUEST != 0,
            reject_duplicates: first & REJECT_DUPLICATES != 0,
            reply_path: first & REPLY_PATH != 0,
            user_data: UserData::decode(reader.rest, dcs, first & HAS_HEADER != 0)?,
        })
    }
}
