//! `notify`: reports its message in every run, and does nothing.

use holdfast_catalog::resource::Notify;

use super::{Applied, ChangeKind, Error, Left, Provider, Reading, Writing, properties};

/// The provider of `notify`.
pub struct Notifications;

properties! {
    Message => "message",
}

impl Provider for Notifications {
    type Want = Notify;
    type Seen = ();
    type Property = Property;

    fn observe(&self, _: &[&Notify], _: Reading<'_>) -> Result<(), Error> {
        Ok(())
    }

    fn plan(&self, want: &Notify, (): &(), _: Reading<'_>) -> Result<Plan, Error> {
        let message = want.message.as_ref().unwrap_or(&want.title);
        Ok(Plan::of(vec![Change::new(Property::Message, "", "").kind(ChangeKind::Note).note(message)]))
    }

    fn apply(&self, _: &Notify, _: &[Change], _: Writing<'_>) -> Result<Applied, Error> {
        Ok(Applied::default())
    }

    fn left<'a>(&self, _: &'a Notify) -> Left<'a> {
        Left::new()
    }
}
