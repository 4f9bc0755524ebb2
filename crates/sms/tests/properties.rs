//! What holds for any input: round trips, any order of parts, and an engine no bytes can upset.
#![expect(
    clippy::disallowed_methods,
    reason = "the transcript has to begin at some instant"
)]

use std::time::{Duration, Instant};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use sms::Address;
use sms::alphabet::{self, fill_bits, pack_septets, unpack_septets};
use sms::modem::{Event, Modem, ModemConfig, RingId, SubmitId};
use sms::pdu::{
    Body, Concatenation, Dcs, DeliverPdu, InformationElement, Pdu, RelativeValidity,
    ServiceCentreTimestamp, StatusReportPdu, StatusReportStatus, SubmitPdu, UserData, Validity,
};
use sms::reassembly::Reassembler;
use sms::segment::{SegmentOptions, count_parts, segment};

fn addresses() -> impl Strategy<Value = Address> {
    prop_oneof![
        "\\+[0-9]{1,20}".prop_map(|text| Address::parse(&text).expect("it is made to fit")),
        "[0-9]{1,20}".prop_map(|text| Address::unknown(&text).expect("it is made to fit")),
        "[0-9]{1,20}".prop_map(|text| Address::national(&text).expect("it is made to fit")),
        // A trailing @ of eight cannot be told from padding.
        "[A-Za-zåäöÅÄÖ]{1,11}"
            .prop_map(|text| Address::alphanumeric(&text).expect("it is made to fit")),
    ]
}

fn bodies() -> impl Strategy<Value = Body> {
    prop_oneof![
        vec(0..128_u8, 0..=100).prop_map(Body::Gsm7),
        vec(any::<u8>(), 0..=80).prop_map(Body::Octets),
        vec(any::<u16>(), 0..=40).prop_map(Body::Ucs2),
    ]
}

fn elements() -> impl Strategy<Value = InformationElement> {
    (any::<u8>(), vec(any::<u8>(), 0..=6))
        .prop_map(|(identifier, data)| InformationElement { identifier, data })
}

fn user_data() -> impl Strategy<Value = UserData> {
    (vec(elements(), 0..=4), bodies())
        .prop_map(|(header, body)| UserData::new(header, body).expect("it is made to fit"))
}

fn stamps() -> impl Strategy<Value = ServiceCentreTimestamp> {
    any::<[u8; 7]>().prop_map(ServiceCentreTimestamp::from_octets)
}

fn validities() -> impl Strategy<Value = Option<Validity>> {
    prop_oneof![
        Just(None),
        any::<u8>().prop_map(|octet| Some(Validity::Relative(RelativeValidity(octet)))),
        stamps().prop_map(|until| Some(Validity::Absolute(until))),
        any::<[u8; 7]>().prop_map(|octets| Some(Validity::Enhanced(octets))),
    ]
}

/// Texts of all sorts: plain, typographic, other scripts, emoji, controls.
fn texts() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ -~€äöåÄÖÅ§\r\n]{0,700}",
        "[a-z\u{2013}\u{2019}\u{201c}…]{0,400}",
        "[а-яa-z0-9 ]{0,300}",
        "[🚒🔥a-zа\u{0}\u{1a}\u{1b}]{0,200}",
        "[\\[\\]{}|^~€\\\\a]{0,500}",
        "\\PC{0,300}",
    ]
}

