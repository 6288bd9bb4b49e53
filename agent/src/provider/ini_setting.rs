//! `ini_setting`: settings.

use holdfast_catalog::resource::IniSetting;

use super::{Applied, Change, Error, Left, Plan, Provider, Reading, Writing};

/// The provider of `ini_setting`.
pub struct Settings;

impl Provider for Settings {
    type Want = IniSetting;
    type Seen = ();

    fn observe(&self, _: &[&IniSetting], _: Reading<'_>) -> Result<(), Error> {
        Ok(())
    }

    fn plan(&self, _: &IniSetting, (): &(), _: Reading<'_>) -> Result<Plan, Error> {
        Err(Error::Refused("`ini_setting` is not here yet".to_owned()))
    }

    fn apply(&self, _: &IniSetting, _: &[Change], _: Writing<'_>) -> Result<Applied, Error> {
        Err(Error::Refused("`ini_setting` is not here yet".to_owned()))
    }

    fn left<'a>(&self, _: &'a IniSetting) -> Left<'a> {
        Left::new()
    }
}
