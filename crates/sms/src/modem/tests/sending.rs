use super::check;

/// The PDU of `submit … hello` to +358401234567.
const HELLO: &str = "0021000C9153481032547600 0005E8329BFD06";

fn check_hello(script: &str) {
    check(&script.replace("HELLO", &HELLO.replace(' ', "")));
}

#[test]
fn a_part_is_accepted_with_its_reference() {
    check_hello(
        r"
        submit 1 hello
        >> AT+CMGS=18
        < AT+CMGS=18\r\r\n>
        >> HELLO^Z
        < \r\n+CMGS: 7\r\n
        calm
        < \r\nOK\r\n
        ! 1 accepted 7
        calm
        ",
    );
}

#[test]
fn lines_nobody_asked_for_may_come_between_command_and_prompt_and_after() {
    check_hello(
        r#"
        submit 1 hello
        >> AT+CMGS=18
        < \r\n+CMTI: "ME",3\r\n\r\n^RSSI:12\r\n\r\nOK\r\n\r\n>
        >> HELLO^Z
        < \r\n+CREG: 5,"00AB","01CD"\r\n\r\n+XYZ: 1\r\n\r\n+CMGS: 7\r\n\r\n^MODE:5\r\n\r\nOK\r\n
        ! 1 accepted 7
        > AT+CMGR=3
        "#,
    );
}

#[test]
fn bytes_may_dribble() {
    let dribble: String = "\r\n> "
        .chars()
        .map(|c| format!("< {}\n", c.escape_default()))
        .collect();
    check_hello(&format!(
        "submit 1 hello\n>> AT+CMGS=18\n{}\n>> HELLO^Z",
        dribble.replace("<  ", "")
    ));
}

#[test]
fn a_text_can_not_be_taken_for_a_command() {
    check(
        r"
        submit 1 a\r\nAT+CFUN=0\r\nb
        >> AT+CMGS=27
        < \r\n>
        >> 0021000C9153481032547600000FE18622485D0D8D55670FD6508801^Z
        < \r\n+CMGS: 1\r\n\r\nOK\r\n
        ! 1 accepted 1
        submit 2 x\x1ay
        >> AT+CMGS=19
        < \r\n>
        >> 0021000C915348103254760008060078001A0079^Z
        ",
    );
}

#[test]
fn parts_go_out_in_order_and_back_to_back() {
    check_hello(
        r"
        submit 1 hello
        submit 2 hello
        >> AT+CMGS=18
        < \r\n>
        >> HELLO^Z
        < \r\n+CMGS: 1\r\n\r\nOK\r\n
        >> AT+CMGS=18
        < \r\n>
        >> HELLO^Z
        < \r\n+CMGS: 2\r\n\r\nOK\r\n
        ! 1 accepted 1
        ! 2 accepted 2
        ",
    );
}

#[test]
fn without_a_prompt_it_is_tried_once_more_and_then_refused() {
    check_hello(
        r"
        = AT+CMGS=18
        submit 1 hello
        >> AT+CMGS=18
        >> ^[
        >> AT
        < \r\nOK\r\n
        > AT+CMGS=18
        >> ^[
        ! 1 refused N NoPrompt
        "
        .replace("^[", "\x1b")
        .as_str(),
    );
}

#[test]
fn without_a_final_answer_it_is_first_slow_and_then_unknown() {
    check_hello(
        r"
        submit 1 hello
        >> AT+CMGS=18
        < \r\n>
        >> HELLO^Z
        wait 24
        calm
        wait 2
        ! 1 slow
        wait 120
        calm
        wait 5
        ! 1 unknown Silence
        "
        .replace("^[", "\x1b")
        .as_str(),
    );
}

#[test]
fn an_answer_that_comes_after_135_seconds_still_counts() {
    check_hello(
        r"
        submit 1 hello
        >> AT+CMGS=18
        < \r\n>
        >> HELLO^Z
        wait 135
        < \r\n+CMS ERROR: 350\r\n
        ! 1 slow
        ! 1 unknown NetworkTimeout(Cms(350))
        ",
    );
}

#[test]
fn the_late_answer_to_a_part_given_up_completes_no_other_command() {
    check_hello(
        r"
        submit 1 hello
        >> AT+CMGS=18
        < \r\n>
        >> HELLO^Z
        ! 1 slow
        ! 1 unknown Silence
        > AT+CMGF=0
        < \r\n+CMGS: 9\r\n\r\nOK\r\n
        < \r\nOK\r\n
        >> AT+CPMS=QQMEQQ,QQMEQQ,QQMEQQ
        calm
        "
        .replace("QQ", "\"")
        .as_str(),
    );
}

#[test]
fn errors_are_sorted_into_classes() {
    for (error, outcome) in [
        ("+CMS ERROR: 38", "refused N Error(Cms(38))"),
        ("+CMS ERROR: 1", "refused P Error(Cms(1))"),
        ("+CMS ERROR: 8", "refused D Error(Cms(8))"),
        ("+CMS ERROR: 304", "refused B Error(Cms(304))"),
        ("+CMS ERROR: 500", "refused T Error(Cms(500))"),
        ("+CMS ERROR: 197", "accepted"),
        ("+CMS ERROR: 332", "unknown NetworkTimeout(Cms(332))"),
        ("+CME ERROR: 30", "refused N Error(Cme(30))"),
        ("ERROR", "refused T Error(Plain)"),
    ] {
        check_hello(&format!(
            "submit 1 hello\n>> AT+CMGS=18\n< \\r\\n>\n>> HELLO^Z\n< \\r\\n{error}\\r\\n\n! 1 {outcome}\ncalm"
        ));
    }
}

#[test]
fn an_error_instead_of_the_prompt_is_a_refusal() {
    check(
        "submit 1 hello\n>> AT+CMGS=18\n< \\r\\n+CMS ERROR: 331\\r\\n\n! 1 refused N Error(Cms(331))",
    );
}

#[test]
fn a_modem_that_refuses_three_times_for_reasons_of_its_own_is_set_up_anew() {
    check_hello(
        r"
        = AT+CMGS=18 | +CMS ERROR: 500
        submit 1 hello
        ! 1 refused T Error(Cms(500))
        submit 2 hello
        ! 2 refused T Error(Cms(500))
        submit 3 hello
        ! 3 refused N Error(Cms(500))
        ! ready
        ",
    );
}

#[test]
fn an_unregistered_modem_sends_nothing() {
    check(
        r"
        < \r\n+CREG: 2\r\n
        submit 1 hello
        ! 1 refused N NotRegistered
        < \r\n+CEREG: 6\r\n
        submit 2 hello
        > AT+CMGS=18
        ",
    );
}

#[test]
fn a_port_lost_before_the_prompt_refuses_and_after_it_leaves_unknown() {
    check_hello(
        r"
        submit 1 hello
        submit 2 hello
        >> AT+CMGS=18
        lost
        ! 1 refused N NotReady
        opened
        ! ready
        > AT+CMGS=18
        < \r\n>
        >> HELLO^Z
        lost
        ! 2 unknown PortLost
        ",
    );
}

#[test]
fn a_number_that_came_before_the_port_was_lost_is_an_acceptance() {
    check_hello(
        "submit 1 hello\n>> AT+CMGS=18\n< \\r\\n>\n>> HELLO^Z\n< \\r\\n+CMGS: 5\\r\\n\nlost\n! 1 accepted 5",
    );
}

#[test]
fn parts_wait_a_minute_for_a_port_that_is_gone() {
    check(
        r"
        lost
        submit 1 hello
        wait 59
        calm
        wait 2
        ! 1 refused N NotReady
        ",
    );
}
