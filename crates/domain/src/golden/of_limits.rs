//! Bytes of commands about limits and second persons.

use crate::approvals::{Command as Approvals, Decision, Due, Said};
use crate::limits::{Amount, Budget, Command as Limits, SecondPerson};
use crate::oncall::Called;
use crate::recipients::Named;
use crate::{Command, Timestamp};

pub(super) fn samples() -> Vec<(&'static str, Command)> {
    let said = || Said {
        name: "Olga".to_owned(),
        reason: "it is real".to_owned(),
        code: Some("471100".to_owned()),
    };
    let setting = SecondPerson {
        people_over: Some(50),
        parts_over: Some(100),
        micros_over: Some(5_000_000),
        critical_at_once: true,
        ask: vec![
            Called::Named(Named::Person("dora".to_owned())),
            Called::Named(Named::Group("night".to_owned())),
        ],
    };
    let decide = |decision| {
        Command::Approvals(Approvals::Decide {
            number: 7,
            decision,
            said: said(),
        })
    };
    vec![
        (
            "limits.set_second_person",
            Command::Limits(Limits::SetSecondPerson(Some(setting))),
        ),
        (
            "limits.set_budget",
            Command::Limits(Limits::SetBudget(Budget {
                account: "source:zabbix".to_owned(),
                day: Amount {
                    parts: Some(500),
                    micros: Some(25_000_000),
                },
                month: Amount {
                    parts: Some(5_000),
                    micros: None,
                },
                reserve_percent: 20,
            })),
        ),
        (
            "limits.remove_budget",
            Command::Limits(Limits::RemoveBudget {
                account: "keys".to_owned(),
            }),
        ),
        ("approvals.approve", decide(Decision::Approve)),
        ("approvals.refuse", decide(Decision::Refuse)),
        ("approvals.release", decide(Decision::Release)),
        ("approvals.withdraw", decide(Decision::Withdraw)),
        (
            "approvals.review",
            Command::Approvals(Approvals::Review {
                number: 7,
                said: said(),
            }),
        ),
        (
            "approvals.follow_up",
            Command::Approvals(Approvals::FollowUp {
                due: vec![Due {
                    number: 7,
                    at: Timestamp(9),
                }],
            }),
        ),
    ]
}