proptest! {
    #[test]
    fn septets_survive_packing(septets in vec(0..128_u8, 0..200), header in 0..140_usize) {
        let fill = fill_bits(header);
        let octets = pack_septets(&septets, fill);
        prop_assert_eq!(unpack_septets(&octets, fill, septets.len()), septets);
        prop_assert_eq!((header * 8 + fill) % 7, 0);
    }

    #[test]
    fn gsm7_text_survives_coding(text in "[A-Za-z0-9 @£$¥èéùìòÇØøÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ!\"#¤%&'()*+,./:;<=>?¡ÄÖÑÜ§¿äöñüà^{}~|€\\[\\]\\\\\r\n-]{0,200}") {
        let septets = alphabet::encode_gsm7(&text).unwrap();
        prop_assert_eq!(alphabet::gsm7_septets(&text), Some(septets.len()));
        prop_assert_eq!(alphabet::decode_gsm7(&septets), text);
    }

    #[test]
    fn a_submit_survives_coding(
        destination in addresses(),
        smsc in proptest::option::of("\\+[0-9]{1,19}[1-9]"),
        user_data in user_data(),
        validity in validities(),
        message_reference: u8,
        pid: u8,
        flags: [bool; 3],
    ) {
        let mut pdu = SubmitPdu::new(destination, user_data);
        pdu.smsc = smsc.map(|text| Address::parse(&text).unwrap());
        pdu.message_reference = message_reference;
        pdu.pid = pid;
        pdu.validity = validity;
        [pdu.status_report_request, pdu.reject_duplicates, pdu.reply_path] = flags;
        let encoded = pdu.encode();
        prop_assert_eq!(sms::hex::decode(&encoded.to_hex()), Ok(encoded.octets.clone()));
        prop_assert!(encoded.tpdu_len <= 164);
        prop_assert_eq!(SubmitPdu::decode(&encoded.octets), Ok(pdu));
    }

    #[test]
    fn a_deliver_survives_coding(
        originator in addresses(),
        user_data in user_data(),
        timestamp in stamps(),
        pid: u8,
        flags: [bool; 4],
    ) {
        let mut pdu = DeliverPdu::new(originator, timestamp, user_data);
        pdu.pid = pid;
        [pdu.more_messages, pdu.loop_prevention, pdu.status_report_indication, pdu.reply_path] = flags;
        prop_assert_eq!(Pdu::decode_incoming(&pdu.encode().octets), Ok(Pdu::Deliver(pdu)));
    }

    #[test]
    fn a_report_survives_coding(
        recipient in addresses(),
        stamps in [stamps(), stamps()],
        octets: [u8; 2],
        flags: [bool; 3],
        pid: Option<u8>,
        user_data in proptest::option::of(user_data()),
    ) {
        let pdu = StatusReportPdu {
            smsc: None,
            message_reference: octets[0],
            recipient,
            timestamp: stamps[0],
            discharge_time: stamps[1],
            status: StatusReportStatus { raw: octets[1] },
            more_messages: flags[0],
            loop_prevention: flags[1],
            for_command: flags[2],
            pid,
            user_data: user_data.map(|data| (Dcs::of(data.alphabet()), data)),
        };
        prop_assert_eq!(Pdu::decode_incoming(&pdu.encode().octets), Ok(Pdu::StatusReport(pdu)));
    }

    #[test]
    fn a_date_survives_coding(seconds in 946_800_000..4_102_000_000_i64, zone in -56..=56_i8) {
        let stamp = ServiceCentreTimestamp::from_unix(seconds, zone).unwrap();
        prop_assert_eq!(stamp.unix_seconds(), Some(seconds));
        prop_assert_eq!(ServiceCentreTimestamp::from_civil(stamp.civil().unwrap()), Some(stamp));
    }

    #[test]
    fn a_validity_is_never_shorter_than_asked(seconds in 0..38_102_400_u64) {
        let asked = Duration::from_secs(seconds);
        let chosen = RelativeValidity::at_least(asked);
        prop_assert!(chosen.duration() >= asked);
        if chosen.0 > 0 {
            prop_assert!(RelativeValidity(chosen.0 - 1).duration() < asked);
        }
    }

    #[test]
    fn a_text_in_parts_of_any_order_with_repetitions_is_the_text(
        text in texts(),
        reference: u8,
        order in vec(any::<Index>(), 0..40),
        repeated in vec(any::<Index>(), 0..10),
        transliterate_typographic: bool,
    ) {
        let options = SegmentOptions { reference, parts_max: 255, transliterate_typographic };
        let segmented = segment(&text, &options).unwrap();
        prop_assert_eq!(segmented.parts.len(), count_parts(&text, transliterate_typographic));
        if !transliterate_typographic {
            prop_assert_eq!(&segmented.text, &text);
        }
        let mut parts = segmented.parts.clone();
        for index in order {
            let moved = parts.remove(index.index(parts.len()));
            parts.push(moved);
        }
        for index in repeated {
            let again = parts[index.index(parts.len())].clone();
            // Repetitions come after their part: a single part has no number to know it by.
            if segmented.parts.len() > 1 {
                parts.push(again);
            }
        }
        let mut reassembler = Reassembler::new();
        let mut messages = Vec::new();
        for part in parts {
            let stamp = ServiceCentreTimestamp::from_octets([0; 7]);
            let pdu = DeliverPdu::new(Address::parse("+358401234567").unwrap(), stamp, part);
            let pdu = DeliverPdu::decode(&pdu.encode().octets).unwrap();
            messages.extend(reassembler.insert(Duration::ZERO, pdu).messages);
        }
        prop_assert_eq!(messages.len(), 1);
        prop_assert_eq!(messages[0].text.as_deref(), Some(segmented.text.as_str()));
        prop_assert!(messages[0].is_complete());
    }

    #[test]
    fn no_part_ends_inside_a_character(text in texts()) {
        let options = SegmentOptions { parts_max: 255, ..SegmentOptions::default() };
        let segmented = segment(&text, &options).unwrap();
        let alone: String = segmented.parts.iter().map(|part| part.text().unwrap()).collect();
        prop_assert_eq!(alone, segmented.text);
    }

    #[test]
    fn impossible_part_numbers_are_no_part(reference: u16, total: u8, sequence: u8, wide: bool) {
        let reference_bits = if wide { 16 } else { 8 };
        let given = Concatenation { reference: if wide { reference } else { reference & 0xFF }, reference_bits, total, sequence };
        let data = UserData::new(vec![given.element()], Body::Gsm7(Vec::new())).unwrap();
        let possible = (1..=total).contains(&sequence);
        prop_assert_eq!(data.concatenation(), possible.then_some(given));
    }

    #[test]
    fn any_octets_are_read_or_refused(octets in vec(any::<u8>(), 0..200)) {
        _ = Pdu::decode_incoming(&octets);
        _ = SubmitPdu::decode(&octets);
    }

    #[test]
    fn no_bytes_upset_the_engine_and_every_part_and_ring_ends_once(
        script in vec(prop_oneof![
            vec(any::<u8>(), 0..40),
            prop_oneof![
                Just("\r\nOK\r\n"), Just("\r\n> "), Just("\r\nERROR\r\n"), Just("\r\n+CMGS: 3\r\n\r\nOK\r\n"),
                Just("\r\n+CMTI: \"ME\",1\r\n"), Just("\r\n+CMT: ,24\r\n"), Just("\r\n+CMS ERROR: 500\r\n"),
                Just("\r\n+CMGL: 1,1,,9\r\n0011\r\n"), Just("\r\nBUSY\r\n"), Just("\r\nNO CARRIER\r\n"), Just("\r\nRING\r\n"),
                Just("\r\n+CLCC: 1,0,3,0,0\r\n\r\nOK\r\n"), Just("\r\n+CLCC: 1,0,0,0,0\r\n\r\nOK\r\n"),
                Just("\r\nRDY\r\n"), Just("\r\n+CPIN: SIM PUK\r\n\r\nOK\r\n"),
            ].prop_map(|text| text.as_bytes().to_vec()),
        ], 0..120),
        pauses in vec(0..40_u64, 120),
    ) {
        let mut now = Instant::now();
        let mut modem = Modem::new(now, ModemConfig::default());
        let mut ended = vec![0; script.len()];
        let mut rung = vec![0; script.len()];
        for (index, bytes) in script.iter().enumerate() {
            let data = UserData::of_text("hello").unwrap();
            modem.submit(now, SubmitId(index as u64), SubmitPdu::new(Address::parse("+358401234567").unwrap(), data));
            modem.ring(now, RingId(index as u64), Address::parse("+358401234567").unwrap(), Duration::from_secs(20));
            modem.handle_input(now, bytes);
            let until = now + Duration::from_secs(pauses[index]);
            while let Some(due) = modem.poll_timeout().filter(|due| *due <= until) {
                now = now.max(due);
                modem.handle_timeout(now);
            }
            now = until;
            count_ends(&mut modem, &mut ended, &mut rung);
        }
        modem.port_lost(now);
        modem.handle_timeout(now + Duration::from_secs(120));
        count_ends(&mut modem, &mut ended, &mut rung);
        prop_assert!(ended.iter().all(|times| *times == 1), "{:?}", ended);
        prop_assert!(rung.iter().all(|times| *times == 1), "{:?}", rung);
    }
}

fn count_ends(modem: &mut Modem, ended: &mut [u32], rung: &mut [u32]) {
    while modem.poll_transmit().is_some() {}
    while let Some(event) = modem.poll_event() {
        if let Event::Submitted { id, .. } = &event {
            ended[id.0 as usize] += 1;
        }
        if let Event::RingEnded { id, .. } = &event {
            rung[id.0 as usize] += 1;
        }
    }
}
