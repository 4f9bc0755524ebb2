//! SMS-STATUS-REPORT (3GPP TS 23.040 §9.2.2.3): what became of a message.

use super::{Dcs, EncodedPdu, PduError, Reader, ServiceCentreTimestamp, UserData};
use crate::address::Address;

const MTI_STATUS_REPORT: u8 = 0x02;
const NO_MORE_MESSAGES: u8 = 0x04;
const LOOP_PREVENTION: u8 = 0x08;
const FOR_COMMAND: u8 = 0x20;
const HAS_HEADER: u8 = 0x40;

/// A report about one part sent earlier.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StatusReportPdu {
    /// The service centre it came through.
    pub smsc: Option<Address>,
    /// TP-MR of the part, as the `+CMGS:` answer gave it.
    pub message_reference: u8,
    /// TP-RA: whom the part was for, perhaps written in another form than it was sent to.
    pub recipient: Address,
    /// TP-SCTS: when the centre took the part.
    pub timestamp: ServiceCentreTimestamp,
    /// TP-DT: when the status came about.
    pub discharge_time: ServiceCentreTimestamp,
    /// TP-ST.
    pub status: StatusReportStatus,
    /// TP-MMS (which the wire carries inverted).
    pub more_messages: bool,
    /// TP-LP.
    pub loop_prevention: bool,
    /// TP-SRQ: the report answers an SMS-COMMAND, not an SMS-SUBMIT.
    pub for_command: bool,
    /// TP-PID, when present.
    pub pid: Option<u8>,
    /// TP-DCS and TP-UD, when present and readable.
    pub user_data: Option<(Dcs, UserData)>,
}

/// TP-ST (§9.2.3.15) as received; unknown values are understood by their range.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct StatusReportStatus {
    /// The octet.
    pub raw: u8,
}

/// What a status means for the sender.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum StatusClass {
    /// 00-1F: the centre is done with it, normally because the phone has it.
    Delivered,
    /// 20-3F: not final, the centre goes on trying.
    Trying,
    /// 40-5F, and the reserved 80-FF: failed, and trying again would not help.
    Permanent,
    /// 60-7F: failed for now, and the centre has given up.
    GaveUp,
}

impl StatusReportStatus {
    /// The range the octet is in.
    pub fn class(self) -> StatusClass {
        match self.raw {
            0x00..=0x1F => StatusClass::Delivered,
            0x20..=0x3F => StatusClass::Trying,
            0x60..=0x7F => StatusClass::GaveUp,
            0x40..=0x5F | 0x80..=0xFF => StatusClass::Permanent,
        }
    }

    /// Whether no other report will follow.
    pub fn is_final(self) -> bool {
        self.class() != StatusClass::Trying
    }

    /// Whether the *phone* has it, to the centre's knowledge; 01 and 02 only say forwarded or replaced.
    pub fn reached_phone(self) -> bool {
        self.raw == 0x00
    }
}

impl StatusReportPdu {
    /// The service centre's side, for emulators and tests.
    pub fn encode(&self) -> EncodedPdu {
        let flag = |set: bool, bit: u8| if set { bit } else { 0 };
        let has_header = self
            .user_data
            .as_ref()
            .is_some_and(|(_, data)| data.has_header());
        let mut tpdu = vec![
            MTI_STATUS_REPORT
                | flag(!self.more_messages, NO_MORE_MESSAGES)
                | flag(self.loop_prevention, LOOP_PREVENTION)
                | flag(self.for_command, FOR_COMMAND)
                | flag(has_header, HAS_HEADER),
            self.message_reference,
        ];
        self.recipient.encode_tp(&mut tpdu);
        tpdu.extend(self.timestamp.octets());
        tpdu.extend(self.discharge_time.octets());
        tpdu.push(self.status.raw);
        // TP-PI (§9.2.3.27): bit 0 TP-PID, bit 1 TP-DCS, bit 2 TP-UDL follow.
        if self.pid.is_some() || self.user_data.is_some() {
            tpdu.push(flag(self.pid.is_some(), 0x01) | flag(self.user_data.is_some(), 0x06));
            tpdu.extend(self.pid);
            if let Some((dcs, data)) = &self.user_data {
                tpdu.push(dcs.0);
                data.encode(&mut tpdu);
            }
        }
        EncodedPdu::new(self.smsc.as_ref(), &tpdu)
    }

    /// Reads a report. Its optional end is left out when it cannot be read: the status is what matters.
    pub fn decode(octets: &[u8]) -> Result<Self, PduError> {
        let mut reader = Reader { rest: octets };
        let smsc = reader.smsc()?;
        let first = reader.octet("first octet")?;
        if first & 3 != MTI_STATUS_REPORT {
            return Err(PduError::MessageType {
                indicator: first & 3,
            });
        }
        let message_reference = reader.octet("TP-MR")?;
        let recipient = reader.address("TP-RA")?;
        let timestamp = ServiceCentreTimestamp::from_octets(reader.seven("TP-SCTS")?);
        let discharge_time = ServiceCentreTimestamp::from_octets(reader.seven("TP-DT")?);
        let status = StatusReportStatus {
            raw: reader.octet("TP-ST")?,
        };
        let (pid, user_data) = optional_end(&mut reader, first & HAS_HEADER != 0);
        Ok(Self {
            smsc,
            message_reference,
            recipient,
            timestamp,
            discharge_time,
            status,
            more_messages: first & NO_MORE_MESSAGES == 0,
            loop_prevention: first & LOOP_PREVENTION != 0,
            for_command: first & FOR_COMMAND != 0,
            pid,
            user_data,
        })
    }
}

fn optional_end(
    reader: &mut Reader<'_>,
    has_header: bool,
) -> (Option<u8>, Option<(Dcs, UserData)>) {
    let Ok(mut indicator) = reader.octet("TP-PI") else {
        return (None, None);
    };
    let present = indicator;
    while indicator & 0x80 != 0 {
        // The extension bit announces one more indicator octet, of which nothing is defined yet.
        let Ok(next) = reader.octet("TP-PI") else {
            return (None, None);
        };
        indicator = next;
    }
    let mut field = |bit: u8| {
        if present & bit != 0 {
            reader.octet("optional field").ok()
        } else {
            None
        }
    };
    let pid = field(0x01);
    let dcs = Dcs(field(0x02).unwrap_or(0));
    let has_user_data = present & 0x04 != 0;
    let user_data = has_user_data
        .then(|| UserData::decode(reader.rest, dcs, has_header).ok())
        .flatten();
    (pid, user_data.map(|data| (dcs, data)))
}
