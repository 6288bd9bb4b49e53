//! The tables: words of other tools, and their equivalents here.

use super::{Counterpart, OtherValue, SchedulePart, Synonym, ValueCounterpart};

const TITLE: Counterpart =
    Counterpart::Advice("that is the title: write it in the header, [TYPE.\"TITLE\"], or as `title`");
const LEAVE_OUT: Counterpart = Counterpart::Advice("there is no need for it here: leave it out");
const NOT_HERE: Counterpart = Counterpart::Advice("Holdfast has no equivalent");

macro_rules! words {
    ($( [$($of:literal),*] $($word:literal)|+ => $here:expr; )+) => {
        &[$( Synonym { of: &[$($of),*], words: &[$($word),+], here: $here } ),+]
    };
}

macro_rules! values {
    ($( [$($of:literal),*] $attribute:literal $($value:literal)|+ => $here:ident($text:literal); )+) => {
        &[$( OtherValue {
            of: &[$($of),*], attribute: $attribute, values: &[$($value),+], here: ValueCounterpart::$here($text),
        } ),+]
    };
}

/// Names of attributes. A type's own come before those for every type.
pub(super) const WORDS: &[Synonym] = words! {
    ["cron"] "minute" => Counterpart::Schedule(SchedulePart::Field(0));
    ["cron"] "hour" => Counterpart::Schedule(SchedulePart::Field(1));
    ["cron"] "monthday" | "day" | "daymonth" => Counterpart::Schedule(SchedulePart::Field(2));
    ["cron"] "month" => Counterpart::Schedule(SchedulePart::Field(3));
    ["cron"] "weekday" | "dayweek" | "day_of_week" => Counterpart::Schedule(SchedulePart::Field(4));
    ["cron"] "special" | "special_time" => Counterpart::Schedule(SchedulePart::Word);
    ["cron"] "job" | "cmd" => Counterpart::Named("command");
    ["cron"] "env" => Counterpart::Named("environment");
    ["cron"] "target" | "cron_file" => Counterpart::Advice("the job is a file of /etc/cron.d named like its title; `user` says whom it runs as");

    ["service"] "enabled" | "onboot" => Counterpart::Named("enable");
    ["service"] "masked" => Counterpart::Advice("write enable = \"mask\"");
    ["service"] "running" => Counterpart::Advice("write ensure = \"running\" or \"stopped\"");
    ["service"] "reload" => Counterpart::Advice("write restart = \"reload\", or ask for it where something changes: notify = \"service[x]:reload\"");
    ["service"] "command" | "binary" | "start" | "stop" | "path" | "manifest"
        => Counterpart::Advice("a service is an existing unit; a `systemd_unit` makes one, with ExecStart= in its `content`");
    ["service"] "hasstatus" | "hasrestart" | "status" | "pattern" | "daemon_reload" => LEAVE_OUT;
    ["service"] "init_delay" | "flags" => NOT_HERE;

    ["package"] "version" => Counterpart::Named("ensure");
    ["package"] "install_options" => Counterpart::Named("options");
    ["package"] "pkgs" | "packages" => Counterpart::Advice("one resource is one package: for_each = [\"…\", \"…\"] with title = \"${each.value}\" makes several");
    ["package"] "source" | "sources" | "deb" | "url" => Counterpart::Advice("packages come from repositories: `apt_repository` adds one");
    ["package"] "fromrepo" | "default_release" => Counterpart::Advice("an `apt_pin` says which repository a package comes from");
    ["package"] "mark" => Counterpart::Named("hold");
    ["package"] "provider" => Counterpart::Advice("packages are the distribution's own; for others use an `exec` or an `archive`");
    ["package"] "update_cache" | "cache_valid_time" | "refresh" => LEAVE_OUT;
    ["package"] "allow_downgrade" | "configfiles" | "skip_verify" => NOT_HERE;

    ["file"] "path" | "dest" | "location" => TITLE;
    ["file"] "src" => Counterpart::Named("source");
    ["file"] "contents" | "text" => Counterpart::Named("content");
    ["file"] "user" => Counterpart::Named("owner");
    ["file"] "dir_mode" | "directory_mode" | "file_mode" => Counterpart::Named("mode");
    ["file"] "validate_cmd" | "check_cmd" => Counterpart::Named("validate");
    ["file"] "clean" => Counterpart::Named("purge");
    ["file"] "exclude" | "exclude_pat" => Counterpart::Named("ignore");
    ["file"] "makedirs" | "parents" => Counterpart::Advice("each directory is a `file` of its own, with ensure = \
                                                     \"directory\"; it automatically comes before what is in it");
    ["file"] "checksum" | "remote_src" | "source_hash" => LEAVE_OUT;
    ["file"] "selinux_ignore_defaults" | "links" | "follow" | "recurselimit" | "max_files" => NOT_HERE;
    ["fragment"] "source_file" | "path" => Counterpart::Named("target");

    ["exec"] "onlyif" => Counterpart::Named("only_if");
    ["exec"] "refreshonly" => Counterpart::Named("refresh_only");
    ["exec"] "cmd" | "argv" => Counterpart::Named("command");
    ["exec"] "chdir" => Counterpart::Named("cwd");
    ["exec"] "env" | "environ" => Counterpart::Named("environment");
    ["exec"] "runas" | "run_as" | "become_user" => Counterpart::Named("user");
    ["exec"] "retries" => Counterpart::Named("tries");
    ["exec"] "delay" => Counterpart::Named("try_sleep");
    ["exec"] "success_retcodes" => Counterpart::Named("returns");
    ["exec"] "removes" => Counterpart::Advice("write only_if = [\"test\", \"-e\", \"PATH\"]");
    ["exec"] "path" => Counterpart::Advice("PATH is fixed: write the program's whole path, or environment = { PATH = \"…\" }");
    ["exec"] "shell" | "executable" | "provider" => Counterpart::Advice("a `command` that is a string goes to /bin/sh; one that is a list needs no shell");
    ["exec"] "logoutput" => LEAVE_OUT;
    ["exec"] "umask" | "group" | "hide_output" => NOT_HERE;

    ["user"] "managehome" | "createhome" | "create_home" | "move_home" => Counterpart::Named("manage_home");
    ["user"] "group" | "primary_group" => Counterpart::Named("gid");
    ["user"] "fullname" | "gecos" => Counterpart::Named("comment");
    ["user"] "homedir" => Counterpart::Named("home");
    ["user"] "append" | "remove_groups" => Counterpart::Advice("write membership = \"minimum\" where `groups` are added to others, \"inclusive\" where they are all");
    ["user"] "optional_groups" => Counterpart::Named("groups");
    ["user"] "ssh_keys" | "keys" => Counterpart::Advice("each key is an `authorized_key`");
    ["user"] "forcelocal" => LEAVE_OUT;
    ["user"] "allowdupe" | "update_password" | "non_unique" | "expiry" | "attribute_membership" => NOT_HERE;
    ["group"] "addusers" | "delusers" => Counterpart::Named("members");
    ["group"] "auth_membership" | "forcelocal" => LEAVE_OUT;
    ["group"] "allowdupe" | "attribute_membership" => NOT_HERE;

    ["mount"] "path" | "mountpoint" => TITLE;
    ["mount"] "src" | "blockdevice" => Counterpart::Named("device");
    ["mount"] "opts" => Counterpart::Named("options");
    ["mount"] "passno" | "pass_num" => Counterpart::Named("pass");
    ["mount"] "mkmnt" => Counterpart::Advice("the mount point is a `file` with ensure = \"directory\"; it automatically comes \
                                       before");
    ["mount"] "atboot" | "remounts" | "persist" | "target" => LEAVE_OUT;

    ["host"] "host_aliases" | "names" => Counterpart::Named("aliases");
    ["host"] "address" => Counterpart::Named("ip");
    ["hostname"] "hostname" => TITLE;
    ["timezone", "locale"] "zone" | "timezone" | "locale" => TITLE;

    ["file_line"] "regexp" | "regex" | "pattern" => Counterpart::Named("match");
    ["file_line"] "insertafter" => Counterpart::Named("after");
    ["file_line"] "text" | "repl" => Counterpart::Named("line");
    ["file_line"] "dest" | "file" => Counterpart::Named("path");
    ["file_line"] "match_for_absence" => LEAVE_OUT;
    ["file_line"] "replace" | "backrefs" => NOT_HERE;
    ["ini_setting"] "setting" | "option" => Counterpart::Named("key");
    ["ini_setting"] "key_val_separator" => Counterpart::Named("separator");
    ["ini_setting"] "dest" | "file" => Counterpart::Named("path");

    ["archive"] "url" | "src" => Counterpart::Named("source");
    ["archive"] "path" | "dest" | "extract_path" => TITLE;
    ["archive"] "checksum" | "source_hash" | "sha256sum" => Counterpart::Named("sha256");
    ["archive"] "strip_components" => Counterpart::Named("strip");
    ["archive"] "user" => Counterpart::Named("owner");
    ["archive"] "checksum_type" | "cleanup" | "remote_src" => LEAVE_OUT;
    ["archive"] "archive_format" => NOT_HERE;
    ["git_checkout"] "repo" | "source" | "url" => Counterpart::Named("remote");
    ["git_checkout"] "version" | "rev" | "ref" | "branch" | "tag_name" => Counterpart::Named("revision");
    ["git_checkout"] "dest" | "path" | "target" => TITLE;
    ["git_checkout"] "key_file" => Counterpart::Named("identity");
    ["git_checkout"] "owner" => Counterpart::Named("user");

    ["authorized_key"] "enc" | "key_type" => Counterpart::Named("type");
    ["authorized_key"] "key_options" => Counterpart::Named("options");
    ["authorized_key"] "path" | "config" => Counterpart::Named("target");
    ["sysctl"] "reload" | "sysctl_set" => LEAVE_OUT;
    ["sysctl"] "sysctl_file" => NOT_HERE;
    ["kernel_module"] "persistent" => Counterpart::Named("persist");
    ["kernel_module"] "params" => Counterpart::Named("options");

    ["apt_repository"] "location" | "repo" | "url" | "uri" | "baseurl" => Counterpart::Named("uris");
    ["apt_repository"] "release" | "dist" | "suite" => Counterpart::Named("suites");
    ["apt_repository"] "repos" | "comps" => Counterpart::Named("components");
    ["apt_repository"] "architecture" => Counterpart::Named("architectures");
    ["apt_repository"] "key" | "key_url" | "gpgkey" | "keyring" => Counterpart::Named("signed_by");
    ["apt_key"] "source" | "url" | "keyserver" | "server"
        => Counterpart::Advice("keys are not fetched at a run: put the file into the module's files/ and name it with \
                         `source`");
    ["apt_pin"] "version" | "release" | "origin" | "codename" => Counterpart::Named("pin");

    ["systemd_unit"] "unit" => TITLE;
    ["systemd_unit"] "enable" | "active" | "enabled" => Counterpart::Advice("whether a unit runs, and starts at boot, is set \
                                                                      by a `service` with its name");
    ["notify"] "msg" => Counterpart::Named("message");

    [] "state" => Counterpart::Named("ensure");
    [] "watch" | "listen" | "onchanges" => Counterpart::Named("subscribe");
    [] "watch_in" | "listen_in" | "onchanges_in" => Counterpart::Named("notify");
    [] "require_in" => Counterpart::Named("before");
    [] "depends_on" | "requires" | "prereq" => Counterpart::Named("require");
    [] "loop" | "with_items" | "with_list" | "with_dict" | "foreach" | "each" => Counterpart::Named("for_each");
    [] "tags" => Counterpart::Named("tag");
    [] "if" => Counterpart::Named("when");
    [] "name" | "namevar" | "alias" => TITLE;
    [] "onlyif" | "only_if" | "unless" | "creates" | "refreshonly"
        => Counterpart::Advice("`when` says which machines have the resource; guards with a command belong to `exec`");
    [] "noop" | "check_mode" | "audit"
        => Counterpart::Advice("to only audit something, set in data: policy = \"audit\" under [holdfast], or \
                         [holdfast.policies] for one resource");
    [] "become" | "become_user" | "sudo" => Counterpart::Advice("the agent runs as root; leave it out");
    [] "provider" => LEAVE_OUT;
    [] "register" | "loglevel" | "ignore_errors" | "failhard" | "changed_when" | "failed_when" | "delegate_to"
        | "run_once" | "stage" => NOT_HERE;
};

