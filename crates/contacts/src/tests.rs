//! Files good and bad, and every format there and back.

use std::io::{Cursor, Write as _};

use domain::recipients::{
    ContactMethod, Details, Person, PersonKind, Window, Wishes, check_person,
};
use proptest::prelude::*;
use zip::write::{SimpleFileOptions, ZipWriter};

use super::*;

/// One line per line of a file: place, key, what it comes to for somebody nobody knows.
fn shown(bytes: &[u8]) -> Vec<String> {
    let reading = read(bytes).unwrap();
    let said = |line: &Line| match line
        .entry
        .as_ref()
        .map_err(Clone::clone)
        .and_then(|e| e.onto(None))
    {
        Ok(person) => {
            let methods: Vec<String> = person
                .methods
                .iter()
                .map(ContactMethod::to_string)
                .collect();
            format!("{} {} {}", person.name, person.language, methods.join(" "))
        }
        Err(reason) => format!("! {reason}"),
    };
    reading
        .lines
        .iter()
        .map(|line| format!("{} {} {}", line.line, line.key, said(line)))
        .collect()
}

#[test]
fn broken_lines_are_told_and_the_others_are_read() {
    let csv = "\
key,name,language,sms,email,groups
anna,Anna,fi,+358 40 1234567,,duty
dan,Dan,fi,0401234567,,
eva,Eva,fi,,eva@,
,Nobody,fi,+358401234560,,
fia,Fia,fi,,,
anna,Again,fi,+358401234561,,
gun,Gun,fi

hal,Hal,Finnish language,+358401234562,,
nul,N\0ul,fi,+358401234562,,
ida,Ida,sv,+358401234563,ida@example.org,duty;ops
";
    assert_eq!(
        shown(csv.as_bytes()),
        [
            "2 anna Anna fi sms:+358401234567",
            "3 dan ! sms: \"0401234567\" has no country code; write it as +358401234567",
            "4 eva ! email: \"eva@\" is not a mail address; write it as name@example.org",
            "5  ! \"\" is not a key; use 1 to 64 of a-z, A-Z, 0-9, dot, dash and underscore",
            "6 fia ! fia has no contact method; add a phone number or a mail address",
            "7 anna ! the key is already on line 2",
            "8 gun ! 3 fields where the first line has 6",
            "10 hal ! \"finnish language\" is not a language; write en, fi, sv, fr or ja",
            "11 nul ! a name has at most 120 characters and no line breaks",
            "12 ida Ida sv sms:+358401234563 email:ida@example.org",
        ]
    );
    let reading = read(csv.as_bytes()).unwrap();
    let last = reading.lines.last().unwrap().entry.as_ref().unwrap();
    assert_eq!(last.groups(), ["duty", "ops"]);
}

#[test]
fn what_a_file_has_no_column_for_stays_and_an_empty_cell_takes_it_back() {
    let mut anna = everything();
    anna.key = "anna".to_owned();
    let onto = |csv: &str| {
        let reading = read(csv.as_bytes()).unwrap();
        let entry = reading.lines[0].entry.clone().unwrap();
        entry.onto(Some(&anna)).unwrap()
    };
    let mut expected = anna.clone();
    expected.name = "Anna V".to_owned();
    assert_eq!(onto("key,name\nanna,Anna V\n"), expected);
    expected.details.skills.clear();
    expected.methods = vec![ContactMethod::Email("a@example.org".to_owned())];
    assert_eq!(
        onto("key,name,skills,email,sms\nanna,Anna V,,a@example.org,\n"),
        expected
    );
}

#[test]
fn separators_marks_and_encodings_are_found_out() {
    for (bytes, warned) in [
        (
            "\u{feff}Key;Name;SMS\r\nanna;\"Väinö; Anna\";+358401234567\r\n".as_bytes(),
            false,
        ),
        (
            "key\tname\tsms\nanna\tVäinö; Anna\t+358401234567\n".as_bytes(),
            false,
        ),
        (
            b"key,name,sms\nanna,V\xe4in\xf6; Anna,+358401234567\n",
            true,
        ),
    ] {
        assert_eq!(shown(bytes), ["2 anna Väinö; Anna en sms:+358401234567"]);
        assert_eq!(!read(bytes).unwrap().warnings.is_empty(), warned);
    }
    let utf16: Vec<u8> = "\u{feff}key\tname\tsms\nanna\tVäinö; Anna\t+358401234567\n"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    assert_eq!(shown(&utf16), ["2 anna Väinö; Anna en sms:+358401234567"]);
    let euro = read(b"key,name,sms\nanna,\x80\x92,+358401234567\n").unwrap();
    let person = euro.lines[0].entry.as_ref().unwrap().onto(None).unwrap();
    assert_eq!(person.name, "€’");
}

