use super::check;

/// "hello" from +358401234567, 23 octets behind the service centre's.
const PDU: &str = "07915348502020F0040C91534810325476000062111222139380 05E8329BFD06";
/// A report that part 7 for +358401234567 was delivered.
const REPORT: &str = "00 06 07 0C91534810325476 62111222139380 62111222139380 00";

fn check_pdu(script: &str) {
    let script = script.replace("REPORT", &REPORT.replace(' ', ""));
    check(&script.replace("PDU", &PDU.replace(' ', "")));
}

#[test]
fn an_announced_message_is_read_from_the_memory_named_and_deleted_only_when_confirmed() {
    check_pdu(
        r#"
        < \r\n+CMTI: "SM",4\r\n
        >> AT+CPMS="SM"
        < \r\n+CPMS: 1,10,0,20,0,20\r\n\r\nOK\r\n
        >> AT+CMGR=4
        < \r\n+CMGR: 0,,24\r\nPDU\r\n\r\nOK\r\n
        ! received 1 "hello"
        >> AT+CPMS="ME"
        < \r\n+CPMS: 0,20,0,20,0,20\r\n\r\nOK\r\n
        confirm 1
        >> AT+CPMS="SM"
        < \r\n+CPMS: 1,10,0,20,0,20\r\n\r\nOK\r\n
        >> AT+CMGD=4
        < \r\nOK\r\n
        >> AT+CPMS="ME"
        "#,
    );
}

#[test]
fn the_sweep_finds_what_was_not_announced_and_shows_it_once() {
    check_pdu(
        r#"
        = AT+CPMS="SM" | +CPMS: 1,10,0,20,0,20\r\n\r\nOK
        = AT+CMGL=4 | +CMGL: 4,0,,24\r\nPDU\r\n\r\nOK
        ! received 1 "hello"
        wait 120
        calm
        confirm 1
        > AT+CMGD=4
        "#,
    );
}

#[test]
fn an_unconfirmed_message_is_shown_again_after_ten_minutes() {
    check_pdu(
        r#"
        = AT+CPMS="ME" | +CPMS: 1,20,1,20,1,20\r\n\r\nOK
        = AT+CMGL=4 | +CMGL: 4,0,,24\r\nPDU\r\n\r\nOK
        ! received 1 "hello"
        wait 580
        calm
        wait 60
        ! received 1 "hello"
        "#,
    );
}

#[test]
fn lines_inside_a_listing_spoil_nothing() {
    check_pdu(
        r#"
        = AT+CPMS="ME" | +CPMS: 2,20,2,20,2,20\r\n\r\nOK
        > AT+CMGL=4
        < \r\n+CMGL: 1,0,,24\r\n\r\n^RSSI:3\r\n\r\n+CDS: 25\r\nREPORT\r\nPDU\r\n
        < \r\n+CMTI: "ME",9\r\n+CMGL: 2,1,,24\r\nPDU\r\n\r\nOK\r\n
        ! received 2 "hello"
        ! received 3 "hello"
        > AT+CMGR=9
        "#,
    );
}

#[test]
fn what_cannot_be_decoded_is_quarantined_and_the_rest_goes_on() {
    check_pdu(
        r#"
        = AT+CPMS="ME" | +CPMS: 2,20,2,20,2,20\r\n\r\nOK
        = AT+CMGL=4 | +CMGL: 1,0,,24\r\n0791534850\r\n+CMGL: 2,0,,24\r\nPDU\r\n\r\nOK
        ! quarantined 1 0791534850
        ! received 2 "hello"
        confirm 1
        > AT+CMGD=1
        "#,
    );
}

#[test]
fn a_listing_that_hangs_is_replaced_by_reading_slot_by_slot() {
    check_pdu(
        r#"
        = AT+CPMS="ME" | +CPMS: 1,2,1,2,1,2\r\n\r\nOK
        = AT+CMGL=4
        = AT+CMGR=0 | +CMS ERROR: 321
        = AT+CMGR=1 | +CMS ERROR: 321
        = AT+CMGR=2 | +CMGR: 0,,24\r\nPDU\r\n\r\nOK
        > AT+CMGL=4
        ! received 1 "hello"
        wait 100
        calm
        "#,
    );
}

