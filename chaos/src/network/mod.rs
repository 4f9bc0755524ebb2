//! The sites' networks: a namespace per site, several uplinks in each, and a desk that people's programs ask from.

mod cuts;
mod hub;
pub(crate) mod link;

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use anyhow::Result;
use serde::{Deserialize, Serialize};

pub(crate) use self::cuts::Cut;
use self::hub::Hub;
use self::link::Shape;
use crate::sandbox::run;

/// Place of the programs that raise alerts; reached over [`Uplink::Desk`] only.
pub(crate) const DESK: u8 = 254;

/// A way from a site to the other sites. The number is the third octet of its addresses.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Uplink {
    Fibre = 1,
    Lte = 2,
    /// To whoever asks the nodes over HTTPS; nodes do not speak to each other here, and nothing breaks here.
    Desk = 9,
}

impl Uplink {
    pub(crate) const ALL: [Self; 3] = [Self::Fibre, Self::Lte, Self::Desk];

    /// Those between nodes, best first.
    pub(crate) const BETWEEN_NODES: [Self; 2] = [Self::Fibre, Self::Lte];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Fibre => "fibre",
            Self::Lte => "lte",
            Self::Desk => "desk",
        }
    }

    fn usual(self) -> Shape {
        match self {
            Self::Fibre => Shape::fibre(),
            Self::Lte => Shape::lte(),
            Self::Desk => Shape::default(),
        }
    }

    fn of(at: Ipv4Addr) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|uplink| *uplink as u8 == at.octets()[2])
    }
}

/// A site's address on an uplink.
pub(crate) fn address(uplink: Uplink, site: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 77, uplink as u8, site)
}

/// The name of a site's namespace.
pub(crate) fn name(site: u8) -> String {
    format!("site{site}")
}

/// The words before a program's name that make it run in a site's network.
pub(crate) fn enter(site: u8) -> [String; 3] {
    [
        "nsenter".to_owned(),
        format!("--net=/run/netns/{}", name(site)),
        "--".to_owned(),
    ]
}

/// All sites' networks.
pub(crate) struct Network {
    sites: u8,
    hub: Hub,
    cuts: BTreeSet<Cut>,
}

impl Network {
    /// Makes the namespaces and joins them.
    pub(crate) fn start(sites: u8, seed: u64) -> Result<Self> {
        for site in 1..=sites {
            run("ip", &["netns", "add", &name(site)])?;
            run("ip", &["-n", &name(site), "link", "set", "lo", "up"])?;
        }
        Ok(Self {
            sites,
            hub: Hub::start(sites, seed)?,
            cuts: BTreeSet::new(),
        })
    }

    /// Adds cuts to those there are.
    pub(crate) fn cut(&mut self, more: &[Cut]) -> Result<()> {
        self.cuts.extend(more.iter().copied());
        self.apply()
    }

    /// Takes cuts away again.
    pub(crate) fn mend(&mut self, cuts: &[Cut]) -> Result<()> {
        for cut in cuts {
            self.cuts.remove(cut);
        }
        self.apply()
    }

    /// Gives the lines between nodes a shape: on `uplink`, wherever `site` is one end.
    pub(crate) fn shape(&self, uplink: Uplink, site: u8, shape: Option<Shape>) {
        let shape = shape.unwrap_or_else(|| uplink.usual());
        for other in (1..=self.sites).filter(|other| *other != site) {
            self.hub.shape(uplink, site, other, shape);
        }
    }

    fn apply(&self) -> Result<()> {
        for site in 1..=self.sites {
            cuts::apply(site, &self.cuts)?;
        }
        Ok(())
    }
}
