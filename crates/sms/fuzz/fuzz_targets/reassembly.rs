//! Any parts at any time: no panic, bounded memory, and no part is lost: each comes out in a message, once, or is
//! called a repetition.
#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use sms::Address;
use sms::pdu::{Body, DeliverPdu, InformationElement, ServiceCentreTimestamp, UserData};
use sms::reassembly::{GIVE_UP_AFTER, Reassembler};

fuzz_target!(|script: &[u8]| {
    let mut reassembler = Reassembler::new();
    let mut now = Duration::ZERO;
    let (mut taken, mut given) = (0, 0);
    for chunk in script.chunks(8) {
        let &[kind, sender, reference, total, sequence, pause, unit, more] = chunk else {
            break;
        };
        now += Duration::from_secs(u64::from(pause) * 4);
        let element = if kind & 1 == 0 {
            InformationElement { identifier: 0, data: vec![reference, total, sequence] }
        } else {
            InformationElement { identifier: 8, data: vec![0, reference, total, sequence] }
        };
        let shift = InformationElement { identifier: 0x25, data: vec![more & 15] };
        let header = if kind & 2 == 0 { vec![element] } else { vec![element, shift] };
        let body = match kind >> 2 & 3 {
            0 | 1 => Body::Gsm7(vec![unit & 0x7F, more & 0x7F]),
            2 => Body::Ucs2(vec![u16::from(unit) << 8 | u16::from(more)]),
            _ => Body::Octets(vec![unit]),
        };
        let user_data = UserData::new(header, body).expect("it is short");
        let originator = Address::unknown(&format!("4{}", sender & 3)).expect("digits");
        let pdu = DeliverPdu::new(originator, ServiceCentreTimestamp::from_octets([0; 7]), user_data);
        let insertion = reassembler.insert(now, pdu);
        taken += usize::from(!insertion.is_repetition);
        given += insertion.messages.iter().map(|message| message.parts.len()).sum::<usize>();
        assert!(reassembler.pending_len() <= 512);
    }
    now += GIVE_UP_AFTER;
    given += reassembler.handle_timeout(now).iter().map(|message| message.parts.len()).sum::<usize>();
    assert_eq!((taken, reassembler.poll_timeout()), (given, None));
});
