use std::collections::BTreeSet;
use std::path::Path;

use expect_test::{Expect, expect};
use proptest::prelude::*;
use sms::alphabet::gsm7_septets;
use sms::segment::count_parts;

use super::*;
use crate::time::CivilTime;
use crate::vocabulary::{AlertKind, Answer, Severity, Status};

/// As long as an organisation's name is expected to be.
const ORGANISATION: &str = "Aurora Energy Norden";

/// Sixty characters, as long as a normal alert.
const TEXT: &str = "Fire alarm in server room 2, power cut at once, gates closed";

fn page_text(language: Language) -> PageText<'static> {
    PageText {
        language,
        organisation: ORGANISATION,
        status: Status::Actual,
        severity: Severity::Critical,
        number: "118",
        text: TEXT,
        gather: "",
        kind: AlertKind::Alert,
        answers: AlertKind::Alert.answers(),
        high_assurance: false,
    }
}

fn about(language: Language) -> About<'static> {
    About {
        language,
        organisation: ORGANISATION,
        number: "118",
        kind: AlertKind::Alert,
    }
}

fn finished(body: &str, code: &str) -> String {
    finish(body, code, &Marks::default())
}

fn parts(text: &str) -> usize {
    count_parts(text, true)
}

/// Whether a language is written in GSM 7-bit, of which a part holds 160 characters; else it holds 70.
fn short(language: Language) -> bool {
    language.tag() != "ja"
}

/// Parts of a normal page.
fn normal_parts(language: Language) -> usize {
    match short(language) {
        true => 1,
        false => 2,
    }
}

fn check(text: &str, expected: Expect) {
    expected.assert_eq(text);
}

#[test]
fn language_tags_are_read_by_their_primary_subtag() {
    for (tag, language) in [
        ("fi", Language::parse("fi")),
        ("FI-fi", Language::parse("fi")),
        ("sv_FI", Language::parse("sv")),
        ("en-GB", Language::english()),
        ("nb", Language::english()),
        ("", Language::english()),
    ] {
        assert_eq!(Language::parse(tag), language, "{tag}");
    }
    for &language in Language::all() {
        assert_eq!(Language::parse(language.tag()), language);
    }
}

