//! Tests of whose fault a problem is, and which nodes a commit affects, over small repositories.

use super::*;

mod refused; // why commits are refused
mod unread; // files that are never read

const BASE: &[(&str, &str)] = &[
    ("inventory/alpinhost/acme.toml", "[\"web1.acme.example\"]\nrole = \"web\"\nstage = \"test\"\n"),
    ("inventory/alpinhost/birch.toml", "[\"web1.birch.example\"]\nrole = \"web\"\nstage = \"test\"\n"),
    ("modules/role/manifests/web.toml", "doc = \"Web.\"\ninclude = [\"profile::web\"]\n"),
    (
        "modules/profile/manifests/web.toml",
        "doc = \"Web.\"\n\
         [parameters]\n\
         name = { type = \"String\", doc = \"Name.\" }\n\
         mode = { type = \"String\", default = \"0644\", doc = \"Mode.\" }\n\
         names = { type = \"Hash[String, String]\", default = {}, merge = \"deep\", doc = \"Names.\" }\n\
         [file.\"/etc/name\"]\ncontent = \"${name}\"\nmode = \"${mode}\"\n\
         [file.names]\nfor_each = \"${names}\"\ntitle = \"/etc/${each.value}\"\ncontent = \"${each.key}\"\n",
    ),
    ("hieradata/customers/acme.toml", "[profile.web]\nname = \"Acme\"\n"),
    ("hieradata/customers/birch.toml", "[profile.web]\nname = \"Birch\"\n"),
];

const ACME: &str = "hieradata/customers/acme.toml";
const WEB: &str = "modules/profile/manifests/web.toml";

/// The base with other files laid over it, and without those whose text is empty.
fn repository(overlay: &[(&str, &str)]) -> Program {
    let mut files: BTreeMap<&str, &str> = BASE.iter().copied().collect();
    files.extend(overlay.iter().copied());
    files.retain(|_, text| !text.is_empty());
    let files = files.into_iter().map(|(path, text)| (path, text.as_bytes()));
    Program::new(&Snapshot::of_files(files), None)
}

fn check_after(program: &Program, before: Baseline<'_>) -> CheckFindings {
    judge(program, Some(before), &|| false).unwrap()
}

#[test]
fn a_check_that_is_stopped_compiles_no_further_node() {
    use std::sync::atomic::{AtomicUsize, Ordering};
    let nodes = (0..100).map(|n| format!("[\"web{n}.acme.example\"]\nrole = \"web\"\nstage = \"test\"\n"));
    let program = repository(&[("inventory/alpinhost/acme.toml", &nodes.collect::<String>())]);
    let asked = AtomicUsize::new(0);
    let stopped = || asked.fetch_add(1, Ordering::Relaxed) >= 3;
    assert!(judge(&program, None, &stopped).is_none());
    assert!(asked.into_inner() < 100, "each node was begun all the same");
}

/// Checks commits one after another, as they come into force. For each, returns whether it does, and which nodes do not
/// follow it.
fn in_turn(commits: &[&[(&str, &str)]]) -> Vec<(bool, Vec<String>)> {
    let mut in_force: Option<(Program, CheckFindings)> = None;
    let mut results = Vec::new();
    for overlay in commits {
        let program = repository(overlay);
        let before = in_force.as_ref().map(|(program, checked)| Baseline { program, checked });
        let checked = before.map_or_else(|| check(&program), |before| check_after(&program, before));
        let nodes = checked.nodes.keys().map(|name| name.as_str().to_owned()).collect();
        results.push((checked.is_usable(), nodes));
        if checked.is_usable() {
            in_force = Some((program, checked));
        }
    }
    results
}

fn taken(nodes: &[&str]) -> (bool, Vec<String>) {
    (true, nodes.iter().map(|name| (*name).to_owned()).collect())
}

const ACMES: &[&str] = &["web1.acme.example"];

