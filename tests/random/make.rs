//! Random catalogs and random drift, with the types that a bare host supports, and few names, so that resources conflict.

use serde_json::{Value, json};

/// Removes whatever an earlier seed left, and makes two units and a file to begin with.
pub const FRESH: &str = "\
    systemctl stop rnd0 rnd1 2>/dev/null; rm -rf /etc/systemd/system/rnd* /etc/cron.d/rnd* /srv/r /root/.ssh; \
    systemctl daemon-reload; systemctl reset-failed; umount /srv/m 2>/dev/null; mkdir -p /srv/r /srv/m; \
    sed -i '\\|/srv/m|d' /etc/fstab; sed -i '/rnd/d' /etc/hosts; rm -f /etc/sysctl.d/*rp_filter*; \
    for name in rnd0 rnd1; do userdel $name; groupdel $name; groupdel g$name; done 2>/dev/null; \
    for name in rnd0 rnd1; do printf '[Service]\\nExecStart=/bin/sleep infinity\\n' >/etc/systemd/system/$name.service; done; \
    echo first >/srv/r/lines; systemctl daemon-reload; true";

/// Two keys without any use.
const KEYS: [&str; 2] = [
    "AAAAC3NzaC1lZDI1NTE5AAAAIMqXgRLKG73K+sIxs5oj3E2nhu/4FHxOcrmAd4Wv7ki7",
    "AAAAC3NzaC1lZDI1NTE5AAAAID4j6BYAOVlKM4lPZWThsTSLvXoAiNQsSstz7q7VnACd",
];

/// The random choices that a seed determines.
pub struct SeededRandom {
    numbers: holdfast_catalog::random::Random,
    /// Whether there are conflicts and failures; without them, everything must converge.
    wild: bool,
}

impl SeededRandom {
    pub fn new(seed: u64) -> Self {
        Self { numbers: holdfast_catalog::random::Random::new(seed), wild: seed % 2 == 1 }
    }

    fn below(&mut self, limit: usize) -> usize {
        self.numbers.below(limit)
    }

    pub fn one_in(&mut self, n: usize) -> bool {
        self.numbers.one_in(n)
    }

    fn of<T: Copy>(&mut self, list: &[T]) -> T {
        self.numbers.of(list)
    }

    /// Whether there are conflicts and failures.
    pub fn is_wild(&self) -> bool {
        self.wild
    }

    /// Whether to choose something that may fail.
    fn wild(&mut self) -> bool {
        self.wild && self.one_in(3)
    }
}

/// A resource, as the test knows it.
#[derive(Debug, Clone)]
pub struct Wanted {
    pub reference: String,
    pub attributes: Value,
    /// A script that succeeds exactly if the host has the wanted state.
    pub look: String,
    /// Scripts that may change that state.
    drift: Vec<String>,
}

impl Wanted {
    fn new(reference: String, attributes: Value, look: String, drift: &[&str]) -> Self {
        Self { reference, attributes, look, drift: drift.iter().map(ToString::to_string).collect() }
    }
}

/// A catalog's resources and edges.
pub fn catalog(random: &mut SeededRandom) -> (Vec<Wanted>, Value) {
    let mut wanted: Vec<Wanted> = Vec::new();
    for _ in 0..6 + random.below(12) {
        let one = by_chance(random);
        if wanted.iter().all(|other| other.reference != one.reference) {
            wanted.push(one);
        }
    }
    let mut edges = Vec::new();
    for to in 1..wanted.len() {
        if random.one_in(3) {
            let kind = random.of(&["order", "notify", "after", "provide", "need"]);
            edges.push(json!({ "from": random.below(to), "to": to, "kind": kind }));
        }
    }
    (wanted, edges.into())
}

/// What someone does to the host between two runs.
pub fn drift(random: &mut SeededRandom, wanted: &[Wanted]) -> String {
    let all: Vec<&str> = wanted.iter().flat_map(|one| &one.drift).map(String::as_str).collect();
    let some: Vec<&str> = (0..random.below(4)).map(|_| random.of(&all)).collect();
    some.join("\n")
}

fn by_chance(random: &mut SeededRandom) -> Wanted {
    match random.below(16) {
        0 | 1 => file(random),
        2 => gone(random),
        3 => user(random),
        4 => group(random),
        5 => unit(random),
        6 | 7 => service(random),
        8 => cron(random),
        9 => host(random),
        10 => sysctl(random),
        11 => mount(random),
        12 => key(random),
        13 => setting(random),
        14 => line(random),
        _ => command(random),
    }
}

/// A path: the resource's own, or one that others have too.
fn path(random: &mut SeededRandom, own: &str) -> String {
    let name = if random.wild() { random.of(&["a", "b", "lines", "no/such"]) } else { own };
    format!("/srv/r/{name}")
}

