use super::*;

/// `meaning` in short: `? `, `free`, `bare coming`, `4711 coming`, `4711 coming | rest`, `4711 unclear | rest`.
fn shown(meaning: &Meaning) -> String {
    match meaning {
        Meaning::Question => "?".to_owned(),
        Meaning::Free => "free".to_owned(),
        Meaning::BareAnswer(answer) => format!("bare {}", answer.name()),
        Meaning::Code { code, answer, rest } => {
            let answer = answer.map_or("unclear", Answer::name);
            let rest = if rest.is_empty() {
                String::new()
            } else {
                format!(" | {rest}")
            };
            format!("{code} {answer}{rest}")
        }
    }
}

/// Each line: a text, then what it means to a sender whose only open code is 4711.
fn check(table: &[(&str, &str)]) {
    let open = ["4711".to_owned()];
    for (text, expected) in table {
        assert_eq!(
            shown(&parse(text, &open, AlertKind::Alert)),
            *expected,
            "{text:?}"
        );
    }
}

#[test]
fn a_code_with_a_digit_is_an_answer_however_it_is_typed() {
    check(&[
        ("4711 1", "4711 coming"),
        ("4711 2", "4711 cannot"),
        ("4711 3", "4711 received"),
        ("4711 4", "4711 need_help"),
        ("1 4711", "4711 coming"),
        (" 4711  -  1 \r\n", "4711 coming"),
        ("4711,1.", "4711 coming"),
        ("\"4711 1\"", "4711 coming"),
        ("(4711)/2", "4711 cannot"),
        ("4711\n1", "4711 coming"),
        ("４７１１　１", "4711 coming"),
        ("Re: 4711 1 thanks", "4711 coming"),
        ("Vastaa 4711 1", "4711 coming"),
        ("4711 1=coming", "4711 coming"),
        ("4711 + 3", "4711 received"),
    ]);
}

#[test]
fn a_code_alone_is_coming() {
    check(&[
        ("4711", "4711 coming"),
        ("  4711!", "4711 coming"),
        ("Hej 4711 tack", "4711 coming"),
        ("4711 ok", "4711 coming"),
        ("4711 👍🏽", "4711 coming"),
    ]);
}

#[test]
fn words_answer_in_every_language_and_without_accents() {
    check(&[
        ("4711 tulossa", "4711 coming"),
        ("4711 Olen tulossa", "4711 coming"),
        ("tulossa 4711", "4711 coming"),
        ("4711 EN PÄÄSE", "4711 cannot"),
        ("4711 en paase", "4711 cannot"),
        ("4711 en pa\u{308}a\u{308}se", "4711 cannot"),
        ("4711 saatu", "4711 received"),
        ("4711 apua!", "4711 need_help"),
        ("4711 kommer", "4711 coming"),
        ("4711 kommer inte", "4711 cannot"),
        ("4711 kan inte komma", "4711 cannot"),
        ("4711 mottaget", "4711 received"),
        ("4711 hjälp", "4711 need_help"),
        ("4711 I'm coming", "4711 coming"),
        ("4711 I’m not coming", "4711 cannot"),
        ("4711 can't", "4711 cannot"),
        ("4711tulossa", "4711 coming"),
        ("4711 got it", "4711 received"),
        ("4711 need help", "4711 need_help"),
        ("4711 ja 2", "4711 cannot"),
        ("4711 ok 3", "4711 received"),
        ("4711 no joo", "4711 coming"),
    ]);
}

#[test]
fn what_else_was_said_is_kept_for_people() {
    check(&[
        ("4711 1 there in 20 min", "4711 coming | there in 20 min"),
        ("4711 1, 20 min", "4711 coming | 20 min"),
        ("4711 kommer om en timme", "4711 coming | om en timme"),
        (
            "Hi, 4711 4 Gate 3 is locked!",
            "4711 need_help | Hi, Gate 3 is locked!",
        ),
    ]);
}

#[test]
fn what_is_not_clearly_an_answer_is_not_taken_for_one() {
    check(&[
        (
            "4711 I am stuck in traffic",
            "4711 unclear | I am stuck in traffic",
        ),
        ("4711 2 min", "4711 unclear | 2 min"),
        ("4711 10 min", "4711 unclear | 10 min"),
        ("4711 1 2", "4711 unclear"),
        ("1 4711 2", "4711 unclear"),
        ("4711 5", "4711 unclear | 5"),
        ("4711 coming no cannot", "4711 unclear"),
        (
            "I may not be coming 4711",
            "4711 unclear | I may not be coming",
        ),
        ("2 people are hurt", "free"),
        ("no tulen kai", "free"),
        ("I am not sure", "free"),
        ("47", "free"),
        ("5", "free"),
        ("", "free"),
        ("0401234567", "free"),
    ]);
}

