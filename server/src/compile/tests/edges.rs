//! Implied edges: which of two resources comes first, depending on what is declared for both, and which edges are kept
//! if they close a cycle.

use holdfast_catalog::graph::{Edge, EdgeKind};

use super::*;

/// The edges that types imply for a manifest, each as `file[/a] need file[/a/b]`.
fn implied(manifest: &str) -> Vec<String> {
    let snapshot = over_base(&[("modules/profile/manifests/web.toml", manifest)]);
    let compiled = compiled(&snapshot);
    let catalog = compiled.unwrap_or_else(|all| panic!("{manifest}\n{}", rendered(&snapshot, &all))).catalog;
    let line = |edge: &Edge| {
        let word = match edge.kind {
            EdgeKind::After => "after",
            EdgeKind::Provide => "provide",
            EdgeKind::Need => "need",
            _ => return None,
        };
        Some(format!("{} {word} {}", catalog.node_name(edge.from), catalog.node_name(edge.to)))
    };
    let mut lines: Vec<_> = catalog.edges.iter().filter_map(line).collect();
    lines.sort();
    lines
}

const CRON: &str = "command = \"true\"; schedule = \"@daily\"; user = \"dave\"";
const CHECKOUT: &str = "remote = \"https://h/x\"; revision = \"main\"; user = \"dave\"";
const KEY_OF_DAVE: &str = "user = \"dave\"; key = \"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMqXgRLKG73K+sIxs5oj3E2nhu/4FHxOcrmAd4Wv7ki7\"";

/// A resource in two forms: as it is declared if it is to be present, and if it is to be absent.
struct EdgeCase {
    header: &'static str,
    there: &'static str,
    gone: &'static str,
}

impl EdgeCase {
    fn block(&self, goes: bool) -> String {
        format!("[{}]\n{}\n", self.header, if goes { self.gone } else { self.there }.replace("; ", "\n"))
    }
}

const fn asked(header: &'static str, there: &'static str) -> EdgeCase {
    EdgeCase { header, there, gone: "ensure = \"absent\"" }
}

/// Asserts the edge between a resource and one that depends on it, if both are to be present, and if both are to be absent.
fn both(base: &EdgeCase, dependent: &EdgeCase, there: &str, gone: &str) {
    for (goes, edge) in [(false, there), (true, gone)] {
        // The order in which they are written makes no difference.
        let blocks = [base.block(goes), dependent.block(goes)];
        for manifest in [blocks.concat(), format!("{}{}", blocks[1], blocks[0])] {
            assert_eq!(implied(&manifest), [edge], "{manifest}");
        }
    }
}

#[test]
fn a_path_hangs_on_what_is_around_it_and_on_whose_it_is() {
    let srv = asked("file.\"/srv\"", "ensure = \"directory\"");
    let file = asked("file.\"/srv/a\"", "content = \"x\"");
    both(&srv, &file, "file[/srv] need file[/srv/a]", "file[/srv/a] need file[/srv]");
    let user = asked("user.dave", "");
    let group = asked("group.dave", "");
    for (title, header, there, gone) in [
        ("file[/srv/a]", "file.\"/srv/a\"", "content = \"x\"; owner = \"dave\"", "owner = \"dave\""),
        ("cron[tick]", "cron.tick", CRON, CRON),
        ("git_checkout[/srv/a]", "git_checkout.\"/srv/a\"", CHECKOUT, "user = \"dave\""),
        ("authorized_key[d]", "authorized_key.d", KEY_OF_DAVE, KEY_OF_DAVE),
    ] {
        let block = |ensure: &str, rest: &str| format!("[{header}]\n{ensure}{}\n", rest.replace("; ", "\n"));
        let manifest = format!("{}{}", block("", there), user.block(false));
        assert_eq!(implied(&manifest), [format!("user[dave] provide {title}")], "{manifest}");
        let manifest = format!("{}{}", block("ensure = \"absent\"\n", gone), user.block(true));
        assert_eq!(implied(&manifest), [format!("{title} after user[dave]")], "{manifest}");
    }
    let grouped = EdgeCase {
        header: "file.\"/srv/a\"",
        there: "content = \"x\"; group = \"dave\"",
        gone: "ensure = \"absent\"; group = \"dave\"",
    };
    both(&group, &grouped, "group[dave] provide file[/srv/a]", "file[/srv/a] after group[dave]");
    // A user implies a group of the same name.
    both(&user, &grouped, "user[dave] provide file[/srv/a]", "file[/srv/a] after user[dave]");
}