/// Values of attributes.
pub(super) const VALUES: &[OtherValue] = values! {
    ["package"] "ensure" "installed" | "true" => Value("\"present\"");
    ["package"] "ensure" "removed" | "uninstalled" | "false" => Value("\"absent\"");
    ["package"] "ensure" "newest" | "upgraded" | "uptodate" => Value("\"latest\"");
    ["service"] "ensure" "started" | "active" | "up" | "present" | "true" => Value("\"running\"");
    ["service"] "ensure" "inactive" | "dead" | "down" | "absent" | "false" => Value("\"stopped\"");
    ["service"] "ensure" "restarted" | "reloaded"
        => Advice("nothing is restarted in each run: what changes asks for it with notify = \"service[x]\" or \
                   \"service[x]:reload\"");
    ["service"] "ensure" "enabled" => Value("\"running\", and enable = true");
    ["service"] "ensure" "disabled" | "masked" => Advice("write ensure = \"stopped\", and enable = false or \"mask\"");
    ["service"] "enable" "enabled" | "yes" | "on" => Value("true");
    ["service"] "enable" "disabled" | "no" | "off" | "manual" => Value("false");
    ["service"] "enable" "masked" => Value("\"mask\"");
    ["file"] "ensure" "present" | "touch" | "exists" | "true" => Value("\"file\"");
    ["file"] "ensure" "link" | "hard" => Value("\"symlink\", with `target`");
    ["file"] "ensure" "removed" | "missing" | "false" => Value("\"absent\"");
    ["mount"] "ensure" "defined" => Value("\"present\"");
    ["mount"] "ensure" "true" => Value("\"mounted\"");
    ["mount"] "ensure" "removed" | "false" => Value("\"absent\"");
    [] "ensure" "exists" | "created" | "installed" | "enabled" | "true" => Value("\"present\"");
    [] "ensure" "removed" | "deleted" | "missing" | "purged" | "disabled" | "false" => Value("\"absent\"");
};

