//! Accounts, databases and privileges of MariaDB servers.

use holdfast_catalog::resource::{MysqlDatabase, MysqlGrant, MysqlUser};

use super::{Applied, Change, Error, Left, Plan, Provider, Reading, Writing};

/// See the type `MysqlDatabase`.
pub struct Databases;

impl Provider for Databases {
    type Want = MysqlDatabase;
    type Seen = ();

    fn observe(&self, _: &[&MysqlDatabase], _: Reading<'_>) -> Result<(), Error> {
        Ok(())
    }

    fn plan(&self, _: &MysqlDatabase, (): &(), _: Reading<'_>) -> Result<Plan, Error> {
        Err(Error::Refused("this type is not here yet".to_owned()))
    }

    fn apply(&self, _: &MysqlDatabase, _: &[Change], _: Writing<'_>) -> Result<Applied, Error> {
        Err(Error::Refused("this type is not here yet".to_owned()))
    }

    fn left<'a>(&self, _: &'a MysqlDatabase) -> Left<'a> {
        Vec::new()
    }
}

/// See the type `MysqlGrant`.
pub struct Grants;

impl Provider for Grants {
    type Want = MysqlGrant;
    type Seen = ();

    fn observe(&self, _: &[&MysqlGrant], _: Reading<'_>) -> Result<(), Error> {
        Ok(())
    }

    fn plan(&self, _: &MysqlGrant, (): &(), _: Reading<'_>) -> Result<Plan, Error> {
        Err(Error::Refused("this type is not here yet".to_owned()))
    }

    fn apply(&self, _: &MysqlGrant, _: &[Change], _: Writing<'_>) -> Result<Applied, Error> {
        Err(Error::Refused("this type is not here yet".to_owned()))
    }

    fn left<'a>(&self, _: &'a MysqlGrant) -> Left<'a> {
        Vec::new()
    }
}

/// See the type `MysqlUser`.
pub struct Users;

impl Provider for Users {
    type Want = MysqlUser;
    type Seen = ();

    fn observe(&self, _: &[&MysqlUser], _: Reading<'_>) -> Result<(), Error> {
        Ok(())
    }

    fn plan(&self, _: &MysqlUser, (): &(), _: Reading<'_>) -> Result<Plan, Error> {
        Err(Error::Refused("this type is not here yet".to_owned()))
    }

    fn apply(&self, _: &MysqlUser, _: &[Change], _: Writing<'_>) -> Result<Applied, Error> {
        Err(Error::Refused("this type is not here yet".to_owned()))
    }

    fn left<'a>(&self, _: &'a MysqlUser) -> Left<'a> {
        Vec::new()
    }
}
