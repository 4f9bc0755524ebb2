use super::*;

/// `meaning` in short: `? `, `free`, `bare coming`, `4711 coming`, `4711 coming in 20 all | rest`, `4711 unclear | rest`,
/// `Start(night fire)`.
fn shown(meaning: &Meaning) -> String {
    match meaning {
        Meaning::Question => "?".to_owned(),
        Meaning::Free => "free".to_owned(),
        Meaning::Order(order) => format!("{:?}({})", order.verb, order.args),
        Meaning::BareAnswer(given) => format!("bare {}", said(given)),
        Meaning::Code { code, given, rest } => {
            let answer = given.as_ref().map_or("unclear".to_owned(), said);
            let rest = if rest.is_empty() {
                String::new()
            } else {
                format!(" | {rest}")
            };
            format!("{code} {answer}{rest}")
        }
    }
}

fn said(given: &Given) -> String {
    let when = match &given.eta {
        None => String::new(),
        Some(Eta::Minutes(minutes)) => format!(" in {minutes}"),
        Some(Eta::Absurd(said)) => format!(" in {said:?}"),
    };
    let all = if given.all { " all" } else { "" };
    format!("{}{when}{all}", given.answer.name())
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
        ("4711 1 with a van", "4711 coming | with a van"),
        ("4711 1, 20 men", "4711 coming | 20 men"),
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
        ("who is this?", "Who(is this?)"),
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
            .map(|(code, given)| format!("{code} {}", said(&given)))
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
    assert_eq!(
        part("4711 1 20 min and I bring the").as_deref(),
        Some("4711 coming in 20")
    );
    // What may have been "200" is no time.
    assert_eq!(part("4711 1 and then 20").as_deref(), Some("4711 coming"));
    assert_eq!(part("4711 1 in 20").as_deref(), Some("4711 coming"));
}

#[test]
fn coming_may_say_in_how_many_minutes() {
    check(&[
        ("4711 1 20", "4711 coming in 20"),
        ("4711 OK 20 min", "4711 coming in 20"),
        ("4711 1, 20 min", "4711 coming in 20"),
        ("4711 1 20min.", "4711 coming in 20"),
        ("4711 1 there in 20 min", "4711 coming in 20"),
        ("4711 tulossa noin 20 min päästä", "4711 coming in 20"),
        ("4711 kommer om 20 minuter", "4711 coming in 20"),
        ("4711 coming in 2 hours", "4711 coming in 120"),
        ("4711 1 3 min", "4711 coming in 3"),
        ("4711 1 0", "4711 coming in 0"),
        ("tulossa 4711 20", "4711 coming in 20"),
        ("47111 20", "4711 coming in 20"),
        (
            "4711 1 20 min traffic on E18",
            "4711 coming in 20 | traffic on E18",
        ),
        ("1 20", "bare coming in 20"),
        ("OK 20 min", "bare coming in 20"),
        ("tulossa 20 kiitos", "bare coming in 20"),
    ]);
}

#[test]
fn a_time_nobody_can_mean_leaves_the_answer() {
    check(&[
        ("4711 1 5000", "4711 coming in \"5000\""),
        ("4711 1 721 min", "4711 coming in \"721 min\""),
        ("4711 1 720 min", "4711 coming in 720"),
        ("4711 1 90 h", "4711 coming in \"90 h\""),
    ]);
}

#[test]
fn other_numbers_are_no_times() {
    check(&[
        ("4711 1 14:50", "4711 coming | 14:50"),
        ("4711 1 20-30 min", "4711 coming | 20-30 min"),
        ("4711 1 1.5 h", "4711 coming | 1.5 h"),
        ("4711 1 2 t", "4711 coming | 2 t"),
        ("4711 1 20 people hurt", "4711 coming | 20 people hurt"),
        ("4711 1 0401234567", "4711 coming | 0401234567"),
        ("4711 1 20 or so", "4711 coming | 20 or so"),
        ("4711 20", "4711 unclear | 20"),
        ("4711 20 min", "4711 unclear | 20 min"),
        ("4711 2 20 min", "4711 cannot | 20 min"),
        ("4711 1 3", "4711 unclear"),
        ("ei 20", "free"),
    ]);
}

#[test]
fn all_answers_for_a_whole_bundle() {
    check(&[
        ("4711 ALL", "4711 coming all"),
        ("4711 1 all", "4711 coming all"),
        ("4711 2 KAIKKI", "4711 cannot all"),
        ("4711 ok 20 min alla", "4711 coming in 20 all"),
        ("4711 1 20 all", "4711 coming in 20 all"),
        ("alla 4711", "4711 coming all"),
        ("1 ALL", "bare coming all"),
        ("4711 all good here", "4711 unclear | all good here"),
        ("4711 1 all good", "4711 coming | all good"),
        ("all good", "free"),
    ]);
}

