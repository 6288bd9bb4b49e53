//! What no mask may hide.

use super::*;

#[test]
fn what_is_known_to_be_no_secret_is_shown() {
    let files = vec![
        ("modules/m/manifests/init.toml", class("Integer")),
        ("hieradata/common.toml", "[m]\np = \"eighty\" # a remark\n".to_owned()),
    ];
    let (out, _) = told(&repository(files));
    // A comment beside a value may contain an older value, which has no type.
    assert!(out.contains("2 | p = \"eighty\" \n") && !out.contains("a remark"), "{out}");
    let manifest = "doc = \"Web.\"\n[file.\"/x\"]\nmode = 0o644\ncontent = \"${nobody}\"\n".to_owned();
    let (out, _) = told(&repository(vec![("modules/profile/manifests/web.toml", manifest)]));
    assert!(out.contains("mode = 0o644\n") && out.contains("content = \"${nobody}\"\n"), "{out}");
}

#[test]
fn names_of_functions_and_of_keys_in_code_are_no_secrets() {
    let class = "doc = \"M.\"\n[parameters]\np = { type = \"Secret\", default = \"${lookup('forge_password')}\", doc = \"P.\" }\n";
    let (out, _) = told(&repository(vec![("modules/m/manifests/init.toml", class.to_owned())]));
    assert!(out.contains("no key `forge_password` is declared"), "{out}");
    let data = format!("[m]\np = \"${{lookup('{CANARY}')}}\"\n");
    let (out, _) = told(&repository(vec![("hieradata/customers/acme.toml", data)]));
    assert!(
        out.contains("unknown function `lookup`") && out.contains("expressions see only node.* and facts.*"),
        "{out}"
    );
    assert_eq!(sings(&out), None, "{out}");
}
