//! The canary in every form that a secret can have, in a repository without errors, and in files with errors.

use super::told::CANARY;

/// Files by path; `CANARY` is replaced with the secret.
type Files = &'static [(&'static str, &'static str)];

/// A repository without errors. Its secrets are used in files, settings and environments, and in expressions and templates.
const RIGHT: Files = &[
    ("inventory/hosting/acme.toml", "[\"web1.acme.example\"]\nrole = \"web\"\nstage = \"test\"\n"),
    ("inventory/hosting/birch.toml", "[\"web1.birch.example\"]\nrole = \"web\"\nstage = \"test\"\n"),
    ("modules/role/manifests/web.toml", "doc = \"Web.\"\ninclude = [\"profile::web\"]\n"),
    ("modules/profile/manifests/web.toml", "doc = \"Web.\"\ninclude = [\"m\"]\n"),
    (
        "modules/m/manifests/init.toml",
        r##"doc = "Secrets of every shape."
[parameters]
declared = { type = "Secret", doc = "One." }
either   = { type = "Variant[String, Sensitive[String]]", doc = "One that may be." }
listed   = { type = "Array[Secret]", merge = "unique", doc = "A list." }
mapped   = { type = "Hash[String, Secret]", merge = "deep", doc = "A map." }
deeper   = { type = "Hash[String, Struct[{ password => Secret, port => Port }]]", merge = "deep", doc = "Deeper." }
parts    = { type = "Secret", doc = "Several in one." }
pair     = { type = "Optional[Tuple[String, Secret]]", doc = "A pair." }
maybe    = { type = "Optional[Secret]", doc = "None." }
fallback = { type = "Secret", default = "CANARY", doc = "By default." }

[let]
joined = "${declared}:${either}"

[file."/etc/m"]
ensure = "directory"

[file."/etc/m/joined"]
content = "${joined} ${listed.join(' ')} ${fallback}\n"

[file."/etc/m/template"]
template = "all.hbs"

[ini_setting.password]
path  = "/etc/m/ini"
key   = "password"
value = "${declared}"

[file_line.password]
path    = "/etc/m/lines"
line    = "password ${declared}"
require = "file[/etc/m/lines]"

[file."/etc/m/lines"]
replace = false
content = "# lines\n"

[exec.quiet]
command     = ["/bin/true"]
creates     = "/etc/m"
environment = { TOKEN = "${declared}" }

[cron.job]
command     = "/bin/true"
schedule    = "@daily"
environment = { TOKEN = "${mapped.one}" }

[systemd_unit."m.service"]
content = "# ${deeper.db.password}\n[Service]\nExecStart=/bin/true\n"
"##,
    ),
    (
        "modules/m/templates/all.hbs",
        "{{declared}} {{either}}\n{{#each listed}}[{{this}}]\n{{/each}}{{#each mapped}}{{@key}}={{this}}\n{{/each}}\
         {{#each (split parts \",\")}}<{{this}}>\n{{/each}}{{default maybe \"none\"}}\n",
    ),
    (
        "modules/m/manifests/d.toml",
        "kind = \"define\"\ndoc = \"D.\"\n[parameters]\npw = { type = \"Secret\", doc = \"P.\" }\n\
         port = { type = \"Port\", default = 80, doc = \"P.\" }\n[file.\"/etc/${title}\"]\ncontent = \"${pw}\"\n",
    ),
    (
        "hieradata/common.toml",
        "[m]\ndeclared = \"common-CANARY\"\neither = \"CANARY-common\"\nlisted = [\"CANARY-1\"]\n\
         parts = \"CANARY,b-CANARY\"\n[m.mapped]\none = \"CANARY\"\n[m.deeper.db]\npassword = \"CANARY\"\nport = 5432\n",
    ),
    (
        "hieradata/customers/acme.toml",
        "[m]\ndeclared = \"acme-CANARY\"\nlisted = [\"CANARY-2\"]\n[m.mapped]\ntwo = \"2-CANARY\"\n",
    ),
    ("hieradata/keys.toml", "token = { type = \"Secret\", doc = \"A token that everybody may look up.\" }\n"),
    ("hieradata/stages/test.toml", "token = \"CANARY\"\n"),
];

const COMMON: &str = "hieradata/common.toml";
const NODE: &str = "hieradata/nodes/web1.acme.example.toml";
const WEB: &str = "modules/profile/manifests/web.toml";
const M: &str = "modules/m/manifests/init.toml";

