//! What is one thing on the machine and many resources in the catalog. By the time the agent looks at a file made of
//! fragments, the file has one content; and such a thing is changed only if all of its parts may be.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::catalog::{Catalog, Policy, Resource};
use crate::origin::Origin;
use crate::resource::{Firewall, Fragment, ResourceType as _};
use crate::value::{Kind, Sensitive, TextPiece, Value};

/// The most fragment places that are named as sources of a file's content.
const MAX_SOURCES: usize = 32;

const CONTENT: &str = "content";

/// The fragments of one file, in their order.
type FragmentList<'a> = Vec<(Fragment, &'a Resource)>;

impl Catalog {
    /// The catalog, in which each file that takes fragments has its content, and all parts of one thing have one
    /// policy; unchanged if it has nothing of the kind. The id stays.
    pub fn assembled(&self) -> Cow<'_, Self> {
        let is_watched = |resource: &Resource| is_firewall(resource) && resource.policy != Policy::Enforce;
        let watched = self.resources.iter().any(is_watched);
        if !watched && !self.resources.iter().any(takes_fragments) {
            return Cow::Borrowed(self);
        }
        let mut parts = self.parts();
        let mut assembled = self.clone();
        for file in assembled.resources.iter_mut().filter(|resource| takes_fragments(resource)) {
            let parts = parts.remove(&*file.reference.title).unwrap_or_default();
            file.attributes.remove(Fragment::TAKEN_BY);
            file.attributes.insert(CONTENT.into(), joined(&parts));
            file.sources.insert(CONTENT.into(), sources(&parts));
            if parts.iter().any(|(_, part)| part.policy != Policy::Enforce) {
                watch(file);
            }
        }
        if watched {
            assembled.resources.iter_mut().filter(|resource| is_firewall(resource)).for_each(watch);
        }
        Cow::Owned(assembled)
    }

    fn parts(&self) -> BTreeMap<String, FragmentList<'_>> {
        let mut all: BTreeMap<String, FragmentList<'_>> = BTreeMap::new();
        for resource in self.resources.iter().filter(|r| *r.reference.type_name == *Fragment::DEF.name) {
            // What cannot be read is refused with the whole catalog.
            if let Ok(part) = Fragment::read(&resource.reference.title, &resource.attributes) {
                all.entry(part.target.to_string()).or_default().push((part, resource));
            }
        }
        let place = |(part, _): &(Fragment, &Resource)| (part.order, part.title.clone());
        all.values_mut().for_each(|parts| parts.sort_by_cached_key(place));
        all
    }
}

/// Lowers the policy to audit: correcting the resource would change a part that must not be changed.
fn watch(resource: &mut Resource) {
    resource.policy = resource.policy.min(Policy::Audit);
}

/// Whether a resource is a rule of the ruleset, which is loaded as a whole.
fn is_firewall(resource: &Resource) -> bool {
    *resource.reference.type_name == *Firewall::DEF.name
}

/// Whether a resource is a file made of fragments. One that also has content is left as it is: that is an error.
fn takes_fragments(resource: &Resource) -> bool {
    resource.attributes.get(Fragment::TAKEN_BY).and_then(Value::as_bool) == Some(true)
        && *resource.reference.type_name == *crate::resource::File::DEF.name
        && !resource.attributes.contains_key(CONTENT)
}

/// All texts, each terminated by a line end; secret if one of them is.
fn joined(parts: &FragmentList<'_>) -> Value {
    let mut pieces = Vec::new();
    for text in parts.iter().filter_map(|(_, resource)| resource.attributes.get(CONTENT)) {
        match &text.kind {
            Kind::Sensitive(secret) => pieces.extend(secret.as_pieces().unwrap_or_default().iter().cloned()),
            _ => pieces.extend(text.as_str().map(|text| TextPiece { text: text.into(), secret: false })),
        }
        pieces.retain(|piece| !piece.text.is_empty());
        if pieces.last().is_some_and(|piece| !piece.text.ends_with('\n')) {
            pieces.push(TextPiece { text: "\n".into(), secret: false });
        }
    }
    if pieces.iter().any(|piece| piece.secret) {
        return Kind::Sensitive(Sensitive::pieces(pieces)).into();
    }
    pieces.iter().map(|piece| &*piece.text).collect::<String>().into()
}