fn file(random: &mut SeededRandom) -> Wanted {
    let (own, text) = (random.of(&["a", "b"]), random.of(&["1", "2"]));
    let path = path(random, own);
    let owner = if random.wild() { "rnd0" } else { random.of(&["root", "daemon"]) };
    let mode = random.of(&["644", "600"]);
    let attributes = json!({ "content": format!("{text}\n"), "mode": format!("0{mode}"), "owner": owner });
    let look = format!(
        "test \"$(stat -c '%F %a %U' {path})\" = 'regular file {mode} {owner}' && test \"$(cat {path})\" = {text}"
    );
    let drift = [&format!("rm {path}"), &format!("echo 3 >{path}"), &format!("chmod 640 {path}")];
    Wanted::new(format!("file[{path}]"), attributes, look, &drift.map(String::as_str))
}

fn gone(random: &mut SeededRandom) -> Wanted {
    let path = path(random, "gone");
    let look = format!("! test -e {path} && ! test -L {path}");
    Wanted::new(format!("file[{path}]"), json!({ "ensure": "absent" }), look, &[&format!("touch {path}")])
}

fn user(random: &mut SeededRandom) -> Wanted {
    let (name, comment) = (random.of(&["rnd0", "rnd1"]), random.of(&["One", "Two"]));
    let (attributes, look) = match random.one_in(3) {
        true => (json!({ "ensure": "absent" }), format!("! getent passwd {name}")),
        false => (
            json!({ "comment": comment }),
            format!("test \"$(getent passwd {name} | cut -d: -f5)\" = {comment}"),
        ),
    };
    let drift = [&format!("usermod -c Three {name}"), &format!("userdel {name}"), &format!("useradd {name}")];
    Wanted::new(format!("user[{name}]"), attributes, look, &drift.map(String::as_str))
}

fn group(random: &mut SeededRandom) -> Wanted {
    let name = random.of(&["grnd0", "grnd1"]);
    let members = if random.wild() { ["rnd0", "rnd1"] } else { ["daemon", "bin"] };
    let member = random.of(&members);
    let (attributes, look) = match random.one_in(3) {
        true => (json!({ "ensure": "absent" }), format!("! getent group {name}")),
        false => (
            json!({ "members": [member] }),
            format!("test \"$(getent group {name} | cut -d: -f4)\" = {member}"),
        ),
    };
    let drift = [
        &format!("gpasswd -M '' {name}"),
        &format!("gpasswd -a sys {name}"),
        &format!("groupdel {name}"),
        &format!("groupadd {name}"),
    ];
    Wanted::new(format!("group[{name}]"), attributes, look, &drift.map(String::as_str))
}

fn unit(random: &mut SeededRandom) -> Wanted {
    let name = random.of(&["rnd0.service", "rnd1.service"]);
    let path = format!("/etc/systemd/system/{name}");
    if random.wild() {
        let (attributes, look) = (json!({ "ensure": "absent" }), format!("! test -e {path}"));
        return Wanted::new(format!("systemd_unit[{name}]"), attributes, look, &[&format!("touch {path}")]);
    }
    // With `false` it cannot be started.
    let before = if random.wild() { "false" } else { "true" };
    let text = format!("[Service]\nExecStartPre=/bin/{before}\nExecStart=/bin/sleep infinity");
    let look = format!(
        "test \"$(cat {path})\" = \"$(printf '%s\\n' '{text}')\" && \
         test \"$(systemctl show -P NeedDaemonReload {name})\" = no"
    );
    let drift = [&format!("rm {path}"), &format!("echo '# x' >>{path}")];
    let attributes = json!({ "content": format!("{text}\n") });
    Wanted::new(format!("systemd_unit[{name}]"), attributes, look, &drift.map(String::as_str))
}

fn service(random: &mut SeededRandom) -> Wanted {
    let name = random.of(&["rnd0", "rnd1"]);
    let (ensure, look) = match random.one_in(3) {
        true => ("stopped", format!("! systemctl is-active {name}")),
        false => ("running", format!("systemctl is-active {name}")),
    };
    let drift = [&format!("systemctl stop {name}"), &format!("systemctl start {name}")];
    Wanted::new(format!("service[{name}]"), json!({ "ensure": ensure }), look, &drift.map(String::as_str))
}

fn cron(random: &mut SeededRandom) -> Wanted {
    let user = if random.wild() { "rnd0" } else { "root" };
    let number = random.of(&["1", "2"]);
    let (attributes, look) = match random.one_in(3) {
        true => (json!({ "ensure": "absent" }), "! test -e /etc/cron.d/rnd".to_owned()),
        false => (
            json!({ "command": format!("true {number}"), "schedule": "@daily", "user": user }),
            format!("test \"$(grep -v '^#' /etc/cron.d/rnd)\" = '@daily {user} true {number}'"),
        ),
    };
    let drift = ["rm /etc/cron.d/rnd", "echo '@daily root true 3' >>/etc/cron.d/rnd"];
    Wanted::new("cron[rnd]".to_owned(), attributes, look, &drift)
}

