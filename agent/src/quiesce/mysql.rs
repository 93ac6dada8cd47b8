//! MySQL and MariaDB: a session that can stop commits and let them go on.
//!
//! MariaDB from 10.4.1 has `BACKUP STAGE`, whose early stages block nobody; others have `FLUSH TABLES WITH READ LOCK`. The
//! session refuses a database whose files are not on the file systems that are to be held still.

use std::{io, os::unix::fs::MetadataExt, path::Path, time::Duration};

use mysql_async::{Conn, Opts, OptsBuilder, prelude::Queryable};

use super::word::{Database, Failure, FailureKind};

/// How long the server may take to let us in, or to carry out what normally takes no time.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// The first MariaDB with `BACKUP STAGE`.
const BACKUP_STAGE_SINCE: (u32, u32, u32) = (10, 4, 1);

/// What answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    is_mariadb: bool,
    version: String,
}

impl Server {
    /// Reads what `SELECT VERSION()` says, such as `10.11.6-MariaDB-0+deb12u1` or `8.0.36`.
    fn parse(text: &str) -> Self {
        let version = text.chars().take_while(|c| c.is_ascii_digit() || *c == '.').take(20).collect();
        Self { is_mariadb: text.contains("MariaDB"), version }
    }

    fn has_backup_stage(&self) -> bool {
        let mut numbers = self.version.split('.').map(|part| part.parse().unwrap_or(0));
        let mut next = || numbers.next().unwrap_or(0);
        self.is_mariadb && (next(), next(), next()) >= BACKUP_STAGE_SINCE
    }
}

impl std::fmt::Display for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = if self.is_mariadb { "MariaDB" } else { "MySQL" };
        write!(f, "{name} {}", self.version)
    }
}

/// Connects with the configured credentials and asks for the version. For a thread that may block.
pub fn ask(database: &Database) -> Result<Server, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| Failure::system("start a runtime", e))?;
    runtime.block_on(async {
        let mut connection = connect(database).await?;
        let server = version(&mut connection, database).await?;
        // The answer is all that was wanted.
        let _ = connection.disconnect().await;
        Ok(server)
    })
}

/// A session of the guard, and a second one that can end it while it waits for a lock.
#[derive(Debug)]
pub struct Session {
    database: Database,
    server: Server,
    connection: Conn,
    killer: Conn,
    /// A statement was begun whose end nobody saw.
    waiting: bool,
}

impl Session {
    /// Everything that blocks no commit. `devices` are the numbers of the file systems that will be held still.
    pub async fn prepare(database: Database, devices: &[u64], limit: Duration) -> Result<Self, Failure> {
        let mut connection = connect(&database).await?;
        let killer = connect(&database).await?;
        let server = version(&mut connection, &database).await?;
        let mut session = Self { database, server, connection, killer, waiting: false };
        session.refuse_other_files(devices).await?;
        // A server that cannot get the locks shall give up about when we do; it counts in whole seconds.
        let seconds = limit.as_secs() + 1;
        session.run(&format!("SET SESSION lock_wait_timeout = {seconds}")).await?;
        if session.server.has_backup_stage() {
            for stage in ["START", "FLUSH", "BLOCK_DDL"] {
                session.run(&format!("BACKUP STAGE {stage}")).await?;
            }
        }
        Ok(session)
    }

    pub fn server(&self) -> &Server {
        &self.server
    }

    /// Stops commits. Everyone who writes waits from here on. When this is dropped half-way, [`Self::unblock`] ends it.
    pub async fn block(&mut self) -> Result<(), Failure> {
        let statement = match self.server.has_backup_stage() {
            true => "BACKUP STAGE BLOCK_COMMIT",
            false => "FLUSH TABLES WITH READ LOCK",
        };
        self.waiting = true;
        let done = self.run(statement).await;
        self.waiting = false;
        done
    }

    /// Lets commits go on. Where the server does not obey, its session is ended, which does the same.
    pub async fn unblock(&mut self) {
        if self.waiting {
            return self.kill().await;
        }
        let statement = match self.server.has_backup_stage() {
            true => "BACKUP STAGE END",
            false => "UNLOCK TABLES",
        };
        let done = tokio::time::timeout(ANSWER_WITHIN, self.connection.query_drop(statement)).await;
        if !matches!(done, Ok(Ok(()))) {
            self.kill().await;
        }
    }

    /// Ends the session from outside: it may still wait for a lock that others now wait behind.
    async fn kill(&mut self) {
        let statement = format!("KILL CONNECTION {}", self.connection.id());
        let _ = tokio::time::timeout(ANSWER_WITHIN, self.killer.query_drop(statement)).await;
    }

