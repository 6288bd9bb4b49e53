//! Data and files that are never read, and problems that only follow from other errors.

use super::*;

#[test]
fn what_follows_from_an_entry_with_errors_is_not_told_beside_it() {
    let labels = "labels = [\"cluster\"]\n[[hierarchy]]\nname = \"cluster\"\npath = \"clusters/${node.labels.cluster}.toml\"\n\
                  [[hierarchy]]\nname = \"node\"\npath = \"nodes/${node.certname}.toml\"\n\
                  [[hierarchy]]\nname = \"role\"\npath = \"roles/${node.role}.toml\"\n\
                  [[hierarchy]]\nname = \"customer\"\npath = \"customers/${node.customer}.toml\"\ntenant = true\n";
    let data = [
        "hieradata/nodes/web9.acme.example.toml",
        "hieradata/clusters/shop.toml",
        "hieradata/customers/oak.toml",
    ];
    let entry = "role = \"web\"\nstage = \"test\"\nlabels = { cluster = \"shop\" }\n";
    let faulty = [
        entry.replace("cluster =", "clsuter ="),
        entry.replace("stage = \"test\"", "stage = \"prod\""),
        entry.replace("stage = \"test\"", "stage = 5"),
        entry.replace("labels", "lables"),
        entry.replace("role = \"web\"\n", ""),
        entry.replace("role = \"web\"", "role = \"We b\""),
    ];
    let names = ["[\"web9.acme.example\"]", "[web9.acme.example]"];
    let texts = faulty.iter().flat_map(|entry| names.map(|name| format!("{name}\n{entry}")));
    for text in texts.chain(["[\"web9.acme.example\"\nrole = \"web\"\n".to_owned()]) {
        for file in ["inventory/alpinhost/oak.toml", "inventory/oak.toml"] {
            let data = data.map(|path| (path, "# nothing\n"));
            let all = said(&[&[("holdfast.toml", labels), (file, &*text)], &data[..]].concat());
            assert!(all.contains(file) && !all.contains("no machine reads"), "{text}: {all}");
        }
    }
    let wrong_role = "[\"web9.acme.example\"]\nrole = \"wbe\"\nstage = \"test\"\n";
    let all =
        said(&[("inventory/alpinhost/oak.toml", wrong_role), ("hieradata/roles/wbe.toml", "# nothing\n")]);
    assert!(!all.contains("no machine reads"), "{all}");
}