/// Where the texts are written, and which data set them.
fn sources(parts: &FragmentList<'_>) -> Vec<Origin> {
    let key: Arc<str> = CONTENT.into();
    let all = parts.iter().filter_map(|(_, resource)| resource.sources.get(&key)).flatten();
    all.take(MAX_SOURCES).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::CatalogId;
    use crate::certname::Certname;
    use crate::resource::{ResourceRef, TypedResource};

    fn resource(type_name: &str, title: &str, attributes: &[(&str, Value)]) -> Resource {
        Resource {
            reference: ResourceRef::new(type_name, title),
            attributes: attributes.iter().map(|(k, v)| (Arc::from(*k), v.clone())).collect(),
            policy: Policy::Enforce,
            container: None,
            tags: Vec::new(),
            origin: None,
            sources: [("content".into(), vec![Origin::locate(&title.into(), "x", 0..1)])].into(),
        }
    }

    fn part(title: &str, target: &str, order: Option<i64>, text: impl Into<Value>) -> Resource {
        let mut attributes = vec![("target", target.into()), ("content", text.into())];
        attributes.extend(order.map(|order| ("order", order.into())));
        resource("fragment", title, &attributes)
    }

    fn catalog(resources: Vec<Resource>) -> Catalog {
        Catalog {
            id: CatalogId::unknown(),
            certname: Certname::parse("web1.acme.example").unwrap(),
            commit: "c1".into(),
            environment: "main".into(),
            resources,
            containers: Vec::new(),
            edges: Vec::new(),
        }
    }

    fn file(path: &str) -> Resource {
        resource("file", path, &[("fragments", true.into()), ("mode", "0600".into())])
    }

    #[test]
    fn a_file_holds_its_fragments_by_order_then_by_title() {
        let given = catalog(vec![
            part("b", "/x", None, "b"),
            part("last", "/x", Some(900), "end"),
            file("/x"),
            part("other", "/y", Some(0), "other"),
            part("a", "/x", Some(10), "a\n"),
            part("empty", "/x", Some(10), ""),
            part("first", "/x", Some(9), "begin\nand"),
        ]);
        let assembled = given.assembled();
        let whole = &assembled.resources[2];
        assert_eq!(whole.attributes["content"], "begin\nand\na\nb\nend\n".into());
        assert_eq!(whole.sources["content"][0].file, "first".into());
        assert!(
            assembled
                .validate()
                .unwrap()
                .iter()
                .any(|typed| matches!(typed, TypedResource::File(file) if file.mode.is_some()))
        );
    }

    #[test]
    fn a_file_with_one_secret_fragment_is_secret() {
        let secret = Value::from(Kind::Sensitive(Sensitive::text("hunter2")));
        let given =
            catalog(vec![file("/x"), part("a", "/x", None, "user=app"), part("b", "/x", None, secret)]);
        let content = &given.assembled().resources[0].attributes["content"];
        assert_eq!(content.shown(), "user=app\n[sensitive]\n");
        let Kind::Sensitive(secret) = &content.kind else { panic!("{content:?}") };
        assert_eq!(secret.expose(), "user=app\nhunter2\n".into());
    }

    #[test]
    fn one_thing_is_changed_only_where_all_of_its_parts_may_be() {
        let rule = |title: &str| resource("firewall", title, &[]);
        let mut all = vec![rule("a"), rule("b"), file("/x"), part("x", "/x", None, "x"), file("/y")];
        let policies = |all: &[Resource]| -> Vec<Policy> {
            catalog(all.to_vec()).assembled().resources.iter().map(|resource| resource.policy).collect()
        };
        assert_eq!(policies(&all), [Policy::Enforce; 5]);
        (all[1].policy, all[3].policy) = (Policy::Off, Policy::Audit);
        let (watched, off, enforced) = (Policy::Audit, Policy::Off, Policy::Enforce);
        assert_eq!(policies(&all), [watched, off, watched, watched, enforced]);
    }

    #[test]
    fn a_file_without_fragments_is_empty_and_one_with_a_content_is_refused() {
        assert_eq!(catalog(vec![file("/x")]).assembled().resources[0].attributes["content"], "".into());
        let both = resource("file", "/x", &[("fragments", true.into()), ("content", "x".into())]);
        assert!(catalog(vec![both]).assembled().validate().unwrap_err().to_string().contains("fragments"));
        let neither = catalog(vec![part("a", "/x", None, "a")]);
        assert!(matches!(neither.assembled(), Cow::Borrowed(_)));
    }
}