/// Files with errors, each to be laid over the repository.
const WRONG: Files = &[
    (COMMON, "[m]\ndeclared = [\"CANARY\"]\n"),
    (COMMON, "[m]\ndeclared = { a = \"CANARY\" }\n"),
    (COMMON, "[m]\neither = [\"CANARY\"]\n"),
    (COMMON, "[m]\nlisted = \"CANARY\"\n"),
    (COMMON, "[m]\nlisted = [[\"CANARY\"], 5]\n"),
    (COMMON, "[m]\nmapped = [\"CANARY\"]\n"),
    (COMMON, "[m]\npair = [\"CANARY\"]\n"),
    (COMMON, "[m]\npair = [\"CANARY\", \"x\", \"CANARY\"]\n"),
    (COMMON, "[m]\nmapped = { one = [\"CANARY\"] }\n"),
    (COMMON, "[m.deeper.db]\npassword = \"CANARY\"\nport = \"nobody\"\n"),
    (COMMON, "[m.deeper.db]\npasswrod = \"CANARY\"\nport = 1\n"),
    (COMMON, "[m.deeper]\ndb = \"CANARY\"\n"),
    (NODE, "[m]\ndeclared = 5\nparts = [\"CANARY\"]\n"),
    (NODE, "[m]\nmapped = { two = { x = \"CANARY\" } }\n"),
    (NODE, "[m]\ndeclraed = \"CANARY\"\n"),
    (NODE, "[mm]\ndeclared = \"CANARY\"\n"),
    (NODE, "[m]\ndeclared = \"CANARY\n"),
    (NODE, "[m]\ndeclared = CANARY\n"),
    (NODE, "[m]\ndeclared: CANARY\n"),
    (NODE, "[m]\ndeclared = \u{201c}CANARY\u{201d}\n"),
    (NODE, "[m]\ndeclared = \"CANARY\" \"CANARY\"\n"),
    (NODE, "[m]\ndeclared = \"CANARY\"\ndeclared = \"b-CANARY\"\n"),
    (NODE, "m::declared = \"CANARY\"\n"),
    (NODE, "[m\ndeclared = \"CANARY\"\n"),
    (NODE, "[m]\n<<<<<<< HEAD\ndeclared = \"CANARY\"\n=======\ndeclared = \"b-CANARY\"\n>>>>>>> b\n"),
    (NODE, "[m]\ndeclared = \"${lookup('CANARY')}\"\n"),
    (NODE, "[m]\ndeclared = \"CANARY${nobody}\"\n"),
    (NODE, "token = [\"CANARY\"]\n"),
    (NODE, "tokne = \"CANARY\"\n"),
    (WEB, "doc = \"Web.\"\ninclude = [\"m\"]\n[user.x]\npasswrod = \"CANARY\"\n"),
    (WEB, "doc = \"Web.\"\n[class.m]\ndeclared = [\"CANARY\"]\n"),
    (WEB, "doc = \"Web.\"\n[class.m]\ndeclraed = \"CANARY\"\n"),
    (WEB, "doc = \"Web.\"\n[\"m::d\".x]\npw = [\"CANARY\"]\n"),
    (WEB, "doc = \"Web.\"\n[\"m::d\".x]\npwd = \"CANARY\"\npw = \"CANARY\"\nport = \"nobody\"\n"),
    (
        WEB,
        "doc = \"Web.\"\n[cron.x]\ncommand = \"true\"\nschedule = \"@daily\"\nenvironment = { A = [\"CANARY\"] }\n",
    ),
    (WEB, "doc = \"Web.\"\n[cron.x]\ncommand = \"true\"\nenv = \"CANARY\"\nhour = \"CANARY\"\n"),
    (WEB, "doc = \"Web.\"\n[user.x]\npassword = \"CANARY\"\n"),
    (
        M,
        "doc = \"M.\"\n[parameters]\ndeclared = { type = \"Secret\", default = [\"CANARY\"], doc = \"D.\" }\n",
    ),
    (
        M,
        "doc = \"M.\"\n[parameters]\ndeclared = { type = \"Secret\", doc = \"D.\" }\n[file.x]\ntitle = \"/etc/${declared}\"\n\
         [file.\"/y\"]\nwhen = \"${declared == 'CANARY'}\"\n[exec.z]\ncommand = \"echo ${declared}\"\nalways = true\n\
         [package.p]\nfor_each = \"${[declared]}\"\ntitle = \"${each.value}\"\n\
         [file.\"/n\"]\ncontent = \"${int(declared)}\"\n",
    ),
];

/// The repository without errors.
pub fn right() -> Vec<(&'static str, String)> {
    RIGHT.iter().map(|(path, text)| (*path, filled(text))).collect()
}

/// Files with errors, to be tried one by one.
pub fn wrong() -> impl Iterator<Item = (&'static str, String)> {
    WRONG.iter().map(|(path, text)| (*path, filled(text)))
}

fn filled(text: &str) -> String {
    text.replace("CANARY", CANARY)
}
