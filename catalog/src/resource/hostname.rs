//! `hostname`: the machine's own name.

use super::attribute::{HostName, Presence};
use super::claim::Claim;
use super::define::resource_type;
use super::{AttributeError, Implied, Rules};

resource_type! {
    /// The name that the machine gives itself. The title is the name; a machine has one. `/etc/hosts` is the business of `host`.
    Hostname("hostname"), titled HostName {
        /// Whether `/etc/hostname` says it: the name from the next boot on.
        property r#static: bool = true,
        /// Whether the kernel says it now.
        property running: bool = true,
    }
}

impl Rules for Hostname {
    fn validate(&self) -> Vec<AttributeError> {
        let mut errors = Vec::new();
        if self.title.as_str().len() > 64 {
            let error =
                AttributeError::new("title", "the name is longer than the 64 bytes that the kernel takes");
            errors.push(error.help("use the short name, without the domain"));
        }
        if !self.r#static && !self.running {
            let error =
                AttributeError::new("static", "with neither `static` nor `running` there is nothing to do");
            errors.push(error.help("remove one of them"));
        }
        errors
    }

    fn implied(&self) -> Vec<Implied> {
        vec![Implied::on_path("/etc/hostname")]
    }

    fn claims(&self) -> Vec<Claim> {
        let mut claims = Vec::new();
        if self.r#static {
            claims.extend(Claim::whole_file("/etc/hostname", Presence::Present));
        }
        if self.running {
            claims.push(Claim::whole("name that the kernel has", ""));
        }
        claims
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::{Attributes, ResourceType as _};

    #[test]
    fn a_name_is_one_that_the_kernel_takes() {
        let read = |title: &str, attributes: &Attributes| Hostname::read(title, attributes);
        assert!(read("web1.acme.example", &Attributes::new()).is_ok());
        let long = ["a".repeat(40), "b".repeat(40)].join(".");
        for bad in ["", "a b", "a\n", "-a", &long] {
            assert_eq!(read(bad, &Attributes::new()).unwrap_err()[0].attribute, "title", "{bad}");
        }
        let neither = [("static".into(), false.into()), ("running".into(), false.into())].into();
        assert_eq!(read("web1", &neither).unwrap_err()[0].attribute, "static");
    }
}
