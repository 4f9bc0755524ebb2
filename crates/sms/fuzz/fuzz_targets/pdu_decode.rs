//! Any octets, read as every kind of PDU: no panic, and what was read once is written and read again the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sms::Address;
use sms::pdu::{DeliverPdu, Pdu, StatusReportPdu, SubmitPdu};

fuzz_target!(|octets: &[u8]| {
    if let Ok(pdu) = Pdu::decode_incoming(octets) {
        match pdu {
            Pdu::Deliver(pdu) => check_deliver(&pdu),
            Pdu::StatusReport(report) => {
                let again = StatusReportPdu::decode(&report.encode().octets).expect("what was written is readable");
                if is_plain(&report.recipient) {
                    assert_eq!(again.recipient, report.recipient);
                }
                assert_eq!((again.status, again.user_data.clone()), (report.status, report.user_data.clone()));
            }
        }
    }
    if let Ok(pdu) = SubmitPdu::decode(octets) {
        let encoded = pdu.encode();
        assert!(encoded.tpdu_len < encoded.octets.len());
        let again = SubmitPdu::decode(&encoded.octets).expect("what was written is readable");
        assert_eq!((again.user_data.body(), again.validity, again.dcs), (pdu.user_data.body(), pdu.validity, pdu.dcs));
    }
    if let Ok(text) = std::str::from_utf8(octets) {
        _ = sms::hex::decode(text);
        if let Ok(address) = Address::parse(text) {
            assert!(address.to_string().chars().count() <= 21);
        }
        let options = sms::segment::SegmentOptions { parts_max: 255, ..Default::default() };
        if let Ok(segmented) = sms::segment::segment(text, &options) {
            assert_eq!(segmented.parts.len(), sms::segment::count_parts(text, true));
        }
    }
});

fn check_deliver(pdu: &DeliverPdu) {
    let again = DeliverPdu::decode(&pdu.encode().octets).expect("what was written is readable");
    if is_plain(&pdu.originator) {
        assert_eq!(again.originator, pdu.originator);
    }
    assert_eq!(again.user_data, pdu.user_data);
    assert_eq!((again.timestamp, again.dcs, again.pid), (pdu.timestamp, pdu.dcs, pdu.pid));
    _ = (again.user_data.text(), again.user_data.concatenation(), again.timestamp.to_string());
}

/// Names can hold escapes that show as other characters; numbers go there and back exactly.
fn is_plain(address: &Address) -> bool {
    address.type_of_number() != sms::TypeOfNumber::Alphanumeric
}
