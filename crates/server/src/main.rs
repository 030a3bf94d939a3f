//! pglited: a pglite database as a PostgreSQL server.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};
use pglite::Database;
use pglite_server::{Auth, Options, serve_with};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// What one session's thread loads into the cache, another's gives back: the system's allocator keeps most of that for ever
/// (docs/BENCHMARKS.md).
#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A pglite database as a PostgreSQL server.
#[derive(Parser)]
#[command(
    version,
    about = "Serves a pglite database to psql and every PostgreSQL driver.",
    args_conflicts_with_subcommands = true
)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// Directory of the database, created if need be
    #[arg(long, value_name = "DIR", required_unless_present = "in_memory")]
    data: Option<PathBuf>,
    /// Keep the database in memory; it is gone at the end
    #[arg(long, conflicts_with = "data")]
    in_memory: bool,
    /// Name of the database, given when it is made (else: postgres)
    #[arg(long, value_name = "NAME")]
    database: Option<String>,
    /// TCP address to listen on
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:5432")]
    listen: String,
    /// Directory for the socket file .s.PGSQL.PORT
    #[arg(long, value_name = "DIR")]
    socket_dir: Option<PathBuf>,
    /// How clients prove who they are
    #[arg(long, value_enum, default_value = "trust")]
    auth: Method,
    /// File with the password of role postgres (else: environment variable PGLITED_PASSWORD)
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// Memory for cached rows and index entries, in megabytes
    #[arg(long, value_name = "MB", default_value_t = 256)]
    cache_size: usize,
    /// Connections at a time
    #[arg(long, value_name = "N", default_value_t = 1000)]
    max_connections: usize,
    /// Transactions that may be prepared at a time (PREPARE TRANSACTION); 0: none
    #[arg(long, value_name = "N", default_value_t = 0)]
    max_prepared_transactions: u32,
    /// Directory with files of text search dictionaries, besides tsearch_data in the database's directory
    #[arg(long, value_name = "DIR")]
    text_search_dir: Vec<PathBuf>,
}

/// Work on a directory that nobody serves.
#[derive(Subcommand)]
enum Command {
    /// Check values, rows and indexes; print what is wrong, and fail if anything is
    Verify {
        /// Directory of the database
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
    },
    /// Copy the database into another directory
    Backup {
        /// Directory of the database
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
        /// Directory to create
        #[arg(long, value_name = "DIR")]
        to: PathBuf,
    },
}

impl Command {
    fn run(&self) -> Result<(), Box<dyn std::error::Error>> {
        match self {
            Command::Verify { data } => {
                let findings = open_existing(data)?.verify()?;
                for finding in &findings {
                    println!("{}: {}", finding.relation, finding.text);
                }
                match findings.len() {
                    0 => Ok(()),
                    n => Err(format!("{n} findings").into()),
                }
            }
            Command::Backup { data, to } => Ok(open_existing(data)?.backup(to)?),
        }
    }
}

/// A database that is there already: a mistyped name shall not make one.
fn open_existing(dir: &Path) -> Result<Database, Box<dyn std::error::Error>> {
    if !dir.join("kv").exists() {
        return Err(format!("there is no database in directory \"{}\"", dir.display()).into());
    }
    Ok(Database::open(dir)?)
}

#[derive(Clone, Copy, ValueEnum)]
enum Method {
    Trust,
    #[value(name = "scram-sha-256")]
    ScramSha256,
}

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("pglited: {e}");
            if let Some(e) = e.downcast_ref::<pglite::Error>() {
                for (name, text) in [("DETAIL", e.detail()), ("HINT", e.hint())] {
                    if let Some(text) = text {
                        eprintln!("{name}:  {text}");
                    }
                }
            }
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Result<(), Box<dyn std::error::Error>> {
    if let Some(command) = &arguments.command {
        return command.run();
    }
    let superuser_password = match &arguments.password_file {
        Some(path) => {
            let text = std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
            Some(text.lines().next().unwrap_or_default().to_owned())
        }
        None => std::env::var("PGLITED_PASSWORD").ok(),
    };
    // Before anything is open, so that no signal finds the process without its handler.
    let mut signals = Signals::new([SIGTERM, SIGINT])?;
    let mut builder = Database::builder()
        .cache_size(arguments.cache_size.saturating_mul(1 << 20))
        .max_prepared_transactions(arguments.max_prepared_transactions);
    if let Some(name) = &arguments.database {
        builder = builder.database(name);
    }
    for dir in &arguments.text_search_dir {
        builder = builder.text_search_directory(dir);
    }
    let db = match &arguments.data {
        Some(dir) => builder.directory(dir).open()?,
        None => builder.open()?,
    };
    let options = Options {
        auth: match arguments.auth {
            Method::Trust => Auth::Trust,
            Method::ScramSha256 => Auth::ScramSha256,
        },
        superuser_password,
        socket_dir: arguments.socket_dir,
        connections_max: arguments.max_connections,
    };
    let server = serve_with(&db, &arguments.listen, options)
        .map_err(|e| format!("cannot listen on {}: {e}", arguments.listen))?;
    print!("ready {}", server.local_addr());
    if let Some(file) = server.socket_file() {
        print!(" {}", file.display());
    }
    println!();
    signals.forever().next();
    server.shutdown();
    db.checkpoint()?;
    Ok(())
}
