//! What does not come through: nftables rules where it would arrive, so that the sender hears nothing at all.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use super::{Uplink, address, enter};

/// One direction that is dead.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Cut {
    pub(crate) from: u8,
    pub(crate) to: u8,
    pub(crate) uplink: Uplink,
    /// Only what QUIC travels in; TCP passes.
    pub(crate) udp_only: bool,
}

impl Cut {
    /// Everything between two groups of sites, both ways.
    pub(crate) fn between(some: &[u8], others: &[u8]) -> Vec<Self> {
        let mut cuts = Self::one_way(some, others);
        cuts.extend(Self::one_way(others, some));
        cuts
    }

    /// Everything from some sites to others.
    pub(crate) fn one_way(from: &[u8], to: &[u8]) -> Vec<Self> {
        let mut cuts = Vec::new();
        for uplink in Uplink::BETWEEN_NODES {
            for (from, to) in pairs(from, to) {
                cuts.push(Self {
                    from,
                    to,
                    uplink,
                    udp_only: false,
                });
            }
        }
        cuts
    }
}

fn pairs<'a>(some: &'a [u8], others: &'a [u8]) -> impl Iterator<Item = (u8, u8)> + 'a {
    some.iter()
        .flat_map(|one| others.iter().map(|other| (*one, *other)))
        .filter(|(one, other)| one != other)
}

/// Puts a site's rules in force, all at once.
pub(super) fn apply(site: u8, cuts: &BTreeSet<Cut>) -> Result<()> {
    let [program, namespace, end] = enter(site);
    let mut nft = Command::new(program)
        .args([namespace.as_str(), &end, "nft", "-f", "-"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("cannot start nft")?;
    let mut stdin = nft.stdin.take().context("nft has no input")?;
    stdin.write_all(rules(site, cuts).as_bytes())?;
    drop(stdin);
    let done = nft.wait_with_output()?;
    if !done.status.success() {
        bail!("nft: {}", String::from_utf8_lossy(&done.stderr).trim());
    }
    Ok(())
}

fn rules(site: u8, cuts: &BTreeSet<Cut>) -> String {
    let mut text = "table inet chaos {}\ndelete table inet chaos\n\
        table inet chaos {\n chain input {\n  type filter hook input priority 0; policy accept;\n"
        .to_owned();
    for cut in cuts.iter().filter(|cut| cut.to == site) {
        let from = address(cut.uplink, cut.from);
        let what = if cut.udp_only {
            " meta l4proto udp"
        } else {
            ""
        };
        // Writing to a String cannot fail.
        _ = writeln!(text, "  ip saddr {from}{what} drop");
    }
    text.push_str(" }\n}\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_is_a_rule_where_packets_arrive() {
        let cuts: BTreeSet<Cut> = Cut::one_way(&[1], &[2, 3]).into_iter().collect();
        let at_two = rules(2, &cuts);
        assert!(at_two.contains("ip saddr 10.77.1.1 drop"), "{at_two}");
        assert!(at_two.contains("ip saddr 10.77.2.1 drop"), "{at_two}");
        assert!(!rules(1, &cuts).contains("drop"));
    }

    #[test]
    fn a_partition_cuts_both_ways_and_no_site_from_itself() {
        let cuts = Cut::between(&[1, 2], &[2, 3]);
        assert!(cuts.iter().all(|cut| cut.from != cut.to));
        assert!(cuts.iter().any(|cut| (cut.from, cut.to) == (1, 3)));
        assert!(cuts.iter().any(|cut| (cut.from, cut.to) == (3, 1)));
    }
}