fn host(random: &mut SeededRandom) -> Wanted {
    let address = random.of(&["192.0.2.1", "192.0.2.2"]);
    let is = "$(awk '!/^#/ { for (i = 2; i <= NF; i++) if ($i == \"rnd.example\") print $1 }' /etc/hosts)";
    let (attributes, look) = match random.one_in(3) {
        true => (json!({ "ensure": "absent" }), format!("test -z \"{is}\"")),
        false => (json!({ "ip": address }), format!("test \"{is}\" = {address}")),
    };
    let drift = ["sed -i /rnd/d /etc/hosts", "echo '192.0.2.3 rnd.example' >>/etc/hosts"];
    Wanted::new("host[rnd.example]".to_owned(), attributes, look, &drift)
}

fn sysctl(random: &mut SeededRandom) -> Wanted {
    const KEY: &str = "/proc/sys/net/ipv4/conf/lo/rp_filter";
    let value = random.of(&[1, 2]);
    let look =
        format!("grep -x {value} {KEY} && grep -rx 'net/ipv4/conf/lo/rp_filter = {value}' /etc/sysctl.d");
    let drift = [&format!("echo 0 >{KEY}"), "rm /etc/sysctl.d/*rp_filter*"];
    Wanted::new("sysctl[net.ipv4.conf.lo.rp_filter]".to_owned(), json!({ "value": value }), look, &drift)
}

fn mount(random: &mut SeededRandom) -> Wanted {
    let (attributes, look) = match random.one_in(3) {
        true => {
            (json!({ "ensure": "absent" }), "! mountpoint /srv/m && ! grep -w /srv/m /etc/fstab".to_owned())
        }
        false => (
            json!({ "device": "tmpfs", "fstype": "tmpfs" }),
            "test \"$(stat -f -c %T /srv/m)\" = tmpfs && mountpoint /srv/m && grep -w /srv/m /etc/fstab"
                .to_owned(),
        ),
    };
    let drift = ["umount /srv/m", "mount -t tmpfs tmpfs /srv/m", "sed -i '\\|/srv/m|d' /etc/fstab"];
    Wanted::new("mount[/srv/m]".to_owned(), attributes, look, &drift)
}

fn key(random: &mut SeededRandom) -> Wanted {
    const FILE: &str = "/root/.ssh/authorized_keys";
    let key = random.of(&KEYS);
    let (ensure, look) = match random.one_in(3) {
        true => ("absent", format!("! grep -F {key} {FILE}")),
        false => ("present", format!("test \"$(grep -cF {key} {FILE})\" = 1")),
    };
    let drift = [&format!("rm {FILE}"), &format!("echo 'ssh-ed25519 {key} x' >>{FILE}")];
    Wanted::new(
        "authorized_key[rnd]".to_owned(),
        json!({ "ensure": ensure, "user": "root", "key": format!("ssh-ed25519 {key}") }),
        look,
        &drift.map(String::as_str),
    )
}

fn setting(random: &mut SeededRandom) -> Wanted {
    let (path, value) = (path(random, "ini"), random.of(&["1", "2"]));
    let look = format!("sed -n '/^\\[main\\]/,/^\\[other/p' {path} | grep -xE 'k *= *{value}'");
    let drift = [&format!("rm {path}"), &format!("sed -i 's/^k.*/k = 3/' {path}")];
    let attributes = json!({ "path": path, "section": "main", "key": "k", "value": value });
    Wanted::new("ini_setting[k]".to_owned(), attributes, look, &drift.map(String::as_str))
}

fn line(random: &mut SeededRandom) -> Wanted {
    let (path, line) = (path(random, "lines"), random.of(&["one", "two"]));
    let look = format!("grep -xF {line} {path}");
    let drift = [&format!("sed -i /{line}/d {path}")];
    Wanted::new(
        format!("file_line[{line}]"),
        json!({ "path": path, "line": line }),
        look,
        &drift.map(String::as_str),
    )
}

/// Commands that do what they claim, fail, only claim it, or undo what others want.
fn command(random: &mut SeededRandom) -> Wanted {
    let path = path(random, "made");
    let command = match if random.wild() { 1 + random.below(5) } else { 0 } {
        0 => format!("touch {path}"),
        1 => "false".to_owned(),
        2 => "true".to_owned(),
        3 => format!("systemctl stop {}; touch {path}", random.of(&["rnd0", "rnd1"])),
        4 => format!("sed -i /rnd/d /etc/hosts; touch {path}"),
        _ => format!("rm -f /srv/r/{}; touch {path}", random.of(&["a", "b", "lines"])),
    };
    let look = format!("test -e {path}");
    Wanted::new(format!("exec[{command}]"), json!({ "creates": path }), look, &[&format!("rm {path}")])
}
