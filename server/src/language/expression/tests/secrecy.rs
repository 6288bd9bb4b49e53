//! What expressions reveal of secrets: nothing.

use super::*;

#[test]
fn what_comes_of_a_secret_is_secret() {
    gives_json("'a' + secret + 'b'", "a[sensitive]b");
    gives_json("['user=app', 'password=' + secret].join(' ')", "user=app password=[sensitive]");
    gives_json("secret.replace('n', 'm')", "[sensitive]");
    gives_json("[secret, secret].join(' ') + 'z'", "[sensitive]z");
    for source in [
        "secret == 'x'",
        "vault == {}",
        "secret in ['x']",
        "size(secret)",
        "secret.startsWith('h')",
        "sha256(secret)",
        "secret.substring(1)",
        "json(vault)",
        "secret.matches('h.*')",
        "secret == 'hunter2' ? 'yes' : 'no'",
        "!(secret == 'x')",
        "secret == 'x' || port == 1",
        "[1, 2].exists(x, secret == string(x))",
        "{'hunter2': 1}[secret]",
        "secret.reverse()",
        "'%s'.format([secret])",
        "type(secret)",
        "[secret].map(s, s.upperAscii())[0]",
        "[secret, 'a'].sort()[0]",
    ] {
        gives_json(source, "[sensitive]");
    }
    gives_json("vault", r#"{"password":"[sensitive]","user":"app"}"#);
    gives_json("['b', 'a'].sortBy(x, x + secret)", r#"["[sensitive]","[sensitive]"]"#);
    gives_json("vault.user + string(size(vault))", "\"app2\"");
    gives_json("false && secret == 'x'", "false");
}

#[test]
fn b3_what_would_show_a_secret_by_its_length_its_keys_or_its_presence_is_refused() {
    for source in [
        "[1, 2].filter(x, secret.startsWith('h'))",
        "[1, 2].map(x, secret == string(x), x)",
        "[1, 2].transformList(i, x, secret == 'x', x)",
        "{'a': 1}.transformMap(k, v, secret == k, v)",
        "{'a': 1}.transformMapEntry(k, v, secret == k, {k: v})",
        "[[1], [1, 2]].sortBy(x, string(size(x)) + secret)",
        "[secret, 'a'].distinct()",
        "secret.split('')",
        "secret.split('n', 2)",
        "lists.range(size(secret))",
        "secret.startsWith('h') ? [1] : [1, 2]",
        "secret.startsWith('h') ? {} : {'a': 1}",
        "(secret.startsWith('h') ? optional.of(1) : optional.none()).hasValue()",
        "optional.ofNonZeroValue(secret.startsWith('h')).hasValue()",
        "optional.ofNonZeroValue(secret).orValue('x')",
        "{'a': '1'}[?secret].orValue('zz')",
        "{'hunter2': [1]}[secret]",
    ] {
        let fault = evaluate(source).expect_err(source);
        assert_eq!(fault.code, Code::Secret, "{source}: {fault:?}");
        assert!(!format!("{fault:?}").contains("hunter2"), "{source}: {fault:?}");
    }
    gives_json("[secret, 'a'].sort().size()", "2");
    // Whether an error was absorbed depends on the secret, too.
    gives_json("int(secret) > 0 || true", "[sensitive]");
    gives_json("[1, 2].exists(x, x == 2 || int(secret) > 0)", "[sensitive]");
    gives_json("[secret].map(x, x + '!')", r#"["[sensitive]!"]"#);
}

#[test]
fn no_error_shows_a_secret() {
    for source in [
        "secret + 1",
        "1 - secret",
        "-secret",
        "secret ? 1 : 2",
        "secret.x",
        "secret['x']",
        "int(secret)",
        "double(secret)",
        "{secret: 1}",
        "facts[secret]",
        "list[secret]",
        "secret.map(x, x)",
        "base64.decode(secret)",
        "'x'.matches('(' + secret)",
        "secret < 1",
        "math.abs(secret)",
        "'a'.charAt(secret)",
        "[secret, 1].sort()",
        "[secret].map(s, int(s))",
        "secret.format([1])",
        "[secret, 1].sortBy(x, x)",
        "optional.of(secret) + 1",
        "vault.join(',')",
        "'1'.join([secret])",
        "bool(secret)",
        "secret && true",
        "1 in secret",
        "math.greatest(1, secret)",
        "'%d'.format([secret])",
        "'%q'.format([secret])",
        "vault.password.nope()",
    ] {
        let fault = evaluate(source).expect_err(source);
        let shown = format!("{fault} {fault:?} {:?}", fault.diagnostic(None));
        assert!(!shown.contains("hunter2"), "{source}: {shown}");
    }
}
