//! SNMP messages as bytes: v2c (RFC 1901), v3 (RFC 3412) with the user-based security model (RFC 3414), and what they
//! carry (RFC 3416).

use std::net::Ipv4Addr;

use super::ber::{self, BerError, Oid, Reader};

/// Values kept of one notification; what comes after them is left out.
const VARBINDS_MAX: usize = 100;
/// The largest engine id (RFC 3411 §5).
const ENGINE_LEN_MAX: usize = 32;

/// The largest message this end takes, in bytes; told to senders.
pub(super) const SIZE_MAX: usize = 16 * 1024;

/// What a PDU asks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum PduKind {
    Response,
    Inform,
    Trap,
    Report,
    /// A request that is for agents, not for those who listen.
    Other,
}

impl PduKind {
    fn of(tag: u8) -> Self {
        match tag {
            0xa2 => Self::Response,
            0xa6 => Self::Inform,
            0xa7 => Self::Trap,
            0xa8 => Self::Report,
            _ => Self::Other,
        }
    }

    fn tag(self) -> u8 {
        match self {
            Self::Response => 0xa2,
            Self::Inform => 0xa6,
            Self::Trap => 0xa7,
            Self::Report => 0xa8,
            Self::Other => 0xa0,
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Pdu {
    pub(super) kind: PduKind,
    pub(super) request: i64,
    pub(super) varbinds: Vec<(Oid, Value)>,
    /// The list of them as it came: an inform is answered with the same.
    varbinds_raw: Vec<u8>,
}

/// What a varbind says (RFC 2578 §7.1).
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Value {
    Integer(i64),
    Octets(Vec<u8>),
    Oid(Oid),
    Address(Ipv4Addr),
    /// Counters, gauges and times.
    Unsigned(u64),
    /// Null, the exceptions, and what has no type known here.
    Nothing,
}

impl Pdu {
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, BerError> {
        let (tag, mut pdu) = reader.any()?;
        let request = pdu.integer()?;
        pdu.integer()?; // error status and index mean nothing in what is sent to us
        pdu.integer()?;
        let mut list = pdu.element(ber::SEQUENCE)?;
        pdu.finish()?;
        let varbinds_raw = list.rest().to_vec();
        let mut varbinds = Vec::new();
        while !list.is_empty() && varbinds.len() < VARBINDS_MAX {
            let mut varbind = list.element(ber::SEQUENCE)?;
            varbinds.push((varbind.oid()?, Value::read(&mut varbind)?));
            varbind.finish()?;
        }
        Ok(Self {
            kind: PduKind::of(tag),
            request,
            varbinds,
            varbinds_raw,
        })
    }

    /// What confirms an inform (RFC 3416 §4.2.7).
    pub(super) fn response(&self) -> Vec<u8> {
        write(PduKind::Response, self.request, &self.varbinds_raw)
    }
}

/// A report that one of USM's counters grew (RFC 3414 §3.2).
pub(super) fn report(request: i64, counter: &[u32], count: u64) -> Vec<u8> {
    /// Counter32 (RFC 2578 §7.1.6); wraps.
    const COUNTER: u8 = 0x41;
    let count = i64::from(count as u32);
    let varbind = ber::nested(
        ber::SEQUENCE,
        &[
            &ber::oid_in_internet(counter),
            &ber::integer(COUNTER, count),
        ],
    );
    write(PduKind::Report, request, &varbind)
}

fn write(kind: PduKind, request: i64, varbinds: &[u8]) -> Vec<u8> {
    let zero = ber::integer(ber::INTEGER, 0);
    ber::nested(
        kind.tag(),
        &[
            &ber::integer(ber::INTEGER, request),
            &zero,
            &zero,
            &ber::element(ber::SEQUENCE, varbinds),
        ],
    )
}

impl Value {
    fn read(reader: &mut Reader<'_>) -> Result<Self, BerError> {
        let (tag, content) = reader.any()?;
        let bytes = content.rest();
        Ok(match tag {
            ber::INTEGER => Self::Integer(ber::signed(bytes)?),
            // Opaque is told like any bytes.
            ber::OCTETS | 0x44 => Self::Octets(bytes.to_vec()),
            ber::OID => Self::Oid(Oid::decode(bytes)?),
            0x40 => match <[u8; 4]>::try_from(bytes) {
                Ok(address) => Self::Address(Ipv4Addr::from(address)),
                Err(_) => Self::Octets(bytes.to_vec()),
            },
            0x41 | 0x42 | 0x43 | 0x46 => Self::Unsigned(ber::unsigned(bytes)?),
            _ => Self::Nothing,
        })
    }
}

/// A message, as far as it can be read without keys.
#[derive(Debug)]
pub(super) enum Message<'b> {
    V2c {
        community: &'b [u8],
        pdu: Pdu,
    },
    V3(V3<'b>),
    /// Another version, or another security model.
    Unknown,
}

/// A v3 message before its security is looked at.
#[derive(Debug)]
pub(super) struct V3<'b> {
    pub(super) id: u32,
    pub(super) reportable: bool,
    pub(super) authenticated: bool,
    pub(super) private: bool,
    pub(super) security: Security<'b>,
    /// Where in the message the authentication parameter stands.
    pub(super) digest_at: usize,
    /// The scoped PDU, encrypted or not, as an element.
    pub(super) data: &'b [u8],
}

/// USM's own part (RFC 3414 §2.4).
#[derive(Clone, Debug, Default)]
pub(super) struct Security<'b> {
    pub(super) engine: &'b [u8],
    pub(super) boots: u32,
    pub(super) time: u32,
    pub(super) user: &'b [u8],
    pub(super) digest: &'b [u8],
    pub(super) salt: &'b [u8],
}

/// A PDU with the context it is about.
#[derive(Debug)]
pub(super) struct Scoped {
    pub(super) engine: Vec<u8>,
    pub(super) context: Vec<u8>,
    pub(super) pdu: Pdu,
}

const AUTHENTICATED: u8 = 1;
const PRIVATE: u8 = 2;
const REPORTABLE: u8 = 4;
/// The user-based security model's number.
const USM: u32 = 3;

impl<'b> Message<'b> {
    pub(super) fn read(bytes: &'b [u8]) -> Result<Self, BerError> {
        let mut message = Reader::new(bytes).element(ber::SEQUENCE)?;
        match message.integer()? {
            1 => {
                let community = message.octets()?;
                let pdu = Pdu::read(&mut message)?;
                message.finish()?;
                Ok(Self::V2c { community, pdu })
            }
            3 => V3::read(bytes, message),
            _ => Ok(Self::Unknown),
        }
    }
}

impl<'b> V3<'b> {
    fn read(bytes: &'b [u8], mut message: Reader<'b>) -> Result<Message<'b>, BerError> {
        let mut header = message.element(ber::SEQUENCE)?;
        let id = header.natural()?;
        header.natural()?; // what the sender can take: an answer is hardly longer than what it answers
        let flags = header.octets()?;
        let model = header.natural()?;
        header.finish()?;
        let [flags] = flags else {
            return Err(BerError::Length);
        };
        if model != USM {
            return Ok(Message::Unknown);
        }
        let inside = message.element(ber::OCTETS)?;
        let (security, digest_at) = Security::read(inside)?;
        let data = message.rest();
        message.any()?;
        message.finish()?;
        debug_assert!(bytes[digest_at..].starts_with(security.digest));
        Ok(Message::V3(Self {
            id,
            reportable: flags & REPORTABLE != 0,
            authenticated: flags & AUTHENTICATED != 0,
            private: flags & PRIVATE != 0,
            security,
            digest_at,
            data,
        }))
    }
}

