//! Every vector in `vectors/`: octets and what they mean, from the standards' text and from other implementations.

#![expect(clippy::unwrap_used, reason = "all of this file is a test")]

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value, json};
use sms::alphabet;
use sms::hex;
use sms::pdu::{
    Dcs, DeliverPdu, Pdu, RelativeValidity, ServiceCentreTimestamp, StatusReportPdu,
    StatusReportStatus, SubmitPdu, UserData, Validity,
};
use sms::reassembly::Reassembler;
use sms::segment::{SegmentOptions, segment};

#[test]
fn every_vector_means_what_its_origin_says() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/vectors");
    let mut checked = BTreeMap::new();
    let mut wrong = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let file: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        assert!(
            file["origin"].is_string(),
            "{name} does not say where it comes from"
        );
        for vector in file["vectors"].as_array().unwrap() {
            wrong.extend(
                differences(vector)
                    .into_iter()
                    .map(|difference| format!("{name}: {difference}\n  {vector}")),
            );
            *checked.entry(name.clone()).or_insert(0) += 1;
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(
        checked.values().sum::<u32>() > 150,
        "vectors are missing: {checked:?}"
    );
}

fn differences(vector: &Value) -> Vec<String> {
    let found = meaning(vector);
    let mut differences = Vec::new();
    for (key, expected) in vector["expect"].as_object().unwrap() {
        let value = found.get(key).unwrap_or(&Value::Null);
        if value != expected {
            differences.push(format!("{key} is {value}, not {expected}"));
        }
    }
    if vector["reencodes"] == json!(true) && found.get("octets") != Some(&vector["pdu"]) {
        differences.push(format!("is written as {:?}", found.get("octets")));
    }
    differences
}

fn meaning(vector: &Value) -> Map<String, Value> {
    let text = |key: &str| vector[key].as_str().unwrap_or_default().to_owned();
    let octets = || hex::decode(&text("pdu")).unwrap();
    let found = match vector["do"].as_str().unwrap() {
        "submit" => {
            SubmitPdu::decode(&octets()).map_or_else(|error| failed(&error), |pdu| of_submit(&pdu))
        }
        "deliver" => DeliverPdu::decode(&octets())
            .map_or_else(|error| failed(&error), |pdu| of_deliver(&pdu)),
        "report" => StatusReportPdu::decode(&octets())
            .map_or_else(|error| failed(&error), |pdu| of_report(&pdu)),
        "incoming" => match Pdu::decode_incoming(&octets()) {
            Ok(Pdu::Deliver(pdu)) => of_deliver(&pdu),
            Ok(Pdu::StatusReport(pdu)) => of_report(&pdu),
            Err(error) => failed(&error),
        },
        "join-submit" => joined(vector, |octets| {
            let pdu = SubmitPdu::decode(octets).unwrap();
            (of_submit(&pdu), pdu.user_data)
        }),
        "join-deliver" => joined(vector, |octets| {
            let pdu = DeliverPdu::decode(octets).unwrap();
            (of_deliver(&pdu), pdu.user_data)
        }),
        "pack" => {
            let septets = alphabet::encode_gsm7(&text("text")).unwrap();
            let fill = vector["fill"].as_u64().unwrap_or(0) as usize;
            json!({ "octets": hex::encode(&alphabet::pack_septets(&septets, fill)), "septets": septets.len() })
        }
        "unpack" => {
            let octets = hex::decode(&text("octets")).unwrap();
            let septets =
                alphabet::unpack_septets(&octets, 0, vector["count"].as_u64().unwrap() as usize);
            json!({ "text": alphabet::decode_gsm7(&septets) })
        }
        "validity" => {
            let octet = vector["octet"].as_u64().unwrap() as u8;
            json!({ "seconds": RelativeValidity(octet).duration().as_secs() })
        }
        "validity-at-least" => {
            let seconds = Duration::from_secs(vector["seconds"].as_u64().unwrap());
            json!({ "octet": RelativeValidity::at_least(seconds).0 })
        }
        "timestamp" => {
            let octets = hex::decode(&text("octets")).unwrap();
            let stamp = ServiceCentreTimestamp::from_octets(octets.try_into().unwrap());
            json!({ "text": stamp.to_string(), "valid": stamp.is_valid(), "unix": stamp.unix_seconds() })
        }
        "dcs" => {
            let dcs = Dcs(vector["octet"].as_u64().unwrap() as u8);
            json!({
                "alphabet": format!("{:?}", dcs.alphabet()),
                "class": dcs.class(),
                "compressed": dcs.is_compressed(),
                "waiting": dcs.message_waiting().map(|waiting| waiting.active),
            })
        }
        "status" => {
            let status = StatusReportStatus {
                raw: vector["octet"].as_u64().unwrap() as u8,
            };
            json!({ "class": format!("{:?}", status.class()) })
        }
        "segment" => {
            let text = text("text").repeat(vector["times"].as_u64().unwrap_or(1) as usize);
            let options = SegmentOptions {
                reference: 1,
                parts_max: 255,
                transliterate_typographic: false,
            };
            let segmented = segment(&text, &options).unwrap();
            let unit_counts: Vec<usize> = segmented.parts.iter().map(units).collect();
            json!({ "alphabet": format!("{:?}", segmented.alphabet), "units": unit_counts })
        }
        other => panic!("nobody knows how to do {other}"),
    };
    found.as_object().unwrap().clone()
}

