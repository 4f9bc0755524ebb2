//! Settings by example: what a file says and what the reader makes of it.

use super::*;

/// Loads `text` as a file named `holdfast.toml` and gives the problems without the folder's name.
fn problems(text: &str) -> Vec<String> {
    match read_text(text) {
        Ok(_) => Vec::new(),
        Err(error) => error.0.iter().map(ToString::to_string).collect(),
    }
}

fn read_text(text: &str) -> Result<Loaded, ConfigError> {
    let table = tree::parse(Path::new("holdfast.toml"), text).map_err(|p| ConfigError(vec![p]))?;
    read::read(table)
}

#[test]
fn without_any_setting_nothing_is_reachable_from_outside() {
    let config = read_text("").unwrap().config;
    for address in [config.cluster.listen, config.api.https, config.api.admin] {
        assert!(address.ip().is_loopback(), "{address}");
    }
    assert!(config.modems.is_empty() && config.smarthosts.is_empty());
}

#[test]
fn each_mistake_is_named_with_file_line_and_cure() {
    for (text, expected) in [
        (
            "[api]\nhtps = \"x\"",
            "holdfast.toml:2: api.htps: unknown key; did you mean https?",
        ),
        (
            "[apii]\n",
            "holdfast.toml:1: apii: unknown key; did you mean api?",
        ),
        (
            "[api",
            "holdfast.toml:1: not TOML: unclosed table, expected `]`",
        ),
        (
            "node = 3",
            "holdfast.toml:1: node: write it as a section, [node]",
        ),
        (
            "[modem]\nname = \"m\"",
            "holdfast.toml:1: modem: write it with two brackets, [[modem]]",
        ),
        (
            "[api]\n\nhttps = 443",
            "holdfast.toml:3: api.https: expected a text in quotes, found a number",
        ),
        (
            "[api]\nadmin = \"0.0.0.0:7480\"",
            "holdfast.toml:2: api.admin: 0.0.0.0:7480 is reachable from outside without TLS; use a loopback address such as 127.0.0.1:7480",
        ),
        (
            "[api]\nmembers = [\"https://n1.example.org/\"]",
            "holdfast.toml:2: api.members: \"https://n1.example.org/\" is not where a node serves HTTPS; write for example https://n1.example.org:7443, and no path behind it",
        ),
        (
            "[api]\nmembers = [\"https://n1.example.org:7443\"]\npasskey_domain = \"oob.example.org\"",
            "holdfast.toml:3: api.passkey_domain: https://n1.example.org:7443 is not below oob.example.org: passkeys would not work there; write a domain above all members",
        ),
        (
            "[api]\npasskey_domain = \"192.0.2.1\"",
            "holdfast.toml:2: api.passkey_domain: \"192.0.2.1\" is no domain; browsers make passkeys for names such as holdfast.example.org only",
        ),
        (
            "[api]\nhttps = \"here\"",
            "holdfast.toml:2: api.https: \"here\" is not address:port; write for example 127.0.0.1:7443",
        ),
        (
            "[cluster]\nlisten = \"0.0.0.0:7420\"",
            "holdfast.toml:1: cluster.advertise: say under which host:port the other nodes reach this one; 0.0.0.0:7420 names no address",
        ),
        (
            "[cluster]\nprofile = \"sat\"\nisland_after_s = 10",
            "holdfast.toml:3: cluster.island_after_s: 10 is out of range; use 34 to 600",
        ),
        (
            "[cluster]\nprofile = \"moon\"",
            "holdfast.toml:2: cluster.profile: \"moon\" is not one of lan, wan, lte, sat",
        ),
        (
            "[api]\ncert_file = \"/dev/null/x\"",
            "holdfast.toml:2: api.cert_file: cannot read /dev/null/x: Not a directory (os error 20)",
        ),
        (
            "[node]\ndata_dir = \"here\"",
            "holdfast.toml:2: node.data_dir: write the whole path, from /",
        ),
        (
            "[[smarthost]]\nname = \"a\"\nhost = \"mail.example.org\"\ntls = \"none\"\n[mail]\nfrom = \"a@b.org\"",
            "holdfast.toml:4: smarthost.a.tls: mail.example.org is not this machine, so mail to it needs TLS; use starttls or implicit",
        ),
        (
            "[[smarthost]]\nname = \"a\"\nhost = \"127.0.0.1\"\n",
            "mail.from: missing; with a smarthost there must be a sender, such as \"alerts@example.org\"",
        ),
        (
            "[[modem]]\nname = \"m\"\ndevice = \"/dev/null\"\nnumber = \"0401234567\"",
            "holdfast.toml:4: modem.m.number: \"0401234567\" has no country code; write it as +358401234567",
        ),
        (
            "[snmp_in]\nlisten = \"0.0.0.0:1162\"\n[[snmp_community]]\nname = \"ups\"\nsource = \"power\"\ncommunity_file = \"/dev/null/x\"",
            "holdfast.toml:1: snmp_in.from: missing; a community travels in clear, so say which addresses may use one, or use [[snmp_user]] alone",
        ),
        (
            "[snmp_in]\nlisten = \"127.0.0.1:1162\"",
            "holdfast.toml:2: snmp_in.listen: nobody may speak there; add an [[snmp_user]] or an [[snmp_community]]",
        ),
        (
            "[[snmp_user]]\nname = \"core\"\nsource = \"net\"\nauth = \"md5\"\npassphrases_file = \"/dev/null/x\"",
            "holdfast.toml:4: snmp_user.core.auth: \"md5\" is not one of sha256, sha512, sha1",
        ),
        (
            "[log]\nlevel = \"loud\"",
            "holdfast.toml:2: log.level: \"loud\" is not one of error, warn, info, debug, trace",
        ),
    ] {
        let found = problems(text);
        assert!(
            found.iter().any(|p| p == expected),
            "{text}\nexpected {expected}\nfound {found:#?}"
        );
    }
}

