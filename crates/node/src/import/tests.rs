use super::*;

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
fn a_group_with_a_stranger_in_it_is_refused_and_the_others_are_not() {
    let people = ["anna", "bo"].map(str::to_owned).into();
    let csv = "key;name;members\nduty;On duty;bo anna\nops;Operations;anna nobody\nall;All;group:ops anna\n";
    let plan = plan_groups(csv.as_bytes(), &[], &people).unwrap();
    assert_eq!(
        shown(&plan),
        [
            "2 duty Added",
            "3 ops Refused there is no person \"nobody\"; import people first, or correct the key",
            "4 all Added",
        ]
    );
    assert_eq!(plan.send[0].item.members, ["bo", "anna"]);
}

#[test]
fn a_file_that_is_no_list_of_groups_is_refused_whole() {
    for (csv, expected) in [
        ("key,name,phone\n", "line 1: unknown column \"phone\""),
        ("name,members\n", "line 1: the column \"key\" is missing"),
        ("", "line 1: the column \"key\" is missing"),
    ] {
        let error = plan_groups(csv.as_bytes(), &[], &BTreeSet::new())
            .unwrap_err()
            .to_string();
        assert!(error.starts_with(expected), "{error}");
    }
}
