use super::*;

#[test]
fn every_septet_but_the_escape_goes_there_and_back() {
    for septet in (0..128u8).filter(|s| *s != ESCAPE) {
        let text = decode_gsm7(&[septet]);
        assert_eq!(encode_gsm7(&text), Some(vec![septet]), "{text:?}");
    }
    for (septet, _) in EXTENSION {
        let text = decode_gsm7(&[ESCAPE, septet]);
        assert_eq!(encode_gsm7(&text), Some(vec![ESCAPE, septet]), "{text:?}");
    }
}

#[test]
fn position_5f_is_the_section_sign() {
    assert_eq!(decode_gsm7(&[0x5F]), "§");
    assert_eq!(gsm7_septets("`"), None);
}

#[test]
fn odd_escapes_are_shown_as_the_standard_says() {
    assert_eq!(decode_gsm7(&[ESCAPE, b'A']), "A");
    assert_eq!(decode_gsm7(&[ESCAPE, ESCAPE, b'A']), " A");
    assert_eq!(decode_gsm7(&[b'A', ESCAPE]), "A");
}

#[test]
fn extension_characters_cost_two() {
    assert_eq!(gsm7_septets("a€{}"), Some(7));
    assert_eq!(gsm7_septets("žluťoučký"), None);
}

#[test]
fn typography_becomes_plain_and_names_stay() {
    assert_eq!(
        transliterate_typographic("“Šárka” – ready…\u{a0}now\u{1a}"),
        "\"Šárka\" - ready... now"
    );
    assert_eq!(transliterate_typographic("Gal·la Novák"), "Gal·la Novák");
    assert_eq!(
        transliterate_typographic("Ha\u{308}meenlinna"),
        "Hämeenlinna"
    );
}

#[test]
fn national_tables_apply_when_asked_for() {
    let locking = NationalShift {
        locking: Some(NationalLanguage::Turkish),
        single: None,
    };
    assert_eq!(
        decode_gsm7_with(&[0x07, 0x0B, b'a', ESCAPE, 0x65], locking),
        "ıĞa€"
    );
    let single = NationalShift {
        locking: None,
        single: Some(NationalLanguage::Spanish),
    };
    assert_eq!(
        decode_gsm7_with(&[ESCAPE, 0x61, ESCAPE, 0x3D, ESCAPE, b'z'], single),
        "á~z"
    );
}

#[test]
fn septets_pack_as_in_the_classic_example() {
    let septets = encode_gsm7("hellohello").unwrap();
    let octets = pack_septets(&septets, 0);
    assert_eq!(crate::hex::encode(&octets), "E8329BFD4697D9EC37");
    assert_eq!(unpack_septets(&octets, 0, 10), septets);
    assert_eq!((fill_bits(0), fill_bits(6), fill_bits(7)), (0, 1, 0));
}

#[test]
fn scripts_of_india_are_read_by_their_common_layout() {
    use NationalLanguage::*;
    let locked = |language, septets: &[u8]| {
        decode_gsm7_with(
            septets,
            NationalShift {
                locking: Some(language),
                single: Some(language),
            },
        )
    };
    for (language, letter_ka, digit_three) in [
        (Bengali, 'ক', '৩'),
        (Gujarati, 'ક', '૩'),
        (Hindi, 'क', '३'),
        (Kannada, 'ಕ', '೩'),
        (Malayalam, 'ക', '൩'),
        (Oriya, 'କ', '୩'),
        (Punjabi, 'ਕ', '੩'),
        (Tamil, 'க', '௩'),
        (Telugu, 'క', '౩'),
    ] {
        let digit_position = if language == Bengali { 0x1D } else { 0x1F };
        let text = locked(
            language,
            &[
                0x15,
                b'a',
                ESCAPE,
                digit_position,
                ESCAPE,
                b'A',
                ESCAPE,
                0x65,
            ],
        );
        assert_eq!(text, format!("{letter_ka}a{digit_three}A€"), "{language:?}");
    }
    assert_eq!(locked(Urdu, &[0x00, 0x06, ESCAPE, 0x3F, b'1']), "اڦ۔1");
    assert_eq!(locked(Tamil, &[0x00, 0x01]), " \u{B82}");
}