#[test]
fn an_announced_slot_that_cannot_be_read_brings_on_a_sweep() {
    check_pdu(
        r#"
        < \r\n+CMTI: "ME",7\r\n
        >> AT+CMGR=7
        < \r\n+CMS ERROR: 321\r\n
        = AT+CPMS="ME" | +CPMS: 1,20,1,20,1,20\r\n\r\nOK
        >> AT+CPMS="ME"
        < \r\n+CPMS: 1,20,1,20,1,20\r\n\r\nOK\r\n
        >> AT+CMGL=4
        < \r\n+CMTI: "ME",27585\r\n+CMGL: 8,0,,24\r\nPDU\r\n\r\nOK\r\n
        ! received 1 "hello"
        "#,
    );
}

#[test]
fn messages_handed_over_directly_are_taken_too() {
    check_pdu(
        r#"
        < \r\n+CMT: ,24\r\nPDU\r\n
        ! received 1 "hello"
        < \r\n+CMT: "Anna, home",24\r\n\r\nPDU\r\n
        ! received 2 "hello"
        confirm 1
        calm
        "#,
    );
}

const SEND: &str = r"
    submit 1 hello
    >> AT+CMGS=18
    < \r\n>
    >> 0021000C91534810325476000005E8329BFD06^Z
";

#[test]
fn a_report_finds_its_part() {
    check_pdu(&format!(
        r"
        {SEND}
        < \r\n+CMGS: 7\r\n\r\nOK\r\n
        ! 1 accepted 7
        < \r\n+CDS: 25\r\nREPORT\r\n
        ! report 1 on 1: Delivered
        "
    ));
}

#[test]
fn a_report_that_overtakes_the_answer_waits_for_it() {
    check_pdu(&format!(
        r"
        {SEND}
        < \r\n+CDS: 25\r\nREPORT\r\n
        calm
        < \r\n+CMGS: 7\r\n\r\nOK\r\n
        ! 1 accepted 7
        ! report 1 on 1: Delivered
        "
    ));
}

#[test]
fn a_report_on_nothing_known_is_told_after_five_minutes() {
    check_pdu(
        r"
        < \r\n+CDS: 25\r\nREPORT\r\n
        wait 295
        calm
        wait 10
        ! report 1 on nothing known: Delivered
        ",
    );
}

#[test]
fn a_report_on_a_reused_reference_means_the_newest_part_to_that_number() {
    let national = REPORT.replace("0C91534810325476", "0AA14010325476");
    check_pdu(&format!(
        r"
        {SEND}
        < \r\n+CMGS: 7\r\n\r\nOK\r\n
        ! 1 accepted 7
        submit 2 hello
        >> AT+CMGS=18
        < \r\n>
        >> 0021000C91534810325476000005E8329BFD06^Z
        < \r\n+CMGS: 7\r\n\r\nOK\r\n
        ! 2 accepted 7
        submit-to 3 +46708251358 hello
        > AT+CMGS=18
        < \r\n>
        >> 0021000B916407281553F8000005E8329BFD06^Z
        < \r\n+CMGS: 7\r\n\r\nOK\r\n
        ! 3 accepted 7
        < \r\n+CDS: 24\r\n{}\r\n
        ! report 1 on 2: Delivered
        ",
        national.replace(' ', "")
    ));
}

#[test]
fn a_stored_report_is_read_and_deleted_like_a_message() {
    check_pdu(
        r#"
        = AT+CPMS="SR" | +CPMS: 1,5,0,20,0,20\r\n\r\nOK
        < \r\n+CDSI: "SR",2\r\n
        > AT+CMGR=2
        < \r\n+CMGR: 0,,25\r\nREPORT\r\n\r\nOK\r\n
        wait 301
        ! report 1 on nothing known: Delivered
        confirm 1
        > AT+CMGD=2
        "#,
    );
}

#[test]
fn a_memory_that_fills_is_told_once() {
    check(
        r#"
        = AT+CPMS="SM" | +CPMS: 7,10,0,20,0,20\r\n\r\nOK
        ! filling SM 7/10
        wait 100
        calm
        "#,
    );
}

#[test]
fn a_slot_used_again_before_its_confirmation_is_not_emptied() {
    check_pdu(
        r#"
        = AT+CPMS="ME" | +CPMS: 1,20,1,20,1,20\r\n\r\nOK
        = AT+CMGL=4 | +CMGL: 4,0,,24\r\nPDU\r\n\r\nOK
        ! received 1 "hello"
        lost
        opened
        ! ready
        ! received 2 "hello"
        confirm 1
        wait 100
        calm
        confirm 2
        > AT+CMGD=4
        "#,
    );
}
