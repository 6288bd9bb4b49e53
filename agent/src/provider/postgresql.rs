//! Roles, databases and privileges of PostgreSQL servers.

use holdfast_catalog::resource::{PostgresqlDatabase, PostgresqlGrant, PostgresqlRole};

use super::{Applied, Change, Error, Left, Plan, Provider, Reading, Writing};

/// See the type `PostgresqlDatabase`.
pub struct Databases;

impl Provider for Databases {
    type Want = PostgresqlDatabase;
    type Seen = ();

    fn observe(&self, _: &[&PostgresqlDatabase], _: Reading<'_>) -> Result<(), Error> {
        Ok(())
    }

    fn plan(&self, _: &PostgresqlDatabase, (): &(), _: Reading<'_>) -> Result<Plan, Error> {
        Err(Error::Refused("this type is not here yet".to_owned()))
    }

    fn apply(&self, _: &PostgresqlDatabase, _: &[Change], _: Writing<'_>) -> Result<Applied, Error> {
        Err(Error::Refused("this type is not here yet".to_owned()))
    }

    fn left<'a>(&self, _: &'a PostgresqlDatabase) -> Left<'a> {
        Vec::new()
    }
}

/// See the type `PostgresqlGrant`.
pub struct Grants;

impl Provider for Grants {
    type Want = PostgresqlGrant;
    type Seen = ();

    fn observe(&self, _: &[&PostgresqlGrant], _: Reading<'_>) -> Result<(), Error> {
        Ok(())
    }

    fn plan(&self, _: &PostgresqlGrant, (): &(), _: Reading<'_>) -> Result<Plan, Error> {
        Err(Error::Refused("this type is not here yet".to_owned()))
    }

    fn apply(&self, _: &PostgresqlGrant, _: &[Change], _: Writing<'_>) -> Result<Applied, Error> {
        Err(Error::Refused("this type is not here yet".to_owned()))
    }

    fn left<'a>(&self, _: &'a PostgresqlGrant) -> Left<'a> {
        Vec::new()
    }
}

/// See the type `PostgresqlRole`.
pub struct Roles;

impl Provider for Roles {
    type Want = PostgresqlRole;
    type Seen = ();

    fn observe(&self, _: &[&PostgresqlRole], _: Reading<'_>) -> Result<(), Error> {
        Ok(())
    }

    fn plan(&self, _: &PostgresqlRole, (): &(), _: Reading<'_>) -> Result<Plan, Error> {
        Err(Error::Refused("this type is not here yet".to_owned()))
    }

    fn apply(&self, _: &PostgresqlRole, _: &[Change], _: Writing<'_>) -> Result<Applied, Error> {
        Err(Error::Refused("this type is not here yet".to_owned()))
    }

    fn left<'a>(&self, _: &'a PostgresqlRole) -> Left<'a> {
        Vec::new()
    }
}
