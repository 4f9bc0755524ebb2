use super::check;

fn check_escapes(script: &str) {
    check(&script.replace("^[", "\x1b"));
}

#[test]
fn an_idle_modem_is_asked_whether_it_is_there() {
    check_escapes(
        r"
        = AT+CSQ
        > AT+CSQ
        >> ^[
        >> AT
        < \r\nOK\r\n
        > AT+CMGF=0
        calm
        ",
    );
}

#[test]
fn after_an_answer_one_behind_nothing_is_sent_before_a_clean_ok() {
    check_escapes(
        r"
        = AT+CSQ
        > AT+CSQ
        >> ^[
        >> AT
        < \r\n+CSQ: 20,99\r\n\r\nOK\r\n
        < \r\nOK\r\n
        >> ^[
        >> AT
        < \r\nOK\r\n
        > AT+CMGF=0
        ",
    );
}

#[test]
fn silence_leads_up_the_ladder_step_by_step() {
    check_escapes(
        r"
        wait 70
        = AT
        = AT+CSQ
        ! reopen
        opened
        > ^[
        > AT
        wait 50
        calm
        > AT+CFUN=1,1
        < \r\nOK\r\n
        ! reopen
        wait 20
        opened
        wait 55
        calm
        > AT+CFUN=1,1
        ! reopen
        opened
        ! dead
        = AT | OK
        ! ready
        ",
    );
}

#[test]
fn a_part_waiting_when_the_modem_dies_is_refused() {
    check_escapes(
        r"
        wait 70
        = AT
        = AT+CMGS=18
        submit 1 hello
        ! reopen
        opened
        ! 1 refused N NotReady
        ",
    );
}

#[test]
fn garbage_between_answers_is_counted_and_ignored() {
    let mut world = super::World::ready();
    let before = world.modem().lines_ignored();
    world.play("< \\r\\n^HCSQ:\"LTE\",1,2\\r\\nqwerty\\r\\n\nwait 300\ncalm");
    assert_eq!(world.modem().lines_ignored(), before + 2);
}
