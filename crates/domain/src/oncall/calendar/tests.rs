//! Calendars written and read.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::CivilTime;
use crate::zones::tests::zone;

fn people() -> Addressees {
    Addressees {
        keys: ["ana", "bela"].map(str::to_owned).into(),
        by_mail: BTreeMap::from([("ana@example.org".to_owned(), "ana".to_owned())]),
    }
}

fn imported(events: &str) -> Vec<Imported> {
    let text = format!("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{events}END:VCALENDAR\r\n");
    let zones = BTreeMap::from([("Europe/Stockholm".to_owned(), zone("Europe/Stockholm"))]);
    import(
        &read(&text).unwrap(),
        &zone("Europe/Helsinki"),
        &zones,
        &people(),
    )
}

fn event(lines: &str) -> String {
    format!("BEGIN:VEVENT\r\nUID:u1\r\n{lines}END:VEVENT\r\n")
}

fn one(lines: &str) -> Result<String, String> {
    let found = imported(&event(lines)).remove(0).shifts?;
    let line =
        |shift: &crate::oncall::FixedShift| format!("{} {} {}", shift.person, shift.from, shift.to);
    Ok(found.iter().map(line).collect::<Vec<_>>().join("; "))
}

#[test]
fn times_of_every_form_become_wall_times_of_the_schedule() {
    for (start, end, expected) in [
        (
            "DTSTART:20261123T060000Z",
            "DTEND:20261123T140000Z",
            "ana 2026-11-23T08:00 2026-11-23T16:00",
        ),
        (
            "DTSTART:20261123T080000",
            "DTEND:20261123T160000",
            "ana 2026-11-23T08:00 2026-11-23T16:00",
        ),
        (
            "DTSTART;TZID=Europe/Stockholm:20261123T080000",
            "DTEND;TZID=\"Europe/Stockholm\":20261123T160000",
            "ana 2026-11-23T09:00 2026-11-23T17:00",
        ),
        (
            "DTSTART;VALUE=DATE:20261123",
            "DTEND;VALUE=DATE:20261125",
            "ana 2026-11-23T00:00 2026-11-25T00:00",
        ),
        (
            "DTSTART;VALUE=DATE:20261123",
            "X-NOTHING:1",
            "ana 2026-11-23T00:00 2026-11-24T00:00",
        ),
    ] {
        assert_eq!(
            one(&format!("{start}\r\n{end}\r\nSUMMARY:ana\r\n")).as_deref(),
            Ok(expected)
        );
    }
}

#[test]
fn people_are_found_by_key_or_address_and_folded_lines_are_put_together() {
    let times = "DTSTART:20261123T060000Z\r\nDTEND:20261123T140000Z\r\n";
    for (lines, expected) in [
        ("SUMMARY:be\r\n la\r\n", "bela"),
        (
            "SUMMARY:Night\r\nATTENDEE;CN=\"Ana; the first\":MAILTO:Ana@Example.org\r\n",
            "ana",
        ),
        ("ATTENDEE;CN=Bela:urn:holdfast:person:bela\r\n", "bela"),
    ] {
        let found = one(&format!("{times}{lines}")).unwrap();
        assert!(found.starts_with(expected), "{found}");
    }
    let both = "ATTENDEE:mailto:ana@example.org\r\nATTENDEE:urn:holdfast:person:bela\r\n";
    assert_eq!(
        one(&format!("{times}{both}")).unwrap().split("; ").count(),
        2
    );
}

