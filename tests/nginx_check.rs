//! The standard module `nginx` checks a file before it is put in place as nginx itself would: tested with a real nginx
//! on a booted host.

use harness::binaries::workspace;
use harness::lab::{self, Host};

const CHECK: &str = "/usr/local/sbin/nginx-check";

/// The part of a main configuration file that a site needs around it.
const MAIN: &str = "user www-data;
pid /run/nginx.pid;
include modules-enabled/*.conf;
events {}
http {
    include mime.types;
    include /etc/nginx/conf.d/*.conf;
    include /etc/nginx/sites-enabled/*.conf;
}
";

#[test]
fn a_site_is_tested_with_relative_includes_and_leaves_nothing_behind() {
    let Some(lab) = lab::shared() else { return };
    let [host] = &lab.boot(&["web1.example.com"]).unwrap()[..] else { return };
    host.sh("apt-get install -qq -y nginx-light").unwrap();
    host.push(&workspace().join("modules/nginx/files/nginx-check"), CHECK).unwrap();
    host.write("/etc/nginx/nginx.conf", MAIN).unwrap();
    let before = (state(host, "/etc/nginx"), state(host, "/tmp"));

    for good in
        ["include fastcgi_params;", "include snippets/fastcgi-php.conf;", "include /etc/nginx/proxy_params;"]
    {
        checked(host, good).unwrap_or_else(|error| panic!("{good}: {error}"));
    }
    for bad in ["include no_such_file;", "include snippets/none.conf;", "lsten 80;"] {
        assert!(checked(host, bad).is_err(), "{bad}");
    }
    let told = checked(host, "include no_such_file;").unwrap_err();
    assert!(told.contains("\"/etc/nginx/no_such_file\""), "the place of a copy is nobody's: {told}");
    host.sh(&format!("{CHECK} --main /etc/nginx/nginx.conf")).unwrap();
    host.sh(&format!(
        "sed 's/mime.types/no.types/' /etc/nginx/nginx.conf >/root/main && ! {CHECK} --main /root/main"
    ))
    .unwrap();

    // Interrupted in the middle: nginx waits for a reader of its pipe.
    host.sh(&format!(
        "mkfifo /root/pipe; {CHECK} /root/pipe & until nginx=$(pgrep -f '[n]ginx -q -t'); do :; done; \
         kill $! $nginx; wait $! || rm /root/pipe"
    ))
    .unwrap();
    assert_eq!((state(host, "/etc/nginx"), state(host, "/tmp")), before);
}

/// Checks a site with this content.
fn checked(host: &Host, says: &str) -> Result<String, String> {
    let site = format!("server {{ listen 80; server_name x.example; location / {{ {says} }} }}\n");
    host.write("/root/site", site).unwrap();
    host.sh(&format!("{CHECK} /root/site")).map_err(|error| error.to_string())
}

/// Everything in a directory.
fn state(host: &Host, directory: &str) -> String {
    host.sh(&format!("cd {directory} && find . -type f -exec sha256sum {{}} + -o -printf '%p %l\\n' | sort"))
        .unwrap()
}
