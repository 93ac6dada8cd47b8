//! PostgreSQL: a checkpoint just before its file system is frozen.
//!
//! A frozen file system that holds all of a server's files is a copy as after a power cut, which PostgreSQL is made to start
//! from; the checkpoint makes that start quick. So nothing is held in the server itself, and no session has to outlive the
//! freeze. A server with files elsewhere is refused, because its copy would not be of one moment.

use std::{future::Future, os::unix::fs::MetadataExt, path::Path, time::Duration};

use tokio::net::{TcpStream, UnixStream};
use tokio_postgres::{Client, Config, NoTls, SimpleQueryMessage, error::SqlState};

use super::word::{Database, Failure, FailureKind};

/// How long the server may take to let us in and to say what it is.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// How long a checkpoint may take: it writes everything that is dirty, while everybody goes on.
const CHECKPOINT_WITHIN: Duration = Duration::from_secs(25);
/// The database that every server has, to be let in by.
const MAINTENANCE: &str = "postgres";

/// Connects with the configured credentials and asks for the version. For a thread that may block.
pub fn ask(database: &Database) -> Result<String, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| Failure::system("start a runtime", e))?;
    runtime.block_on(async {
        let client = connect(database).await?;
        version(&client, database).await
    })
}

/// Writes back everything that the server has in its memory, and returns its name and version. `devices` are the numbers
/// of the file systems that will be frozen.
pub async fn checkpoint(database: &Database, devices: &[u64]) -> Result<String, Failure> {
    let client = connect(database).await?;
    let version = version(&client, database).await?;
    refuse_other_files(&client, database, devices).await?;
    let done = within(database, CHECKPOINT_WITHIN, client.batch_execute("CHECKPOINT")).await?;
    done.map_err(|error| failure(database, "CHECKPOINT", &error))?;
    Ok(version)
}

async fn connect(database: &Database) -> Result<Client, Failure> {
    let mut options = Config::new();
    options.user(&database.user).dbname(MAINTENANCE).application_name("sanfleet-agent");
    if let Some(password) = &database.password {
        options.password(password);
    }
    let connecting = async {
        match (&database.socket, &database.address) {
            (Some(socket), _) => {
                let stream = UnixStream::connect(socket).await.map_err(|e| unreachable(database, &e))?;
                enter(&options, stream, database).await
            }
            (None, Some(address)) => {
                let stream = TcpStream::connect(address).await.map_err(|e| unreachable(database, &e))?;
                enter(&options, stream, database).await
            }
            (None, None) => Err(Failure::new(FailureKind::Invalid, "no way to the database is configured")),
        }
    };
    within(database, ANSWER_WITHIN, connecting).await?
}

async fn enter<S>(options: &Config, stream: S, database: &Database) -> Result<Client, Failure>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let entered = options.connect_raw(stream, NoTls).await;
    let (client, connection) = entered.map_err(|error| failure(database, "connect", &error))?;
    // It carries what the client says, and ends with it; its errors come out of the client's calls.
    tokio::spawn(async move { drop(connection.await) });
    Ok(client)
}

async fn version(client: &Client, database: &Database) -> Result<String, Failure> {
    let rows = rows(client, database, "SHOW server_version").await?;
    let version = rows.into_iter().next().unwrap_or_default();
    // Debian's says more after a blank.
    Ok(format!("PostgreSQL {}", version.split(' ').next().unwrap_or_default()))
}

/// The data directory, the log, and every tablespace must be on the file systems that are copied.
async fn refuse_other_files(client: &Client, database: &Database, devices: &[u64]) -> Result<(), Failure> {
    let question = "SELECT current_setting('data_directory') \
                    UNION ALL SELECT current_setting('data_directory') || '/pg_wal' \
                    UNION ALL SELECT pg_tablespace_location(oid) FROM pg_tablespace";
    for directory in rows(client, database, question).await?.iter().filter(|text| !text.is_empty()) {
        // One that we cannot see, because the server lives in another mount namespace, tells nothing.
        let Ok(found) = std::fs::metadata(Path::new(directory)).map(|data| data.dev()) else { continue };
        if !devices.contains(&found) {
            let place = database.place();
            return Err(Failure::new(
                FailureKind::Application,
                format!("the database at {place} has files in {directory}, which is on another file system"),
            ));
        }
    }
    Ok(())
}

/// The first column of the answer.
async fn rows(client: &Client, database: &Database, question: &str) -> Result<Vec<String>, Failure> {
    let answer = within(database, ANSWER_WITHIN, client.simple_query(question)).await?;
    let answer = answer.map_err(|error| failure(database, question, &error))?;
    let texts = answer.iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row.try_get(0).ok()?.unwrap_or_default().to_owned()),
        _ => None,
    });
    Ok(texts.collect())
}

async fn within<T>(
    database: &Database,
    limit: Duration,
    answer: impl Future<Output = T>,
) -> Result<T, Failure> {
    tokio::time::timeout(limit, answer).await.map_err(|_| {
        let message =
            format!("the database at {} did not answer within {} s", database.place(), limit.as_secs());
        Failure::new(FailureKind::Application, message)
    })
}

fn unreachable(database: &Database, error: &std::io::Error) -> Failure {
    let message = format!("the database at {} cannot be reached: {error}", database.place());
    Failure::new(FailureKind::Application, message)
}

/// The server's own words, and which entry of the configuration they are about.
fn failure(database: &Database, doing: &str, error: &tokio_postgres::Error) -> Failure {
    let words = error.as_db_error().map_or_else(|| error.to_string(), |told| told.message().to_owned());
    let denied = [
        SqlState::INSUFFICIENT_PRIVILEGE,
        SqlState::INVALID_PASSWORD,
        SqlState::INVALID_AUTHORIZATION_SPECIFICATION,
    ];
    let hint = match error.code().is_some_and(|code| denied.contains(code)) {
        true => {
            "; see `user` and `password_file` of this mount point's [[database]] entry in the agent's configuration. \
             The user needs the roles pg_checkpoint and pg_read_all_settings"
        }
        false => "",
    };
    let place = database.place();
    Failure::new(FailureKind::Application, format!("the database at {place} refused: {doing}: {words}{hint}"))
}
