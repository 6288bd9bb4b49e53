//! The tables: words of other tools, and their equivalents here.

use super::{Here, OtherValue, Part, Synonym, Written};

const TITLE: Here =
    Here::Advice("that is the title: write it in the header, [TYPE.\"TITLE\"], or as `title`");
const LEAVE_OUT: Here = Here::Advice("there is no need for it here: leave it out");
const NOT_HERE: Here = Here::Advice("Holdfast has no equivalent");

macro_rules! words {
    ($( [$($of:literal),*] $($word:literal)|+ => $here:expr; )+) => {
        &[$( Synonym { of: &[$($of),*], words: &[$($word),+], here: $here } ),+]
    };
}

macro_rules! values {
    ($( [$($of:literal),*] $attribute:literal $($value:literal)|+ => $here:ident($text:literal); )+) => {
        &[$( OtherValue {
            of: &[$($of),*], attribute: $attribute, values: &[$($value),+], here: Written::$here($text),
        } ),+]
    };
}

/// Names of attributes. A type's own come before those for every type.
pub(super) const WORDS: &[Synonym] = words! {
    ["cron"] "minute" => Here::Schedule(Part::Field(0));
    ["cron"] "hour" => Here::Schedule(Part::Field(1));
    ["cron"] "monthday" | "day" | "daymonth" => Here::Schedule(Part::Field(2));
    ["cron"] "month" => Here::Schedule(Part::Field(3));
    ["cron"] "weekday" | "dayweek" | "day_of_week" => Here::Schedule(Part::Field(4));
    ["cron"] "special" | "special_time" => Here::Schedule(Part::Word);
    ["cron"] "job" | "cmd" => Here::Named("command");
    ["cron"] "env" => Here::Named("environment");
    ["cron"] "target" | "cron_file" => Here::Advice("the job is a file of /etc/cron.d named like its title; `user` says whom it runs as");

    ["service"] "enabled" | "onboot" => Here::Named("enable");
    ["service"] "masked" => Here::Advice("write enable = \"mask\"");
    ["service"] "running" => Here::Advice("write ensure = \"running\" or \"stopped\"");
    ["service"] "reload" => Here::Advice("write restart = \"reload\", or ask for it where something changes: notify = \"service[x]:reload\"");
    ["service"] "command" | "binary" | "start" | "stop" | "path" | "manifest"
        => Here::Advice("a service is an existing unit; a `systemd_unit` makes one, with ExecStart= in its `content`");
    ["service"] "hasstatus" | "hasrestart" | "status" | "pattern" | "daemon_reload" => LEAVE_OUT;
    ["service"] "init_delay" | "flags" => NOT_HERE;

    ["package"] "version" => Here::Named("ensure");
    ["package"] "install_options" => Here::Named("options");
    ["package"] "pkgs" | "packages" => Here::Advice("one resource is one package: for_each = [\"…\", \"…\"] with title = \"${each.value}\" makes several");
    ["package"] "source" | "sources" | "deb" | "url" => Here::Advice("packages come from repositories: `apt_repository` adds one");
    ["package"] "fromrepo" | "default_release" => Here::Advice("an `apt_pin` says which repository a package comes from");
    ["package"] "mark" => Here::Named("hold");
    ["package"] "provider" => Here::Advice("packages are the distribution's own; for others use an `exec` or an `archive`");
    ["package"] "update_cache" | "cache_valid_time" | "refresh" => LEAVE_OUT;
    ["package"] "allow_downgrade" | "configfiles" | "skip_verify" => NOT_HERE;

    ["file"] "path" | "dest" | "location" => TITLE;
    ["file"] "src" => Here::Named("source");
    ["file"] "contents" | "text" => Here::Named("content");
    ["file"] "user" => Here::Named("owner");
    ["file"] "dir_mode" | "directory_mode" | "file_mode" => Here::Named("mode");
    ["file"] "validate_cmd" | "check_cmd" => Here::Named("validate");
    ["file"] "clean" => Here::Named("purge");
    ["file"] "exclude" | "exclude_pat" => Here::Named("ignore");
    ["file"] "makedirs" | "parents" => Here::Advice("each directory is a `file` of its own, with ensure = \
                                                     \"directory\"; it automatically comes before what is in it");
    ["file"] "checksum" | "remote_src" | "source_hash" => LEAVE_OUT;
    ["file"] "selinux_ignore_defaults" | "links" | "follow" | "recurselimit" | "max_files" => NOT_HERE;
    ["fragment"] "source_file" | "path" => Here::Named("target");

    ["exec"] "onlyif" => Here::Named("only_if");
    ["exec"] "refreshonly" => Here::Named("refresh_only");
    ["exec"] "cmd" | "argv" => Here::Named("command");
    ["exec"] "chdir" => Here::Named("cwd");
    ["exec"] "env" | "environ" => Here::Named("environment");
    ["exec"] "runas" | "run_as" | "become_user" => Here::Named("user");
    ["exec"] "retries" => Here::Named("tries");
    ["exec"] "delay" => Here::Named("try_sleep");
    ["exec"] "success_retcodes" => Here::Named("returns");
    ["exec"] "removes" => Here::Advice("write only_if = [\"test\", \"-e\", \"PATH\"]");
    ["exec"] "path" => Here::Advice("PATH is fixed: write the program's whole path, or environment = { PATH = \"…\" }");
    ["exec"] "shell" | "executable" | "provider" => Here::Advice("a `command` that is a string goes to /bin/sh; one that is a list needs no shell");
    ["exec"] "logoutput" => LEAVE_OUT;
    ["exec"] "umask" | "group" | "hide_output" => NOT_HERE;

    ["user"] "managehome" | "createhome" | "create_home" | "move_home" => Here::Named("manage_home");
    ["user"] "group" | "primary_group" => Here::Named("gid");
    ["user"] "fullname" | "gecos" => Here::Named("comment");
    ["user"] "homedir" => Here::Named("home");
    ["user"] "append" | "remove_groups" => Here::Advice("write membership = \"minimum\" where `groups` are added to others, \"inclusive\" where they are all");
    ["user"] "optional_groups" => Here::Named("groups");
    ["user"] "ssh_keys" | "keys" => Here::Advice("each key is an `authorized_key`");
    ["user"] "forcelocal" => LEAVE_OUT;
    ["user"] "allowdupe" | "update_password" | "non_unique" | "expiry" | "attribute_membership" => NOT_HERE;
    ["group"] "addusers" | "delusers" => Here::Named("members");
    ["group"] "auth_membership" | "forcelocal" => LEAVE_OUT;
    ["group"] "allowdupe" | "attribute_membership" => NOT_HERE;

    ["mount"] "path" | "mountpoint" => TITLE;
    ["mount"] "src" | "blockdevice" => Here::Named("device");
    ["mount"] "opts" => Here::Named("options");
    ["mount"] "passno" | "pass_num" => Here::Named("pass");
    ["mount"] "mkmnt" => Here::Advice("the mount point is a `file` with ensure = \"directory\"; it automatically comes \
                                       before");
    ["mount"] "atboot" | "remounts" | "persist" | "target" => LEAVE_OUT;

    ["host"] "host_aliases" | "names" => Here::Named("aliases");
    ["host"] "address" => Here::Named("ip");
    ["hostname"] "hostname" => TITLE;
    ["timezone", "locale"] "zone" | "timezone" | "locale" => TITLE;

    ["file_line"] "regexp" | "regex" | "pattern" => Here::Named("match");
    ["file_line"] "insertafter" => Here::Named("after");
    ["file_line"] "text" | "repl" => Here::Named("line");
    ["file_line"] "dest" | "file" => Here::Named("path");
    ["file_line"] "match_for_absence" => LEAVE_OUT;
    ["file_line"] "replace" | "backrefs" => NOT_HERE;
    ["ini_setting"] "setting" | "option" => Here::Named("key");
    ["ini_setting"] "key_val_separator" => Here::Named("separator");
    ["ini_setting"] "dest" | "file" => Here::Named("path");

    ["archive"] "url" | "src" => Here::Named("source");
    ["archive"] "path" | "dest" | "extract_path" => TITLE;
    ["archive"] "checksum" | "source_hash" | "sha256sum" => Here::Named("sha256");
    ["archive"] "strip_components" => Here::Named("strip");
    ["archive"] "user" => Here::Named("owner");
    ["archive"] "checksum_type" | "cleanup" | "remote_src" => LEAVE_OUT;
    ["archive"] "archive_format" => NOT_HERE;
    ["git_checkout"] "repo" | "source" | "url" => Here::Named("remote");
    ["git_checkout"] "version" | "rev" | "ref" | "branch" | "tag_name" => Here::Named("revision");
    ["git_checkout"] "dest" | "path" | "target" => TITLE;
    ["git_checkout"] "key_file" => Here::Named("identity");
    ["git_checkout"] "owner" => Here::Named("user");

    ["authorized_key"] "enc" | "key_type" => Here::Named("type");
    ["authorized_key"] "key_options" => Here::Named("options");
    ["authorized_key"] "path" | "config" => Here::Named("target");
    ["sysctl"] "reload" | "sysctl_set" => LEAVE_OUT;
    ["sysctl"] "sysctl_file" => NOT_HERE;
    ["kernel_module"] "persistent" => Here::Named("persist");
    ["kernel_module"] "params" => Here::Named("options");

    ["apt_repository"] "location" | "repo" | "url" | "uri" | "baseurl" => Here::Named("uris");
    ["apt_repository"] "release" | "dist" | "suite" => Here::Named("suites");
    ["apt_repository"] "repos" | "comps" => Here::Named("components");
    ["apt_repository"] "architecture" => Here::Named("architectures");
    ["apt_repository"] "key" | "key_url" | "gpgkey" | "keyring" => Here::Named("signed_by");
    ["apt_key"] "source" | "url" | "keyserver" | "server"
        => Here::Advice("keys are not fetched at a run: put the file into the module's files/ and name it with \
                         `source`");
    ["apt_pin"] "version" | "release" | "origin" | "codename" => Here::Named("pin");

    ["systemd_unit"] "unit" => TITLE;
    ["systemd_unit"] "enable" | "active" | "enabled" => Here::Advice("whether a unit runs, and starts at boot, is set \
                                                                      by a `service` with its name");
    ["notify"] "msg" => Here::Named("message");

    [] "state" => Here::Named("ensure");
    [] "watch" | "listen" | "onchanges" => Here::Named("subscribe");
    [] "watch_in" | "listen_in" | "onchanges_in" => Here::Named("notify");
    [] "require_in" => Here::Named("before");
    [] "depends_on" | "requires" | "prereq" => Here::Named("require");
    [] "loop" | "with_items" | "with_list" | "with_dict" | "foreach" | "each" => Here::Named("for_each");
    [] "tags" => Here::Named("tag");
    [] "if" => Here::Named("when");
    [] "name" | "namevar" | "alias" => TITLE;
    [] "onlyif" | "only_if" | "unless" | "creates" | "refreshonly"
        => Here::Advice("`when` says which machines have the resource; guards with a command belong to `exec`");
    [] "noop" | "check_mode" | "audit"
        => Here::Advice("to only audit something, set in data: policy = \"audit\" under [holdfast], or \
                         [holdfast.policies] for one resource");
    [] "become" | "become_user" | "sudo" => Here::Advice("the agent runs as root; leave it out");
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
