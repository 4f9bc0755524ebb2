//! One question in, one answer out: no socket and no clock (RFC 1035, RFC 2308, RFC 6891).

use std::collections::BTreeMap;
use std::net::IpAddr;

use simple_dns::rdata::{OPT, RData, SOA};
use simple_dns::{
    CLASS, Name, OPCODE, Packet, PacketFlag, QCLASS, QTYPE, RCODE, ResourceRecord, TYPE,
};

/// How long others may remember an answer, seconds: a node that falls silent is soon not named any more.
const TTL: u32 = 15;

/// What a question over UDP may be answered with, unless the asker takes more (RFC 1035 section 4.2.1), and the most
/// that passes every network (RFC 6891 section 6.2.5).
const UDP_LEN: usize = 512;
pub(super) const UDP_LEN_MAX: usize = 1_232;

/// Before the first question.
const HEADER_LEN: usize = 12;

/// The cluster's names, and where each leads.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Zone {
    /// Without a dot at its end: `oob.example.org`.
    pub(super) name: String,
    /// The name itself.
    pub(super) all: Vec<IpAddr>,
    /// First label of each node's name, such as `n2`.
    pub(super) nodes: BTreeMap<String, Vec<IpAddr>>,
}

/// How a question came.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Carrier {
    Udp,
    Tcp,
}

/// The answer to `bytes`; `None` for what is not answered at all: no question, or no DNS.
pub(super) fn answer(zone: &Zone, bytes: &[u8], carrier: Carrier) -> Option<Vec<u8>> {
    let header: &[u8; HEADER_LEN] = bytes.first_chunk()?;
    // An answer must never be answered, or two servers would talk for ever.
    if header[2] & 0x80 != 0 {
        return None;
    }
    let id = u16::from_be_bytes([header[0], header[1]]);
    let count = |at: usize| u16::from_be_bytes([header[at], header[at + 1]]);
    // A question comes alone, with at most what EDNS and a signature add.
    if count(4) != 1 || count(6) != 0 || count(8) != 0 || count(10) > 2 {
        return refusal(id, RCODE::FormatError);
    }
    let Ok(query) = Packet::parse(bytes) else {
        return refusal(id, RCODE::FormatError);
    };
    if query.opcode() != OPCODE::StandardQuery {
        return refusal(id, RCODE::NotImplemented);
    }
    let reply = reply(zone, &query)?;
    let room = match carrier {
        Carrier::Tcp => usize::from(u16::MAX),
        Carrier::Udp => {
            let said = query
                .opt()
                .map_or(UDP_LEN, |opt| opt.udp_packet_size.into());
            said.clamp(UDP_LEN, UDP_LEN_MAX)
        }
    };
    let whole = reply.build_bytes_vec_compressed().ok()?;
    if whole.len() <= room {
        return Some(whole);
    }
    let mut cut = reply;
    cut.set_flags(PacketFlag::TRUNCATION);
    cut.answers.clear();
    cut.name_servers.clear();
    cut.build_bytes_vec_compressed().ok()
}

fn refusal(id: u16, code: RCODE) -> Option<Vec<u8>> {
    let mut packet = Packet::new_reply(id);
    *packet.rcode_mut() = code;
    packet.build_bytes_vec().ok()
}

