//! `holdfast user`: who may log in to the dashboard.

use clap::Subcommand;

use super::{Failed, Format, Socket, print, print_json, print_table, time};
use crate::admin::{Answer, Link, Request, UserView};
use crate::store::user::{Role, Scope};

/// What to do with users.
#[derive(Subcommand)]
pub enum Command {
    /// Add a user, and print a link for the first login
    Add {
        /// The name to log in with
        name: String,
        /// Which nodes the user sees: `everything`, RESELLER, or RESELLER/CUSTOMER
        #[arg(long, default_value = "everything")]
        scope: Scope,
        /// The user can see everything in the scope, but change nothing
        #[arg(long)]
        viewer: bool,
        #[command(flatten)]
        socket: Socket,
    },
    /// Make another login link for a user who cannot log in
    Link(One),
    /// List all users
    List(Socket),
    /// Remove a user, and end all sessions
    Remove(One),
}

/// One user.
#[derive(clap::Args)]
pub struct One {
    /// The user's name
    name: String,
    #[command(flatten)]
    socket: Socket,
}

impl Command {
    /// Runs the command.
    pub fn run(self) -> Result<(), Failed> {
        let (socket, request) = match self {
            Self::Add { name, scope, viewer, socket } => {
                let role = if viewer { Role::Viewer } else { Role::Operator };
                (socket, Request::UserAdd { name, role, scope })
            }
            Self::Link(One { name, socket }) => (socket, Request::UserLink { name }),
            Self::List(socket) => (socket, Request::UserList),
            Self::Remove(One { name, socket }) => (socket, Request::UserRemove { name }),
        };
        let answer = socket.ask(&request)?;
        match (socket.format, &answer) {
            (Format::Text, Answer::Link(Link { user, url, expires_at })) => {
                say!("{user} can log in once with this link, until {}:", time(*expires_at));
                print(url);
            }
            (Format::Text, Answer::Users(users)) => print_users(users),
            (Format::Text, Answer::Done(said)) => say!("{said}"),
            (Format::Json, Answer::Users(users)) => print_json(users)?,
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
        let role = if user.role == Role::Operator { "operator" } else { "viewer" };
        let password = if user.password { "set" } else { "not set" };
        vec![user.name.clone(), role.into(), user.scope.clone(), password.into()]
    };
    let rows: Vec<_> = users.iter().map(row).collect();
    print_table(&["USER", "ROLE", "SEES", "PASSWORD"], &rows);
}