#[test]
fn a_file_that_is_no_list_of_people_is_refused_whole() {
    for (bytes, expected) in [
        (&b"key,name,phone\n"[..], "line 1: unknown column \"phone\""),
        (b"name,sms\n", "line 1: the column \"key\" is missing"),
        (b"key,name,key\n", "line 1: the column \"key\" stands twice"),
        (b"", "the file is empty"),
        (
            b"PK\x03\x04 and no more",
            "the file cannot be read as a spreadsheet",
        ),
    ] {
        let error = read(bytes).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
    }
    let large = vec![b'x'; FILE_BYTES_MAX + 1];
    assert!(matches!(read(&large), Err(FileError::TooLarge)));
    let long = format!("key\n{}", "a\n".repeat(LINES_MAX + 1));
    assert!(matches!(read(long.as_bytes()), Err(FileError::TooLong)));
}

#[test]
fn cards_of_other_programs_are_read() {
    let cards = "BEGIN:VCARD\r
VERSION:3.0\r
UID:urn:uuid:4fbe8971-0bc3-424c-9c26-36c3e1eff6b1\r
N:Virtanen;Anna;;;\r
FN:Anna Vir\r
 tanen\r
item1.TEL;TYPE=WORK,FAX:+358 9 1234567\r
item2.EMAIL;TYPE=INTERNET:anna@example.org\r
TEL;CELL;TYPE=pref:+358 40 123 4567\r
CATEGORIES:night,a\\, b\r
PHOTO;ENCODING=b;TYPE=JPEG:AAAA\r
END:VCARD\r
BEGIN:VCARD\r
VERSION:4.0\r
FN:No uid\r
END:VCARD\r
BEGIN:VCARD\r
VERSION:2.1\r
UID:old\r
END:VCARD\r
BEGIN:VCARD\r
VERSION:4.0\r
UID:cut\r
";
    assert_eq!(
        shown(cards.as_bytes()),
        [
            "1 4fbe8971-0bc3-424c-9c26-36c3e1eff6b1 Anna Virtanen en sms:+358401234567 email:anna@example.org",
            "13  ! the card has no UID; add one, it becomes the person's key",
            "17 old ! vCard version \"2.1\" is not read; export it as 3.0 or 4.0",
            "21  ! the card has no END:VCARD",
        ]
    );
    let reading = read(cards.as_bytes()).unwrap();
    assert_eq!(
        reading.lines[0].warnings,
        ["a fax or pager number was passed over"]
    );
    let read = reading.lines[0].entry.as_ref().unwrap().onto(None);
    assert_eq!(
        read.unwrap().details.tags,
        ["night", "a b"].map(str::to_owned)
    );
}