/// Types of other tools, or modules in Ansible's terms, with their equivalents here.
pub(super) const TYPES: &[(&[&str], &str)] = &[
    (&["copy", "template", "get_url"], "use `file`, with `content`, `template` or `source`"),
    (&["lineinfile", "replace", "line"], "use `file_line`, for one line, or `file` for the whole file"),
    (
        &["blockinfile", "assemble", "concat", "concat_fragment"],
        "use `fragment`, a part of a `file` with `fragments = true`",
    ),
    (&["ini_file", "ini_subsetting"], "use `ini_setting`"),
    (&["command", "shell", "script", "cmd"], "use `exec`, with a guard such as `creates` or `unless`"),
    (&["apt", "yum", "dnf", "pip", "gem"], "use `package`"),
    (
        &["yumrepo", "yum_repository", "zypprepo", "apt_repo"],
        "use `apt_repository`: repositories of other systems are not supported",
    ),
    (&["systemd", "systemd_service"], "use `service`, and `systemd_unit` for the unit's file"),
    (&["systemd_file", "unit_file"], "use `systemd_unit`"),
    (&["git", "vcsrepo"], "use `git_checkout`"),
    (&["unarchive"], "use `archive`"),
    (&["ssh_authorized_key"], "use `authorized_key`"),
    (&["kernel_parameter", "sysctl_value"], "use `sysctl`"),
    (&["modprobe", "kmod"], "use `kernel_module`"),
    (&["crontab", "cronjob"], "use `cron`"),
    (&["ufw", "iptables", "nftables"], "use `firewall`"),
    (&["symlink", "link", "directory"], "use `file`, with `ensure`"),
    (&["selboolean", "seboolean", "selinux"], "there is no type for it: an `exec` with a guard does it"),
];
