//! Random repositories: classes and defines that include, give, share and order, some of them with errors.

use std::fmt::Write as _;
use std::sync::Arc;

use holdfast_catalog::random::Random;

const CLASSES: usize = 9;
const DEFINES: usize = 3;
const CONDITIONS: [&str; 4] = ["${on}", "${p > 1}", "${facts.virtual == 'kvm'}", "${p < 7 || on}"];

/// What a repository contains, apart from the order in which it is written.
pub(super) struct RepositorySpec {
    role: Vec<InclusionSpec>,
    manifests: Vec<ManifestSpec>,
    data: String,
}

struct ManifestSpec {
    path: String,
    head: String,
    inclusions: Vec<InclusionSpec>,
    blocks: Vec<String>,
}

struct InclusionSpec {
    class: String,
    /// `when` and the parameters given; if not empty, the inclusion is a table.
    says: String,
}

impl RepositorySpec {
    pub(super) fn random(random: &mut Random) -> Self {
        let role =
            (0..CLASSES).filter(|_| random.one_in(2)).map(|class| InclusionSpec::plain(profile(class)));
        let role: Vec<_> = role.collect();
        let profiles = (0..CLASSES).map(|index| ManifestSpec::class(index, random));
        let mut manifests: Vec<_> = profiles.collect();
        manifests.extend((0..DEFINES).map(|index| ManifestSpec::define(index, random)));
        Self { role, manifests, data: data(random) }
    }

    /// Its files, with inclusions in random order.
    pub(super) fn files(&self, random: &mut Random) -> Vec<(Arc<str>, Vec<u8>)> {
        let mut names: Vec<_> = self.role.iter().map(|inclusion| &inclusion.class).collect();
        random.shuffle(&mut names);
        let role = format!("include = {names:?}\n");
        let mut files = vec![
            ("modules/role/manifests/web.toml".into(), role.into_bytes()),
            ("hieradata/common.toml".into(), self.data.clone().into_bytes()),
        ];
        let manifest =
            |manifest: &ManifestSpec| (manifest.path.as_str().into(), manifest.text(random).into_bytes());
        files.extend(self.manifests.iter().map(manifest));
        files
    }
}

impl ManifestSpec {
    fn class(index: usize, random: &mut Random) -> Self {
        let head = "[parameters]\n\
            p  = { type = \"Integer\", default = 1, doc = \"A number.\" }\n\
            on = { type = \"Boolean\", default = true, doc = \"A switch.\" }\n";
        let mut inclusions = Vec::new();
        for class in 0..CLASSES {
            // Mostly classes after this one, so that few repositories consist only of circles.
            let likely = if class > index { 4 } else { 25 };
            if class != index && random.one_in(likely) {
                inclusions.push(InclusionSpec::random(profile(class), random));
            }
        }
        let blocks = (0..1 + random.below(4)).map(|at| block(&format!("p{index}-{at}"), random)).collect();
        Self {
            path: format!("modules/profile/manifests/p{index}.toml"),
            head: head.into(),
            inclusions,
            blocks,
        }
    }

    fn define(index: usize, random: &mut Random) -> Self {
        let head = "kind = \"define\"\n[parameters]\n\
            p  = { type = \"Integer\", default = 1, doc = \"A number.\" }\n\
            on = { type = \"Boolean\", default = true, doc = \"A switch.\" }\n";
        let class = random.below(CLASSES);
        let included = random.one_in(2).then(|| InclusionSpec::random(profile(class), random));
        let mut blocks = vec![format!("[notify.\"d{index}-${{title}}\"]\nmessage = \"p is ${{p}}\"\n")];
        if random.one_in(2) {
            blocks.push(shared(random));
        }
        if random.one_in(2) {
            let inner = if random.one_in(10) { index } else { index + 1 };
            blocks.extend((inner < DEFINES).then(|| instance(inner, random)));
        }
        let path = format!("modules/d{index}/manifests/thing.toml");
        Self { path, head: head.into(), inclusions: included.into_iter().collect(), blocks }
    }

