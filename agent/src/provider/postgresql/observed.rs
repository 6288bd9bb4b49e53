//! What was found, database by database. One that cannot be asked fails only the resources in it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::super::database::Seen;
use super::super::{Error, Plan};
use super::place::DatabaseAddress;

/// What was found in each database.
#[derive(Debug)]
pub struct Observed<T>(BTreeMap<DatabaseAddress, Result<Seen<T>, Arc<Error>>>);

impl<T> Observed<T> {
    /// Asks each database once.
    pub fn of(
        places: impl IntoIterator<Item = DatabaseAddress>,
        mut ask: impl FnMut(&DatabaseAddress) -> Result<Seen<T>, Error>,
    ) -> Self {
        let places: BTreeSet<DatabaseAddress> = places.into_iter().collect();
        let found = |place: DatabaseAddress| {
            let found = ask(&place).map_err(Arc::new);
            (place, found)
        };
        Self(places.into_iter().map(found).collect())
    }

    /// What was found, if the database was there.
    pub fn get(&self, place: &DatabaseAddress) -> Option<&T> {
        match self.0.get(place) {
            Some(Ok(Seen::There(found))) => Some(found),
            _ => None,
        }
    }

    /// Plans with what was found in a database.
    pub fn plan<P>(
        &self,
        place: &DatabaseAddress,
        plan: impl FnOnce(&T) -> Result<Plan<P>, Error>,
    ) -> Result<Plan<P>, Error> {
        match self.0.get(place) {
            Some(Ok(seen)) => seen.plan(plan),
            Some(Err(error)) => Err(error.clone().into()),
            None => Err(Error::Defect("internal error: its database was not read".to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use holdfast_catalog::resource::attribute::cluster::Cluster;
    use holdfast_catalog::resource::attribute::database::Port;

    use super::*;

    #[test]
    fn each_place_is_asked_once_and_fails_alone() {
        let place = |name| DatabaseAddress::new(Cluster::new(Port::POSTGRESQL, None), name);
        let (good, bad) = (place("good"), place("bad"));
        let mut asked = 0;
        let observed = Observed::of([good.clone(), bad.clone(), good.clone()], |place| {
            asked += 1;
            if *place == bad { Err(Error::Refused("no".to_owned())) } else { Ok(Seen::There(())) }
        });
        assert_eq!(asked, 2);
        assert_eq!(observed.plan(&good, |()| Ok(Plan::<Infallible>::IN_SYNC)).unwrap(), Plan::IN_SYNC);
        assert_eq!(observed.plan(&bad, |()| Ok(Plan::<Infallible>::IN_SYNC)).unwrap_err().to_string(), "no");
        assert!(observed.get(&bad).is_none());
    }
}