#[test]
fn what_a_tenants_value_breaks_is_the_tenants_wherever_it_shows() {
    let cases = [
        "[profile.web]\nname = 1\n",
        "[profile.web\n",
        "[profile.web]\nname = \"Acme\"\nmode = \"0999\"\n",
        // two files of one name, which shows only at the manifest's block
        "[profile.web]\nname = \"Acme\"\nnames = { a = \"x\", b = \"x\" }\n",
        // the path of another file in the manifest
        "[profile.web]\nname = \"Acme\"\nnames = { a = \"name\" }\n",
        "[profile.web]\nname = \"${facts.nope.nope}\"\n",
    ];
    for text in cases {
        assert_eq!(in_turn(&[&[(ACME, text)]]), [taken(ACMES)], "{text}");
        assert_eq!(in_turn(&[&[], &[(ACME, text)]]), [taken(&[]), taken(ACMES)], "{text}");
    }
}

#[test]
fn what_a_tenant_takes_away_is_the_tenants_and_stays_so() {
    let commits: [&[(&str, &str)]; 4] = [
        &[],
        &[(ACME, "")],
        // operators continue meanwhile, whatever else they change
        &[(ACME, ""), ("hieradata/common.toml", "[profile.web]\nmode = \"0600\"\n")],
        &[],
    ];
    assert_eq!(in_turn(&commits), [taken(&[]), taken(ACMES), taken(ACMES), taken(&[])]);
    // broken in another way in between: what counts is the tenant's data when its node last compiled
    let commits: [&[(&str, &str)]; 3] = [&[], &[(ACME, "[profile.web\n")], &[(ACME, "")]];
    assert_eq!(in_turn(&commits), [taken(&[]), taken(ACMES), taken(ACMES)]);
}

#[test]
fn of_the_commit_at_which_a_node_broke_what_tenants_wrote_is_kept() {
    let good = repository(&[]);
    let checked = check(&good);
    let broken = repository(&[(ACME, "[profile.web]\nname = 5\n")]);
    let mut found = check_after(&broken, Baseline { program: &good, checked: &checked });
    for _ in 0..2 {
        let kept: Vec<_> = found.last_good.values().collect();
        assert_eq!(kept.len(), 1);
        assert!(kept[0].get(ACME).is_some() && kept[0].get(WEB).is_none(), "{:?}", kept[0]);
        found = check_after(&broken, Baseline { program: &broken, checked: &found });
    }
}

#[test]
fn what_operators_break_is_theirs_though_tenants_have_a_part_in_it() {
    let refused = |overlay: &[(&str, &str)]| {
        let results = in_turn(&[&[], overlay]);
        assert!(!results[1].0, "{overlay:?}");
    };
    let web = BASE[3].1;
    refused(&[(WEB, &web.replace("\"${mode}\"", "\"${mode}99\""))]);
    refused(&[(
        WEB,
        &format!("{web}[file.\"/a\"]\nrequire = \"file[/b]\"\n[file.\"/b\"]\nrequire = \"file[/a]\"\n"),
    )]);
    refused(&[("hieradata/common.toml", "[profile.web]\nmode = 1\n")]);
    // no one ever gave it
    refused(&[(
        WEB,
        &web.replace("[parameters]", "[parameters]\nport = { type = \"Port\", doc = \"Port.\" }"),
    )]);
    refused(&[(
        "inventory/alpinhost/cedar.toml",
        "[\"web1.cedar.example\"]\nrole = \"web\"\nstage = \"test\"\n",
    )]);
    // together with a tenant's fault in the same commit
    refused(&[(ACME, "[profile.web]\nname = 1\n"), ("hieradata/common.toml", "[profile.web]\nmode = 1\n")]);
}