#[test]
fn groups_and_their_members_wait_for_each_other_one_way() {
    let (user, group) = (asked("user.dave", ""), asked("group.ops", ""));
    let in_group = EdgeCase { there: "groups = [\"ops\"]", ..asked("user.dave", "") };
    both(&group, &in_group, "group[ops] provide user[dave]", "user[dave] after group[ops]");
    let of_user = EdgeCase { there: "members = [\"dave\"]", ..asked("group.ops", "") };
    both(&user, &of_user, "user[dave] provide group[ops]", "user[dave] after group[ops]");
    // If both are declared, the user cannot be made without the group, but the group can be made without the user.
    both(&of_user, &in_group, "group[ops] provide user[dave]", "user[dave] after group[ops]");
    let gone_group = "[group.old]\nensure = \"absent\"\n[user.dave]\ngid = \"users\"\n";
    assert_eq!(implied(gone_group), ["user[dave] after group[old]"], "it may have been the user's own");
}

#[test]
fn a_service_hangs_on_its_unit_and_its_package() {
    let service = EdgeCase {
        header: "service.shop",
        there: "ensure = \"running\"",
        gone: "ensure = \"stopped\"; enable = false",
    };
    let package = asked("package.shop", "");
    both(&package, &service, "package[shop] provide service[shop]", "service[shop] after package[shop]");
    let unit = asked("systemd_unit.\"shop.service\"", "content = \"[Unit]\"");
    let names = ("systemd_unit[shop.service]", "service[shop]");
    both(&unit, &service, &format!("{} need {}", names.0, names.1), &format!("{} need {}", names.1, names.0));
    let file = asked("file.\"/etc/systemd/system/shop.service\"", "content = \"[Unit]\"");
    let names = ("file[/etc/systemd/system/shop.service]", "service[shop]");
    both(&file, &service, &format!("{} need {}", names.0, names.1), &format!("{} need {}", names.1, names.0));
    let runs_as = "[systemd_unit.\"shop.service\"]\ncontent = \"[Service]\\nUser=dave\\nGroup=ops\"\n[user.dave]\n[group.ops]\n";
    assert_eq!(
        implied(runs_as),
        ["group[ops] after systemd_unit[shop.service]", "user[dave] after systemd_unit[shop.service]"]
    );
    let of_user = "[user.shop]\nensure = \"absent\"\n[service.shop]\nensure = \"stopped\"\n";
    assert_eq!(implied(of_user), ["service[shop] after user[shop]"], "a process may be the user's");
    let other = "[systemd_unit.\"shop.service.d/x.conf\"]\nensure = \"absent\"\n[service.shop]\nensure = \"running\"\n";
    assert_eq!(
        implied(other),
        ["systemd_unit[shop.service.d/x.conf] after service[shop]"],
        "what stays is judged without what goes"
    );
}

#[test]
fn a_mount_goes_before_whatever_it_hides() {
    let mount = EdgeCase {
        header: "mount.\"/srv/data\"",
        there: "device = \"tmpfs\"; fstype = \"tmpfs\"",
        gone: "ensure = \"absent\"",
    };
    let names = ("file[/srv/data]", "mount[/srv/data]");
    let point = asked("file.\"/srv/data\"", "ensure = \"directory\"");
    both(&point, &mount, &format!("{} need {}", names.0, names.1), &format!("{} need {}", names.1, names.0));
    let around = asked("file.\"/srv\"", "ensure = \"directory\"");
    both(&around, &mount, "file[/srv] need mount[/srv/data]", "mount[/srv/data] need file[/srv]");
    let inside = asked("file.\"/srv/data/x\"", "content = \"x\"");
    let first = "mount[/srv/data] need file[/srv/data/x]";
    both(&mount, &inside, first, first);
}