    async fn run(&mut self, statement: &str) -> Result<(), Failure> {
        let done = self.connection.query_drop(statement).await;
        done.map_err(|error| failure(&self.database, statement, &error))
    }

    /// Where the server keeps its files must be on the file systems that are copied, or the copy is not whole.
    async fn refuse_other_files(&mut self, devices: &[u64]) -> Result<(), Failure> {
        let question = "SELECT @@datadir, @@innodb_log_group_home_dir";
        let row: Option<(String, Option<String>)> = self
            .connection
            .query_first(question)
            .await
            .map_err(|error| failure(&self.database, question, &error))?;
        let Some((data, log)) = row else { return Ok(()) };
        let data = Path::new(&data);
        // A relative path is below the data directory.
        let log = log.map(|log| data.join(log));
        for directory in [Some(data), log.as_deref()].into_iter().flatten() {
            // One that we cannot see, because the server lives in another mount namespace, tells nothing.
            let Ok(found) = std::fs::metadata(directory).map(|data| data.dev()) else { continue };
            if !devices.contains(&found) {
                let place = self.database.place();
                let directory = directory.display();
                return Err(Failure::new(
                    FailureKind::Application,
                    format!(
                        "the database at {place} has files in {directory}, which is on another file system"
                    ),
                ));
            }
        }
        Ok(())
    }
}

async fn connect(database: &Database) -> Result<Conn, Failure> {
    let connecting = tokio::time::timeout(ANSWER_WITHIN, Conn::new(options(database))).await;
    match connecting {
        Ok(Ok(connection)) => Ok(connection),
        Ok(Err(error)) => Err(failure(database, "connect", &error)),
        Err(_) => Err(Failure::new(
            FailureKind::Application,
            format!(
                "the database at {} did not answer within {} s",
                database.place(),
                ANSWER_WITHIN.as_secs()
            ),
        )),
    }
}

fn options(database: &Database) -> Opts {
    let builder = OptsBuilder::default()
        .user(Some(&database.user))
        .pass(database.password.as_ref())
        .stmt_cache_size(0)
        .prefer_socket(false)
        .tcp_nodelay(true);
    match (&database.socket, &database.address) {
        (Some(socket), _) => builder.socket(Some(socket.to_string_lossy())),
        (None, Some(address)) => builder.ip_or_hostname(address.ip().to_string()).tcp_port(address.port()),
        (None, None) => builder,
    }
    .into()
}

async fn version(connection: &mut Conn, database: &Database) -> Result<Server, Failure> {
    let question = "SELECT VERSION()";
    let asking = tokio::time::timeout(ANSWER_WITHIN, connection.query_first::<String, _>(question)).await;
    match asking {
        Ok(Ok(text)) => Ok(Server::parse(&text.unwrap_or_default())),
        Ok(Err(error)) => Err(failure(database, question, &error)),
        Err(_) => Err(Failure::new(FailureKind::Application, "the database does not say its version")),
    }
}

/// The server's own words, and which entry of the configuration they are about.
fn failure(database: &Database, doing: &str, error: &mysql_async::Error) -> Failure {
    let (words, denied) = match error {
        mysql_async::Error::Server(error) => {
            (error.to_string(), matches!(error.code, 1044 | 1045 | 1227 | 1698))
        }
        mysql_async::Error::Io(mysql_async::IoError::Io(error)) => (io_words(error), false),
        other => (other.to_string(), false),
    };
    let hint = match denied {
        true => {
            "; see `user` and `password_file` of this mount point's [[database]] entry in the agent's configuration"
        }
        false => "",
    };
    let place = database.place();
    Failure::new(FailureKind::Application, format!("the database at {place} refused: {doing}: {words}{hint}"))
}

fn io_words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "nothing listens there".to_owned(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_told_apart() {
        let old = Server::parse("10.3.39-MariaDB-0+deb10u1");
        let new = Server::parse("10.11.6-MariaDB-0+deb12u1-log");
        assert_eq!(new.to_string(), "MariaDB 10.11.6");
        assert!(new.has_backup_stage() && !old.has_backup_stage());
        assert!(!Server::parse("8.0.36").has_backup_stage());
        assert_eq!(Server::parse("8.0.36").to_string(), "MySQL 8.0.36");
        assert_eq!(Server::parse("").to_string(), "MySQL ");
    }

    #[test]
    fn a_password_is_not_printed() {
        let database =
            Database { socket: None, address: None, user: "u".into(), password: Some("secret".into()) };
        assert!(!format!("{database:?}").contains("secret"));
    }
}
