//! What goes wrong in a run, and how it ends.

use std::time::Duration;

use domain::NodeId;
use domain::deliveries::SendOutcome;
use rand::RngExt as _;

use super::{Event, HANG_NOTICED, Run};
use crate::air;
use crate::faults::Fault;

impl Run {
    /// Stops or crashes nodes whose fault waits for a loop to reach a point.
    pub(super) fn lurk(&mut self) {
        let caught: Vec<(NodeId, usize)> = self
            .lurking
            .iter()
            .filter(|(node, _)| self.world.node(node.0).is_held())
            .map(|(node, place)| (*node, *place))
            .collect();
        for (node, place) in caught {
            self.lurking.remove(&node);
            self.note(&format!("{node} is caught: {:?}", self.faults[place].fault));
            match self.faults[place].fault {
                Fault::CrashAt(..) => self.world.crash(node),
                _ => self.world.order().member_mut(node).paused = true,
            }
        }
    }

    pub(super) async fn begin(&mut self, place: usize) {
        let planned = self.faults[place].clone();
        self.note(&format!("begins {:?}", planned.fault));
        match planned.fault {
            Fault::Split(part) => self.cut(&part, true),
            Fault::Scatter => self.scatter(true),
            Fault::OneWay(from, to) => self.world.order().cut(from, to),
            Fault::Crash(node) => self.world.crash(node),
            Fault::PowerCut(node, entries) => {
                let applied = self
                    .world
                    .node(node.0)
                    .state
                    .applied()
                    .saturating_sub(entries);
                self.world.cut_power(node, applied).await;
            }
            Fault::Pause(node) => self.world.order().member_mut(node).paused = true,
            Fault::Hold(node, point) => self.world.node(node.0).gate.arm(Some(point)),
            Fault::PauseAt(node, point) | Fault::CrashAt(node, point) => {
                self.world.node(node.0).gate.arm(Some(point));
                self.lurking.insert(node, place);
            }
            Fault::Lag(node) => self.world.order().member_mut(node).lagging = true,
            Fault::WallJump(node, ms) => {
                self.world.order().member_mut(node).machine.wall_offset_ms += ms;
            }
            Fault::ModemDown(node) => self.modem_down(node),
            Fault::ModemHang(node) => {
                self.hanging.insert(node);
                let at = self.elapsed() + HANG_NOTICED;
                self.schedule(at, Event::HangNoticed(node));
            }
            Fault::MailDown(node) => {
                let mail = self.world.node(node.0).mail.clone();
                mail.end_all(&air::unknown_end());
                mail.set_up(false);
            }
            Fault::Loss(permille) => self.world.order().loss_permille = permille,
            Fault::BadAir => self.bad_air += 1,
            Fault::Transfer(node) => {
                self.world.order().transfer(node);
            }
        }
    }

    pub(super) fn end(&mut self, place: usize) {
        let planned = self.faults[place].clone();
        self.note(&format!("ends {:?}", planned.fault));
        match planned.fault {
            Fault::Split(part) => {
                self.cut(&part, false);
                for node in part {
                    self.fall_behind(node);
                }
            }
            Fault::Scatter => self.scatter(false),
            Fault::OneWay(from, to) => self.world.order().mend(from, to),
            Fault::Crash(node) | Fault::PowerCut(node, _) => self.bring_back(node),
            Fault::Pause(node) => {
                self.world.order().member_mut(node).paused = false;
                self.fall_behind(node);
            }
            Fault::Hold(node, _) => self.world.node(node.0).gate.release(),
            Fault::PauseAt(node, _) => {
                self.lurking.remove(&node);
                self.world.order().member_mut(node).paused = false;
                self.world.node(node.0).gate.release();
                self.fall_behind(node);
            }
            Fault::CrashAt(node, _) => {
                self.lurking.remove(&node);
                self.world.node(node.0).gate.release();
                self.bring_back(node);
            }
            Fault::Lag(node) => self.world.order().member_mut(node).lagging = false,
            Fault::WallJump(..) | Fault::Transfer(_) => {}
            Fault::ModemDown(node) => self.world.node(node.0).modem.set_up(true),
            Fault::ModemHang(node) => {
                self.notice_hang(node);
                self.world.node(node.0).modem.set_up(true);
            }
            Fault::MailDown(node) => self.world.node(node.0).mail.set_up(true),
            Fault::Loss(_) => self.world.order().loss_permille = 0,
            Fault::BadAir => self.bad_air = self.bad_air.saturating_sub(1),
        }
    }

    pub(super) fn cut(&mut self, part: &[NodeId], apart: bool) {
        let mut order = self.world.order();
        for a in part {
            for b in order.members() {
                if part.contains(&b) {
                    continue;
                }
                if apart {
                    order.cut(*a, b);
                    order.cut(b, *a);
                } else {
                    order.mend(*a, b);
                    order.mend(b, *a);
                }
            }
        }
    }

    pub(super) fn scatter(&mut self, apart: bool) {
        for node in 1..=self.nodes {
            self.cut(&[NodeId(node)], apart);
        }
    }

    pub(super) fn bring_back(&mut self, node: NodeId) {
        if self.world.order().member(node).up {
            return;
        }
        self.world.restart(node.0);
        self.fall_behind(node);
    }

    /// A node that was away hears its leader before it has caught up with the log.
    pub(super) fn fall_behind(&mut self, node: NodeId) {
        self.world.order().member_mut(node).lagging = true;
        let takes = Duration::from_millis(self.pace_chance.random_range(50..2_500));
        let at = self.elapsed() + takes;
        self.schedule(at, Event::CaughtUp(node));
    }

    pub(super) fn modem_down(&mut self, node: NodeId) {
        let modem = self.world.node(node.0).modem.clone();
        // What was under way has an unknown end; what the network decides of it is decided already.
        modem.end_all(&air::unknown_end());
        modem.set_up(false);
    }

    pub(super) fn notice_hang(&mut self, node: NodeId) {
        if self.hanging.remove(&node) {
            self.note(&format!("{node}'s modem is found to hang"));
            let modem = self.world.node(node.0).modem.clone();
            modem.end_all(&SendOutcome::Unknown {
                detail: "the modem hangs".to_owned(),
            });
            modem.set_up(false);
        }
    }

    /// Everything works again; from here on only rest is allowed.
    pub(super) fn heal(&mut self) {
        self.note("all is healed");
        self.healed = true;
        self.bad_air = 0;
        let ids: Vec<NodeId> = self.world.nodes.iter().map(|node| node.id).collect();
        {
            let mut order = self.world.order();
            order.mend_all();
            order.loss_permille = 0;
            for id in &ids {
                let member = order.member_mut(*id);
                member.paused = false;
                member.lagging = false;
            }
        }
        self.lurking.clear();
        for id in ids {
            self.notice_hang(id);
            self.world.node(id.0).gate.release();
            self.bring_back(id);
            for channel in self.world.node(id.0).channels() {
                if !channel.is_up() {
                    channel.set_up(true);
                }
            }
        }
    }
}