#[test]
fn objects_of_a_database_go_before_whose_they_are() {
    let role = asked("postgresql_role.app", "");
    let database = EdgeCase {
        header: "postgresql_database.app",
        there: "owner = \"app\"",
        gone: "ensure = \"absent\"; owner = \"app\"",
    };
    let names = ("postgresql_role[app]", "postgresql_database[app]");
    let edges = (format!("{} provide {}", names.0, names.1), format!("{} after {}", names.1, names.0));
    both(&role, &database, &edges.0, &edges.1);
    let other = "[postgresql_role.old]\nensure = \"absent\"\n[postgresql_database.app]\nowner = \"new\"\n";
    assert_eq!(
        implied(other),
        ["postgresql_database[app] after postgresql_role[old]"],
        "it may still own it"
    );
    let server = asked("package.postgresql", "");
    both(
        &server,
        &database,
        "package[postgresql] provide postgresql_database[app]",
        "postgresql_database[app] after package[postgresql]",
    );
}

#[test]
fn what_only_orders_needs_nothing() {
    let repository = asked(
        "apt_repository.shop",
        "uris = [\"http://deb.example\"]; suites = [\"./\"]; signed_by = \"/etc/apt/keyrings/shop.asc\"",
    );
    let package = asked("package.tool", "");
    let names = ("apt_repository[shop]", "package[tool]");
    both(
        &repository,
        &package,
        &format!("{} after {}", names.0, names.1),
        &format!("{} after {}", names.1, names.0),
    );
    let module = asked("kernel_module.br_netfilter", "");
    let setting = asked("sysctl.\"net.ipv4.ip_forward\"", "value = \"1\"");
    let names = ("kernel_module[br_netfilter]", "sysctl[net.ipv4.ip_forward]");
    both(
        &module,
        &setting,
        &format!("{} after {}", names.0, names.1),
        &format!("{} after {}", names.1, names.0),
    );
    let key = "[apt_key.shop]\ncontent = \"-----BEGIN PGP PUBLIC KEY BLOCK-----\"\n[apt_key.other]\ncontent = \"-----BEGIN PGP PUBLIC KEY BLOCK-----\"\n";
    assert_eq!(
        implied(&format!("{key}{}", repository.block(false))),
        ["apt_key[other] after apt_repository[shop]", "apt_key[shop] need apt_repository[shop]"]
    );
    let pin = "packages = [\"tool\"]; pin = \"version 1*\"; priority = 1001";
    let pin =
        EdgeCase { header: "apt_pin.tool", there: pin, gone: "ensure = \"absent\"; packages = [\"tool\"]" };
    both(&pin, &package, "apt_pin[tool] need package[tool]", "package[tool] need apt_pin[tool]");
}

#[test]
fn of_implied_edges_that_close_a_cycle_the_same_are_kept_however_it_is_written() {
    let blocks = [
        "[user.a]\ngroups = [\"b\"]\n",
        "[user.b]\ngroups = [\"a\"]\nhome = \"/srv/b\"\n",
        "[file.\"/srv\"]\nensure = \"directory\"\nowner = \"b\"\n",
    ];
    let kept = implied(&blocks.concat());
    assert_eq!(kept, ["user[a] provide user[b]", "user[b] provide file[/srv]"]);
    for order in [[0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        assert_eq!(implied(&order.map(|at| blocks[at]).concat()), kept, "{order:?}");
    }
}

#[test]
fn an_implied_edge_gives_way_to_what_is_written() {
    let manifest = "[file.\"/srv\"]\nensure = \"directory\"\nrequire = \"user[a]\"\n[user.a]\nrequire = \"file[/srv/x]\"\n[file.\"/srv/x\"]\nowner = \"a\"\n";
    assert_eq!(implied(manifest), Vec::<String>::new());
}