#[test]
fn what_nothing_that_a_tenant_writes_would_cure_is_the_operators_at_a_first_commit_too() {
    let module = |more: &str| {
        format!("doc = \"Web.\"\n[parameters]\ntoken = {{ type = \"Secret\", doc = \"Token.\" }}\n{more}\n")
    };
    let template = ("modules/profile/templates/app.hbs", "{{token}}");
    for mistake in [
        "[file.\"/etc/app\"]\ntemplate = \"app.hbs\"\ncontent = \"x\"",
        "[file.\"/etc/app\"]\ntemplate = \"app.hbs\"\nensure = \"directory\"",
        "[file.\"/etc/app\"]\ntemplate = \"app.hbs\"\ntarget = \"/etc/other\"",
        "[notify.\"pw ${token}\"]",
        "[file.\"/etc/app\"]\ntemplate = \"app.hbs\"\n[file.again]\ntitle = \"/etc/app\"\ncontent = \"x\"",
    ] {
        let text = module(mistake);
        let token = "[profile.web]\ntoken = \"abcdefgh\"\n";
        let given = [(WEB, &*text), template, (ACME, token), ("hieradata/customers/birch.toml", token)];
        let results = in_turn(&[&given]);
        assert!(!results[0].0, "{mistake}");
        assert_eq!(results[0].1.len(), 2, "{mistake}");
    }
}

#[test]
fn what_comes_with_a_tenants_data_as_it_was_is_the_operators_wherever_it_stands() {
    let web = BASE[3].1;
    let narrow = web.replace("name = { type = \"String\"", "name = { type = \"Enum['Birch']\"");
    assert!(!in_turn(&[&[], &[(WEB, &narrow)]])[1].0, "a good value that fits no more");
    // together with another of the tenant's values in the same commit
    let changed = "[profile.web]\nmode = \"0600\"\nname = \"Acme\"\n";
    assert!(!in_turn(&[&[], &[(WEB, &narrow), (ACME, changed)]])[1].0);
    // the tenant's own fault, beside a change by operators
    let bad = "[profile.web]\nname = 1\n";
    assert_eq!(in_turn(&[&[], &[(ACME, bad), (WEB, &format!("{web}[file.\"/a\"]\n"))]])[1], taken(ACMES));
    // a tenant's fault stays the tenant's for a machine that never compiled
    assert_eq!(in_turn(&[&[(ACME, bad)], &[(ACME, bad), (WEB, &narrow)]])[1], taken(ACMES));
}

#[test]
fn steps_that_another_node_of_the_tenant_took_are_never_the_operators() {
    let (before, program) = (repository(&[]), repository(&[("README.md", "x")]));
    let checked = check(&before);
    let mut court = Court::new(&program, Some(Baseline { program: &before, checked: &checked }));
    let node = program.inventory().get(&"web1.acme.example".parse().unwrap()).unwrap();
    let of_share = Diagnostic::error(Code::Limit, "all nodes took too much", None);
    let of_code = Diagnostic::error(Code::Cycle, "of the operators", None);
    let problems = [of_share, of_code];
    let found = court.of_operators(node, &holdfast_catalog::facts::Facts::none(), &problems);
    assert_eq!(found, [&problems[1]]);
}

#[test]
fn a_tree_without_an_inventory_is_refused_and_an_empty_one_is_told() {
    let of = |files: &[(&str, &str)]| {
        let files = files.iter().map(|(path, text)| (*path, text.as_bytes()));
        Program::new(&Snapshot::of_files(files), None)
    };
    let base = repository(&[]);
    let before = Baseline { program: &base, checked: &check(&base) };
    let renamed: Vec<_> =
        BASE.iter().map(|(path, text)| (path.replace("inventory/", "inventroy/"), *text)).collect();
    let renamed: Vec<_> = renamed.iter().map(|(path, text)| (&**path, *text)).collect();
    for (program, says) in [(of(&[]), "not a control repository"), (of(&renamed), "there is no inventory/")] {
        for checked in [check(&program), check_after(&program, before)] {
            assert!(!checked.is_usable());
            assert!(checked.fatal[0].to_string().contains(says), "{:?}", checked.fatal);
        }
    }
    let emptied = repository(&[
        ("inventory/alpinhost/acme.toml", "# none\n"),
        ("inventory/alpinhost/birch.toml", "# none\n"),
    ]);
    let checked = check_after(&emptied, before);
    assert!(
        checked.warnings.iter().any(|warning| warning.code == Code::NoInventory),
        "{:?}",
        checked.warnings
    );
}

