//! The one match over all types: which provider belongs to which.

use holdfast_catalog::resource::TypedResource;

use super::{
    AnyProvider, Want, alternatives, apt_key, apt_pin, apt_repository, archive, authorized_key, cron,
    deployment, exec, file, file_line, firewall, fragment, git_checkout, group, host, hostname, ini_setting,
    kernel_module, locale, mount, mysql, notify, package, postgresql, service, sysctl, systemd_unit, tidy,
    timezone, user,
};

/// The one list of providers. A type without a line here does not compile.
macro_rules! providers {
    ($($variant:ident => $provider:expr),+ $(,)?) => {
        /// The provider of a resource's type.
        pub fn provider_of(typed: &TypedResource) -> &'static dyn AnyProvider {
            match typed {
                $( TypedResource::$variant(_) => &$provider, )+
            }
        }

        $( impl Want for holdfast_catalog::resource::$variant {
            fn of(typed: &TypedResource) -> Option<&Self> {
                if let TypedResource::$variant(want) = typed { Some(want) } else { None }
            }
        } )+
    };
}

providers! {
    Alternatives => alternatives::Choices,
    AptKey => apt_key::AptKeys,
    AptPin => apt_pin::AptPins,
    AptRepository => apt_repository::AptRepositories,
    Archive => archive::Archives,
    AuthorizedKey => authorized_key::AuthorizedKeys,
    Cron => cron::Jobs,
    Deployment => deployment::Deployments,
    Exec => exec::Commands,
    File => file::Files,
    FileLine => file_line::FileLines,
    Firewall => firewall::FirewallRules,
    Fragment => fragment::Fragments,
    GitCheckout => git_checkout::Checkouts,
    Group => group::Groups,
    Host => host::Hosts,
    Hostname => hostname::Hostnames,
    IniSetting => ini_setting::Settings,
    KernelModule => kernel_module::KernelModules,
    Locale => locale::Locales,
    Mount => mount::Mounts,
    MysqlDatabase => mysql::MysqlDatabases,
    MysqlGrant => mysql::MysqlGrants,
    MysqlUser => mysql::MysqlUsers,
    Notify => notify::Notifications,
    Package => package::Packages,
    PostgresqlDatabase => postgresql::PostgresqlDatabases,
    PostgresqlGrant => postgresql::PostgresqlGrants,
    PostgresqlRole => postgresql::Roles,
    Service => service::Services,
    Sysctl => sysctl::KernelSettings,
    SystemdUnit => systemd_unit::SystemdUnits,
    Tidy => tidy::Tidying,
    Timezone => timezone::Zones,
    User => user::Users,
}
