use super::*;

fn sms(number: &str) -> Method {
    Method {
        kind: "sms".to_owned(),
        address: number.to_owned(),
    }
}

fn person(key: &str, name: &str, number: &str) -> Person {
    Person {
        key: key.to_owned(),
        name: name.to_owned(),
        language: "fi".to_owned(),
        methods: vec![sms(number)],
    }
}

fn group(key: &str, members: &[&str]) -> Group {
    Group {
        key: key.to_owned(),
        name: key.to_owned(),
        members: members.iter().map(|m| (*m).to_owned()).collect(),
    }
}

fn shown<T>(plan: &Plan<T>) -> Vec<String> {
    plan.report
        .iter()
        .map(|l| {
            format!("{} {} {:?} {}", l.line, l.key, l.verdict, l.reason)
                .trim_end()
                .to_owned()
        })
        .collect()
}

#[test]
fn every_line_of_people_gets_a_verdict() {
    let csv = "\
key,name,language,sms,email,groups
anna,Anna,fi,+358 40 1234567,,duty
bo,Bo,fi,+358401234568,,
cai,Cai,fi,+358401234569,,duty
dan,Dan,fi,0401234567,,
eva,Eva,fi,,eva@,
,Nobody,fi,+358401234560,,
fia,Fia,fi,,,
anna,Again,fi,+358401234561,,
gun,Gun,fi
hal,Hal,Finnish language,+358401234562,,
ida,Ida,sv,+358401234563,ida@example.org,duty;ops
";
    let known = [
        person("bo", "Bo", "+358401234568"),
        person("cai", "Cai", "+358401234569"),
        person("anna", "Ann", "+358401234567"),
    ];
    let plan = plan_people(csv.as_bytes(), &known, &[group("duty", &["anna"])]).unwrap();
    let expected = [
        "2 anna Changed",
        "3 bo Unchanged",
        "4 cai Changed",
        "5 dan Refused sms: \"0401234567\" has no country code; write it as +358401234567",
        "6 eva Refused email: \"eva@\" is not a mail address; write it as name@example.org",
        "7  Refused \"\" is not a key; use 1 to 64 of a-z, A-Z, 0-9, dot, dash and underscore",
        "8 fia Refused no phone number and no mail address; nobody could reach this person",
        "9 anna Refused the key is already on line 2",
        "10 gun Refused 3 fields where the first line has 6",
        "11 hal Refused \"finnish language\" is not a language; write fi, sv or en",
        "12 ida Added",
    ];
    assert_eq!(shown(&plan), expected);
    assert_eq!(
        plan.send
            .iter()
            .map(|r| r.item.person.key.as_str())
            .collect::<Vec<_>>(),
        ["anna", "cai", "ida"]
    );
    let grown = grown_groups(
        &[group("duty", &["anna"])],
        plan.send.iter().map(|r| &r.item),
    );
    assert_eq!(
        grown,
        [
            group("duty", &["anna", "cai", "ida"]),
            group("ops", &["ida"])
        ]
    );
}

#[test]
fn a_group_with_a_stranger_in_it_is_refused_and_the_others_are_not() {
    let people = [
        person("anna", "Anna", "+358401234567"),
        person("bo", "Bo", "+358401234568"),
    ];
    let csv = "key;name;members\nduty;On duty;bo anna\nops;Operations;anna nobody\n";
    let plan = plan_groups(csv.as_bytes(), &[], &people).unwrap();
    assert_eq!(
        shown(&plan),
        [
            "2 duty Added",
            "3 ops Refused there is no person \"nobody\"; import people first, or correct the key"
        ]
    );
    assert_eq!(plan.send[0].item.members, ["bo", "anna"]);
}

#[test]
fn spreadsheets_may_add_a_byte_order_mark_and_semicolons() {
    let csv = "\u{feff}Key;Name;SMS\r\nanna;\"Virtanen; Anna\";+358401234567\r\n";
    let plan = plan_people(csv.as_bytes(), &[], &[]).unwrap();
    assert_eq!(plan.send[0].item.person.name, "Virtanen; Anna");
}

#[test]
fn a_file_that_is_no_list_of_people_is_refused_whole() {
    for (csv, expected) in [
        ("key,name,phone\n", "line 1: unknown column \"phone\""),
        ("name,sms\n", "line 1: the column \"key\" is missing"),
        ("", "line 1: the column \"key\" is missing"),
    ] {
        let error = plan_people(csv.as_bytes(), &[], &[])
            .unwrap_err()
            .to_string();
        assert!(error.starts_with(expected), "{error}");
    }
    let latin1 = plan_people(b"key,name,sms\na,V\xe4in\xf6,+358401234567\n", &[], &[]).unwrap();
    assert_eq!(
        shown(&latin1),
        ["2  Refused not UTF-8; save the file as UTF-8"]
    );
}