#[test]
fn a_commit_compiles_what_it_concerns_and_finds_the_same_as_a_check_of_all() {
    let audit = "[holdfast]\npolicies = { \"file[/nobody]\" = \"audit\" }\n";
    let (idle, bad) = (("hieradata/nodes/web1.birch.example.toml", audit), "[profile.web]\nname = 1\n");
    let before = repository(&[idle]);
    let checked = check(&before);
    assert_eq!(checked.of_nodes.len(), 1, "a warning that a node which is not compiled again must keep");
    let changes: [&[(&str, &str)]; 7] = [
        &[idle, (ACME, bad)],
        &[idle, (ACME, "")],
        &[idle, ("hieradata/stages/test.toml", bad)],
        &[idle, ("facts/web1.birch.example.json", "{}")],
        &[idle, ("hieradata/profiles/web.toml", bad)],
        &[
            idle,
            (
                "inventory/alpinhost/acme.toml",
                "[\"web1.acme.example\"]\nrole = \"nobody\"\nstage = \"test\"\n",
            ),
        ],
        &[],
    ];
    for overlay in changes {
        let program = repository(overlay);
        let (new, full) =
            (check_after(&program, Baseline { program: &before, checked: &checked }), check(&program));
        assert_eq!(new.nodes, full.nodes, "{overlay:?}");
        assert_eq!(new.warnings, full.warnings, "{overlay:?}");
    }
    let program = repository(&[idle, (ACME, bad)]);
    let change = change::CommitDiff::new(&before, &program);
    let facts = holdfast_catalog::facts::Facts::none();
    let concerned: Vec<_> = program
        .inventory()
        .nodes()
        .filter(|node| change.concerns(node, &facts))
        .map(|n| n.certname.as_str())
        .collect();
    assert_eq!(concerned, ACMES);
}

#[test]
fn a_node_that_fails_is_compiled_again_only_where_the_commit_concerns_it() {
    let bad = "[profile.web]\nname = 1\n";
    let before = repository(&[(ACME, bad)]);
    let mut checked = check(&before);
    // A mark that no compile makes shows whether the node was compiled.
    let mark = vec![Diagnostic::error(Code::Internal, "as it was found before", None)];
    checked.nodes.values_mut().for_each(|problems| problems.clone_from(&mark));
    let failed = checked.nodes.len();
    assert!(failed > 0);
    let after = |overlay: &[(&str, &str)]| {
        check_after(&repository(overlay), Baseline { program: &before, checked: &checked }).nodes
    };
    let elsewhere =
        after(&[(ACME, bad), ("hieradata/customers/birch.toml", "[profile.web]\nname = \"B\"\n")]);
    assert_eq!(elsewhere.values().filter(|problems| **problems == mark).count(), failed);
    assert!(after(&[(ACME, "[profile.web]\nname = 2\n")]).values().all(|problems| *problems != mark));
    assert!(after(&[]).is_empty(), "what is repaired compiles");
    // A node that ran out of steps may have had fewer because of other nodes.
    checked.nodes.values_mut().flatten().for_each(|problem| problem.code = Code::Limit);
    let program = repository(&[(ACME, bad), ("README.md", "x")]);
    let again = check_after(&program, Baseline { program: &before, checked: &checked }).nodes;
    assert!(again.values().flatten().all(|problem| problem.code != Code::Limit));
}

