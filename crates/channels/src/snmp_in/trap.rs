//! From a notification to the document that a source's mapping reads.
//!
//! Beginning and end of what standard notifications tell have one key: a link that goes down is closed by its coming up.
//! Devices' own notifications are told by their numbers; what belongs together among them a source's mapping can say, by
//! `{oid}`, `{values.0}` and the like.

use std::net::IpAddr;

use serde_json::{Map, Value as Json, json};

use super::ber::{self, Oid};
use super::message::{Pdu, Value};

/// `sysUpTime.0` and `snmpTrapOID.0`, the first two values of every notification (RFC 3416 §4.2.6).
const UPTIME: [u32; 9] = [1, 3, 6, 1, 2, 1, 1, 3, 0];
const TRAP_OID: [u32; 11] = [1, 3, 6, 1, 6, 3, 1, 1, 4, 1, 0];
/// `snmpTrapAddress.0`: whom a proxy speaks for (RFC 3584 §3.1).
const TRAP_ADDRESS: [u32; 10] = [1, 3, 6, 1, 6, 3, 18, 1, 3, 0];

const VALUE_LEN_MAX: usize = 200;
const TEXT_LEN_MAX: usize = 500;

/// Notifications of the standards, by their names.
const TRAPS: [(&[u32], &str); 13] = [
    (&[1, 3, 6, 1, 6, 3, 1, 1, 5, 1], "coldStart"),
    (&[1, 3, 6, 1, 6, 3, 1, 1, 5, 2], "warmStart"),
    (&[1, 3, 6, 1, 6, 3, 1, 1, 5, 3], "linkDown"),
    (&[1, 3, 6, 1, 6, 3, 1, 1, 5, 4], "linkUp"),
    (&[1, 3, 6, 1, 6, 3, 1, 1, 5, 5], "authenticationFailure"),
    (&[1, 3, 6, 1, 2, 1, 33, 2, 1], "upsTrapOnBattery"),
    (&[1, 3, 6, 1, 2, 1, 33, 2, 2], "upsTrapTestCompleted"),
    (&[1, 3, 6, 1, 2, 1, 33, 2, 3], "upsTrapAlarmEntryAdded"),
    (&[1, 3, 6, 1, 2, 1, 33, 2, 4], "upsTrapAlarmEntryRemoved"),
    (&[1, 3, 6, 1, 2, 1, 15, 0, 1], "bgpEstablishedNotification"),
    (
        &[1, 3, 6, 1, 2, 1, 15, 0, 2],
        "bgpBackwardTransNotification",
    ),
    (&[1, 3, 6, 1, 2, 1, 47, 2, 0, 1], "entConfigChange"),
    (&[1, 3, 6, 1, 4, 1, 8072, 4, 0, 2], "nsNotifyShutdown"),
];

/// What they carry, by name.
const FIELDS: [(&[u32], &str); 15] = [
    (&[1, 3, 6, 1, 2, 1, 1, 5], "sysName"),
    (&[1, 3, 6, 1, 2, 1, 1, 6], "sysLocation"),
    (&[1, 3, 6, 1, 2, 1, 2, 2, 1, 1], "ifIndex"),
    (&[1, 3, 6, 1, 2, 1, 2, 2, 1, 2], "ifDescr"),
    (&[1, 3, 6, 1, 2, 1, 2, 2, 1, 7], "ifAdminStatus"),
    (&[1, 3, 6, 1, 2, 1, 2, 2, 1, 8], "ifOperStatus"),
    (&[1, 3, 6, 1, 2, 1, 31, 1, 1, 1, 1], "ifName"),
    (&[1, 3, 6, 1, 2, 1, 31, 1, 1, 1, 18], "ifAlias"),
    (&[1, 3, 6, 1, 2, 1, 15, 3, 1, 7], "bgpPeerRemoteAddr"),
    (&[1, 3, 6, 1, 2, 1, 15, 3, 1, 14], "bgpPeerLastError"),
    (&[1, 3, 6, 1, 2, 1, 15, 3, 1, 2], "bgpPeerState"),
    (
        &[1, 3, 6, 1, 2, 1, 33, 1, 2, 3],
        "upsEstimatedMinutesRemaining",
    ),
    (&[1, 3, 6, 1, 2, 1, 33, 1, 2, 2], "upsSecondsOnBattery"),
    (&[1, 3, 6, 1, 2, 1, 33, 1, 6, 2, 1, 1], "upsAlarmId"),
    (&[1, 3, 6, 1, 2, 1, 33, 1, 6, 2, 1, 2], "upsAlarmDescr"),
];

/// What begins, what ends it, what both are about, and the field that tells several of them apart by its value, or by its
/// place in its table.
const PAIRS: [(&str, &str, &str, &str); 3] = [
    ("linkDown", "linkUp", "link", "ifIndex"),
    (
        "upsTrapAlarmEntryAdded",
        "upsTrapAlarmEntryRemoved",
        "ups alarm",
        "upsAlarmId",
    ),
    (
        "bgpBackwardTransNotification",
        "bgpEstablishedNotification",
        "bgp peer",
        "bgpPeerState",
    ),
];