fn failed(error: &sms::pdu::PduError) -> Value {
    json!({ "error": error.to_string() })
}

fn of_submit(pdu: &SubmitPdu) -> Value {
    let validity_s = match pdu.validity {
        Some(Validity::Relative(period)) => json!(period.duration().as_secs()),
        Some(Validity::Absolute(until)) => json!(until.to_string()),
        Some(Validity::Enhanced(_)) => json!("enhanced"),
        None => Value::Null,
    };
    json!({
        "smsc": pdu.smsc.as_ref().map(ToString::to_string),
        "to": pdu.destination.to_string(),
        "reference": pdu.message_reference,
        "validity_s": validity_s,
        "status_report_request": pdu.status_report_request,
        "reject_duplicates": pdu.reject_duplicates,
        "reply_path": pdu.reply_path,
        "dcs": pdu.dcs.0,
        "text": pdu.user_data.text(),
        "concatenation": concatenation(&pdu.user_data),
        "octets": pdu.encode().to_hex(),
        "tpdu_len": pdu.encode().tpdu_len,
    })
}

fn of_deliver(pdu: &DeliverPdu) -> Value {
    json!({
        "smsc": pdu.smsc.as_ref().map(ToString::to_string),
        "from": pdu.originator.to_string(),
        "from_kind": format!("{:?}", pdu.originator.type_of_number()),
        "pid": pdu.pid,
        "dcs": pdu.dcs.0,
        "class": pdu.dcs.class(),
        "time": pdu.timestamp.to_string(),
        "unix": pdu.timestamp.unix_seconds(),
        "more_messages": pdu.more_messages,
        "status_report_indication": pdu.status_report_indication,
        "text": pdu.user_data.text(),
        "data": match pdu.user_data.body() {
            sms::pdu::Body::Octets(octets) => json!(hex::encode(octets)),
            sms::pdu::Body::Gsm7(_) | sms::pdu::Body::Ucs2(_) => Value::Null,
        },
        "concatenation": concatenation(&pdu.user_data),
        "elements": pdu.user_data.header().iter().map(|element| element.identifier).collect::<Vec<u8>>(),
        "octets": pdu.encode().to_hex(),
    })
}

fn of_report(pdu: &StatusReportPdu) -> Value {
    json!({
        "to": pdu.recipient.to_string(),
        "reference": pdu.message_reference,
        "time": pdu.timestamp.to_string(),
        "unix": pdu.timestamp.unix_seconds(),
        "discharge": pdu.discharge_time.to_string(),
        "discharge_unix": pdu.discharge_time.unix_seconds(),
        "status": pdu.status.raw,
        "class": format!("{:?}", pdu.status.class()),
        "final": pdu.status.is_final(),
        "text": pdu.user_data.as_ref().and_then(|(_, data)| data.text()),
        "octets": pdu.encode().to_hex(),
    })
}

fn concatenation(data: &UserData) -> Value {
    data.concatenation().map_or(Value::Null, |c| {
        json!([c.reference, c.reference_bits, c.total, c.sequence])
    })
}

fn units(data: &UserData) -> usize {
    match data.body() {
        sms::pdu::Body::Gsm7(septets) => septets.len(),
        sms::pdu::Body::Octets(octets) => octets.len(),
        sms::pdu::Body::Ucs2(units) => units.len(),
    }
}

/// All parts, last one first, put together as a receiver does.
fn joined(vector: &Value, read: impl Fn(&[u8]) -> (Value, UserData)) -> Value {
    let pdus = vector["pdus"].as_array().unwrap();
    let mut reassembler = Reassembler::new();
    let mut first = Value::Null;
    let mut text = Value::Null;
    for pdu in pdus.iter().rev() {
        let (header, user_data) = read(&hex::decode(pdu.as_str().unwrap()).unwrap());
        let originator = sms::Address::parse("+358401234567").unwrap();
        let stamp = ServiceCentreTimestamp::from_octets([0; 7]);
        for message in reassembler
            .insert(
                Duration::ZERO,
                DeliverPdu::new(originator, stamp, user_data),
            )
            .messages
        {
            text = json!(message.text);
        }
        first = header;
    }
    first["parts"] = json!(pdus.len());
    first["text"] = text;
    first
}