#[test]
fn an_order_begins_with_its_word_in_any_language() {
    check(&[
        (
            "START mail-down Mail; Turku",
            "Start(mail-down Mail; Turku)",
        ),
        (
            "start: night Fire in hall 2!",
            "Start(night Fire in hall 2!)",
        ),
        ("Hälytä yö Tulipalo", "Start(yö Tulipalo)"),
        ("larma natt Brand", "Start(natt Brand)"),
        ("STATUS", "Status()"),
        ("Status?", "Status()"),
        ("tilanne 118", "Status(118)"),
        ("läge", "Status()"),
        ("Who 118", "Who(118)"),
        ("ADD 118 night", "Add(118 night)"),
        ("lägg till 118 natt", "Add(118 natt)"),
        ("MSG 118 gate 3 is open", "Tell(118 gate 3 is open)"),
        ("@all gate 3 is open", "Tell(gate 3 is open)"),
        ("@kaikki portti 3", "Tell(portti 3)"),
        ("ROOM 118 @all gate 3", "Tell(118 gate 3)"),
        ("ROOM 118 mail me at x@all", "Room(118 mail me at x@all)"),
        ("ROOM 118 pumps run", "Room(118 pumps run)"),
        ("ROOM ops @all gate 3", "Room(ops @all gate 3)"),
        ("Follow 118", "Follow(118)"),
        ("seuraa ops", "Follow(ops)"),
        ("Följ 118", "Follow(118)"),
        ("UNFOLLOW ops", "Unfollow(ops)"),
        ("Älä seuraa 118", "Unfollow(118)"),
        ("följ inte 118", "Unfollow(118)"),
        ("CALLOFF 118 false alarm", "CallOff(118 false alarm)"),
        ("call off 118", "CallOff(118)"),
        ("Peru 118 väärä hälytys", "CallOff(118 väärä hälytys)"),
        ("TAKE 118", "Take(118)"),
        ("MUTE zabbix 30", "Mute(zabbix 30)"),
        ("OHJE", "Help()"),
        ("Report: water in the cellar", "Report(water in the cellar)"),
        ("Ilmoitus vettä kellarissa", "Report(vettä kellarissa)"),
        ("TAKE 4711", "Take(4711)"),
        ("calloff 4711 false", "CallOff(4711 false)"),
    ]);
}

#[test]
fn an_answer_is_never_an_order_nor_an_order_an_answer() {
    check(&[
        ("Alert 4711 1", "4711 coming | Alert"),
        ("Hälytys 4711 tulossa", "4711 coming | Hälytys"),
        ("larm 4711", "4711 unclear | larm"),
        ("status 4711 2", "4711 cannot | status"),
        ("take 4711 1 2", "4711 unclear | take"),
        ("calloff 4711 all", "CallOff(4711 all)"),
        ("I take the stairs", "free"),
        ("help", "bare need_help"),
        ("apua", "bare need_help"),
    ]);
    let answers: Vec<&[&str]> = AlertKind::ALL
        .into_iter()
        .flat_map(phrases::all)
        .map(|phrase| phrase.words)
        .collect();
    for (verb, words) in crate::texts::verbs() {
        assert!(
            !answers.contains(&&*words),
            "{verb:?} {words:?} is an answer"
        );
        for word in words {
            assert!(
                !phrases::COURTESIES.contains(&word),
                "{word} is passed over"
            );
            assert!(!phrases::ALL.contains(&word), "{word} means all");
            assert!(!phrases::QUESTIONS.contains(&word), "{word} asks");
        }
    }
}

#[test]
fn every_verb_has_its_word_in_every_language_and_none_means_two() {
    use crate::texts::{Language, Verb, verbs};
    let mut seen = std::collections::BTreeMap::new();
    for (verb, words) in verbs() {
        let earlier = seen.insert(words.clone(), verb);
        assert!(earlier.is_none_or(|earlier| earlier == verb), "{words:?}");
    }
    for verb in [
        Verb::Start,
        Verb::Status,
        Verb::Who,
        Verb::Add,
        Verb::Tell,
        Verb::Room,
        Verb::Follow,
        Verb::Unfollow,
        Verb::Mute,
        Verb::CallOff,
        Verb::Take,
        Verb::Help,
        Verb::Report,
    ] {
        for &language in Language::all() {
            let word = verb.word(language);
            let order = parse(word, &[], AlertKind::Alert);
            assert!(
                matches!(order, Meaning::Order(ref o) if o.verb == verb),
                "{word}"
            );
        }
    }
}

