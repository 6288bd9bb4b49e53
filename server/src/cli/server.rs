//! `holdfast server`: runs the server until it is told to stop.

use std::net::{Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use holdfast_catalog::{harmless, log};

use super::{CommandError, OutputFormat, print, print_json, time};
use crate::config::ServerConfig;
use crate::logs;
use crate::serve::{self, Server, hook, ready};

mod signals;

use signals::{SignalAction, Signals};

/// What the server is told; the rest is in its file.
#[derive(clap::Args)]
pub struct ServerArguments {
    /// The settings; without it, /etc/holdfast/server.toml if that file exists
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The control repository: a directory, a git repository, or the URL of one
    #[arg(long, value_name = "DIR|URL")]
    repo: Option<String>,
    /// The branch that the server follows
    #[arg(long)]
    branch: Option<String>,
    /// Where the server keeps its state
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// The address that agents connect to, such as `:8140` or `192.0.2.1:8140`
    #[arg(long, value_name = "ADDR", value_parser = address)]
    listen: Option<SocketAddr>,
    /// The address of the dashboard, such as `:8443`
    #[arg(long, value_name = "ADDR", value_parser = address)]
    dashboard: Option<SocketAddr>,
    /// The name or address at which nodes and browsers reach the server
    #[arg(long)]
    name: Option<String>,
    /// Seconds between two polls of a node
    #[arg(long, value_name = "SECONDS")]
    interval: Option<u64>,
    /// Seconds for which a node's certificate is valid
    #[arg(long, value_name = "SECONDS")]
    certificate_lifetime: Option<u64>,
    /// Write a hook into the local git repository, so that a push takes effect at once, and exit without starting a server
    #[arg(long)]
    install_hook: bool,
    /// How to print
    #[arg(long, value_enum, default_value = "text")]
    format: OutputFormat,
}

/// Parses an address. `:8140` means every address of the machine.
fn address(text: &str) -> Result<SocketAddr, String> {
    let wrong = |_| format!("`{text}` is not an address with a port: give ADDRESS:PORT or :PORT");
    match text.strip_prefix(':') {
        Some(port) => port.parse().map(|port| (Ipv6Addr::UNSPECIFIED, port).into()).map_err(|_| wrong(())),
        None => text.parse().map_err(|_| wrong(())),
    }
}

/// Runs the server. If the log is in JSON, the error that ends it is in the log.
pub fn run(arguments: ServerArguments) -> Result<ExitCode, CommandError> {
    let (format, install_hook) = (arguments.format, arguments.install_hook);
    let config = arguments.config()?;
    let logged = logs::listen(&config);
    match (begin(config, (format, logged), install_hook), logged) {
        (Ok(()), _) => Ok(ExitCode::SUCCESS),
        (Err(error), log::LogFormat::Text) => Err(error),
        (Err(error), log::LogFormat::Json) => {
            tracing::error!("{error}");
            Ok(ExitCode::FAILURE)
        }
    }
}

fn begin(
    config: ServerConfig,
    formats: (OutputFormat, log::LogFormat),
    install_hook: bool,
) -> Result<(), CommandError> {
    if install_hook {
        let hook = hook::install(Path::new(&config.repo), &config.data_dir, &config.branch)?;
        say!(
            "wrote {}: a push to {} takes effect at once if root or the server's user pushes; the server notices other \
             users' pushes within 2 seconds, and does not show them the result",
            hook.display(),
            config.branch
        );
        say!("{}", hook::who_pushes(&hook));
        return Ok(());
    }
    actix_web::rt::System::new().block_on(serve(config, formats))
}

impl ServerArguments {
    /// The configuration: the file, overridden by the command line.
    fn config(self) -> Result<ServerConfig, CommandError> {
        let mut config = ServerConfig::read(self.config.as_deref())?;
        config.repo = self.repo.unwrap_or(config.repo);
        config.branch = self.branch.unwrap_or(config.branch);
        // Absolute, since a hook runs in another directory.
        config.data_dir = std::path::absolute(self.data_dir.unwrap_or(config.data_dir))?;
        config.listen = self.listen.unwrap_or(config.listen);
        config.dashboard = self.dashboard.unwrap_or(config.dashboard);
        config.name = self.name.or(config.name);
        config.interval = self.interval.unwrap_or(config.interval);
        config.certificate_lifetime = self.certificate_lifetime.unwrap_or(config.certificate_lifetime);
        Ok(config.checked()?)
    }
}

async fn serve(config: ServerConfig, formats: (OutputFormat, log::LogFormat)) -> Result<(), CommandError> {
    let mut signals = Signals::listen()?;
    let server = Server::start(config).await?;
    greet(&server, formats).await?;
    if let Err(error) = ready::tell() {
        tracing::warn!(%error, "cannot tell systemd that the server is ready");
    }
    while let SignalAction::Look(signal) = signals.next().await {
        tracing::info!("{signal}: reading the repository now; settings are read only at the start");
        server.control.poke();
    }
    tracing::info!("stopping: finishing the current requests first");
    server.stop().await;
    Ok(())
}

/// Prints the addresses, and on the first start the link for the first login.
async fn greet(server: &Server, formats: (OutputFormat, log::LogFormat)) -> Result<(), CommandError> {
    let greeting = serve::Greeting {
        nodes: server.nodes_address(),
        dashboard: server.dashboard_url().to_owned(),
        ca: server.identity.authority().fingerprint(),
        login: server.first_login().await?,
    };
    match formats {
        (OutputFormat::Json, _) => return print_json(&greeting),
        // It goes to the same journal as the log, each of whose lines is for programs.
        (OutputFormat::Text, log::LogFormat::Json) => {
            print(harmless::json(&serde_json::to_string(&greeting)?));
            return Ok(());
        }
        (OutputFormat::Text, log::LogFormat::Text) => {}
    }
    print(format!("nodes      {}", greeting.nodes));
    print(format!("dashboard  {}", greeting.dashboard));
    print(format!("ca         sha256:{}", greeting.ca));
    if let Some(link) = &greeting.login {
        print(format!("login      {}", link.url));
        print(format!(
            "           once, until {}; another with `holdfast user link {}`",
            time(link.expires_at),
            link.user
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_may_leave_out_the_host() {
        assert_eq!(address(":8140"), Ok("[::]:8140".parse().unwrap()));
        assert_eq!(address("127.0.0.1:1"), Ok("127.0.0.1:1".parse().unwrap()));
        assert!(address("8140").is_err() && address("host").is_err() && address(":x").is_err());
    }
}
