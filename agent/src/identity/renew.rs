//! Renewal: a new key and a certificate for it, in good time. The old ones are kept until the new ones have worked.

use holdfast_catalog::wire::{self, RenewRequest, path};
use jiff::Timestamp;

use super::enroll::{NewKey, check_answer};
use super::{Error, Identity};
use crate::clock::now;
use crate::fetch::Client;
use crate::keypair::KeyPair;
use crate::slot;
use crate::state::StateDir;
use crate::trust::ServerTrust;

impl Identity {
    /// When the certificate is due for renewal.
    ///
    /// # Errors
    /// Fails if it is damaged.
    pub fn renewal(&self) -> Result<Timestamp, Error> {
        let validity = self.current.validity().map_err(Error::Answer)?;
        Ok(validity.renewal((slot::lot(&self.certname) >> 24) as u8))
    }

    /// A client that shows this identity.
    ///
    /// # Errors
    /// Fails if the identity is damaged.
    pub fn client(&self, server: Option<&str>) -> Result<Client, Error> {
        let trust = ServerTrust::by_roots(&self.roots, crate::fetch::provider()).map_err(Error::Answer)?;
        Ok(Client::new(server.unwrap_or(&self.server), trust, Some(&self.current))?)
    }

    /// Renews the certificate if it is due: a new key, authenticated by the current certificate.
    ///
    /// # Errors
    /// Fails if the server gives none; the current identity is as valid as before.
    pub async fn renew(&mut self, state: &StateDir, client: &Client) -> Result<(), Error> {
        let made = NewKey::new()?;
        let answer: wire::Certificate =
            client.post(path::RENEW, &RenewRequest { csr: made.csr.clone() }).await?;
        check_answer(&answer, &made)?;
        if answer.certname != self.certname {
            return Err(Error::Answer(format!("it is for {}, not for {}", answer.certname, self.certname)));
        }
        let renewed = Self {
            roots: answer.roots,
            previous: Some(self.current.clone()),
            current: made.with(answer.certificate),
            ..self.clone()
        };
        renewed.store(state)?;
        *self = renewed;
        Ok(())
    }

    /// Forgets the previous certificate: the current one has worked.
    ///
    /// # Errors
    /// Fails if that cannot be stored.
    pub fn settled(&mut self, state: &StateDir) -> Result<(), Error> {
        if self.previous.take().is_some() {
            self.store(state)?;
        }
        Ok(())
    }

    /// Goes back to the certificate before the last renewal, if that is still valid: the new one was refused. Returns
    /// whether it did.
    ///
    /// # Errors
    /// Fails if that cannot be stored.
    pub fn fall_back(&mut self, state: &StateDir) -> Result<bool, Error> {
        let valid = |pair: &KeyPair| pair.validity().is_ok_and(|validity| validity.until > now());
        let Some(previous) = self.previous.take_if(|pair| valid(pair)) else { return Ok(false) };
        self.current = previous;
        self.store(state)?;
        Ok(true)
    }
}