/// A spreadsheet whose only sheet and strings are these.
fn book(sheet: &str, strings: &str) -> Vec<u8> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, text) in [
        (
            "xl/workbook.xml",
            r#"<workbook><sheets><sheet name="a" r:id="x"/></sheets></workbook>"#,
        ),
        (
            "xl/_rels/workbook.xml.rels",
            r#"<r><Relationship Id="x" Target="/xl/s.xml"/></r>"#,
        ),
        ("xl/s.xml", sheet),
        ("xl/sharedStrings.xml", strings),
    ] {
        archive
            .start_file(name, SimpleFileOptions::default())
            .unwrap();
        archive.write_all(text.as_bytes()).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

#[test]
fn spreadsheets_are_read_by_place_and_kind_of_cell() {
    let strings = "<sst count=\"3\"><si><t>key</t></si><si><r><t>na</t></r><r><t>me</t></r><rPh><t>x</t></rPh></si>\
                   <si><t>A&amp;B &#228;</t></si></sst>";
    let sheet = "<worksheet><dimension ref=\"A1:XFD1048576\"/><sheetData>\
        <row r=\"1\"><c r=\"A1\" t=\"s\"><v>0</v></c><c r=\"B1\" t=\"s\"><v>1</v></c>\
        <c r=\"D1\" t=\"inlineStr\"><is><t>email</t></is></c><c r=\"C1\" t=\"inlineStr\"><is><t>sms</t></is></c></row>\
        <row r=\"3\"><c r=\"A3\" t=\"str\"><f>\"a\"</f><v>anna</v></c><c r=\"B3\" t=\"s\"><v>2</v></c>\
        <c r=\"C3\" t=\"inlineStr\"><is><t>+358401234567</t></is></c><c r=\"XFD3\"><v>1</v></c></row>\
        <row r=\"4\"><c r=\"A4\"><v>17</v></c><c r=\"C4\"><v>358401234567</v></c></row></sheetData></worksheet>";
    assert_eq!(
        shown(&book(sheet, strings)),
        [
            "3 anna A&B ä en sms:+358401234567",
            "4 17 ! sms: \"358401234567\" has no country code; write it as +358401234567",
        ]
    );
}

#[test]
fn spreadsheets_that_claim_or_unpack_too_much_are_refused_in_words() {
    let bomb = format!("<worksheet>{}</worksheet>", " ".repeat(65 << 20));
    let packed = book(&bomb, "<sst/>");
    assert!(packed.len() < 1 << 20);
    let error = read(&packed).unwrap_err().to_string();
    assert!(error.contains("unpacks to more than 64 MB"), "{error}");
    // A count is a claim; so is a place far away; an entity of the document's own stands for nothing.
    let strings = "<!DOCTYPE sst [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;&a;&a;\">]>\
                   <sst uniqueCount=\"99999999999999\"><si><t>k&b;ey</t></si></sst>";
    let sheet = "<worksheet><row r=\"1\"><c r=\"A1\" t=\"s\"><v>0</v></c></row>\
                 <row r=\"18446744073709551615\"><c r=\"ZZZZZZ9\"><v>1</v></c></row></worksheet>";
    assert_eq!(shown(&book(sheet, strings)), Vec::<String>::new());
    let missing = "<worksheet><row><c t=\"s\"><v>7</v></c></row></worksheet>";
    let error = read(&book(missing, "<sst/>")).unwrap_err().to_string();
    assert!(error.contains("a string that is not there"), "{error}");
}

#[test]
fn exported_cells_never_begin_like_formulas() {
    let mut person = everything();
    person.name = "=HYPERLINK(\"http://x\")".to_owned();
    person.details.note = "@SUM(1)".to_owned();
    let csv = write(Format::Csv, &[exported(person)]).unwrap();
    let mut reader = csv::ReaderBuilder::new().from_reader(&csv[3..]);
    for record in reader.records() {
        for cell in &record.unwrap() {
            assert!(!cell.starts_with(['=', '+', '-', '@']), "{cell}");
        }
    }
}

fn exported(person: Person) -> Exported {
    Exported {
        person,
        groups: vec!["duty".to_owned(), "-odd-".to_owned()],
    }
}

fn everything() -> Person {
    Person {
        key: "-anna".to_owned(),
        name: "'=Anna".to_owned(),
        language: "fi".to_owned(),
        methods: vec![
            ContactMethod::Email("+anna@example.org".to_owned()),
            ContactMethod::Sms("+358401234567".to_owned()),
        ],
        details: Details {
            kind: PersonKind::Authority,
            duty: true,
            more_languages: vec!["sv".to_owned()],
            zone: "Europe/Helsinki".to_owned(),
            tags: vec!["night shift".to_owned()],
            skills: vec!["=1".to_owned(), "C\\C".to_owned()],
            sites: vec!["Åbo".to_owned()],
            hours: vec![Window {
                day: 5,
                from: 0,
                until: 1440,
            }],
            wishes: Wishes {
                never_voice: true,
                wake_by: Some("bo".to_owned()),
                answer_minutes: Some(15),
            },
            note: "-1; \"quoted\", and <more> & so".to_owned(),
        },
    }
}

/// Text as people write it, with whatever means something to a format.
fn words(max: usize) -> impl Strategy<Value = String> {
    proptest::collection::vec(
        prop_oneof![
            proptest::char::range('!', '~'),
            Just(' '),
            Just('ä'),
            Just('ﬀ'),
            Just('😀'),
            proptest::char::any(),
        ],
        1..max,
    )
    .prop_map(|letters| {
        let text: String = letters.into_iter().filter(|c| !c.is_control()).collect();
        text.trim().to_owned()
    })
}

fn labels() -> impl Strategy<Value = Vec<String>> {
    proptest::collection::btree_set(words(10), 0..3).prop_map(|all| all.into_iter().collect())
}

prop_compose! {
    fn people()(
        key in "[a-zA-Z0-9._-]{1,12}",
        name in words(30),
        languages in ("[a-z]{2,3}", proptest::collection::btree_set("[a-z]{2,3}", 0..3)),
        numbers in proptest::collection::btree_set("\\+[1-9][0-9]{6,14}", 0..3),
        mails in proptest::collection::btree_set("[a-z+='-]{1,8}@[a-z]{1,8}\\.example", 1..3),
        mails_first: bool,
        labels in (labels(), labels(), labels()),
        kind in proptest::sample::select(PersonKind::ALL.to_vec()),
        flags: (bool, bool),
        zone in prop_oneof![Just(String::new()), Just("America/Argentina/Ushuaia".to_owned())],
        hours in proptest::collection::btree_set((0..7_u8, 0..1440_u16, 1..=1440_u16), 0..5),
        waker in proptest::option::of("[a-z]{20}"),
        minutes in proptest::option::of(1..=240_u16),
        note in prop_oneof![Just(String::new()), words(60)],
    ) -> Person {
        let mut languages = (languages.0, languages.1.into_iter().collect::<Vec<_>>());
        languages.1.retain(|l| *l != languages.0);
        let numbers = numbers.into_iter().map(ContactMethod::Sms);
        let mails = mails.into_iter().map(ContactMethod::Email);
        let methods = if mails_first { mails.chain(numbers).collect() } else { numbers.chain(mails).collect() };
        let hours = hours.into_iter().map(|(day, from, until)| Window { day, from, until }).collect();
        Person {
            key, name, methods,
            language: languages.0,
            details: Details {
                kind, zone, hours, note,
                duty: flags.0,
                more_languages: languages.1,
                tags: labels.0, skills: labels.1, sites: labels.2,
                wishes: Wishes { never_voice: flags.1, wake_by: waker, answer_minutes: minutes },
            },
        }
    }
}

proptest! {
    #[test]
    fn what_was_written_is_read_back_unchanged(person in people()) {
        prop_assume!(check_person(&person).is_ok());
        for format in Format::ALL {
            let written = write(format, &[exported(person.clone())]).unwrap();
            let reading = read(&written).unwrap();
            prop_assert_eq!(reading.format, format);
            prop_assert_eq!(reading.lines.len(), 1, "{:?}", format);
            let entry = reading.lines[0].entry.clone().unwrap();
            prop_assert_eq!(&entry.onto(None).unwrap(), &person, "{:?}", format);
            prop_assert_eq!(&entry.onto(Some(&person)).unwrap(), &person, "{:?}", format);
            prop_assert_eq!(entry.groups(), ["duty".to_owned(), "-odd-".to_owned()]);
        }
    }

    #[test]
    fn no_bytes_break_the_reader(mut bytes in proptest::collection::vec(any::<u8>(), 0..400), start in 0..4_usize) {
        let starts: [&[u8]; 4] = [b"", b"PK\x03\x04", b"BEGIN:VCARD\n", b"key,name,sms\n"];
        bytes.splice(0..0, starts[start].iter().copied());
        if let Ok(reading) = read(&bytes) {
            for line in reading.lines {
                _ = line.entry.map(|entry| entry.onto(None));
            }
        }
    }

    #[test]
    fn no_sheet_breaks_the_reader(sheet in "(<(row|c|v|t|si|is)( (r|t)=\"[A-Z0-9s]{0,3}\")?/?>|</(row|c|v|t|si)>|[0-9]|&[a-z#0-9]{1,4};){0,40}") {
        _ = read(&book(&sheet, &sheet));
    }
}
