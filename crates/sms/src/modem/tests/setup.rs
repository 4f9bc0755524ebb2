use super::super::{ModemConfig, Pin, Registration};
use super::world::World;
use super::{check, check_from_start};
use crate::address::Address;

#[test]
fn a_modem_is_set_up_in_order() {
    check_from_start(
        r#"
        >> ^[
        >> AT
        < \r\nOK\r\n
        >> ATE0V1
        < ATE0V1\r\r\nOK\r\n
        >> AT+CMEE=1
        < \r\nOK\r\n
        > AT+CFUN?
        < \r\n+CFUN: 4\r\n\r\nOK\r\n
        >> AT+CFUN=1
        < \r\nOK\r\n
        > AT+CPIN?
        < \r\n+CPIN: READY\r\n\r\nOK\r\n
        >> AT+CIMI
        < \r\n244051234567890\r\n\r\nOK\r\n
        >> AT+CMGF=0
        < \r\nOK\r\n
        >> AT+CSMS=0
        < \r\nERROR\r\n
        > AT+CPMS="ME","ME","ME"
        < \r\n+CPMS: 0,20,0,20,0,20\r\n\r\nOK\r\n
        > AT+CNMI=2,1,0,1,0
        < \r\nOK\r\n
        ! ready
        calm
        "#
        .replace("^[", "\x1b")
        .as_str(),
    );
}

#[test]
fn who_and_where_the_modem_is_becomes_known() {
    let world = World::ready();
    let status = world.modem().status();
    assert_eq!(status.manufacturer.as_deref(), Some("Maker"));
    assert_eq!(status.model.as_deref(), Some("Model 1"));
    assert_eq!(status.revision.as_deref(), Some("1.0"));
    assert_eq!(status.imei.as_deref(), Some("490154203237518"));
    assert_eq!(status.imsi.as_deref(), Some("244051234567890"));
    assert_eq!(status.iccid.as_deref(), Some("89358021234567890123"));
    assert_eq!(status.operator.as_deref(), Some("Operator, Inc"));
    assert_eq!(
        (status.circuit, status.packet),
        (Some(Registration(1)), None)
    );
    assert_eq!(
        (status.signal_dbm, status.can_sms()),
        (Some(-73), Some(true))
    );
}

#[test]
fn a_port_where_nothing_answers_says_what_to_do() {
    check_from_start(
        r"
        = AT
        ! trouble nothing on this port answers AT; check that it is the modem's command port and that the modem has power
        ! reopen
        opened
        ! dead
        submit 1 hello
        ! 1 refused D Stopped
        = AT | OK
        ! ready
        submit 2 hello
        > AT+CMGS=18
        ",
    );
}

#[test]
fn a_port_that_is_no_modem_says_what_it_heard() {
    check_from_start(
        r#"
        = AT | login: \r\nPassword:
        ! trouble this port answers AT with "login: Password:login: Password:login: P"; check that it is the modem's command port and its speed
        "#,
    );
}

#[test]
fn a_modem_without_sim_asks_for_one_and_looks_again() {
    check_from_start(
        r"
        = AT+CPIN? | +CME ERROR: 10
        submit 1 hello
        ! trouble the modem has no SIM card; insert one, contacts first
        ! 1 refused D Stopped
        submit 2 hello
        ! 2 refused D Stopped
        wait 200
        calm
        = AT+CPIN? | +CPIN: READY\r\n\r\nOK
        ! ready
        ",
    );
}

#[test]
fn a_sim_that_is_still_starting_is_waited_for() {
    check_from_start(
        r"
        > AT+CIMI
        < \r\n+CME ERROR: 14\r\n
        >> AT+CIMI
        < \r\n+CMS ERROR: 314\r\n
        >> AT+CIMI
        < \r\n244051234567890\r\n\r\nOK\r\n
        ! ready
        ",
    );
}

#[test]
fn a_setting_the_modem_cannot_do_without_is_an_alarm() {
    check_from_start(
        r"
        = AT+CMGF=0 | +CMS ERROR: 303
        ! trouble the modem refuses AT+CMGF=0 (CMS error 303); it may not support SMS in PDU mode
        ",
    );
}

#[test]
fn a_modem_with_sim_memory_only_is_used_so() {
    check_from_start(
        r#"
        = AT+CPMS=? | +CPMS: ("SM"),("SM"),("SM")\r\n\r\nOK
        > AT+CPMS="SM","SM","SM"
        < \r\n+CPMS: 0,10,0,10,0,10\r\n\r\nOK\r\n
        ! ready
        "#,
    );
}

#[test]
fn an_optional_command_that_hangs_is_given_up_after_two_tries() {
    check_from_start(
        r"
        = AT+CLIP=1
        ! ready
        calm
        ",
    );
}

fn with_pin(script: &str) {
    let pin = Some(Pin::parse("1234").unwrap());
    let mut world = World::new(ModemConfig {
        pin,
        ..ModemConfig::default()
    });
    world.play(
        "= AT+CPIN? | +CPIN: SIM PIN\\r\\n\\r\\nOK\n= AT+CPINR | +CPINR: SIM PIN,3,3\\r\\n\\r\\nOK",
    );
    world.play(script);
}

#[test]
fn a_pin_is_tried_once_after_the_driver_has_noted_it() {
    with_pin(
        r#"
        ! pin wanted for 89358021234567890123
        pin yes
        >> AT+CPIN="1234"
        < \r\nOK\r\n
        >> AT+CPIN?
        < \r\n+CPIN: SIM PIN\r\n\r\nOK\r\n
        >> AT+CPIN?
        < \r\n+CPIN: READY\r\n\r\nOK\r\n
        ! ready
        "#,
    );
}

#[test]
fn a_wrong_pin_is_never_tried_again() {
    with_pin(
        r#"
        ! pin wanted for 89358021234567890123
        pin yes
        >> AT+CPIN="1234"
        < \r\n+CME ERROR: 16\r\n
        ! trouble the SIM rejected the configured PIN; correct it before the tries run out
        ! trouble the configured PIN has already been tried on this SIM and is not tried again; check it and unlock the SIM in a phone
        wait 600
        calm
        "#,
    );
}

#[test]
fn a_pin_tried_in_an_earlier_life_is_not_tried_again() {
    with_pin(
        r"
        ! pin wanted for 89358021234567890123
        pin no
        ! trouble the configured PIN has already been tried on this SIM and is not tried again; check it and unlock the SIM in a phone
        ",
    );
}

#[test]
fn a_pin_is_not_tried_with_fewer_than_two_tries_left_or_an_unknown_number() {
    with_pin(
        r#"
        = AT+CPINR | +CPINR: SIM PIN,1,3\r\n\r\nOK
        ! trouble the PIN is not tried because 1 tries are left; unlock the SIM in a phone
        "#,
    );
    with_pin(
        r#"
        = AT+CPINR | ERROR
        = AT+QPINC="SC" | ERROR
        = AT^CPIN? | ERROR
        ! trouble the PIN is not tried because an unknown number of tries are left; unlock the SIM in a phone
        "#,
    );
}

#[test]
fn a_blocked_sim_is_left_alone() {
    with_pin(
        r"
        = AT+CPIN? | +CPIN: SIM PUK\r\n\r\nOK
        ! trouble the SIM is blocked and asks for its PUK; unlock it in a phone
        wait 600
        calm
        ",
    );
}

#[test]
fn a_missing_service_centre_is_set_from_the_configuration_or_told() {
    let smsc = Some(Address::parse("+358405202000").unwrap());
    World::new(ModemConfig {
        smsc,
        ..ModemConfig::default()
    })
    .play(
        r#"
        = AT+CSCA? | +CSCA: "",129\r\n\r\nOK
        > AT+CSCA="+358405202000",145
        < \r\nOK\r\n
        ! ready
        "#,
    );
    check_from_start(
        r#"
        = AT+CSCA? | +CSCA: "",129\r\n\r\nOK
        ! trouble the SIM holds no service-centre number; configure the operator's
        ! ready
        "#,
    );
}

#[test]
fn settings_are_asserted_again_every_hour() {
    check(
        r"
        wait 3500
        > AT+CMGF=0
        < \r\nOK\r\n
        > AT+CNMI=2,1,0,1,0
        < \r\nOK\r\n
        calm
        ",
    );
}

#[test]
fn a_modem_that_restarts_by_itself_is_set_up_anew() {
    check(
        r"
        < \r\nRDY\r\n
        > AT+CMGF=0
        < \r\nOK\r\n
        ! ready
        ",
    );
}

#[test]
fn a_modem_left_in_numeric_mode_is_understood() {
    check_from_start(
        r"
        > AT
        < 0\r
        >> ATE0V1
        < \r\nOK\r\n
        ! ready
        ",
    );
}

#[test]
fn a_sim_that_becomes_ready_ends_the_wait_at_once() {
    check_from_start(
        r"
        = AT+CPIN? | +CME ERROR: 10
        ! trouble the modem has no SIM card; insert one, contacts first
        = AT+CPIN? | +CPIN: READY\r\n\r\nOK
        wait 1
        < \r\n+CPIN: READY\r\n
        wait 5
        ! ready
        calm
        ",
    );
}

#[test]
fn another_sim_takes_no_reports_of_the_one_before() {
    check(
        r"
        submit 1 hello
        >> AT+CMGS=18
        < \r\n>
        >> 0021000C91534810325476000005E8329BFD06^Z
        < \r\n+CMGS: 7\r\n\r\nOK\r\n
        ! 1 accepted 7
        lost
        = AT+CIMI | 244059999999999\r\n\r\nOK
        opened
        ! ready
        < \r\n+CDS: 25\r\n0006070C91534810325476621112221393806211122213938000\r\n
        ! report 1 on nothing known: Delivered
        ",
    );
}