#[test]
fn values_of_a_class_that_no_reader_of_the_file_has_are_told() {
    let kiosk = "doc = \"Kiosk.\"\n[parameters]\nport = { type = \"Port\", default = 80, doc = \"Port.\" }\n";
    let base = [
        ("modules/kiosk/manifests/init.toml", kiosk),
        (
            "modules/profile/manifests/kiosk.toml",
            "doc = \"Kiosk.\"\n[class.kiosk]\nwhen = \"${node.stage == 'test'}\"\n",
        ),
        ("modules/profile/manifests/mail.toml", "doc = \"Mail.\"\n"),
        (
            "modules/role/manifests/kiosk.toml",
            "doc = \"Kiosk.\"\ninclude = [\"profile::kiosk\", \"profile::mail\"]\n",
        ),
        ("inventory/alpinhost/oak.toml", "[\"k1.oak.example\"]\nrole = \"kiosk\"\nstage = \"test\"\n"),
    ];
    let port = "[kiosk]\nport = 81\n";
    let told = |file: &str, text: &str| said(&[&base[..], &[(file, text)]].concat());
    for (file, text, why) in [
        ("hieradata/profiles/mail.toml", port, "`profile::mail` does not include the class"),
        (
            "hieradata/profiles/mail.toml",
            "[profile.web]\nmode = \"0600\"\n",
            "no machine reads `profile::web` here",
        ),
        ("hieradata/roles/web.toml", port, "no machine with the role `web` has the class"),
        ("hieradata/nodes/web1.acme.example.toml", port, "`web1.acme.example` has the role `web`"),
        ("hieradata/customers/acme/roles/web.toml", port, "no machine with the role `web` has the class"),
    ] {
        let all = told(file, text);
        assert!(all.contains(&format!("{file}:1:")) && all.contains(why), "{file}: {all}");
        assert_eq!(check(&repository(&[&base[..], &[(file, text)]].concat())).fatal, [], "it is a warning");
    }
    for file in [
        "profiles/kiosk",
        "roles/kiosk",
        "nodes/k1.oak.example",
        "customers/oak/roles/kiosk",
        "customers/oak",
        "stages/test",
        "common",
    ] {
        assert_eq!(told(&format!("hieradata/{file}.toml"), port), "", "{file}");
    }
    // a value may be looked up without having its class
    let looks = format!("{}[let]\nx = \"${{lookup('kiosk::port')}}\"\n", BASE[3].1);
    let roles = ("hieradata/roles/web.toml", port);
    assert_eq!(said(&[&base[..], &[(WEB, &looks), roles]].concat()), "");
    let computed = format!("{}[let]\nx = \"${{lookup ('kiosk' + '::port')}}\"\n", BASE[3].1);
    assert_eq!(said(&[&base[..], &[(WEB, &computed), roles]].concat()), "");
    let remark = format!("{}# not lookup('kiosk::port')\n", BASE[3].1);
    let told = said(&[&base[..], &[(WEB, &remark), roles]].concat());
    assert!(told.contains("no machine with the role `web` has the class"), "{told}");
    let broken = said(
        &[&base[..], &[("modules/role/manifests/web.toml", "doc = \"Web.\"\ninclude = [\"nope\"]\n"), roles]]
            .concat(),
    );
    assert!(!broken.contains("no machine"), "nobody knows what it leads to: {broken}");
}

#[test]
fn files_that_nobody_reads_are_told_with_where_they_belong() {
    for (path, help) in [
        ("modules/kiosk/init.toml", "did you mean `modules/kiosk/manifests/init.toml`?"),
        ("modules/kiosk/manifest/x.toml", "did you mean `modules/kiosk/manifests/`?"),
        ("modules/kiosk.toml", "did you mean `modules/kiosk/manifests/init.toml`?"),
        ("module/foo/manifests/init.toml", "did you mean `modules/`?"),
        ("Modules/foo/manifests/init.toml", "did you mean `modules/`?"),
        ("hieradate/common.toml", "did you mean `hieradata/`?"),
        ("modules/kiosk/manifests/x.pp", "`x.toml`"),
        ("modules/kiosk/manifests/y.yaml", "`y.toml`"),
        ("modules/kiosk/manifests/init.toml.bak", "remove the copy"),
        ("modules/kiosk/tasks/main.yml", "belong in `manifests/*.toml`"),
        ("modules/kiosk/template/x.hbs", "did you mean `modules/kiosk/templates/`?"),
        ("modules/kiosk/x.hbs", "did you mean `modules/kiosk/templates/x.hbs`?"),
        ("modules/kiosk/templates/a.erb", "`a.hbs`"),
        ("modules/kiosk/resources/a.conf", "the folders `manifests/`"),
        ("facts/web1.acme.exmaple.json", "did you mean `facts/web1.acme.example.json`?"),
        ("facts/x.toml", "facts are `facts/CERTNAME.json`"),
        ("facts/more/web1.acme.example.json", "facts are `facts/CERTNAME.json`"),
    ] {
        let all = said(&[(path, "{}")]);
        assert!(all.contains(path) && all.contains(help), "{path}: {all}");
    }
    let broken = said(&[("facts/web1.acme.exmaple.json", "{")]);
    assert!(broken.contains("not JSON"), "{broken}");
    assert_eq!(check(&repository(&[("facts/web1.acme.exmaple.json", "{")])).fatal, [], "it is a warning");
    for path in [
        "modules/README.md",
        "modules/kiosk/README",
        "modules/kiosk/LICENSE",
        "modules/kiosk/.gitignore",
        "modules/kiosk/docs/x.toml",
        "modules/kiosk/examples/init.toml",
        "modules/kiosk/tests/init.pp",
        "modules/kiosk/manifests/README.md",
        "modules/kiosk/files/tasks/main.yml",
        "modules/kiosk/templates/x.hbs",
        "facts/web1.acme.example.json",
        "facts/default.json",
        "facts/README.md",
        "docs/manifests/x.toml",
        "module/notes.txt",
    ] {
        assert_eq!(said(&[(path, "{}")]), "", "{path}");
    }
}

