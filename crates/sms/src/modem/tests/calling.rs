use super::check;

/// What the modem lists while a call of this side is up.
fn listed(stat: u8) -> String {
    format!(r#"= AT+CLCC | +CLCC: 1,0,{stat},0,0,"+358401234567",145\r\n\r\nOK"#)
}

#[test]
fn a_phone_rings_for_its_time_and_the_line_is_hung_up() {
    check(&format!(
        "{}
        ring 1 20
        >> ATD+358401234567;
        < \\r\\nOK\\r\\n
        wait 4
        {}
        wait 19
        calm
        ! ring 1 Rang {{ alerted: true }}
        > AT+CHUP
        < \\r\\nOK\\r\\n
        calm",
        listed(2),
        listed(3)
    ));
}

#[test]
fn a_call_that_is_taken_is_hung_up_at_once() {
    check(&format!(
        "{}
        ring 1 20
        >> ATD+358401234567;
        < \\r\\nOK\\r\\n
        wait 6
        {}
        ! ring 1 Answered
        >> AT+CHUP",
        listed(3),
        listed(0)
    ));
}

#[test]
fn the_network_says_why_it_ended_a_call() {
    for (stat, word, outcome) in [
        (2, "BUSY", "Busy"),
        (3, "NO ANSWER", "NoAnswer"),
        (2, "NO CARRIER", "NotReached"),
        (3, "NO CARRIER", "NoAnswer"),
        (2, "NO DIALTONE", "NotReached"),
    ] {
        check(&format!(
            "{}
            ring 1 20
            >> ATD+358401234567;
            < \\r\\nOK\\r\\n
            wait 5
            < \\r\\n{word}\\r\\n
            ! ring 1 {outcome}
            > AT+CHUP
            < \\r\\nERROR\\r\\n
            >> ATH
            < \\r\\nOK\\r\\n
            calm",
            listed(stat)
        ));
    }
}

#[test]
fn the_end_may_come_as_the_answer_to_dialling() {
    for (answer, outcome) in [
        ("NO CARRIER", "NotReached"),
        ("BUSY", "Busy"),
        ("ERROR", "Refused { reason: Error(Plain) }"),
        ("+CME ERROR: 30", "Refused { reason: Error(Cme(30)) }"),
    ] {
        check(&format!(
            "ring 1 20
            >> ATD+358401234567;
            < \\r\\n{answer}\\r\\n
            ! ring 1 {outcome}
            >> AT+CHUP"
        ));
    }
}

#[test]
fn a_call_that_vanished_from_the_list_is_over() {
    check(&format!(
        "{}
        ring 1 20
        >> ATD+358401234567;
        < \\r\\nOK\\r\\n
        wait 5
        = AT+CLCC | OK
        ! ring 1 NoAnswer
        ",
        listed(3)
    ));
}

#[test]
fn a_modem_that_lists_no_calls_rings_by_the_clock() {
    check(
        "
        = AT+CLCC | ERROR
        ring 1 20
        >> ATD+358401234567;
        < \\r\\nOK\\r\\n
        wait 24
        calm
        wait 2
        ! ring 1 Rang { alerted: false }
        ",
    );
}

#[test]
fn a_modem_that_answers_only_when_the_call_is_taken_is_hung_up_in_time() {
    check(
        "
        ring 1 20
        >> ATD+358401234567;
        wait 24
        calm
        ! ring 1 Rang { alerted: false }
        > AT+CHUP
        ",
    );
}

#[test]
fn texts_wait_for_the_line_and_a_ring_waits_for_the_text() {
    check(&format!(
        "{}
        submit 1 hello
        >> AT+CMGS=18
        ring 7 20
        < \\r\\n>
        >> 0021000C91534810325476000005E8329BFD06^Z
        wait 2
        calm
        < \\r\\n+CMGS: 7\\r\\n\\r\\nOK\\r\\n
        ! 1 accepted 7
        >> ATD+358401234567;
        submit 2 hello
        < \\r\\nOK\\r\\n
        wait 5
        < \\r\\nBUSY\\r\\n
        ! ring 7 Busy
        > AT+CHUP
        < \\r\\nOK\\r\\n
        >> AT+CMGS=18",
        listed(2)
    ));
}

#[test]
fn texts_that_come_in_are_read_while_the_phone_rings() {
    check(&format!(
        "{}
        ring 1 20
        >> ATD+358401234567;
        < \\r\\nOK\\r\\n\\r\\n+CMTI: \"ME\",3\\r\\n
        > AT+CMGR=3",
        listed(2)
    ));
}

#[test]
fn one_ring_at_a_time() {
    check(
        "
        ring 1 20
        >> ATD+358401234567;
        ring 2 20
        ! ring 2 Refused { reason: QueueFull }
        ",
    );
}

#[test]
fn an_unregistered_modem_calls_nobody() {
    check(
        "
        < \\r\\n+CREG: 2\\r\\n
        ring 1 20
        ! ring 1 Refused { reason: NotRegistered }
        < \\r\\n+CREG: 6\\r\\n
        ring 2 20
        ! ring 2 Refused { reason: NotRegistered }
        ",
    );
}

#[test]
fn a_port_lost_while_ringing_leaves_it_unknown_and_is_hung_up_when_it_is_back() {
    check(
        "
        ring 1 20
        >> ATD+358401234567;
        < \\r\\nOK\\r\\n
        lost
        ! ring 1 Unknown { reason: PortLost }
        ring 2 20
        wait 59
        calm
        wait 2
        ! ring 2 Refused { reason: NotReady }
        opened
        ! ready
        > AT+CHUP
        ",
    );
}

#[test]
fn a_modem_that_hangs_while_ringing_ends_it_all_the_same() {
    check(
        "
        ring 1 20
        >> ATD+358401234567;
        < \\r\\nOK\\r\\n
        = AT+CLCC
        = AT+CHUP
        ! ring 1 Rang { alerted: false }
        ",
    );
}

#[test]
fn a_call_that_comes_in_is_told_of_once_and_turned_down() {
    check(
        "
        < \\r\\nRING\\r\\n\\r\\n+CLIP: \"+358405550001\",145,\"\",0,\"\",0\\r\\n
        ! called by +358405550001
        >> AT+CHUP
        < \\r\\nRING\\r\\n\\r\\n+CLIP: \"+358405550001\",145\\r\\n
        < \\r\\nOK\\r\\n\\r\\nNO CARRIER\\r\\n
        calm
        < \\r\\nRING\\r\\n
        wait 3
        < \\r\\nRING\\r\\n
        ! called by unknown
        >> AT+CHUP
        ",
    );
}