#[test]
fn what_is_still_said_of_a_node_names_its_place_in_this_commit() {
    const INVENTORY: &str = "inventory/alpinhost/acme.toml";
    // it requires what no one gives; in addition, the place of the machine is reported
    let role = "doc = \"Web.\"\n[parameters]\nname = { type = \"String\", doc = \"N.\" }\n";
    let unmet = [("modules/role/manifests/web.toml", role)];
    let base = BASE.iter().find(|(path, _)| *path == INVENTORY).unwrap().1;
    let before = repository(&unmet);
    let checked = check(&before);
    let places = |checked: &CheckFindings| {
        let of_acme = checked.nodes.get(&ACMES[0].parse().unwrap()).unwrap();
        let places = of_acme.iter().flat_map(|problem| &problem.related).map(|(place, _)| place.to_string());
        places.filter(|place| place.starts_with(INVENTORY)).collect::<Vec<_>>()
    };
    assert_eq!(places(&checked), ["inventory/alpinhost/acme.toml:2:8"], "{:?}", checked.nodes);
    let lines = format!("# two lines\n# more\n{base}");
    let shifted: Vec<_> = unmet.into_iter().chain([(INVENTORY, &*lines)]).collect();
    let shifted = repository(&shifted);
    let after = check_after(&shifted, Baseline { program: &before, checked: &checked });
    assert_eq!(
        (after.nodes.clone(), after.warnings.clone()),
        (check(&shifted).nodes, check(&shifted).warnings)
    );
    assert_eq!(places(&after), ["inventory/alpinhost/acme.toml:4:8"]);
}

#[test]
fn facts_for_all_that_are_taken_away_concern_all() {
    let reads = (WEB, "doc = \"Web.\"\n[file.\"/etc/name\"]\ncontent = \"${facts.virtual}\"\n");
    let plain = [(ACME, ""), ("hieradata/customers/birch.toml", ""), reads];
    let with: Vec<_> = plain.into_iter().chain([("facts/default.json", "{\"virtual\": \"kvm\"}")]).collect();
    let before = repository(&with);
    let checked = check(&before);
    assert!(checked.is_usable(), "{:?}", checked.all());
    let program = repository(&plain);
    let after = check_after(&program, Baseline { program: &before, checked: &checked });
    assert_eq!(after.nodes.len(), 2, "{:?}", after.all());
    assert_eq!((after.is_usable(), &after.nodes), (false, &check(&program).nodes));
}

#[test]
fn data_by_facts_that_the_repository_does_not_keep_is_told() {
    let os = ("hieradata/os/debian.toml", "[profile.web]\nmode = \"0600\"\n");
    let told = said(&[os]);
    assert!(told.contains("has no facts") && told.contains("hieradata/os/debian.toml"), "{told}");
    assert!(!said(&[os, ("facts/default.json", "{}")]).contains("has no facts"));
    assert!(!said(&[]).contains("has no facts"), "nothing is skipped");
}

#[test]
fn data_for_a_define_is_told_who_takes_such_things_and_never_what_was_typed() {
    let of_box =
        "kind = \"define\"\ndoc = \"A box.\"\n[parameters]\npath = { type = \"String\", doc = \"Path.\" }\n";
    let takes = "doc = \"Boxes.\"\n[parameters]\nboxes = { type = \"Hash[String, dropbox::box]\", default = {}, doc = \"B.\" }\n";
    let data = (ACME, "[profile.web]\nname = \"Acme\"\n[dropbox.box.surf]\npath = \"/srv\"\n");
    let define = ("modules/dropbox/manifests/box.toml", of_box);
    let told = said(&[data, define, ("modules/dropbox/manifests/init.toml", takes)]);
    assert!(told.contains("class `dropbox` takes these with its parameter `boxes`"), "{told}");
    let told = said(&[data, define]);
    assert!(told.contains("`dropbox::box` is a define") && !told.contains("did you mean"), "{told}");
}

#[test]
fn however_many_errors_a_node_has_their_number_is_theirs() {
    let files: String = (0..700).map(|n| format!("[file.\"/x{n}\"]\nmode = \"09{n}\"\n")).collect();
    let program = repository(&[(WEB, &format!("doc = \"Web.\"\n{files}")), (ACME, "")]);
    let checked = check(&program);
    let of_node = checked.nodes.values().next().unwrap();
    assert!(of_node.len() <= 100, "{}", of_node.len());
    assert_eq!(crate::language::problems::total(of_node), 700);
}

