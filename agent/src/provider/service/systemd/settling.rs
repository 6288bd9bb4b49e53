//! Whether a unit comes up that something other than systemd restarts. Its state at one moment says little, since the
//! command may leave the restart to the background.

use std::time::Duration;

use super::state::UnitState;

/// How long a unit is watched before it counts as running.
pub(super) const WATCHED: Duration = Duration::from_secs(1);

/// How long in total a unit is waited for that a command restarts.
const UNDER_WAY: Duration = Duration::from_secs(90);

/// How long in total it is waited for while systemd does nothing with it: the rest of the command may still be running.
const IDLE: Duration = Duration::from_secs(10);

/// The result of watching.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Settled {
    /// It is running, or did its work and has ended.
    Up,
    /// It is not, and is no longer waited for.
    NotUp,
}

/// A unit that is watched after its command has ended.
#[derive(Debug, Default)]
pub(super) struct Settling {
    /// Its state at the previous look, and when that was.
    before: Option<(Duration, UnitState)>,
    /// Since when it has been running, or has ended well.
    since: Option<Duration>,
    /// How long it was neither, with systemd doing nothing.
    idle: Duration,
}

impl Settling {
    /// Takes a look into account, `at` this time after the command ended. Returns the result once it is known. A unit
    /// that is running, but not yet for long, is never given up.
    pub(super) fn look(&mut self, at: Duration, now: &UnitState) -> Option<Settled> {
        let before = self.before.replace((at, now.clone()));
        let is_same = before.as_ref().is_some_and(|(_, before)| now.is_settled(before));
        if is_same || now.has_ended_well() {
            let since = *self.since.get_or_insert(at);
            return (at.saturating_sub(since) >= WATCHED).then_some(Settled::Up);
        }
        self.since = None;
        if let Some((then, _)) = before.filter(|(_, before)| !before.is_moving && !now.is_moving) {
            self.idle += at.saturating_sub(then);
        }
        (self.idle >= IDLE || at >= UNDER_WAY).then_some(Settled::NotUp)
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::unit::UnitActivity;
    use super::*;

    const STEP: Duration = Duration::from_millis(50);

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// The result for a unit that has each of these states from that second on, and the second in which it is known.
    fn watched(states: &[(u64, UnitState)]) -> (Settled, u64) {
        let mut settling = Settling::default();
        let mut at = Duration::ZERO;
        loop {
            let (_, now) = states.iter().rev().find(|(from, _)| seconds(*from) <= at).unwrap();
            if let Some(came) = settling.look(at, now) {
                return (came, at.as_secs());
            }
            at += STEP;
        }
    }

    fn up(run: &str) -> UnitState {
        let mut state = UnitState::example(UnitActivity::Running, "simple");
        state.run = Some(run.to_owned());
        state
    }

    fn moving(activity: UnitActivity) -> UnitState {
        let mut state = UnitState::example(activity, "notify");
        state.is_moving = true;
        state
    }

    fn failed() -> UnitState {
        UnitState::example(UnitActivity::Failed, "simple")
    }

    #[test]
    fn a_unit_that_comes_up_late_is_up() {
        let starting = || moving(UnitActivity::Starting);
        for late in [0, 8, 9, 10, 30, 88, 89] {
            assert_eq!(watched(&[(0, starting()), (late, up("2"))]), (Settled::Up, late + 1), "{late}");
        }
        let did_it = UnitState::example(UnitActivity::Stopped, "oneshot");
        for late in [9, 45] {
            assert_eq!(
                watched(&[(0, starting()), (late, did_it.clone())]),
                (Settled::Up, late + 1),
                "{late}"
            );
        }
        // The rest of the command works in the background before systemd does.
        let late = [(0, UnitState::example(UnitActivity::Stopped, "simple")), (8, starting()), (20, up("2"))];
        assert_eq!(watched(&late), (Settled::Up, 21));
        assert_eq!(watched(&[(0, up("1"))]), (Settled::Up, 1));
    }

    #[test]
    fn a_unit_that_is_not_up_is_given_up_when_nothing_moves_any_more() {
        let starting = || moving(UnitActivity::Starting);
        assert_eq!(watched(&[(0, failed())]), (Settled::NotUp, 10));
        assert_eq!(watched(&[(0, starting()), (45, failed())]), (Settled::NotUp, 55));
        assert_eq!(watched(&[(0, starting())]), (Settled::NotUp, 90));
        // systemd starts it again and again, and each run is a different one.
        let mut again = Settling::default();
        let looks = (0_u32..).map(|n| (STEP * n, up(&n.to_string())));
        let given_up = looks.map(|(at, now)| (at, again.look(at, &now))).find(|(_, came)| came.is_some());
        assert_eq!(given_up, Some((seconds(10), Some(Settled::NotUp))));
    }
}
