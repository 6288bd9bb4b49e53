//! A server for tests: its client is answered by the test, and what it was asked is kept.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use crate::content;
use crate::provider::{CatalogClaims, Reading};
use crate::system::double::{Double, said};
use crate::system::{Invocation, Output};

/// What a client was given.
#[derive(Debug, Clone)]
pub(crate) struct ClientCall {
    /// Whom it ran as.
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

    /// A variable of its environment.
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
    /// One that answers by a function.
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

    /// One that answers questions (which hold `marks`) with a text, and does what it is told.
    pub(crate) fn answering(marks: &'static str, text: impl Into<String>) -> Self {
        let text = text.into();
        Self::new(move |asked| said(if asked.sql.contains(marks) { &text } else { "" }))
    }

    /// Everything that it was asked or told.
    pub(crate) fn asked(&self) -> Vec<ClientCall> {
        self.asked.lock().unwrap().clone()
    }

    /// What it was told: all in which no question's mark stands.
    pub(crate) fn told(&self, marks: &str) -> Vec<String> {
        let told = self.asked().into_iter().filter(|asked| !asked.sql.contains(marks));
        told.map(|asked| asked.sql).collect()
    }

    /// With what planning may use.
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