/// All problems that a check reports for the base with other files.
fn said(overlay: &[(&str, &str)]) -> String {
    let all = check(&repository(overlay)).all();
    all.iter().map(|problem| format!("{problem}\n")).collect()
}

#[test]
fn a_broken_hierarchy_is_told_itself_and_not_by_the_files_that_it_would_read() {
    let data = ("hieradata/common.toml", "# nothing\n");
    for hierarchy in ["hierarchy = 5\n", "hierarchi = []\n", "[[hierarchy]]\npaht = \"common.toml\"\n", "[["]
    {
        let said = said(&[data, ("holdfast.toml", hierarchy)]);
        assert!(said.contains("holdfast.toml:1:") && !said.contains("no level of the hierarchy"), "{said}");
    }
    let elsewhere = "[[hierarchy]]\nname = \"x\"\npath = \"x.toml\"\n";
    let said = said(&[data, ("holdfast.toml", elsewhere)]);
    assert!(said.contains("no level of the hierarchy reads `hieradata/common.toml`"), "{said}");
}

#[test]
fn a_policy_is_idle_where_no_node_that_reads_it_has_what_it_is_for() {
    let birch =
        ("hieradata/customers/birch.toml", "[profile.web]\nname = \"Birch\"\nnames = { one = \"x\" }\n");
    let policy = |title: &str| format!("[holdfast.policies]\n\"file[{title}]\" = \"audit\"\n");
    let common = |title: &str| said(&[birch, ("hieradata/common.toml", &policy(title))]);
    assert_eq!(common("/etc/x"), "", "one of the two has it");
    let nobody = common("/etc/y");
    assert_eq!(nobody.matches("which no node that reads this has").count(), 1, "{nobody}");
    let acme = format!("[profile.web]\nname = \"Acme\"\n{}", policy("/etc/x"));
    let alone = said(&[birch, (ACME, &acme)]);
    assert!(alone.contains("customers/acme.toml") && alone.contains("which no node"), "{alone}");
}

#[test]
fn a_data_file_that_leads_nowhere_is_told_with_the_nearest_name() {
    let facts = (
        "facts/default.json",
        "{\"os\": {\"name\": \"debian\", \"family\": \"debian\", \"release\": {\"major\": \"12\"}}}",
    );
    let cases = [
        ("nodes/wbe1.acme.example", "nodes/web1.acme.example"),
        ("nodes/Web1.acme.example", "nodes/web1.acme.example"),
        ("customers/amce", "customers/acme"),
        ("customers/acme/roles/webb", "customers/acme/roles/web"),
        ("stages/prodution", "stages/production"),
        ("roles/wbe", "roles/web"),
        ("os/Debian", "os/debian"),
        ("os/debain-12", "os/debian-12"),
        ("resellers/alpinhots", "resellers/alpinhost"),
        ("profiles/wbe", "profiles/web"),
    ];
    for (wrong, right) in cases {
        let path = format!("hieradata/{wrong}.toml");
        let said = said(&[facts, (&path, "# nothing\n")]);
        assert!(said.contains(&format!("no machine reads `{path}`")), "{wrong}: {said}");
        assert!(said.contains(&format!("did you mean `hieradata/{right}.toml`?")), "{wrong}: {said}");
        assert_eq!(check(&repository(&[facts, (&path, "# nothing\n")])).fatal, [], "it is a warning");
    }
    assert!(said(&[("hieradata/roles/nosuch.toml", "# nothing\n")]).contains("there are web"));
    for right in [
        "nodes/web1.acme.example",
        "stages/integration",
        "os/redhat",
        "os/debian-12",
        "profiles/web",
        "common",
    ] {
        assert_eq!(said(&[facts, (&format!("hieradata/{right}.toml"), "# nothing\n")]), "", "{right}");
    }
}

