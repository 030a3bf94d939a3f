//! A database embedded in this process, served to others over the PostgreSQL protocol while it is used here.
//!
//! `cargo run -p pglite-server --example serve_and_connect`

use pglite::{Database, params};
use pglite_server::Serve;
use tokio_postgres::NoTls;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let db = Database::memory()?;
    let server = db.serve("127.0.0.1:0")?;
    println!("serving on {}", server.local_addr());

    // Here: plain calls, no network.
    let mut session = db.session()?;
    session.execute(
        "CREATE TABLE task (id int PRIMARY KEY, title text, done bool DEFAULT false)",
        params![],
    )?;
    session.execute(
        "INSERT INTO task VALUES ($1, $2)",
        params![1, "write the example"],
    )?;

    // There: any PostgreSQL driver.
    let address = format!("host=127.0.0.1 port={} user=postgres", server.local_addr().port());
    let (client, connection) = tokio_postgres::connect(&address, NoTls).await?;
    let connection = tokio::spawn(connection);
    client
        .execute("INSERT INTO task VALUES ($1, $2)", &[&2_i32, &"read the example"])
        .await?;
    let changed = client
        .execute("UPDATE task SET done = true WHERE id = $1", &[&1_i32])
        .await?;
    println!("changed {changed} row over the wire");

    // Both see the same rows.
    let rows = session.query_map("SELECT id, title, done FROM task ORDER BY id", params![], |row| {
        Ok((
            row.get::<i32>("id")?,
            row.get::<String>("title")?,
            row.get::<bool>("done")?,
        ))
    })?;
    for (id, title, done) in rows {
        println!("{id} {title}: {}", if done { "done" } else { "open" });
    }

    drop(client);
    connection.await??;
    server.shutdown();
    Ok(())
}
