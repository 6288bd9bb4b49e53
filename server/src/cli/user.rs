//! `holdfast user`: who may log in to the dashboard.

use clap::Subcommand;

use super::{CommandError, OutputFormat, Socket, print, print_json, print_table, time};
use crate::admin::{Answer, LoginLink, Request, UserView};
use crate::store::user::{UserRole, UserScope};

/// What to do with users.
#[derive(Subcommand)]
pub enum UserCommand {
    /// Add a user, and print a link for the first login
    Add {
        /// The name to log in with
        name: String,
        /// Which nodes the user sees: `everything`, RESELLER, or RESELLER/CUSTOMER
        #[arg(long, default_value = "everything")]
        scope: UserScope,
        /// The user can see everything in the scope, but change nothing
        #[arg(long)]
        viewer: bool,
        #[command(flatten)]
        socket: Socket,
    },
    /// Make another login link for a user who cannot log in
    Link(UserArguments),
    /// List all users
    List(Socket),
    /// Remove a user, and end all sessions
    Remove(UserArguments),
}

/// One user.
#[derive(clap::Args)]
pub struct UserArguments {
    /// The user's name
    name: String,
    #[command(flatten)]
    socket: Socket,
}

impl UserCommand {
    /// Runs the command.
    pub fn run(self) -> Result<(), CommandError> {
        let (socket, request) = match self {
            Self::Add { name, scope, viewer, socket } => {
                let role = if viewer { UserRole::Viewer } else { UserRole::Operator };
                (socket, Request::UserAdd { name, role, scope })
            }
            Self::Link(UserArguments { name, socket }) => (socket, Request::UserLink { name }),
            Self::List(socket) => (socket, Request::UserList),
            Self::Remove(UserArguments { name, socket }) => (socket, Request::UserRemove { name }),
        };
        let answer = socket.ask(&request)?;
        match (socket.format, &answer) {
            (OutputFormat::Text, Answer::Link(LoginLink { user, url, expires_at })) => {
                say!("{user} can log in once with this link, until {}:", time(*expires_at));
                print(url);
            }
            (OutputFormat::Text, Answer::Users(users)) => print_users(users),
            (OutputFormat::Text, Answer::Done(said)) => say!("{said}"),
            (OutputFormat::Json, Answer::Users(users)) => print_json(users)?,
            _ => print_json(&answer)?,
        }
        Ok(())
    }
}

fn print_users(users: &[UserView]) {
    if users.is_empty() {
        say!("there are no users, so no one can log in: `holdfast user add NAME` adds one");
        return;
    }
    let row = |user: &UserView| {
        let role = if user.role == UserRole::Operator { "operator" } else { "viewer" };
        let password = if user.password { "set" } else { "not set" };
        vec![user.name.clone(), role.into(), user.scope.clone(), password.into()]
    };
    let rows: Vec<_> = users.iter().map(row).collect();
    print_table(&["USER", "ROLE", "SEES", "PASSWORD"], &rows);
}