impl<'b> Security<'b> {
    /// Also where the authentication parameter begins.
    fn read(mut inside: Reader<'b>) -> Result<(Self, usize), BerError> {
        let mut fields = inside.element(ber::SEQUENCE)?;
        inside.finish()?;
        let engine = fields.octets()?;
        let boots = fields.natural()?;
        let time = fields.natural()?;
        let user = fields.octets()?;
        let digest = fields.element(ber::OCTETS)?;
        let salt = fields.octets()?;
        fields.finish()?;
        if engine.len() > ENGINE_LEN_MAX || user.len() > 32 {
            return Err(BerError::Length);
        }
        let security = Self {
            engine,
            boots,
            time,
            user,
            digest: digest.rest(),
            salt,
        };
        Ok((security, digest.at()))
    }
}

impl Scoped {
    /// Reads a scoped PDU. After decryption some bytes of padding may follow it.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, BerError> {
        let mut scoped = Reader::new(bytes).element(ber::SEQUENCE)?;
        let engine = scoped.octets()?.to_vec();
        let context = scoped.octets()?.to_vec();
        let pdu = Pdu::read(&mut scoped)?;
        scoped.finish()?;
        Ok(Self {
            engine,
            context,
            pdu,
        })
    }

    pub(super) fn write(engine: &[u8], context: &[u8], pdu: &[u8]) -> Vec<u8> {
        ber::nested(
            ber::SEQUENCE,
            &[&ber::octets(engine), &ber::octets(context), pdu],
        )
    }
}