#[test]
fn what_cannot_be_taken_is_said_of_its_event_and_the_others_are_taken() {
    let times = "DTSTART:20261123T060000Z\r\nDTEND:20261123T140000Z\r\n";
    for (lines, word) in [
        (format!("{times}SUMMARY:zoe\r\n"), "nobody is known as \"zoe\""),
        (format!("{times}ATTENDEE:mailto:zoe@example.org\r\n"), "nobody we know"),
        (format!("{times}RRULE:FREQ=WEEKLY\r\nSUMMARY:ana\r\n"), "repeats"),
        (format!("{times}STATUS:CANCELLED\r\nSUMMARY:ana\r\n"), "cancelled"),
        ("DTSTART:20261123T060000Z\r\nSUMMARY:ana\r\n".to_owned(), "no DTEND"),
        ("DTSTART:20261123T060000Z\r\nDURATION:PT8H\r\nSUMMARY:ana\r\n".to_owned(), "DTEND instead"),
        ("DTSTART:tomorrow\r\nSUMMARY:ana\r\n".to_owned(), "is not a time"),
        ("DTSTART:20261323T060000Z\r\nSUMMARY:ana\r\n".to_owned(), "is not a time"),
        ("DTSTART:20261123T140000Z\r\nDTEND:20261123T060000Z\r\nSUMMARY:ana\r\n".to_owned(), "not after"),
        (
            "DTSTART;TZID=Customized Time Zone:20261123T080000\r\nDTEND:20261123T160000\r\nSUMMARY:ana\r\n".to_owned(),
            "is not installed",
        ),
        (format!("{times}no colon here\r\nSUMMARY:ana\r\n"), "NAME:VALUE"),
    ] {
        let good = event(&format!("{times}SUMMARY:ana\r\n"));
        let found = imported(&format!("{}{good}", event(&lines)));
        let problem = found[0].shifts.clone().unwrap_err();
        assert!(problem.contains(word), "{problem}");
        assert!(found[1].shifts.is_ok());
    }
}

#[test]
fn what_is_no_calendar_is_said_to_be_none() {
    assert_eq!(read(""), Err(CalendarError::NoCalendar));
    assert_eq!(read("key,name\nana,Ana\n"), Err(CalendarError::NoCalendar));
    assert_eq!(
        read("BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\n"),
        Err(CalendarError::BreaksOff { line: 2 })
    );
    assert_eq!(
        read(&"x".repeat(TEXT_LEN_MAX + 1)),
        Err(CalendarError::TooLong)
    );
    assert_eq!(
        read("\u{feff}BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n"),
        Ok(Vec::new())
    );
}

#[test]
fn an_alarm_inside_of_an_event_does_not_move_it() {
    let alarm = "BEGIN:VALARM\r\nDTSTART:20200101T000000Z\r\nEND:VALARM\r\n";
    let found = one(&format!(
        "DTSTART:20261123T060000Z\r\n{alarm}DTEND:20261123T140000Z\r\nSUMMARY:ana\r\n"
    ));
    assert_eq!(
        found.as_deref(),
        Ok("ana 2026-11-23T08:00 2026-11-23T16:00")
    );
}

proptest! {
    #[test]
    fn what_is_written_reads_back_and_keeps_its_lines_short(
        name in "\\PC{0,40}", summary in "\\PC{0,200}", from in 1_700_000_000_000_i64..1_900_000_000_000, minutes in 1_i64..10_000,
    ) {
        let from = CivilTime(from / 60_000 * 60_000);
        let entry = Entry {
            uid: format!("{summary}@x"), from, to: CivilTime(from.0 + minutes * 60_000), person: "ana".to_owned(),
            person_name: name.clone(), summary: summary.clone(), description: name.clone(),
        };
        let text = write(&name, &[entry], from);
        prop_assert!(text.split("\r\n").all(|line| line.len() <= 75));
        let events = read(&text).unwrap();
        prop_assert_eq!(events.len(), 1);
        prop_assert_eq!(&events[0].problem, &None);
        prop_assert_eq!(events[0].summary.trim_end(), summary.trim_end());
        prop_assert_eq!(&events[0].start, &Some(When::Utc(from)));
        prop_assert_eq!(&events[0].attendees, &["urn:holdfast:person:ana"]);
    }

    #[test]
    fn foreign_text_is_an_error_or_a_report_and_never_a_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..600),
        lines in proptest::collection::vec("(BEGIN|END|DTSTART|DTEND|ATTENDEE| |SUMMARY|UID)[;:=\"]?(VEVENT|VALARM|TZID=[A-Z\"]{0,4})?:?[0-9TZ]{0,17}\\PC{0,9}", 0..40),
    ) {
        let text = format!("BEGIN:VCALENDAR\n{}\n", lines.join("\n"));
        for text in [String::from_utf8_lossy(&bytes).into_owned(), text] {
            if let Ok(events) = read(&text) {
                import(&events, &zone("Europe/Helsinki"), &BTreeMap::new(), &people());
            }
        }
    }
}