/// A value as it came, with what its name means.
struct Field<'p> {
    oid: &'p Oid,
    /// Its name and its place in its table, where known.
    known: Option<(&'static str, String)>,
    value: Json,
}

/// `key`, `text`, `status` (`firing`, or `resolved` at the end of what has one), `trap` (its name, or its number), `oid`,
/// `agent` (whose it is), `sender` (the name in the settings), `uptime`, `values` in order, `vars` by number, `fields` by
/// name, `labels`.
pub(super) fn document(pdu: &Pdu, from: IpAddr, sender: &str) -> Json {
    let value = |name: &[u32]| {
        let mut varbinds = pdu.varbinds.iter();
        varbinds
            .find(|(oid, _)| oid.arcs() == name)
            .map(|(_, value)| value)
    };
    let oid = match value(&TRAP_OID) {
        Some(Value::Oid(oid)) => oid.arcs(),
        Some(_) | None => &[],
    };
    let name = TRAPS.iter().find(|(known, _)| *known == oid);
    let number = match oid.is_empty() {
        true => "unnamed".to_owned(),
        false => ber::dotted(oid),
    };
    let trap = name.map_or_else(|| number.clone(), |(_, name)| (*name).to_owned());
    let agent = match value(&TRAP_ADDRESS) {
        Some(Value::Address(address)) if !address.is_unspecified() => address.to_string(),
        Some(_) | None => from.to_canonical().to_string(),
    };
    let fields = fields(pdu);
    let (matter, over) = matter(&trap, &fields);
    let by_name: Map<String, Json> = fields
        .iter()
        .filter_map(|field| Some((field.known.as_ref()?.0.to_owned(), field.value.clone())))
        .collect();
    let mut labels = by_name.clone();
    labels.insert("agent".to_owned(), agent.clone().into());
    labels.insert("trap".to_owned(), trap.clone().into());
    labels.insert("sender".to_owned(), sender.into());
    let by_number: Map<String, Json> = fields
        .iter()
        .map(|field| (field.oid.to_string(), field.value.clone()))
        .collect();
    let in_order: Vec<&Json> = fields.iter().map(|field| &field.value).collect();
    json!({
        "key": format!("{agent} {matter}"),
        "text": text(&trap, &agent, &fields),
        "status": if over { "resolved" } else { "firing" },
        "trap": trap,
        "oid": number,
        "agent": agent,
        "sender": sender,
        "uptime": value(&UPTIME).map(shown),
        "values": in_order,
        "vars": by_number,
        "fields": by_name,
        "labels": labels,
    })
}

/// Everything but what every notification begins with.
fn fields(pdu: &Pdu) -> Vec<Field<'_>> {
    let varbinds = pdu.varbinds.iter();
    varbinds
        .filter(|(oid, _)| ![&UPTIME[..], &TRAP_OID, &TRAP_ADDRESS].contains(&oid.arcs()))
        .map(|(oid, value)| {
            let mut known = FIELDS.iter();
            let known = known.find_map(|(column, name)| {
                let instance = oid.after(column)?;
                Some((*name, ber::dotted(instance)))
            });
            Field {
                oid,
                known,
                value: shown(value),
            }
        })
        .collect()
}