#[test]
fn every_number_refuses_zero_negative_and_absurd_values() {
    let modem = |rate: &str| {
        format!(
            "[[modem]]\nname = \"m\"\ndevice = \"/dev/null\"\nnumber = \"+358401234567\"\nrate_per_min = {rate}"
        )
    };
    let host = |port: &str| {
        format!(
            "[mail]\nfrom = \"a@b.org\"\n[[smarthost]]\nname = \"s\"\nhost = \"127.0.0.1\"\ntls = \"none\"\nport = {port}"
        )
    };
    let mail = |n: &str| format!("[mail]\nin_flight_max = {n}");
    let raises = |n: &str| format!("[api]\nraises_per_min = {n}");
    for make in [&modem as &dyn Fn(&str) -> String, &host, &mail, &raises] {
        assert_eq!(problems(&make("1")), Vec::<String>::new());
        for bad in [
            "0",
            "-1",
            "65536",
            "9223372036854775807",
            "9223372036854775808",
            "1.5",
            "\"5\"",
            "true",
        ] {
            assert_eq!(problems(&make(bad)).len(), 1, "{}", make(bad));
        }
    }
}

#[test]
fn all_problems_are_shown_not_just_the_first() {
    let found = problems(
        "[api]\nhtps = 1\nadmin = \"1.2.3.4:1\"\n[log]\nformat = \"xml\"\n[[modem]]\nrate_per_min = 0",
    );
    assert_eq!(found.len(), 7, "{found:#?}");
}

#[test]
fn a_secret_that_others_may_read_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let pin = dir.path().join("pin");
    std::fs::write(&pin, "1234").unwrap();
    let text = format!(
        "[[modem]]\nname = \"m\"\ndevice = \"/dev/null\"\nnumber = \"+358401234567\"\npin_file = {:?}",
        pin.display()
    );
    std::fs::set_permissions(&pin, std::fs::Permissions::from_mode(0o640)).unwrap();
    assert!(
        problems(&text)[0].contains("mode 640"),
        "{:?}",
        problems(&text)
    );
    std::fs::set_permissions(&pin, std::fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(problems(&text), Vec::<String>::new());
}

