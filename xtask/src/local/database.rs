//! Addresses of Postgres servers, and a session for administration.
//!
//! Invariant: a server that asks for TLS is spoken to over TLS, through a tunnel that Node opens
//! (`xtask/runtime/tunnel.mjs`): it keeps a TLS stack out of the first build.
//! Failure: an address that cannot be used says which part of it is missing.

use super::guard::{Guarded, Spec};
use crate::project::Project;
use anyhow::{Context, Result, bail};
use reqwest::Url;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio_postgres::NoTls;

/// `postgres://role:password@host:port/database?sslmode=…`
#[derive(Clone, Debug)]
pub struct Address(Url);

impl Address {
    /// Reads an address; host, role and database are needed.
    pub fn parse(text: &str) -> Result<Self> {
        let url = Url::parse(text).context("the database address is not a URL")?;
        if !matches!(url.scheme(), "postgres" | "postgresql") {
            bail!("the database address must start with postgres://");
        }
        if url.host_str().is_none_or(str::is_empty) {
            bail!("the database address names no host");
        }
        if url.username().is_empty() || url.path().len() < 2 {
            bail!("the database address must be postgres://role:password@host:port/database");
        }
        Ok(Self(url))
    }

    /// An address on this machine.
    pub fn local(role: &str, password: &str, port: u16, database: &str) -> Result<Self> {
        Self::parse(&format!(
            "postgres://{role}:{password}@127.0.0.1:{port}/{database}"
        ))
    }

    /// The same server and database as another role.
    pub fn with_role(&self, role: &str, password: &str) -> Result<Self> {
        let mut url = self.0.clone();
        let set = url
            .set_username(role)
            .and_then(|()| url.set_password(Some(password)));
        set.map_err(|()| anyhow::anyhow!("the database address takes no role"))?;
        Ok(Self(url))
    }

    /// Another database of the same server, as the same role.
    pub fn with_database(&self, name: &str) -> Self {
        let mut url = self.0.clone();
        url.set_path(name);
        Self(url)
    }

    /// The same role and database on a port of this machine, without TLS.
    pub fn through(&self, port: u16) -> Result<Self> {
        let mut url = self.0.clone();
        url.set_host(Some("127.0.0.1"))?;
        url.set_port(Some(port))
            .map_err(|()| anyhow::anyhow!("an odd port"))?;
        url.set_query(None);
        Ok(Self(url))
    }

    /// Its password, decoded; empty when there is none.
    pub fn password(&self) -> String {
        self.config()
            .get_password()
            .map(String::from_utf8_lossy)
            .unwrap_or_default()
            .into_owned()
    }

    /// The host.
    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    /// Is the server on this machine?
    pub fn is_here(&self) -> bool {
        matches!(self.host(), "localhost" | "127.0.0.1" | "[::1]")
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.0.port().unwrap_or(5432)
    }

    /// The database.
    pub fn database(&self) -> String {
        self.config().get_dbname().unwrap_or_default().to_owned()
    }

    /// Host, port and database, for messages; never the password.
    pub fn place(&self) -> String {
        format!("{}:{}{}", self.host(), self.port(), self.0.path())
    }

    /// The whole address with its password.
    pub fn url(&self) -> &str {
        self.0.as_str()
    }

    /// The address as the driver reads it, without what the driver does not know.
    fn config(&self) -> tokio_postgres::Config {
        let mut url = self.0.clone();
        url.set_query(None);
        url.as_str().parse().unwrap_or_default()
    }

    /// How TLS is wanted: `disable`, `require`, `verify-ca`, `verify-full`. When the address does
    /// not say, a server elsewhere is spoken to over TLS.
    fn tls(&self) -> String {
        let mode = self.0.query_pairs().find(|(name, _)| name == "sslmode");
        match mode {
            Some((_, mode)) => mode.into_owned(),
            None if self.is_here() => "disable".to_owned(),
            None => "require".to_owned(),
        }
    }

    /// An address without TLS for the same server, and the tunnel that makes it one when needed.
    pub async fn plain(&self, project: &Project, folder: &Path) -> Result<(Self, Option<Guarded>)> {
        let mode = self.tls();
        if mode == "disable" {
            let mut url = self.0.clone();
            url.set_query(None);
            return Ok((Self(url), None));
        }
        if !matches!(mode.as_str(), "require" | "verify-ca" | "verify-full") {
            bail!("sslmode={mode} is not known; use disable, require, verify-ca or verify-full");
        }
        let (host, port) = (self.host(), self.port());
        let authority = self.0.query_pairs().find(|(name, _)| name == "sslrootcert");
        let authority = authority
            .map(|(_, file)| file.into_owned())
            .unwrap_or_default();
        let script = project.at("xtask/runtime/tunnel.mjs");
        let spec = Spec {
            program: project.node(),
            args: [
                script.into(),
                host.into(),
                port.to_string().into(),
                mode.into(),
            ]
            .into_iter()
            .chain([authority.into()])
            .collect(),
            run_as: None,
            stop: "TERM",
            grace: Duration::from_secs(1),
            // Two commands may have a tunnel each in one folder.
            pidfile: folder.join(format!("tunnel-{}.pid", std::process::id())),
            marker: "tunnel.mjs".to_owned(),
        };
        let mut tunnel = Guarded::start(spec, Stdio::piped(), Stdio::inherit()).await?;
        let stdout = tunnel.take_stdout().context("the tunnel has no output")?;
        let line = BufReader::new(stdout).lines().next_line().await?;
        let port = line
            .and_then(|line| line.parse().ok())
            .context("the TLS tunnel did not open")?;
        Ok((self.through(port)?, Some(tunnel)))
    }

    /// A session; the address must be plain.
    pub async fn connect(&self) -> Result<tokio_postgres::Client> {
        let (client, connection) = tokio_postgres::connect(self.url(), NoTls)
            .await
            .with_context(|| format!("cannot sign in to Postgres at {}", self.place()))?;
        tokio::spawn(connection);
        Ok(client)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_keeps_its_password_out_of_messages() {
        let address = Address::parse("postgres://owner:geheim@db.example:6432/pulse?x=1").unwrap();
        assert_eq!(address.place(), "db.example:6432/pulse");
        let app = address.with_role("pulse_app", "p@ss/word").unwrap();
        assert!(
            app.url().contains("p%40ss%2Fword@db.example:6432/pulse"),
            "{}",
            app.url()
        );
        assert_eq!(
            (app.password().as_str(), app.database().as_str()),
            ("p@ss/word", "pulse")
        );
        assert_eq!(app.with_database("other").place(), "db.example:6432/other");
        assert!(
            app.through(99)
                .unwrap()
                .url()
                .ends_with("@127.0.0.1:99/pulse")
        );
    }

    #[test]
    fn a_server_elsewhere_gets_tls_unless_the_address_says_otherwise() {
        let tls = |url: &str| Address::parse(url).unwrap().tls();
        assert_eq!(tls("postgres://a:b@127.0.0.1/c"), "disable");
        assert_eq!(tls("postgres://a:b@db.example/c"), "require");
        assert_eq!(
            tls("postgres://a:b@db.example/c?sslmode=disable"),
            "disable"
        );
    }

    #[test]
    fn an_unusable_address_says_why() {
        for (text, why) in [
            ("db.example", "not a URL"),
            ("mysql://a@b/c", "postgres://"),
            ("postgres://db.example/pulse", "role:password"),
            ("postgres://owner@db.example", "role:password"),
        ] {
            let error = format!("{:#}", Address::parse(text).unwrap_err());
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