#[test]
fn values_that_nobody_reads_yet_are_checked_against_their_types() {
    let idle = (
        "modules/idle/manifests/init.toml",
        "doc = \"Idle.\"\n[parameters]\nport = { type = \"Port\", default = 1, doc = \"Port.\" }\n\
                 sites = { type = \"Hash[String, Struct[{root => String, port => Port}]]\", default = {}, merge = \"deep\", doc = \"Sites.\" }\n\
                 words = { type = \"Array[Integer]\", default = [], merge = \"unique\", doc = \"Words.\" }\n",
    );
    let wrong = |path: &str, text: &str, place: &str| {
        let said = said(&[idle, (path, text)]);
        assert!(said.contains(&format!("{path}:{place}: ")), "{text}: {said}");
    };
    wrong("hieradata/common.toml", "[idle]\nport = \"eighty\"\n", "2:8");
    wrong("hieradata/common.toml", "[idle]\nwords = [1, \"two\"]\n", "2:13");
    wrong("hieradata/common.toml", "[idle.sites.a]\nport = \"eighty\"\n", "2:8");
    wrong("hieradata/common.toml", "[idle]\nsites = \"a\"\n", "2:9");
    // overridden for each node by its own customer's value
    wrong("hieradata/common.toml", "[profile.web]\nname = 1\n", "2:8");
    let parts = "[idle.sites.a]\nroot = \"/srv\"\n[idle]\nwords = 1\n";
    assert_eq!(said(&[idle, ("hieradata/common.toml", parts)]), "", "a part need not be the whole");
}

#[test]
fn declared_keys_that_nobody_reads_or_gives_are_told_and_are_looked_up_all_the_same() {
    let keys = (
        "hieradata/keys.toml",
        "one = { type = \"Any\" }\ntwo = { type = \"Integer\" }\nmaybe = { type = \"Optional[String]\" }\n",
    );
    let all = said(&[keys, ("hieradata/common.toml", "one = 1\n")]);
    for part in ["`one` is not used", "`two` is not used", "no data file sets `two`"] {
        assert!(all.contains(part), "{part}: {all}");
    }
    assert!(!all.contains("gives `maybe`") && !all.contains("gives `one`"), "{all}");
    let missing = said(&[keys, ("hieradata/common.toml", "one = \"${facts.nope.nope}\"\n")]);
    assert!(missing.contains("hieradata/common.toml:1:"), "{missing}");
    let undeclared = said(&[keys, ("hieradata/common.toml", "one = \"${lookup('nope')}\"\n")]);
    assert!(undeclared.contains("no key `nope` is declared"), "{undeclared}");
    let web = format!("{}[let]\nx = \"${{lookup('one')}}\"\n", BASE[3].1);
    let read = said(&[keys, (WEB, &web), ("hieradata/common.toml", "one = 1\ntwo = 2\n")]);
    assert!(!read.contains("`one` is not used") && read.contains("`two` is not used"), "{read}");
    let told = |value: &str, after: &str| {
        let web = format!("{}[let]\nx = \"{value}\"\n{after}\n", BASE[3].1);
        said(&[keys, (WEB, &web), ("hieradata/common.toml", "one = 1\ntwo = 2\n")])
    };
    for value in ["${lookup('o' + 'ne')}", "${lookup (name)}", "${lookup(size(name) > 1 ? 'one' : 'two')}"] {
        let all = told(value, "");
        assert!(!all.contains("is not used"), "which key it is shows only later: {value}: {all}");
    }
    for (value, after) in
        [("${lookup ( 'one' )}", "# 'two'"), ("${name == 'two' ? lookup(\\\"one\\\") : 1}", "# lookup(x)")]
    {
        let all = told(value, after);
        assert!(!all.contains("`one` is not used") && all.contains("`two` is not used"), "{value}: {all}");
    }
    let data = said(&[keys, ("hieradata/common.toml", "one = 1\ntwo = \"${lookup ('one')}\" # 'two'\n")]);
    assert!(!data.contains("`one` is not used") && data.contains("`two` is not used"), "{data}");
    let broken = said(&[keys, ("hieradata/common.toml", "one = 1\n"), (ACME, "[profile.web\n")]);
    assert!(
        !broken.contains("is not used"),
        "nobody knows what a file looks up that cannot be read: {broken}"
    );
}
