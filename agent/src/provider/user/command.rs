//! The commands that correct a user. Each is complete in itself, and none has a secret in its arguments.

use holdfast_catalog::resource::User;
use holdfast_catalog::resource::attribute::Presence;
use holdfast_catalog::resource::user::Membership;
use zeroize::Zeroizing;

use super::{Property, joined, names};
use crate::system::{Accounts, Invocation};

/// The commands that correct one property.
pub fn correcting(want: &User, property: Property, accounts: &Accounts) -> Vec<Invocation> {
    let set = |option: &str, value: &str| vec![usermod(want, &[option, value])];
    let text = |value: Option<String>| value.unwrap_or_default();
    match property {
        Property::Ensure if want.ensure == Presence::Present => making(want, accounts),
        Property::Uid => set("--uid", &text(want.uid.map(|uid| uid.to_string()))),
        Property::Gid => set("--gid", &text(want.gid.as_ref().map(ToString::to_string))),
        Property::Shell => set("--shell", &text(want.shell.as_ref().map(ToString::to_string))),
        Property::Comment => set("--comment", want.comment.as_deref().unwrap_or_default()),
        Property::Groups => {
            let groups = joined(names(want.groups.as_deref().unwrap_or_default()));
            match want.membership {
                Membership::Inclusive => vec![usermod(want, &["--groups", &groups])],
                Membership::Minimum => vec![usermod(want, &["--append", "--groups", &groups])],
            }
        }
        Property::Home if !want.manage_home => {
            set("--home", &text(want.home.as_ref().map(ToString::to_string)))
        }
        Property::Password => password(want).into_iter().collect(),
        // The provider itself corrects these.
        Property::Ensure | Property::Home | Property::ManageHome | Property::PurgeSshKeys => Vec::new(),
    }
}

fn usermod(want: &User, options: &[&str]) -> Invocation {
    Invocation::new(["usermod"].iter().chain(options).chain(&["--", want.title.as_str()]).copied())
}

pub(super) fn removing(want: &User) -> Invocation {
    let with_home = want.manage_home.then_some("--remove");
    Invocation::new(["userdel"].into_iter().chain(with_home).chain(["--", want.title.as_str()]))
}

/// Makes the account, then sets its password: until that is done, it is locked.
fn making(want: &User, accounts: &Accounts) -> Vec<Invocation> {
    let mut arguments = vec!["useradd".to_owned()];
    let mut option = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            arguments.extend([name.to_owned(), value]);
        }
    };
    // useradd makes a group with the user's own name, and refuses if one exists.
    let own_group = || accounts.group(want.title.as_str()).map(|group| group.name.clone());
    option("--uid", want.uid.map(|uid| uid.to_string()));
    option("--gid", want.gid.as_ref().map(ToString::to_string).or_else(own_group));
    option("--groups", want.groups.as_ref().map(|groups| joined(names(groups))).filter(|g| !g.is_empty()));
    option("--home-dir", want.home.as_ref().map(ToString::to_string));
    option("--shell", want.shell.as_ref().map(ToString::to_string));
    option("--comment", want.comment.clone());
    arguments.push(if want.manage_home { "--create-home" } else { "--no-create-home" }.to_owned());
    if want.system {
        arguments.push("--system".to_owned());
    }
    arguments.extend(["--".to_owned(), want.title.to_string()]);
    std::iter::once(Invocation::new(arguments)).chain(password(want)).collect()
}

/// Sets the password through standard input, which nobody else can read.
fn password(want: &User) -> Option<Invocation> {
    let hash = want.password.as_ref()?;
    let line = Zeroizing::new(format!("{}:{}\n", want.title, hash.expose()));
    Some(Invocation::new(["chpasswd", "--encrypted"]).input(line.as_bytes()))
}