#[test]
fn later_layers_win_and_say_so() {
    let dir = tempfile::tempdir().unwrap();
    let main = dir.path().join("holdfast.toml");
    std::fs::write(&main, "[node]\nname = \"a\"\n[[modem]]\nname = \"m\"\ndevice = \"/dev/null\"\nnumber = \"+358401234567\"\n").unwrap();
    std::fs::create_dir(dir.path().join("holdfast.d")).unwrap();
    std::fs::write(
        dir.path().join("holdfast.d/10-site.toml"),
        "[node]\nname = \"b\"\n[[modem]]\nname = \"m\"\nrate_per_min = 6\n",
    )
    .unwrap();
    let loaded = load(Some(&main)).unwrap();
    assert_eq!(loaded.config.node.name, "b");
    assert_eq!(
        (
            loaded.config.modems.len(),
            loaded.config.modems[0].rate_per_min
        ),
        (1, 6)
    );
    let name = loaded.shown.iter().find(|s| s.key == "node.name").unwrap();
    assert!(
        name.origin.to_string().ends_with("10-site.toml:2"),
        "{}",
        name.origin
    );
}

#[test]
fn the_environment_sets_single_keys() {
    let set =
        |name: &str, value: &str| tree::from_environment([(name.to_owned(), value.to_owned())]);
    let read = |table| read::read(table).map_err(|e| e.0[0].to_string());
    let config = read(set("HOLDFAST__NODE__NAME", "n9").unwrap())
        .unwrap()
        .config;
    assert_eq!(config.node.name, "n9");
    let config = read(set("HOLDFAST__API__NAMES", "[\"oob.example.org\"]").unwrap())
        .unwrap()
        .config;
    assert_eq!(config.api.names, ["oob.example.org"]);
    let error = read(set("HOLDFAST__NODE__NMAE", "x").unwrap()).unwrap_err();
    assert_eq!(
        error,
        "environment HOLDFAST__NODE__NMAE: node.nmae: unknown key; did you mean name?"
    );
    assert!(set("HOLDFAST__NODE", "x").is_err());
}

#[test]
fn the_annotated_example_is_a_valid_file() {
    let text = include_str!("../../../../deploy/holdfast.toml");
    assert_eq!(problems(text), Vec::<String>::new());
    // Every commented key is a key the reader knows: uncommenting one line must never say "unknown key".
    let uncommented: String = text
        .lines()
        .map(|l| {
            l.strip_prefix("#")
                .filter(|r| !r.starts_with(' ') && !r.is_empty())
                .unwrap_or(l)
        })
        .collect::<Vec<_>>()
        .join("\n");
    let unknown: Vec<_> = problems(&uncommented)
        .into_iter()
        .filter(|p| p.contains("unknown key") || p.contains("not TOML"))
        .collect();
    assert_eq!(unknown, Vec::<String>::new());
}

#[test]
fn a_file_cut_or_flipped_anywhere_is_read_or_refused_with_a_reason() {
    let text = include_str!("../../../../deploy/holdfast.toml");
    let judge = |text: &str| {
        if let Err(error) = read_text(text) {
            assert!(!error.0.is_empty());
            assert!(
                error
                    .0
                    .iter()
                    .all(|problem| !problem.to_string().is_empty())
            );
        }
    };
    for len in (0..text.len()).filter(|len| text.is_char_boundary(*len)) {
        judge(&text[..len]);
    }
    for at in (0..text.len()).step_by(5) {
        let mut bytes = text.as_bytes().to_vec();
        bytes[at] ^= 1 << (at % 7);
        if let Ok(flipped) = String::from_utf8(bytes) {
            judge(&flipped);
        }
    }
}