/// A v2c message.
pub(super) fn write_v2c(community: &[u8], pdu: &[u8]) -> Vec<u8> {
    ber::nested(
        ber::SEQUENCE,
        &[&ber::integer(ber::INTEGER, 1), &ber::octets(community), pdu],
    )
}

/// A v3 message that wants no report about itself, and where its authentication parameter begins. `data` is the scoped PDU,
/// or an octet string of it encrypted.
pub(super) fn write_v3(id: u32, security: &Security<'_>, data: &[u8]) -> (Vec<u8>, usize) {
    let natural = |number: u32| ber::integer(ber::INTEGER, number.into());
    let flag = |set: bool, flag: u8| if set { flag } else { 0 };
    let flags =
        flag(!security.digest.is_empty(), AUTHENTICATED) | flag(!security.salt.is_empty(), PRIVATE);
    let header = ber::nested(
        ber::SEQUENCE,
        &[
            &natural(id),
            &natural(SIZE_MAX as u32),
            &ber::octets(&[flags]),
            &natural(USM),
        ],
    );
    let salt = ber::octets(security.salt);
    let fields = ber::nested(
        ber::SEQUENCE,
        &[
            &ber::octets(security.engine),
            &natural(security.boots),
            &natural(security.time),
            &ber::octets(security.user),
            &ber::octets(security.digest),
            &salt,
        ],
    );
    let message = ber::nested(
        ber::SEQUENCE,
        &[&natural(3), &header, &ber::octets(&fields), data],
    );
    // Counted from the end: nothing but the salt and the data comes after it.
    let digest_at = message.len() - data.len() - salt.len() - security.digest.len();
    (message, digest_at)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_written_is_read_and_its_digest_found() {
        let scoped = Scoped::write(b"engine", b"", &report(7, &[1, 3, 6], 1));
        let security = Security {
            engine: b"engine",
            boots: 2,
            time: 300,
            user: b"switch",
            digest: &[7; 24],
            salt: &[1; 8],
        };
        let (bytes, digest_at) = write_v3(9, &security, &scoped);
        let Ok(Message::V3(read)) = Message::read(&bytes) else {
            panic!("not read");
        };
        assert_eq!((read.id, read.digest_at), (9, digest_at));
        assert!(read.authenticated && read.private && !read.reportable);
        assert_eq!(
            (read.security.time, read.security.user),
            (300, &b"switch"[..])
        );
        let read = Scoped::read(read.data).unwrap();
        assert_eq!((read.pdu.kind, read.pdu.request), (PduKind::Report, 7));
        assert_eq!(read.pdu.varbinds[0].1, Value::Unsigned(1));
    }

    proptest! {
        #[test]
        fn no_bytes_break_it(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            _ = Message::read(&bytes);
            _ = Scoped::read(&bytes);
        }

        #[test]
        fn no_turned_byte_breaks_it(place in 0_usize..150, turn in 1_u8..) {
            let security = Security { engine: b"engine", boots: 2, time: 300, user: b"switch", digest: &[7; 24], salt: &[1; 8] };
            let scoped = Scoped::write(b"engine", b"", &report(7, &[1, 3, 6], 1));
            let (mut bytes, _) = write_v3(9, &security, &scoped);
            let place = place % bytes.len();
            bytes[place] ^= turn;
            if let Ok(Message::V3(read)) = Message::read(&bytes) {
                _ = Scoped::read(read.data);
            }
        }
    }
}
