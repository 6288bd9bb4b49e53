//! Compares names that operators type with those that exist: an unknown one is refused, with the most similar one
//! suggested.

use std::collections::BTreeSet;

use holdfast_catalog::spelling::nearest;

use super::{AdminContext, NodeFilter, RequestError};
use crate::fleet::Member;
use crate::inventory;
use crate::store::user::{UserRow, UserScope};

/// The names in a fleet.
#[derive(Debug, Default)]
pub(super) struct FleetNames {
    resellers: BTreeSet<String>,
    places: BTreeSet<String>,
    roles: BTreeSet<String>,
}

impl FleetNames {
    /// The names in the commit in force, where a customer need not have machines yet, and those of machines that are no
    /// longer in the inventory.
    pub(super) fn of(context: &AdminContext, members: &[Member]) -> Self {
        let mut names = Self::default();
        for member in members {
            names.place(&member.tenancy.to_string());
            names.roles.extend(member.role().map(str::to_owned));
        }
        if let Some(in_force) = context.control.in_force() {
            let program = in_force.program();
            let customers = program.snapshot().under(inventory::FOLDER).filter_map(|(path, _)| {
                path.strip_prefix(inventory::FOLDER)?.strip_prefix('/')?.strip_suffix(".toml")
            });
            customers.for_each(|place| names.place(place));
            let manifests = program.modules().manifests().map(|manifest| manifest.name.as_str());
            names.roles.extend(manifests.filter_map(|name| name.strip_prefix("role::")).map(str::to_owned));
        }
        names
    }

    fn place(&mut self, place: &str) {
        if let Some((reseller, _)) = place.split_once('/') {
            self.resellers.insert(reseller.to_owned());
            self.places.insert(place.to_owned());
        }
    }

    /// Refuses a scope in which a user could never see anything.
    pub(super) fn check_scope(&self, scope: &UserScope) -> Result<(), RequestError> {
        match scope {
            UserScope::Everything => Ok(()),
            UserScope::Reseller(reseller) => self.reseller(reseller.as_str()),
            UserScope::Customer(place) => self.customer(&place.to_string()),
        }
    }

    /// Refuses a filter that nothing can match.
    pub(super) fn check_filter(&self, filter: &NodeFilter) -> Result<(), RequestError> {
        filter.reseller.as_deref().map_or(Ok(()), |name| self.reseller(name))?;
        filter.customer.as_deref().map_or(Ok(()), |name| self.customer(name))?;
        filter.role.as_deref().map_or(Ok(()), |name| self.role(name))
    }

    fn reseller(&self, name: &str) -> Result<(), RequestError> {
        if self.resellers.contains(name) {
            return Ok(());
        }
        let customers: Vec<_> = self.of_customer(name).collect();
        Err(match &customers[..] {
            [] => refused("reseller", name, &self.resellers),
            places => RequestError::Nobody { sort: "reseller", name: shown(name), meant: meant(places) },
        })
    }

    /// Checks a customer, given as `CUSTOMER` or `RESELLER/CUSTOMER`.
    fn customer(&self, name: &str) -> Result<(), RequestError> {
        if self.places.contains(name) || self.of_customer(name).next().is_some() {
            return Ok(());
        }
        let short: BTreeSet<String> =
            self.places.iter().filter_map(|place| Some(place.split_once('/')?.1.to_owned())).collect();
        Err(refused("customer", name, if name.contains('/') { &self.places } else { &short }))
    }

    fn role(&self, name: &str) -> Result<(), RequestError> {
        if self.roles.contains(name) { Ok(()) } else { Err(refused("role", name, &self.roles)) }
    }

    /// The places of customers of this name.
    fn of_customer<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let is = move |place: &&str| place.split_once('/').is_some_and(|(_, customer)| customer == name);
        self.places.iter().map(String::as_str).filter(is)
    }
}

/// The refusal for an unknown user, with the most similar name suggested.
pub(super) fn no_user(name: &str, users: &[UserRow]) -> RequestError {
    let near = nearest(name, users.iter().map(|user| user.name.as_str()));
    RequestError::NoUser(shown(name), near.map(|near| meant(&[near])).unwrap_or_default())
}

fn refused(sort: &'static str, name: &str, names: &BTreeSet<String>) -> RequestError {
    let near = nearest(name, names.iter().map(String::as_str));
    RequestError::Nobody {
        sort,
        name: shown(name),
        meant: near.map(|near| meant(&[near])).unwrap_or_default(),
    }
}

fn meant(names: &[&str]) -> String {
    format!("; did you mean `{}`?", names.join("` or `"))
}

/// The name with control characters escaped and cut to a length: what was typed may be anything.
fn shown(name: &str) -> String {
    name.escape_debug().take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> FleetNames {
        let mut names = FleetNames::default();
        ["alpinhost/acme", "alpinhost/birch", "seaside/acme"]
            .into_iter()
            .for_each(|place| names.place(place));
        names.roles.extend(["webshop".to_owned(), "mailhost".to_owned()]);
        names
    }

    fn told(result: Result<(), RequestError>) -> String {
        result.map_or_else(|refused| refused.to_string(), |()| String::new())
    }

    #[test]
    fn a_scope_of_nobody_is_refused_with_the_nearest() {
        let scope = |text: &str| told(names().check_scope(&text.parse().unwrap()));
        for good in ["everything", "alpinhost", "alpinhost/birch"] {
            assert_eq!(scope(good), "", "{good}");
        }
        assert_eq!(scope("alpinhots"), "there is no reseller `alpinhots`; did you mean `alpinhost`?");
        assert_eq!(
            scope("alpinhost/brich"),
            "there is no customer `alpinhost/brich`; did you mean `alpinhost/birch`?"
        );
        assert_eq!(scope("birch"), "there is no reseller `birch`; did you mean `alpinhost/birch`?");
        assert_eq!(
            scope("acme"),
            "there is no reseller `acme`; did you mean `alpinhost/acme` or `seaside/acme`?"
        );
        assert_eq!(scope("nothing-like-it"), "there is no reseller `nothing-like-it`");
    }

    #[test]
    fn a_filter_that_nothing_can_fit_is_refused_with_the_nearest() {
        let filter = |reseller: &str, customer: &str, role: &str| {
            let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
            let filter = NodeFilter {
                states: Vec::new(),
                reseller: given(reseller),
                customer: given(customer),
                role: given(role),
            };
            told(names().check_filter(&filter))
        };
        assert_eq!(filter("seaside", "acme", "webshop"), "");
        assert_eq!(filter("", "alpinhost/acme", ""), "");
        assert_eq!(filter("seasid", "", ""), "there is no reseller `seasid`; did you mean `seaside`?");
        assert_eq!(filter("", "amce", ""), "there is no customer `amce`; did you mean `acme`?");
        assert_eq!(filter("", "", "webshpo"), "there is no role `webshpo`; did you mean `webshop`?");
    }
}
