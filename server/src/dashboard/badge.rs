//! Shows a state on a page: with a sign beside the word, since many people cannot tell colours apart.

use std::fmt::{self, Display, Formatter};

use askama::filters::HtmlSafe;
use holdfast_catalog::report::{Cause, Status};
use holdfast_catalog::state::State;

/// A state as a badge.
#[derive(Debug, Clone, Copy)]
pub struct Badge(pub State);

/// The sign beside the word for a state.
pub fn sign(state: &State) -> &'static str {
    match state {
        State::Late => "◔",
        State::Failed => "✕",
        State::Broken => "!",
        State::KeptBack => "⇤",
        State::NotApplicable => "∅",
        State::Pending => "≠",
        State::SwitchedOff => "◌",
        State::Trouble => "⚠",
        State::NoRun => "…",
        State::NeverSeen => "○",
        State::NotAdded => "+",
        State::Drifted => "↺",
        State::Changed => "△",
        State::Revoked => "⊘",
        State::InOrder => "✓",
    }
}

/// The state that an event is shown as: the one most similar to it.
pub fn of_event(status: Status, cause: Option<Cause>) -> State {
    match (status, cause) {
        (Status::Failed, _) => State::Failed,
        (Status::WouldChange, _) => State::Pending,
        (Status::Changed, Some(Cause::Corrective)) => State::Drifted,
        (Status::Changed, _) => State::Changed,
        (Status::Skipped, _) => State::Late,
        (Status::NotApplicable, _) => State::NotApplicable,
        (Status::Info, _) => State::InOrder,
    }
}

impl Display for Badge {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "<span class=\"badge {}\" title=\"{}\"><span aria-hidden=\"true\">{}</span> {}</span>",
            self.0.slug(),
            self.0.meaning(),
            sign(&self.0),
            self.0.word()
        )
    }
}

impl HtmlSafe for Badge {}
