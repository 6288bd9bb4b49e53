//! A control repository of any size for benchmarks: one role whose sites come from a deep merge of five levels of data;
//! each site has five files, half of them from templates.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;

/// The first node of the repository.
pub const NODE: &str = "bench1.customer.example";

/// The facts of each node.
pub const FACTS: &str =
    r#"{"os":{"name":"debian","family":"debian","release":{"major":"12"}},"virtual":"kvm"}"#;

/// The levels above a node's own.
const LEVELS: [&str; 4] = ["common", "resellers/reseller", "customers/customer", "roles/bench"];

const SITE: &str = r#"
kind = "define"
doc  = "One site: five files."

[parameters]
port     = { type = "Port", doc = "Port it listens on." }
owner    = { type = "String[1]", default = "root", doc = "Who owns its files." }
settings = { type = "Hash[String, Scalar]", default = {}, doc = "Further settings." }

[let]
base = "/srv/sites/${title}"

[file.base]
title  = "${base}"
ensure = "directory"
mode   = "0755"
owner  = "${owner}"

[file.config]
title    = "${base}/site.conf"
template = "site.conf.hbs"
mode     = "0644"
require  = "file[${base}]"

[file.environment]
title    = "${base}/environment"
template = "environment.hbs"
mode     = "0640"

[file.port]
title   = "${base}/port"
content = "${port + 1}\n"

[file.name]
title   = "${base}/name"
content = "${title} on ${node.certname} of ${node.customer}\n"
when    = "${settings.enabled}"
"#;

const SITE_TEMPLATE: &str = "server {
    listen {{port}};
    server_name {{title}};
    # {{node.certname}} of {{node.customer}}, {{facts.os.name}} {{facts.os.release.major}}
{{#each settings}}
    set ${{@key}} {{this}};
{{/each}}
{{#if settings.enabled}}
    return 200;
{{else}}
    return 404;
{{/if}}
}
";

const ENVIRONMENT_TEMPLATE: &str = "PORT={{port}}
OWNER={{owner}}
SITE={{title}}
NODE={{node.certname}}
";

/// The names of this many nodes, beginning with [`NODE`].
pub fn names(nodes: usize) -> impl Iterator<Item = String> {
    (1..=nodes).map(|number| format!("bench{number}.customer.example"))
}

/// Writes a repository with this many nodes, each with `5 * sites + 4` resources.
pub fn write(root: &Path, nodes: usize, sites: usize) -> io::Result<()> {
    let put = |path: &str, text: &str| {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap_or(root))?;
        fs::write(path, text)
    };
    let entry = |name| format!("[\"{name}\"]\nrole = \"bench\"\nstage = \"production\"\n");
    put("inventory/reseller/customer.toml", &names(nodes).map(entry).collect::<String>())?;
    put("facts/default.json", FACTS)?;
    put(
        "modules/role/manifests/bench.toml",
        "doc = \"The benchmark's role.\"\ninclude = [\"profile::bench\"]\n",
    )?;
    put("modules/profile/manifests/bench.toml", &profile())?;
    put("modules/site/manifests/instance.toml", SITE)?;
    put("modules/site/templates/site.conf.hbs", SITE_TEMPLATE)?;
    put("modules/site/templates/environment.hbs", ENVIRONMENT_TEMPLATE)?;
    for (depth, level) in LEVELS.iter().enumerate() {
        put(&format!("hieradata/{level}.toml"), &data(depth, sites))?;
    }
    let own = data(LEVELS.len(), sites);
    names(nodes).try_for_each(|name| put(&format!("hieradata/nodes/{name}.toml"), &own))?;
    Ok(())
}

fn profile() -> String {
    let mut text = String::from(
        r#"doc = "Sites from data."

[parameters]
sites = { type = "Hash[String, site::instance]", default = {}, merge = "deep", doc = "Sites, by name." }

["site::instance".site]
for_each = "${sites}"
title    = "${each.key}"
"*"      = "${each.value}"
"#,
    );
    for path in ["/srv/sites", "/srv/cache", "/srv/log", "/srv/run"] {
        let _ = write!(text, "\n[file.\"{path}\"]\nensure = \"directory\"\nmode = \"0755\"\n");
    }
    text
}

/// The data of a level. Every level has every fifth site completely, and one setting of each other site, so that every
/// merge has work to do.
fn data(depth: usize, sites: usize) -> String {
    let mut text = String::new();
    for site in 0..sites {
        let _ = writeln!(text, "[profile.bench.sites.\"site{site}.customer.example\"]");
        if site % (LEVELS.len() + 1) == depth {
            let _ = writeln!(text, "port = {}\nowner = \"root\"", 1024 + site);
        }
        let _ = writeln!(text, "settings = {{ level{depth} = {site}, enabled = true }}\n");
    }
    text
}