#[test]
fn comparisons_that_are_never_true_are_told() {
    let web = |expression: &str| {
        let parameters = "port = { type = \"Optional[Port]\", doc = \"Port.\" }\n\
                          speed = { type = \"Enum[fast, slow]\", default = \"slow\", doc = \"Mode.\" }\n";
        let text = BASE[3].1.replace(
            "[file.\"/etc/name\"]",
            &format!("{parameters}[file.\"/etc/name\"]\nwhen = \"${{{expression}}}\""),
        );
        said(&[(WEB, &text)])
    };
    for (expression, help) in [
        ("port == '8080'", "write a number without quotes: 8080"),
        ("!('80' != port)", "write a number without quotes: 80"),
        ("port == 99999", "`port` is of the type Optional[Port]"),
        ("speed == 'fsat'", "did you mean `fast`?"),
        ("node.stage == 'prodution'", "did you mean `production`?"),
        ("name == 5 || true", "`name` is of the type String"),
    ] {
        let all = web(expression);
        assert!(all.contains(&format!("{WEB}:")) && all.contains(help), "{expression}: {all}");
    }
    for expression in
        ["port == 80", "port != null", "port == 80.0", "speed == 'fast'", "node.stage != 'test'"]
    {
        assert_eq!(web(expression), "", "{expression}");
    }
}

#[test]
fn what_goes_to_machines_is_neither_a_template_nor_a_manifest() {
    let jinja = "{% if user %}\r\n{{ user.name | upper }}\r\n{% endif %}\r\n";
    for path in ["modules/kiosk/files/app/templates/x.html", "modules/kiosk/files/templates/x"] {
        assert_eq!(said(&[(path, jinja)]), "", "{path}");
    }
    let inner = said(&[("modules/templates/templates/x.conf", "x\r\n")]);
    assert!(inner.contains("nothing reads") && inner.contains("Windows line endings"), "{inner}");
}

#[test]
fn templates_whose_names_are_computed_are_read() {
    let kiosk = |body: &str| {
        let parameters = "doc = \"Kiosk.\"\n[parameters]\nname = { type = \"String\", default = \"prod\", doc = \"Name.\" }\n\
                          attributes = { type = \"Hash\", default = {}, doc = \"Attributes.\" }\n[file.\"/etc/x\"]\n";
        let manifest = format!("{parameters}{body}");
        let files =
            [("modules/kiosk/manifests/init.toml", &*manifest), ("modules/kiosk/templates/prod.conf", "x\n")];
        said(&files)
    };
    for body in [
        "template = \"prod.conf\"\n",
        "template = \"${name}.conf\"\n",
        "template = \"${name == 'x' ? 'prod.conf' : 'test.conf'}\"\n",
        "content = \"${template('prod.conf')}\"\n",
        "content = \"x${template(name + '.conf')}\"\n",
        "\"*\" = \"${attributes}\"\n",
    ] {
        assert_eq!(kiosk(body), "", "{body}");
    }
    for body in [
        "content = \"prod.conf\"\n",
        "template = \"${name}.cfg\"\n",
        "content = \"x\" # not prod.conf\n",
        "content = \"${template('test.conf')}\"\n",
    ] {
        let all = kiosk(body);
        assert!(all.contains("nothing reads `modules/kiosk/templates/prod.conf`"), "{body}: {all}");
    }
}