#[test]
fn a_page_says_code_who_what_where_and_how_to_answer() {
    let page = |language| {
        let text = PageText {
            organisation: "Aurora Energy",
            gather: "Gate 3, bridge +358 9 1234 PIN 77",
            ..page_text(language)
        };
        finished(&page(text), "4711")
    };
    check(
        &page(Language::english()),
        expect![[r#"
            4711 Aurora Energy 118: Fire alarm in server room 2, power cut at once, gates closed
            Gather: Gate 3, bridge +358 9 1234 PIN 77
            Reply 4711 1=coming 2=cannot 3=received 4=need help ?=real?"#]],
    );
    check(
        &page(Language::parse("fi")),
        expect![[r#"
            4711 Aurora Energy 118: Fire alarm in server room 2, power cut at once, gates closed
            Kokoontuminen: Gate 3, bridge +358 9 1234 PIN 77
            Vastaa 4711 1=tulossa 2=en pääse 3=saatu 4=apua ?=aito?"#]],
    );
    check(
        &page(Language::parse("sv")),
        expect![[r#"
            4711 Aurora Energy 118: Fire alarm in server room 2, power cut at once, gates closed
            Samling: Gate 3, bridge +358 9 1234 PIN 77
            Svara 4711 1=kommer 2=kan inte 3=mottaget 4=hjälp ?=äkta?"#]],
    );
}

#[test]
fn where_to_gather_is_one_line_without_what_is_not_known() {
    let all = GatherText {
        place: "Gate 3",
        alternate: "Gate 5",
        bridge: "+358 9 1234",
        pin: "77",
    };
    let said = |language, parts| gather(language, parts);
    for (language, expected) in [
        (
            Language::english(),
            "Gate 3, alternate: Gate 5, bridge: +358 9 1234 PIN 77",
        ),
        (
            Language::parse("fi"),
            "Gate 3, varapaikka: Gate 5, puhelinkokous: +358 9 1234 PIN 77",
        ),
        (
            Language::parse("sv"),
            "Gate 3, reservplats: Gate 5, telefonmöte: +358 9 1234 PIN 77",
        ),
    ] {
        assert_eq!(said(language, all), expected);
    }
    let place = GatherText {
        place: "Gate 3",
        ..GatherText::default()
    };
    assert_eq!(said(Language::english(), place), "Gate 3");
    assert_eq!(said(Language::english(), GatherText::default()), "");
}

#[test]
fn only_the_answers_offered_are_named() {
    let text = PageText {
        answers: &[Answer::Received, Answer::NeedHelp],
        ..page_text(Language::english())
    };
    let text = finished(&page(text), "4711");
    assert!(
        text.ends_with("\nReply 4711 3=received 4=need help ?=real?"),
        "{text}"
    );
}

#[test]
fn a_normal_page_fits_one_part_in_every_language_even_as_an_exercise() {
    assert_eq!((ORGANISATION.len(), TEXT.len()), (20, 60));
    for &language in Language::all() {
        for status in [Status::Actual, Status::Exercise, Status::Test] {
            let text = finished(
                &page(PageText {
                    status,
                    ..page_text(language)
                }),
                "4711",
            );
            assert_eq!(gsm7_septets(&text).is_some(), short(language), "{text}");
            assert!(parts(&text) <= normal_parts(language), "{text}");
        }
        let text = PageText {
            high_assurance: true,
            ..page_text(language)
        };
        let text = finished(&page(text), "471100");
        assert!(parts(&text) <= normal_parts(language), "{text}");
    }
}

#[test]
fn an_exercise_says_so_right_after_the_code() {
    for (language, exercise, test) in [
        (Language::parse("fi"), "4711 HARJOITUS ", "4711 TESTI "),
        (Language::parse("sv"), "4711 ÖVNING ", "4711 TEST "),
        (Language::english(), "4711 EXERCISE ", "4711 TEST "),
    ] {
        for (status, expected) in [(Status::Exercise, exercise), (Status::Test, test)] {
            let text = PageText {
                status,
                ..page_text(language)
            };
            let (subject, body) = page_mail(text);
            let off = CallOffText {
                language,
                organisation: ORGANISATION,
                status,
                number: "118",
                reason: "",
            };
            let (off_subject, off_body) = call_off_mail(off);
            for text in [
                page(text),
                subject,
                body,
                call_off(off),
                off_subject,
                off_body,
            ] {
                assert!(finished(&text, "4711").starts_with(expected), "{text}");
            }
        }
    }
}

#[test]
fn marks_are_added_in_the_recipients_language() {
    let marks = |language| Marks {
        possible_repeat: true,
        renumbered: true,
        alone: Some("C".to_owned()),
        language,
    };
    let finished = |language| finish("\u{1} Aurora", "4711", &marks(language));
    assert_eq!(
        finished(Language::parse("fi")),
        "4711 Aurora (mahdollinen toisto) Vastaa TÄHÄN numeroon. (C yksin)"
    );
    assert_eq!(
        finished(Language::parse("sv")),
        "4711 Aurora (möjlig upprepning) Svara till DETTA nummer. (C ensam)"
    );
    assert_eq!(
        finished(Language::english()),
        "4711 Aurora (possible repeat) Answer to THIS number. (site C alone)"
    );
    assert_eq!(finish("\u{1} Aurora", "", &Marks::default()), "Aurora");
}

#[test]
fn text_of_5000_characters_is_cut_to_six_parts_and_keeps_the_rest_of_the_page() {
    for letter in ["a", "€", "ж", "🚒"] {
        for &language in Language::all() {
            let long = letter.repeat(5000);
            let body = page(PageText {
                text: &long,
                gather: &long,
                organisation: &long,
                ..page_text(language)
            });
            let text = finish(
                &body,
                "47110",
                &Marks {
                    possible_repeat: true,
                    renumbered: true,
                    alone: Some("Kajaani".repeat(9)),
                    language,
                },
            );
            assert!(
                (5..=6).contains(&parts(&text)),
                "{} parts of {letter}",
                parts(&text)
            );
            assert!(text.contains("..."));
            assert!(text.contains("47110 1="), "how to answer is never cut");
            let off = call_off(CallOffText {
                language,
                organisation: &long,
                status: Status::Exercise,
                number: "118",
                reason: &long,
            });
            assert!(parts(&finished(&off, "4711")) <= 6);
        }
    }
}

#[test]
fn emoji_and_other_scripts_stay() {
    let body = page(PageText {
        text: "Brand 🚒 пожар",
        ..page_text(Language::parse("sv"))
    });
    assert!(body.contains("Brand 🚒 пожар"));
}

#[test]
fn commands_to_a_modem_inside_a_text_become_plain_words() {
    let evil = "fire\r\nAT+CMGS=\"+3580\"\r\nboo\u{1a}\u{1b}\u{1}x\u{202e}y\u{2028}z\u{0}";
    assert_eq!(clean(evil), "fire AT+CMGS=\"+3580\" boo x y z");
    let body = page(PageText {
        text: evil,
        gather: evil,
        organisation: "A\r\nB",
        ..page_text(Language::english())
    });
    check(
        &finished(&body, "4711"),
        expect![[r#"
            4711 A B 118: fire AT+CMGS="+3580" boo x y z
            Gather: fire AT+CMGS="+3580" boo x y z
            Reply 4711 1=coming 2=cannot 3=received 4=need help ?=real?"#]],
    );
    let (subject, _) = page_mail(PageText {
        text: evil,
        ..page_text(Language::english())
    });
    assert!(!subject.contains(['\r', '\n', '\u{1a}']));
}

#[test]
fn a_mail_carries_the_code_in_its_subject_and_the_whole_text() {
    let long = "word ".repeat(1000);
    let (subject, body) = page_mail(PageText {
        text: &long,
        ..page_text(Language::english())
    });
    assert!(finished(&subject, "4711").starts_with("4711 Aurora Energy Norden 118: word word"));
    assert!(subject.chars().count() < 120);
    assert!(body.contains(long.trim_end()));
    let (subject, body) = page_mail(PageText {
        gather: "Gate 3",
        ..page_text(Language::parse("fi"))
    });
    check(
        &finished(&format!("{subject}\n--\n{body}"), "4711"),
        expect![[r#"
            4711 Aurora Energy Norden 118: Fire alarm in server room 2, power cut at once, gates closed
            --
            4711 Aurora Energy Norden 118: kriittinen

            Fire alarm in server room 2, power cut at once, gates closed

            Kokoontuminen: Gate 3

            Vastaa tekstiviestillä mihin tahansa hälytysnumeroomme:
            Vastaa 4711 1=tulossa 2=en pääse 3=saatu 4=apua ?=aito?
        "#]],
    );
}

/// Every kind of reply in one language, one a line.
fn replies(language: Language) -> Vec<String> {
    let at = CivilTime(1_795_282_325_250);
    let about = about(language);
    let open = |code: &str, number: &str| OpenCode {
        code: code.to_owned(),
        number: number.to_owned(),
        kind: AlertKind::Alert,
    };
    let two = [open("4711", "118"), open("5822", "B-7")];
    let late_after = |how| {
        let first_answer_at = matches!(how, EndedHow::CalledOff).then_some(at);
        let ended = Ended { how, at };
        late(
            about,
            &LateAnswer {
                at,
                name: "Anna Virtanen",
                answer: Answer::Coming,
                ended,
                first_answer_at,
            },
        )
    };
    let sent = Sent {
        at,
        number: Some("118".to_owned()),
        called_off: false,
        text: "Fire alarm".to_owned(),
    };
    let noted = |answer, arrival| confirmation(about, at, "Anna Virtanen", answer, arrival);
    vec![
        noted(Answer::Coming, Arrival::Unsaid),
        noted(Answer::Coming, Arrival::In { minutes: 20, at }),
        noted(Answer::Coming, Arrival::Absurd("5000")),
        noted(Answer::Cannot, Arrival::Unsaid),
        noted(Answer::Received, Arrival::Unsaid),
        noted(Answer::NeedHelp, Arrival::Unsaid),
        late_after(EndedHow::Resolved),
        late_after(EndedHow::CalledOff),
        late_after(EndedHow::Joined {
            into: "120".to_owned(),
        }),
        ask_back(about, "4711", Answer::Coming),
        ambiguous(language, Answer::Cannot, &two),
        unknown_code(language, "9999", Answer::Coming, &two),
        not_counted(about),
        code_elsewhere(
            language,
            "C",
            &["+358401000001".to_owned(), "+358401000002".to_owned()],
        ),
        code_elsewhere(language, "C", &[]),
        backlog(
            language,
            ORGANISATION,
            3,
            ("118", "Fire alarm"),
            &["118".to_owned(), "B-7".to_owned()],
        ),
        backlog(language, ORGANISATION, 2, ("C-1", "Pump 4"), &[]),
        genuine(language, ORGANISATION, &[sent], 72),
        genuine(language, ORGANISATION, &[], 72),
        duty_inbox_reply(language, ORGANISATION),
        no_calls(language, ORGANISATION, &[]),
        wake(language, ORGANISATION, "118", "Anna-Liisa Korhonen"),
        wake_question(language, ORGANISATION, "4711"),
        wake_noted(language, ORGANISATION, true),
        wake_noted(language, ORGANISATION, false),
        room_posted(about, "4711"),
        finished(
            &call_off(CallOffText {
                language,
                organisation: ORGANISATION,
                status: Status::Actual,
                number: "118",
                reason: "False alarm",
            }),
            "4711",
        ),
    ]
}

#[test]
fn replies_say_what_is_now_true() {
    let show = |language| replies(language).join("\n\n");
    check(
        &show(Language::english()),
        expect![[r#"
            Noted 17:32 UTC, Anna Virtanen: coming. Alert 118 Aurora Energy Norden.

            Noted 17:32 UTC, Anna Virtanen: coming in 20 min (17:32 UTC). Alert 118 Aurora Energy Norden.

            Noted 17:32 UTC, Anna Virtanen: coming. Alert 118 Aurora Energy Norden. 5000 is no time until arrival (minutes, at most 12 h), so none is noted.

            Noted 17:32 UTC, Anna Virtanen: cannot come. Alert 118 Aurora Energy Norden.

            Noted 17:32 UTC, Anna Virtanen: has received it. Alert 118 Aurora Energy Norden.

            Noted 17:32 UTC, Anna Virtanen: needs help. Alert 118 Aurora Energy Norden.

            Alert 118 Aurora Energy Norden was closed 17:32 UTC. Recorded late 17:32 UTC, Anna Virtanen: coming. It stays closed.

            Alert 118 Aurora Energy Norden was called off 17:32 UTC. Recorded late 17:32 UTC, Anna Virtanen: coming. It stays closed. First answer 17:32 UTC.

            Alert 118 Aurora Energy Norden became part of alert 120 17:32 UTC. Recorded late 17:32 UTC, Anna Virtanen: coming. It stays closed.

            Not counted yet. Alert 118 Aurora Energy Norden is critical and needs your code. Send 4711 1 (coming)

            Several alerts are open. Send one of: 4711 2 (alert 118), 5822 2 (alert B-7)

            Code 9999 is not known or has expired. Send one of: 4711 1 (alert 118), 5822 1 (alert B-7)

            Too many wrong codes came from this number. Your answer is shown but not counted. Alert 118 Aurora Energy Norden.

            Noted. Site C is cut off and the others do not know yet. Also text +358401000001, +358401000002

            Noted. Site C is cut off and the others do not know yet.

            Aurora Energy Norden: during the outage 3 alerts, newest 118 Fire alarm. Open: 118, B-7

            Aurora Energy Norden: during the outage 2 alerts, newest C-1 Pump 4. None is open any more.

            Aurora Energy Norden told this number:
            2026-11-21 17:32 UTC alert 118: Fire alarm

            Aurora Energy Norden: We sent you nothing in the last 72 hours. A text in our name was not ours.

            Aurora Energy Norden: your message is kept for the person on duty. It is no answer to an alert. In danger call 112.

            Aurora Energy Norden: this number takes no calls, and a call is no answer.

            Please wake Anna-Liisa Korhonen NOW. Alert 118 Aurora Energy Norden needs them; they have a text from us.

            TEST Aurora Energy Norden: your phone rings twice now. Did it wake you? Reply 4711 1=yes 4711 2=no

            Noted. Aurora Energy Norden can wake you with this phone.

            Noted. Save all numbers of Aurora Energy Norden as one contact that may ring through silence; we will ask again.

            Alert 118 Aurora Energy Norden: your message is shown to those working on it. It is not counted as an answer. Reply 4711 1=coming 2=cannot 3=received 4=need help

            4711 Aurora Energy Norden 118: CALLED OFF. False alarm
            Stand down. No need to come or to answer."#]],
    );
    check(
        &show(Language::parse("fi")),
        expect![[r#"
            Kirjattu 17:32 UTC, Anna Virtanen: tulossa. Hälytys 118 Aurora Energy Norden.

            Kirjattu 17:32 UTC, Anna Virtanen: tulossa, 20 min (17:32 UTC). Hälytys 118 Aurora Energy Norden.

            Kirjattu 17:32 UTC, Anna Virtanen: tulossa. Hälytys 118 Aurora Energy Norden. 5000 ei käy saapumisajaksi (minuutteja, enintään 12 h), joten sitä ei kirjattu.

            Kirjattu 17:32 UTC, Anna Virtanen: ei pääse. Hälytys 118 Aurora Energy Norden.

            Kirjattu 17:32 UTC, Anna Virtanen: saanut tiedon. Hälytys 118 Aurora Energy Norden.

            Kirjattu 17:32 UTC, Anna Virtanen: tarvitsee apua. Hälytys 118 Aurora Energy Norden.

            Hälytys 118 Aurora Energy Norden päättyi 17:32 UTC. Kirjattu myöhässä 17:32 UTC, Anna Virtanen: tulossa. Hälytys ei avaudu uudelleen.

            Hälytys 118 Aurora Energy Norden peruttiin 17:32 UTC. Kirjattu myöhässä 17:32 UTC, Anna Virtanen: tulossa. Hälytys ei avaudu uudelleen. Ensimmäinen vastaus 17:32 UTC.

            Hälytys 118 Aurora Energy Norden liitettiin hälytykseen 120 17:32 UTC. Kirjattu myöhässä 17:32 UTC, Anna Virtanen: tulossa. Hälytys ei avaudu uudelleen.

            Ei vielä laskettu. Hälytys 118 Aurora Energy Norden on kriittinen ja vaatii koodisi. Lähetä 4711 1 (tulossa)

            Useita hälytyksiä on auki. Lähetä jokin näistä: 4711 2 (hälytys 118), 5822 2 (hälytys B-7)

            Koodia 9999 ei tunneta tai se on vanhentunut. Lähetä jokin näistä: 4711 1 (hälytys 118), 5822 1 (hälytys B-7)

            Tästä numerosta tuli liian monta väärää koodia. Vastauksesi näytetään, mutta sitä ei lasketa. Hälytys 118 Aurora Energy Norden.

            Kirjattu. C on poissa yhteydestä, eivätkä muut tiedä vielä. Lähetä sama myös: +358401000001, +358401000002

            Kirjattu. C on poissa yhteydestä, eivätkä muut tiedä vielä.

            Aurora Energy Norden: yhteyskatkon aikana 3 hälytystä, uusin 118 Fire alarm. Auki: 118, B-7

            Aurora Energy Norden: yhteyskatkon aikana 2 hälytystä, uusin C-1 Pump 4. Mikään ei ole enää auki.

            Aurora Energy Norden lähetti tähän numeroon:
            2026-11-21 17:32 UTC hälytys 118: Fire alarm

            Aurora Energy Norden: Emme ole lähettäneet sinulle mitään 72 tuntiin. Nimissämme tullut viesti ei ollut meiltä.

            Aurora Energy Norden: viestisi on tallessa päivystäjälle. Se ei ole vastaus hälytykseen. Hätätilanteessa soita 112.

            Aurora Energy Norden: tähän numeroon ei voi soittaa, eikä soitto ole vastaus.

            Herätä Anna-Liisa Korhonen HETI. Hälytys 118 Aurora Energy Norden tarvitsee häntä; hänellä on meiltä viesti.

            TESTI Aurora Energy Norden: puhelimesi soi nyt kahdesti. Heräsitkö? Vastaa 4711 1=kyllä 4711 2=ei

            Kirjattu. Aurora Energy Norden saa sinut hereille tällä puhelimella.

            Kirjattu. Tallenna kaikki Aurora Energy Norden numerot yhdeksi yhteystiedoksi, joka saa soida äänettömälläkin; kysymme uudelleen.

            Hälytys 118 Aurora Energy Norden: viestisi näkyy asiaa hoitaville. Sitä ei laskettu vastaukseksi. Vastaa 4711 1=tulossa 2=en pääse 3=saatu 4=apua

            4711 Aurora Energy Norden 118: PERUTTU. False alarm
            Ei tarvitse tulla eikä vastata."#]],
    );
    check(
        &show(Language::parse("sv")),
        expect![[r#"
            Noterat 17:32 UTC, Anna Virtanen: kommer. Larm 118 Aurora Energy Norden.

            Noterat 17:32 UTC, Anna Virtanen: kommer om 20 min (17:32 UTC). Larm 118 Aurora Energy Norden.

            Noterat 17:32 UTC, Anna Virtanen: kommer. Larm 118 Aurora Energy Norden. 5000 går inte som ankomsttid (minuter, högst 12 h), så ingen noterades.

            Noterat 17:32 UTC, Anna Virtanen: kan inte komma. Larm 118 Aurora Energy Norden.

            Noterat 17:32 UTC, Anna Virtanen: har mottagit. Larm 118 Aurora Energy Norden.

            Noterat 17:32 UTC, Anna Virtanen: behöver hjälp. Larm 118 Aurora Energy Norden.

            Larm 118 Aurora Energy Norden avslutades 17:32 UTC. Noterat för sent 17:32 UTC, Anna Virtanen: kommer. Larmet öppnas inte igen.

            Larm 118 Aurora Energy Norden blåstes av 17:32 UTC. Noterat för sent 17:32 UTC, Anna Virtanen: kommer. Larmet öppnas inte igen. Första svaret 17:32 UTC.

            Larm 118 Aurora Energy Norden slogs ihop med larm 120 17:32 UTC. Noterat för sent 17:32 UTC, Anna Virtanen: kommer. Larmet öppnas inte igen.

            Räknas inte än. Larm 118 Aurora Energy Norden är kritiskt och kräver din kod. Skicka 4711 1 (kommer)

            Flera larm är öppna. Skicka ett av: 4711 2 (larm 118), 5822 2 (larm B-7)

            Koden 9999 är okänd eller för gammal. Skicka ett av: 4711 1 (larm 118), 5822 1 (larm B-7)

            För många fel koder kom från detta nummer. Ditt svar visas men räknas inte. Larm 118 Aurora Energy Norden.

            Noterat. C är avskuren och de andra vet inte än. Skicka även till: +358401000001, +358401000002

            Noterat. C är avskuren och de andra vet inte än.

            Aurora Energy Norden: under avbrottet 3 larm, senast 118 Fire alarm. Öppna: 118, B-7

            Aurora Energy Norden: under avbrottet 2 larm, senast C-1 Pump 4. Inget är öppet längre.

            Aurora Energy Norden skickade till detta nummer:
            2026-11-21 17:32 UTC larm 118: Fire alarm

            Aurora Energy Norden: Vi har inte skickat dig något på 72 timmar. Ett sms i vårt namn var inte från oss.

            Aurora Energy Norden: ditt meddelande är sparat åt jouren. Det är inget svar på ett larm. Vid fara ring 112.

            Aurora Energy Norden: numret tar inte emot samtal, och ett samtal är inget svar.

            Väck Anna-Liisa Korhonen NU. Larm 118 Aurora Energy Norden behöver personen, som har ett sms från oss.

            TEST Aurora Energy Norden: din telefon ringer nu två gånger. Väckte den dig? Svara 4711 1=ja 4711 2=nej

            Noterat. Aurora Energy Norden kan väcka dig med denna telefon.

            Noterat. Spara alla nummer från Aurora Energy Norden som en kontakt som får ringa genom tystnad; vi frågar igen.

            Larm 118 Aurora Energy Norden: ditt meddelande visas för dem som sköter larmet. Det räknas inte som svar. Svara 4711 1=kommer 2=kan inte 3=mottaget 4=hjälp

            4711 Aurora Energy Norden 118: AVBLÅST. False alarm
            Du behöver varken komma eller svara."#]],
    );
}

#[test]
fn every_language_says_every_reply_in_its_own_words_and_in_few_parts() {
    let mut said = BTreeSet::new();
    for &language in Language::all() {
        for (number, text) in replies(language).into_iter().enumerate() {
            assert!(
                short(language) == gsm7_septets(&text).is_some(),
                "reply {number} is not in the alphabet of {language:?}: {text}"
            );
            assert!(parts(&text) <= 2, "reply {number}: {text}");
            assert!(
                said.insert(text.clone()),
                "{language:?} says as another does: {text}"
            );
        }
    }
}

proptest! {
    #[test]
    fn no_text_of_a_person_breaks_a_page(text in any::<String>(), gather in any::<String>(), organisation in any::<String>()) {
        let body = page(PageText { text: &text, gather: &gather, organisation: &organisation, ..page_text(Language::parse("fi")) });
        prop_assert_eq!(body.matches(CODE_MARK).count(), 2);
        let marks = Marks { possible_repeat: true, renumbered: true, alone: Some(organisation.clone()), language: Language::parse("fi") };
        let finished = finish(&body, "47110", &marks);
        prop_assert!(parts(&finished) <= SMS_PARTS_MAX);
        prop_assert!(!finished.contains(|c: char| c.is_control() && c != '\n'));
        prop_assert!(finished.lines().count() <= 3);
    }
}

#[test]
fn what_is_said_to_whoever_orders_fits_few_parts_in_every_language() {
    let at = CivilTime(1_795_282_325_250);
    let long = "Pumppuasema 14 ".repeat(60);
    let known: Vec<String> = (0..40).map(|n| format!("mail-down-{n}")).collect();
    for &language in Language::all() {
        let deeds = [
            Deed::Raise {
                severity: Severity::Critical,
                people: 2_000,
                text: &long,
            },
            Deed::CallOff {
                number: "118",
                text: &long,
            },
            Deed::Take {
                number: "118",
                text: &long,
            },
            Deed::Tell {
                number: "118",
                people: 2_000,
                text: &long,
            },
            Deed::Add {
                number: "118",
                people: 2_000,
                whom: &long,
            },
            Deed::Mute {
                source: Some(&long),
                minutes: 720,
            },
            Deed::Mute {
                source: None,
                minutes: 30,
            },
        ];
        let echoes = deeds.map(|one| echo(language, &long, &deed(language, one), "123456", at));
        let refusals = [
            Refused::NotAllowed,
            Refused::NotVerified,
            Refused::TooMany,
            Refused::UnknownTarget {
                name: &long,
                known: &known,
            },
            Refused::UnknownAlert(&long),
            Refused::NothingOpen,
            Refused::Closed("118"),
            Refused::TakenOver("118"),
            Refused::WhichAlert(&known),
            Refused::TooLong { len: 700, max: 600 },
            Refused::Missing {
                template: &long,
                holes: &known,
            },
            Refused::Alone(&long),
            Refused::Rule(&long),
            Refused::Usage(Verb::Start),
        ]
        .map(|refused| order_refused(language, refused));
        let help = [order_help(language, true), order_help(language, false)];
        for text in echoes.iter().chain(&refusals).chain(&help) {
            let measure = measure(text);
            assert!(measure.gsm7 || !short(language), "{text}");
            let most = if short(language) { 3 } else { 6 };
            assert!(measure.parts <= most, "{} parts: {text}", measure.parts);
        }
        let told = message(language, "Aurora", "118", "Dora", &long);
        assert!(
            measure(&told.replace(CODE_MARK, "4711")).parts <= 6,
            "{told}"
        );
    }
}

#[test]
fn what_is_said_here_is_in_the_catalogue_and_nothing_else_is() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/texts");
    let mut named = BTreeSet::new();
    let mut folders = vec![source];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                named.extend(text.split('"').map(str::to_owned));
            }
        }
    }
    let english = &words::built_in()[0];
    let keys: BTreeSet<&str> = english
        .texts()
        .filter_map(|(key, _)| key.strip_prefix("sms."))
        .collect();
    let unsaid: Vec<_> = keys.iter().filter(|key| !named.contains(**key)).collect();
    assert!(unsaid.is_empty(), "nobody says {unsaid:?}");
    let groups: BTreeSet<&str> = keys
        .iter()
        .filter_map(|key| key.split_once('.'))
        .map(|(group, _)| group)
        .collect();
    let is_key = |text: &&String| {
        let plain =
            |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '.');
        text.chars().all(plain)
            && text
                .split_once('.')
                .is_some_and(|(group, _)| groups.contains(group))
    };
    let unknown: Vec<_> = named
        .iter()
        .filter(is_key)
        .filter(|key| !keys.contains(key.as_str()))
        .collect();
    assert!(unknown.is_empty(), "the catalogue lacks {unknown:?}");
}