    fn text(&self, random: &mut Random) -> String {
        let (mut plain, mut tables): (Vec<_>, Vec<_>) =
            self.inclusions.iter().partition(|inclusion| inclusion.says.is_empty() && !random.one_in(3));
        random.shuffle(&mut plain);
        random.shuffle(&mut tables);
        let names: Vec<_> = plain.iter().map(|inclusion| &inclusion.class).collect();
        let mut blocks = self.blocks.clone();
        for InclusionSpec { class, says } in tables {
            blocks.insert(random.below(blocks.len() + 1), format!("[class.\"{class}\"]\n{says}"));
        }
        format!("include = {names:?}\n{}{}", self.head, blocks.concat())
    }
}

impl InclusionSpec {
    fn plain(class: String) -> Self {
        Self { class, says: String::new() }
    }

    fn random(class: String, random: &mut Random) -> Self {
        let mut says = String::new();
        if random.one_in(5) {
            let _ = writeln!(says, "when = \"{}\"", CONDITIONS[random.below(CONDITIONS.len())]);
        }
        if random.one_in(8) {
            let given = ["5", "\"${p}\"", "\"${p + 1}\""][random.below(3)];
            let _ = writeln!(says, "p = {}", if random.one_in(10) { "\"many\"" } else { given });
        }
        if random.one_in(12) {
            let _ = writeln!(says, "on = {}", random.one_in(2));
        }
        let class = if random.one_in(100) { format!("{class}_of_nobody") } else { class };
        Self { class, says }
    }
}

fn profile(index: usize) -> String {
    format!("profile::p{index}")
}

/// A resource of one class, one that others declare too, or an instance of a define.
fn block(name: &str, random: &mut Random) -> String {
    let mut block = match random.below(4) {
        0 => shared(random),
        1 => instance(random.below(DEFINES), random),
        _ => format!("[notify.\"{name}\"]\nmessage = \"p is ${{p}}\"\n"),
    };
    if random.one_in(4) {
        let word = ["require", "before", "notify", "subscribe"][random.below(4)];
        let mark = if random.one_in(12) { "" } else { "?" };
        let target = match random.below(3) {
            0 => format!("notify[shared{}]", random.below(3)),
            1 => format!("d{}::thing[shared]", random.below(DEFINES)),
            _ => format!("class[{}]", profile(random.below(CLASSES))),
        };
        let _ = writeln!(block, "{word} = \"{target}{mark}\"");
    }
    block
}

fn shared(random: &mut Random) -> String {
    if random.one_in(5) {
        // Equal, but written differently.
        let groups = [["a", "b"], ["b", "a"]][random.below(2)];
        return format!("[user.s{}]\ntitle = \"shared\"\ngroups = {groups:?}\n", random.below(1_000_000));
    }
    let message = if random.one_in(15) { "it is ${on}" } else { "the same" };
    let (name, title) = (random.below(1_000_000), random.below(3));
    let mut block = format!("[notify.s{name}]\ntitle = \"shared{title}\"\nmessage = \"{message}\"\n");
    if random.one_in(3) {
        let _ = writeln!(block, "tag = \"t{}\"", random.below(3));
    }
    block
}

fn instance(define: usize, random: &mut Random) -> String {
    let (name, title) = (random.below(1_000_000), ["shared", "${p}", ""][random.below(3)]);
    let mut block = format!("[\"d{define}::thing\".i{name}]\n");
    if !title.is_empty() {
        let _ = writeln!(block, "title = \"{title}\"");
    }
    if random.one_in(10) {
        block += "p = 3\n";
    }
    if random.one_in(4) {
        let _ = writeln!(block, "tag = \"u{}\"", random.below(3));
    }
    block
}

/// Values and policies.
fn data(random: &mut Random) -> String {
    let mut data = String::new();
    for class in 0..CLASSES {
        if random.one_in(4) {
            let _ = writeln!(data, "[profile.p{class}]\np = {}", random.below(9));
        }
    }
    if random.one_in(2) {
        let policy = ["off", "audit", "enforce"][random.below(3)];
        let class = profile(random.below(CLASSES));
        let _ = writeln!(data, "[holdfast]\npolicies = {{ \"{class}\" = \"{policy}\" }}");
    }
    data
}
