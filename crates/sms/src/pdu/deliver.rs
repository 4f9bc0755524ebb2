//! SMS-DELIVER (3GPP TS 23.040 §9.2.2.1): from the service centre to the phone.

use super::{Dcs, EncodedPdu, PduError, Reader, ServiceCentreTimestamp, UserData};
use crate::address::Address;

const NO_MORE_MESSAGES: u8 = 0x04;
const LOOP_PREVENTION: u8 = 0x08;
const STATUS_REPORT_INDICATION: u8 = 0x20;
const HAS_HEADER: u8 = 0x40;
const REPLY_PATH: u8 = 0x80;

/// A message, or one part of it, that has come in.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DeliverPdu {
    /// The service centre it came through.
    pub smsc: Option<Address>,
    /// TP-OA: who sent it. Easily forged.
    pub originator: Address,
    /// TP-PID.
    pub pid: u8,
    /// TP-DCS.
    pub dcs: Dcs,
    /// TP-SCTS: when the service centre took it.
    pub timestamp: ServiceCentreTimestamp,
    /// TP-MMS (which the wire carries inverted): more are waiting at the centre.
    pub more_messages: bool,
    /// TP-LP: it has been forwarded or spawned.
    pub loop_prevention: bool,
    /// TP-SRI: the sender gets a report.
    pub status_report_indication: bool,
    /// TP-RP.
    pub reply_path: bool,
    /// TP-UD.
    pub user_data: UserData,
}

impl DeliverPdu {
    /// A plain message.
    pub fn new(
        originator: Address,
        timestamp: ServiceCentreTimestamp,
        user_data: UserData,
    ) -> Self {
        Self {
            smsc: None,
            originator,
            pid: 0,
            dcs: Dcs::of(user_data.alphabet()),
            timestamp,
            more_messages: false,
            loop_prevention: false,
            status_report_indication: false,
            reply_path: false,
            user_data,
        }
    }

    /// TP-PID 0x40: to be acknowledged to the network and shown to nobody (§9.2.3.9).
    pub fn is_type_0(&self) -> bool {
        self.pid == 0x40
    }

    /// TP-PID 0x41-0x47: takes the place of an earlier message of the same sender and number (§9.2.3.9).
    pub fn replace_type(&self) -> Option<u8> {
        (0x41..=0x47).contains(&self.pid).then_some(self.pid - 0x40)
    }

    /// The service centre's side, for emulators and tests.
    pub fn encode(&self) -> EncodedPdu {
        let flag = |set: bool, bit: u8| if set { bit } else { 0 };
        let mut tpdu = vec![
            flag(!self.more_messages, NO_MORE_MESSAGES)
                | flag(self.loop_prevention, LOOP_PREVENTION)
                | flag(self.status_report_indication, STATUS_REPORT_INDICATION)
                | flag(self.user_data.has_header(), HAS_HEADER)
                | flag(self.reply_path, REPLY_PATH),
        ];
        self.originator.encode_tp(&mut tpdu);
        tpdu.extend([self.pid, self.dcs.0]);
        tpdu.extend(self.timestamp.octets());
        self.user_data.encode(&mut tpdu);
        EncodedPdu::new(self.smsc.as_ref(), &tpdu)
    }

    /// Reads a delivered message; the reserved message type 3 counts as one. Octets behind the PDU are ignored.
    pub fn decode(octets: &[u8]) -> Result<Self, PduError> {
        let mut reader = Reader { rest: octets };
        let smsc = reader.smsc()?;
        let first = reader.octet("first octet")?;
        if !matches!(first & 3, 0 | 3) {
            return Err(PduError::MessageType {
                indicator: first & 3,
            });
        }
        let originator = reader.address("TP-OA")?;
        let pid = reader.octet("TP-PID")?;
        let dcs = Dcs(reader.octet("TP-DCS")?);
        let timestamp = ServiceCentreTimestamp::from_octets(reader.seven("TP-SCTS")?);
        Ok(Self {
            smsc,
            originator,
            pid,
            dcs,
            timestamp,
            more_messages: first & NO_MORE_MESSAGES == 0,
            loop_prevention: first & LOOP_PREVENTION != 0,
            status_report_indication: first & STATUS_REPORT_INDICATION != 0,
            reply_path: first & REPLY_PATH != 0,
            user_data: UserData::decode(reader.rest, dcs, first & HAS_HEADER != 0)?,
        })
    }
}