#[test]
fn an_answer_without_code_is_everything_the_text_says() {
    check(&[
        ("1", "bare coming"),
        ("１", "bare coming"),
        (" \"2\" ", "bare cannot"),
        ("3.", "bare received"),
        ("4!!", "bare need_help"),
        ("OK", "bare coming"),
        ("kyllä", "bare coming"),
        ("ja tack", "bare coming"),
        ("👍", "bare coming"),
        ("ok tulossa", "bare coming"),
        ("1 coming", "bare coming"),
        ("Ok, en pääse", "bare cannot"),
        ("apua", "bare need_help"),
        ("1 2", "free"),
        ("1 min", "free"),
    ]);
}

#[test]
fn a_question_mark_asks_and_never_answers() {
    check(&[
        ("?", "?"),
        (" \"?\" ", "?"),
        ("？", "?"),
        ("??", "?"),
        ("Aito?", "?"),
        ("äkta", "?"),
        ("4711?", "?"),
        ("4711 ?", "?"),
        ("4711 1?", "4711 coming"),
        ("who is this?", "free"),
    ]);
}

#[test]
fn digits_run_together_are_split_only_at_a_code_we_know() {
    check(&[
        ("47111", "4711 coming"),
        ("47112", "4711 cannot"),
        ("47115", "47115 coming"),
        ("58221", "58221 coming"),
    ]);
    let island = ["47111".to_owned()];
    assert_eq!(
        shown(&parse("47111", &island, AlertKind::Alert)),
        "47111 coming"
    );
    assert_eq!(
        shown(&parse("471112", &island, AlertKind::Alert)),
        "47111 cannot"
    );
    let assured = ["471100".to_owned()];
    assert_eq!(
        shown(&parse("471100 3", &assured, AlertKind::Alert)),
        "471100 received"
    );
    assert_eq!(
        shown(&parse("4711003", &assured, AlertKind::Alert)),
        "471100 received"
    );
}

#[test]
fn the_senders_own_code_is_found_among_other_numbers() {
    check(&[
        ("In 2026 we meet: 4711 1", "4711 coming | In 2026 we meet"),
        ("+358401234567 4711 2", "4711 cannot | +358401234567"),
        ("9999 1", "9999 coming"),
    ]);
}

#[test]
fn our_own_page_sent_back_is_no_answer() {
    check(&[
        (
            "4711 Aurora 118: Fire\nReply 4711 1=coming 2=cannot 3=received 4=need help ?=real?",
            "free",
        ),
        (
            "Liked “4711 Aurora 118: Fire Reply 4711 1=coming 2=cannot 3=received 4=need help”",
            "free",
        ),
    ]);
}

#[test]
fn a_part_counts_only_when_the_cut_cannot_have_changed_it() {
    let open = ["4711".to_owned()];
    let part = |text| {
        parse_part(text, &open, AlertKind::Alert)
            .map(|(code, answer)| format!("{code} {}", answer.name()))
    };
    assert_eq!(
        part("4711 1 I am on the ferry and will").as_deref(),
        Some("4711 coming")
    );
    assert_eq!(
        part("and more. 4711 en pääse koska tie on poikki").as_deref(),
        Some("4711 cannot")
    );
    assert_eq!(part("4711 I am on the ferry"), None);
    assert_eq!(part("long words and then 4711"), None);
    assert_eq!(part("long words and then 4711 1"), None);
    assert_eq!(part("long words and then 4711 2 mi"), None);
    assert_eq!(part("1"), None);
}

proptest::proptest! {
    #[test]
    fn no_text_breaks_the_parser(text in proptest::prelude::any::<String>()) {
        for kind in AlertKind::ALL {
            parse(&text, &["4711".to_owned()], kind);
            parse_part(&text, &[], kind);
        }
    }
}

#[test]
fn a_safety_check_is_answered_with_its_own_digits_and_words() {
    let open = ["4711".to_owned()];
    for (text, expected) in [
        ("4711 1", "4711 safe"),
        ("4711 2", "4711 need_help"),
        ("47113", "4711 not_on_site"),
        ("4711 4", "4711 unclear | 4"),
        ("4711", "4711 unclear"),
        ("4711 ok", "4711 safe"),
        ("Olen turvassa 4711", "4711 safe"),
        ("4711 jag är i säkerhet", "4711 safe"),
        ("4711 not here", "4711 not_on_site"),
        ("4711 en ole paikalla", "4711 not_on_site"),
        ("APUA", "bare need_help"),
        ("2", "bare need_help"),
        ("4711 coming", "4711 unclear | coming"),
        ("not safe", "free"),
        ("4711 tulossa", "4711 unclear | tulossa"),
        ("4711 1=safe 2=need help 3=not on site", "free"),
        ("4711?", "?"),
    ] {
        let found = parse(text, &open, AlertKind::SafetyCheck);
        assert_eq!(shown(&found), expected, "{text:?}");
    }
    for text in ["4711 safe", "4711 not on site"] {
        let found = parse(text, &open, AlertKind::Alert);
        assert!(
            shown(&found).starts_with("4711 unclear"),
            "{text:?}: {found:?}"
        );
    }
}