fn reply<'a>(zone: &'a Zone, query: &Packet<'a>) -> Option<Packet<'a>> {
    let question = query.questions.first()?;
    let mut packet = Packet::new_reply(query.id());
    if query.has_flags(PacketFlag::RECURSION_DESIRED) {
        packet.set_flags(PacketFlag::RECURSION_DESIRED);
    }
    if query.opt().is_some() {
        *packet.opt_mut() = Some(OPT {
            opt_codes: Vec::new(),
            udp_packet_size: UDP_LEN_MAX as u16,
            version: 0,
        });
    }
    packet.questions.push(question.clone());
    if query.opt().is_some_and(|opt| opt.version > 0) {
        *packet.rcode_mut() = RCODE::BADVERS;
        return Some(packet);
    }
    let apex = Name::new(&zone.name).ok()?;
    let ours = question.qname == apex || question.qname.is_subdomain_of(&apex);
    let transfers = matches!(question.qtype, QTYPE::AXFR | QTYPE::IXFR);
    if !ours || transfers || question.qclass != QCLASS::CLASS(CLASS::IN) {
        *packet.rcode_mut() = RCODE::Refused;
        return Some(packet);
    }
    packet.set_flags(PacketFlag::AUTHORITATIVE_ANSWER);
    let addresses = match question.qname == apex {
        true => Some(&zone.all),
        false => node(zone, &question.qname, &apex),
    };
    if addresses.is_none() {
        *packet.rcode_mut() = RCODE::NameError;
    }
    for address in addresses.into_iter().flatten() {
        let (kind, data) = match *address {
            IpAddr::V4(address) => (TYPE::A, RData::A(address.into())),
            IpAddr::V6(address) => (TYPE::AAAA, RData::AAAA(address.into())),
        };
        if question.qtype == QTYPE::TYPE(kind) || question.qtype == QTYPE::ANY {
            let name = question.qname.clone();
            packet
                .answers
                .push(ResourceRecord::new(name, CLASS::IN, TTL, data));
        }
    }
    let start = authority(zone, apex.clone());
    if question.qname == apex && question.qtype == QTYPE::TYPE(TYPE::SOA) {
        packet.answers.push(start);
    } else if packet.answers.is_empty() {
        packet.name_servers.push(start);
    }
    Some(packet)
}

/// Where a node's name leads; `None` for a name that is not there.
fn node<'z>(zone: &'z Zone, name: &Name<'_>, apex: &Name<'_>) -> Option<&'z Vec<IpAddr>> {
    let below = name.without(apex)?;
    let [label] = below.get_labels() else {
        return None;
    };
    zone.nodes.get(&label.to_string().to_ascii_lowercase())
}

/// What says how long a "no" may be remembered (RFC 2308).
fn authority<'a>(zone: &'a Zone, apex: Name<'a>) -> ResourceRecord<'a> {
    let data = SOA {
        mname: apex.clone(),
        rname: Name::new_unchecked("holdfast.invalid"),
        serial: u32::try_from(zone.nodes.len()).unwrap_or(u32::MAX),
        refresh: 60,
        retry: 60,
        expire: 60,
        minimum: TTL,
    };
    ResourceRecord::new(apex, CLASS::IN, TTL, RData::SOA(data))
}

#[cfg(test)]
mod tests {
    use simple_dns::Question;

    use super::*;

    fn zone() -> Zone {
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        let nodes = [
            ("n1", vec![address("192.0.2.1"), address("2001:db8::1")]),
            ("n2", vec![address("192.0.2.2")]),
        ];
        Zone {
            name: "oob.example.org".to_owned(),
            all: vec![
                address("192.0.2.1"),
                address("192.0.2.2"),
                address("2001:db8::1"),
            ],
            nodes: nodes.map(|(name, all)| (name.to_owned(), all)).into(),
        }
    }

    fn ask(name: &str, qtype: QTYPE) -> Vec<u8> {
        let mut query = Packet::new_query(7);
        query.set_flags(PacketFlag::RECURSION_DESIRED);
        let question = Question::new(
            Name::new(name).unwrap(),
            qtype,
            QCLASS::CLASS(CLASS::IN),
            false,
        );
        query.questions.push(question);
        query.build_bytes_vec().unwrap()
    }