#[test]
fn the_word_for_all_that_a_text_of_ours_names_is_understood() {
    use crate::texts::{Language, Refused, Verb, order_refused};
    for &language in Language::all() {
        let usage = order_refused(language, Refused::Usage(Verb::Mute));
        let (_, example) = usage.rsplit_once(" / ").unwrap();
        let Meaning::Order(order) = parse(example, &[], AlertKind::Alert) else {
            panic!("{example} is no order")
        };
        assert_eq!(order.verb, Verb::Mute, "{example}");
        let (what, minutes) = word_and_minutes(&order.args);
        assert!(is_all(what), "{what}");
        assert_eq!(minutes, Ok(Some(30)), "{example}");
    }
}

#[test]
fn the_first_part_of_an_order_is_no_answer_with_a_wrong_code() {
    let open = ["4711".to_owned()];
    let part = |text| parse_part(text, &open, AlertKind::Alert);
    assert_eq!(part("halyta 5000 tulossa and so on"), None);
    assert!(part("4711 tulossa and so on").is_some());
}

/// Texts that look like what people send: words we know, codes, numbers and rubbish, run together in any order.
fn likely_text() -> impl proptest::strategy::Strategy<Value = String> {
    use proptest::prelude::*;
    let known: Vec<&'static str> = crate::texts::verbs()
        .flat_map(|(_, words)| words)
        .chain(
            AlertKind::ALL
                .into_iter()
                .flat_map(phrases::all)
                .flat_map(|phrase| phrase.words.iter().copied()),
        )
        .chain(phrases::ALL.iter().copied())
        .chain([
            "4711", "118", "1", "2", "20", "min", "h", "@all", "?", ":", "ok", "no", "5000", "B-7",
        ])
        .collect();
    let word = prop_oneof![
        4 => prop::sample::select(known).prop_map(str::to_owned),
        1 => any::<String>(),
    ];
    prop::collection::vec(
        (word, prop::sample::select(vec![" ", "", "\n", ", ", "-"])),
        0..8,
    )
    .prop_map(|words| words.into_iter().map(|(word, gap)| word + gap).collect())
}

proptest::proptest! {
    #[test]
    fn no_text_breaks_the_parser(text in proptest::prelude::any::<String>()) {
        for kind in AlertKind::ALL {
            parse(&text, &["4711".to_owned()], kind);
            parse_part(&text, &[], kind);
        }
    }

    #[test]
    fn whatever_people_send_means_one_thing_however_it_is_typed(text in likely_text()) {
        let open = ["4711".to_owned()];
        let meaning = parse(&text, &open, AlertKind::Alert);
        proptest::prop_assert_eq!(&parse(&format!(" {text} "), &open, AlertKind::Alert), &meaning);
        if let Meaning::Order(order) = &meaning {
            // Nothing that a person's own code gives an answer to is an order.
            let as_answer = parse_part(&format!("{text} and so on"), &open, AlertKind::Alert);
            proptest::prop_assert!(as_answer.is_none(), "{:?} and {:?}", order, as_answer);
            target_and_words(&order.args);
            let (_, _) = word_and_minutes(&order.args);
        }
        if let Meaning::Code { given: Some(given), .. } | Meaning::BareAnswer(given) = &meaning {
            let minutes = given.eta_min().unwrap_or(0);
            proptest::prop_assert!(minutes <= crate::vocabulary::ETA_MIN_MAX);
            proptest::prop_assert!(given.eta.is_none() || given.answer == Answer::Coming);
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

#[test]
fn french_and_japanese_are_understood_as_they_are_typed() {
    check(&[
        ("J'arrive", "bare coming"),
        ("4711 j’arrive dans 20 min", "4711 coming in 20"),
        ("Bien reçu, merci", "bare received"),
        ("Je ne peux pas", "bare cannot"),
        ("besoin d'aide", "bare need_help"),
        ("Vrai ?", "?"),
        ("行きます", "bare coming"),
        ("４７１１ 行けない", "4711 cannot"),
        ("4711 行きます 20分", "4711 coming in 20"),
        ("了解しました", "bare received"),
        ("助けて", "bare need_help"),
        ("本物？", "?"),
    ]);
}

#[test]
fn what_a_text_offers_as_answers_is_understood_when_it_is_typed_as_a_word() {
    let open = ["4711".to_owned()];
    for kind in [AlertKind::Alert, AlertKind::SafetyCheck] {
        for (answer, language) in kind
            .answers()
            .iter()
            .flat_map(|answer| words::built_in().iter().map(move |words| (answer, words)))
        {
            let hint = language.text(&format!("sms.hint.{}", answer.name()));
            let hint = hint.unwrap();
            let meant = shown(&parse(hint, &open, kind));
            assert_eq!(meant, format!("bare {}", answer.name()), "{hint:?}");
        }
    }
}
