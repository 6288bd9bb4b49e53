//! A server for tests: the test answers its client, and every call is kept.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use crate::content;
use crate::provider::{CatalogClaims, Reading};
use crate::system::double::{Double, said};
use crate::system::{Invocation, Output};

/// A call of the client.
#[derive(Debug, Clone)]
pub(crate) struct ClientCall {
    /// The user that it ran as.
    pub(crate) user: String,
    pub(crate) environment: BTreeMap<String, String>,
    pub(crate) sql: String,
}

impl ClientCall {
    fn of(command: &Invocation) -> Self {
        let environment =
            command.environment.iter().map(|(k, v)| (k.clone(), v.expose().to_string())).collect();
        let input = command.input.as_ref().map(|input| input.bytes().to_vec()).unwrap_or_default();
        Self {
            user: command.user.clone().unwrap_or_default(),
            environment,
            sql: String::from_utf8(input).unwrap(),
        }
    }

    /// The value of a variable in its environment, or the empty text.
    pub(crate) fn variable(&self, name: &str) -> &str {
        self.environment.get(name).map_or("", String::as_str)
    }
}

/// A server, and a machine that has its client.
pub(crate) struct TestDatabase {
    pub(crate) machine: Double,
    asked: Arc<Mutex<Vec<ClientCall>>>,
}

impl TestDatabase {
    /// A server whose client is answered by a function.
    pub(crate) fn new(answer: impl Fn(&ClientCall) -> Output + Send + Sync + 'static) -> Self {
        let asked: Arc<Mutex<Vec<ClientCall>>> = Arc::default();
        let all = asked.clone();
        let machine = Double::new(move |command| {
            let one = ClientCall::of(command);
            all.lock().unwrap().push(one.clone());
            Some(answer(&one))
        });
        Self { machine, asked }
    }

    /// A server that answers queries (those that contain `marks`) with a text, and does what it is told.
    pub(crate) fn answering(marks: &'static str, text: impl Into<String>) -> Self {
        let text = text.into();
        Self::new(move |asked| said(if asked.sql.contains(marks) { &text } else { "" }))
    }

    /// All calls so far.
    pub(crate) fn asked(&self) -> Vec<ClientCall> {
        self.asked.lock().unwrap().clone()
    }

    /// The statements that are not queries: those without `marks`.
    pub(crate) fn told(&self, marks: &str) -> Vec<String> {
        let told = self.asked().into_iter().filter(|asked| !asked.sql.contains(marks));
        told.map(|asked| asked.sql).collect()
    }

    /// Calls `act` with what planning may use.
    pub(crate) fn reading<T>(&self, act: impl FnOnce(Reading<'_>) -> T) -> T {
        let named = CatalogClaims::new(&[]);
        act(Reading {
            machine: &self.machine,
            content: &content::Nowhere,
            named: &named,
            state_dir: std::path::Path::new("/none"),
        })
    }
}