    /// Code, addresses, whether somebody may remember a no.
    fn told(name: &str, qtype: QTYPE) -> (RCODE, Vec<String>, bool) {
        let bytes = answer(&zone(), &ask(name, qtype), Carrier::Udp).unwrap();
        let packet = Packet::parse(&bytes).unwrap();
        assert_eq!(
            (packet.id(), packet.has_flags(PacketFlag::RESPONSE)),
            (7, true)
        );
        assert!(!packet.has_flags(PacketFlag::RECURSION_AVAILABLE));
        let said = packet.answers.iter().map(|record| {
            if let RData::A(a) = &record.rdata {
                return std::net::Ipv4Addr::from(a.clone()).to_string();
            }
            if let RData::AAAA(a) = &record.rdata {
                return std::net::Ipv6Addr::from(a.clone()).to_string();
            }
            format!("{:?}", record.rdata.type_code())
        });
        (
            packet.rcode(),
            said.collect(),
            !packet.name_servers.is_empty(),
        )
    }

    #[test]
    fn the_clusters_names_lead_to_its_nodes_and_nothing_else_is_answered() {
        let (a, aaaa) = (QTYPE::TYPE(TYPE::A), QTYPE::TYPE(TYPE::AAAA));
        let of = |addresses: &[&str]| {
            addresses
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
        };
        assert_eq!(
            told("oob.example.org", a),
            (RCODE::NoError, of(&["192.0.2.1", "192.0.2.2"]), false)
        );
        assert_eq!(
            told("N1.OOB.example.org", aaaa),
            (RCODE::NoError, of(&["2001:db8::1"]), false)
        );
        assert_eq!(
            told("n2.oob.example.org", aaaa),
            (RCODE::NoError, of(&[]), true)
        );
        assert_eq!(
            told("n3.oob.example.org", a),
            (RCODE::NameError, of(&[]), true)
        );
        assert_eq!(told("x.n1.oob.example.org", a).0, RCODE::NameError);
        assert_eq!(told("oob.example.org", QTYPE::TYPE(TYPE::SOA)).1, ["SOA"]);
        for other in ["example.org", "www.example.com", "badoob.example.org"] {
            assert_eq!(told(other, a), (RCODE::Refused, of(&[]), false), "{other}");
        }
        assert_eq!(told("oob.example.org", QTYPE::AXFR).0, RCODE::Refused);
    }

    #[test]
    fn what_is_no_question_gets_an_error_or_silence() {
        let question = ask("oob.example.org", QTYPE::TYPE(TYPE::A));
        let code = |bytes: &[u8]| {
            answer(&zone(), bytes, Carrier::Udp).map(|bytes| Packet::parse(&bytes).unwrap().rcode())
        };
        let mut many = question.clone();
        many[5] = 2;
        assert_eq!(code(&many), Some(RCODE::FormatError));
        assert_eq!(code(&question[..20]), Some(RCODE::FormatError));
        assert_eq!(code(&question[..5]), None);
        let mut reply = question.clone();
        reply[2] |= 0x80;
        assert_eq!(code(&reply), None);
        let mut notify = question.clone();
        notify[2] = 4 << 3;
        assert_eq!(code(&notify), Some(RCODE::NotImplemented));
        for length in 0..question.len() {
            for byte in 0..length {
                let mut damaged = question[..length].to_vec();
                damaged[byte] ^= 0xff;
                drop(answer(&zone(), &damaged, Carrier::Udp));
            }
        }
    }

    #[test]
    fn an_answer_that_does_not_fit_says_so_and_comes_over_tcp() {
        let mut zone = zone();
        zone.all = (0..60).map(|n| IpAddr::from([192, 0, 2, n])).collect();
        let question = ask("oob.example.org", QTYPE::TYPE(TYPE::A));
        let bytes = answer(&zone, &question, Carrier::Udp).unwrap();
        let packet = Packet::parse(&bytes).unwrap();
        assert!(packet.has_flags(PacketFlag::TRUNCATION) && packet.answers.is_empty());
        let bytes = answer(&zone, &question, Carrier::Tcp).unwrap();
        assert_eq!(Packet::parse(&bytes).unwrap().answers.len(), 60);
    }
}
