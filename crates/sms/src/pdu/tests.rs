use super::*;
use crate::alphabet::Alphabet;

fn octets(text: &str) -> Vec<u8> {
    hex::decode(text).unwrap()
}

#[test]
fn a_submit_is_written_octet_by_octet_as_the_standard_says() {
    let mut pdu = SubmitPdu::new(
        Address::parse("+46708251358").unwrap(),
        UserData::of_text("hellohello").unwrap(),
    );
    pdu.validity = Some(Validity::Relative(RelativeValidity(0xAA)));
    let encoded = pdu.encode();
    assert_eq!(
        encoded.to_hex(),
        "0011000B916407281553F80000AA0AE8329BFD4697D9EC37"
    );
    assert_eq!(encoded.tpdu_len, 23);
    assert_eq!(SubmitPdu::decode(&encoded.octets), Ok(pdu));
}

#[test]
fn a_deliver_is_read() {
    let pdu = DeliverPdu::decode(&octets(
        "07917283010010F5040BC87238880900F10000993092516195800AE8329BFD4697D9EC37",
    ))
    .unwrap();
    assert_eq!(
        pdu.smsc.as_ref().map(ToString::to_string).as_deref(),
        Some("+27381000015")
    );
    assert_eq!(pdu.originator.value(), "27838890001");
    assert_eq!(pdu.user_data.text().as_deref(), Some("hellohello"));
    assert!(!pdu.more_messages);
    assert_eq!(pdu.timestamp.to_string(), "2099-03-29T15:16:59+02:00");
}

#[test]
fn the_reserved_message_type_is_read_as_a_message() {
    let mut bytes = octets("00040BC87238880900F10000993092516195800AE8329BFD4697D9EC37");
    bytes[1] |= 3;
    assert!(matches!(Pdu::decode_incoming(&bytes), Ok(Pdu::Deliver(_))));
    bytes[1] = 0x05;
    assert_eq!(
        Pdu::decode_incoming(&bytes),
        Err(PduError::MessageType { indicator: 1 })
    );
}

#[test]
fn a_sixteen_bit_reference_needs_no_fill_bits() {
    let concatenation = Concatenation {
        reference: 0x1234,
        reference_bits: 16,
        total: 2,
        sequence: 1,
    };
    let body = Body::Gsm7(crate::alphabet::encode_gsm7("hello").unwrap());
    let data = UserData::new(vec![concatenation.element()], body).unwrap();
    let mut out = Vec::new();
    data.encode(&mut out);
    assert_eq!(hex::encode(&out), "0D06080412340201E8329BFD06");
    assert_eq!(UserData::decode(&out, Dcs::GSM7, true), Ok(data));
}

#[test]
fn impossible_part_numbers_leave_a_message_standing_alone() {
    for data in [[1, 0, 0], [1, 0, 1], [1, 2, 0], [1, 2, 3]] {
        let element = InformationElement {
            identifier: 0,
            data: data.to_vec(),
        };
        let user_data = UserData::new(vec![element], Body::Gsm7(vec![b'A'])).unwrap();
        assert_eq!(user_data.concatenation(), None);
        assert_eq!(user_data.text().as_deref(), Some("A"));
    }
}

#[test]
fn every_truncation_of_a_pdu_is_an_error_and_never_a_panic() {
    let whole = octets(
        "07917283010010F5440B917238880900F10000993092516195800F050003010201D06536FB8D2EB3D9",
    );
    assert!(DeliverPdu::decode(&whole).is_ok());
    for length in 0..whole.len() {
        assert!(Pdu::decode_incoming(&whole[..length]).is_err(), "{length}");
    }
}

#[test]
fn a_report_is_read_with_and_without_its_optional_end() {
    let plain = octets("00062A0C91534810325476621112223193806211122231048022");
    let report = StatusReportPdu::decode(&plain).unwrap();
    assert_eq!(
        (report.message_reference, report.status.class()),
        (0x2A, StatusClass::Trying)
    );
    assert_eq!(report.encode().octets, plain);
    let mut long = plain.clone();
    long.extend(octets("07000003C8329B")); // PI, PID, DCS, UDL 3, "He" and a piece
    let report = StatusReportPdu::decode(&long).unwrap();
    assert_eq!(report.pid, Some(0));
    assert!(report.user_data.is_some());
    long.truncate(plain.len() + 3);
    assert_eq!(StatusReportPdu::decode(&long).unwrap().user_data, None);
}

#[test]
fn status_octets_are_classed_by_range() {
    for (raw, class) in [
        (0x00, StatusClass::Delivered),
        (0x1F, StatusClass::Delivered),
        (0x20, StatusClass::Trying),
        (0x3F, StatusClass::Trying),
        (0x40, StatusClass::Permanent),
        (0x5F, StatusClass::Permanent),
        (0x60, StatusClass::GaveUp),
        (0x7F, StatusClass::GaveUp),
        (0x80, StatusClass::Permanent),
    ] {
        assert_eq!(StatusReportStatus { raw }.class(), class, "{raw:02X}");
    }
}

#[test]
fn user_data_that_does_not_fit_is_refused() {
    assert!(UserData::of_text(&"a".repeat(160)).is_ok());
    assert_eq!(
        UserData::of_text(&"a".repeat(161)),
        Err(UserDataTooLong { octets: 141 })
    );
    assert_eq!(
        UserData::of_text(&"ж".repeat(70)).unwrap().alphabet(),
        Alphabet::Ucs2
    );
    assert!(UserData::of_text(&"ж".repeat(71)).is_err());
}