/// What a notification is about, and whether it is over.
fn matter(trap: &str, fields: &[Field<'_>]) -> (String, bool) {
    let pair = PAIRS
        .iter()
        .find(|(begin, end, ..)| [*begin, *end].contains(&trap));
    let Some((_, end, about, field)) = pair else {
        return (trap.to_owned(), false);
    };
    // Some senders name the column only by its instance.
    let found = fields.iter().find_map(|found| {
        let (name, instance) = found.known.as_ref()?;
        (name == field).then_some((&found.value, instance))
    });
    let which = match found {
        Some((Json::Number(index), _)) if *field == "ifIndex" => index.to_string(),
        Some((Json::String(alarm), _)) if *field == "upsAlarmId" => alarm.clone(),
        Some((_, instance)) => instance.clone(),
        None => fields
            .iter()
            .find_map(|found| Some(found.known.as_ref()?.1.clone()))
            .unwrap_or_default(),
    };
    (format!("{about} {which}"), trap == *end)
}

/// What people read: what it is, where, and its values.
fn text(trap: &str, agent: &str, fields: &[Field<'_>]) -> String {
    let place = fields.iter().find_map(|field| {
        let (name, _) = field.known.as_ref()?;
        (*name == "sysName").then(|| plain(&field.value))
    });
    let place = match place {
        Some(name) => format!("{name} ({agent})"),
        None => agent.to_owned(),
    };
    let values: Vec<String> = fields
        .iter()
        .filter(|field| field.value != Json::Null)
        .filter_map(|field| match &field.known {
            Some(("sysName", _)) => None,
            Some((name, _)) => Some(format!("{name} {}", plain(&field.value))),
            None => Some(plain(&field.value)),
        })
        .collect();
    let text = match values.is_empty() {
        true => format!("{trap} at {place}"),
        false => format!("{trap} at {place}: {}", values.join(", ")),
    };
    text.chars().take(TEXT_LEN_MAX).collect()
}

fn plain(value: &Json) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

fn shown(value: &Value) -> Json {
    match value {
        Value::Integer(number) => (*number).into(),
        Value::Unsigned(number) => (*number).into(),
        Value::Oid(oid) => oid.to_string().into(),
        Value::Address(address) => address.to_string().into(),
        Value::Octets(bytes) => octets(bytes).into(),
        Value::Nothing => Json::Null,
    }
}

/// Bytes as text where they are text, else in hexadecimal digits.
fn octets(bytes: &[u8]) -> String {
    let text = std::str::from_utf8(bytes)
        .ok()
        .map(|text| text.trim_end_matches('\0'));
    let text = text.filter(|text| !text.contains(|c: char| c.is_control() && !c.is_whitespace()));
    match text {
        Some(text) => text.chars().take(VALUE_LEN_MAX).collect(),
        None => {
            let digits = bytes.iter().take(VALUE_LEN_MAX / 3);
            let digits: Vec<String> = digits.map(|byte| format!("{byte:02x}")).collect();
            digits.join(":")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::ber::Reader;
    use super::*;

    /// A notification with these values after its name.
    pub(super) fn trap(name: &[u32], values: &[(&[u32], Vec<u8>)]) -> Pdu {
        let varbind = |oid: &[u32], value: &[u8]| {
            ber::nested(ber::SEQUENCE, &[&ber::oid_in_internet(oid), value])
        };
        let mut list = varbind(&UPTIME, &ber::integer(0x43, 4_711));
        list.extend(varbind(&TRAP_OID, &ber::oid_in_internet(name)));
        for (oid, value) in values {
            list.extend(varbind(oid, value));
        }
        let zero = ber::integer(ber::INTEGER, 0);
        let pdu = ber::nested(
            0xa7,
            &[&zero, &zero, &zero, &ber::element(ber::SEQUENCE, &list)],
        );
        Pdu::read(&mut Reader::new(&pdu)).unwrap()
    }

    const SWITCH: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 5));

    #[test]
    fn a_link_has_one_key_whether_it_goes_or_comes() {
        let index: &[u32] = &[1, 3, 6, 1, 2, 1, 2, 2, 1, 1, 3];
        let descr: &[u32] = &[1, 3, 6, 1, 2, 1, 2, 2, 1, 2, 3];
        let three = ber::integer(ber::INTEGER, 3);
        let values = [(index, three), (descr, ber::octets(b"Gi0/3"))];
        let down = document(&trap(TRAPS[2].0, &values), SWITCH, "core");
        assert_eq!(
            (&down["key"], &down["status"], &down["trap"]),
            (
                &json!("10.0.0.5 link 3"),
                &json!("firing"),
                &json!("linkDown")
            )
        );
        assert_eq!(
            down["text"],
            "linkDown at 10.0.0.5: ifIndex 3, ifDescr Gi0/3"
        );
        assert_eq!(down["labels"]["ifDescr"], "Gi0/3");
        // This one says only where it is in its table.
        let up = document(&trap(TRAPS[3].0, &values[1..]), SWITCH, "core");
        assert_eq!(
            (&up["key"], &up["status"]),
            (&down["key"], &json!("resolved"))
        );
    }

    #[test]
    fn a_device_of_its_own_kind_is_told_by_numbers_and_values() {
        let own: &[u32] = &[1, 3, 6, 1, 4, 1, 99_999, 0, 7];
        let at: &[u32] = &[1, 3, 6, 1, 4, 1, 99_999, 1, 1];
        let mac: &[u32] = &[1, 3, 6, 1, 4, 1, 99_999, 1, 2];
        let values = [
            (at, ber::octets("Lämpö 41".as_bytes())),
            (mac, ber::octets(&[0, 0xff])),
            (&TRAP_ADDRESS[..], ber::element(0x40, &[192, 0, 2, 7])),
        ];
        let found = document(&trap(own, &values), SWITCH, "hvac");
        assert_eq!(found["key"], "192.0.2.7 1.3.6.1.4.1.99999.0.7");
        assert_eq!(
            found["text"],
            "1.3.6.1.4.1.99999.0.7 at 192.0.2.7: Lämpö 41, 00:ff"
        );
        assert_eq!(found["values"], json!(["Lämpö 41", "00:ff"]));
        assert_eq!(found["vars"]["1.3.6.1.4.1.99999.1.1"], "Lämpö 41");
    }
}
