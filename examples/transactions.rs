//! Transactions and savepoints as guards: what is not committed rolls back.

use pglite::{Database, Result, Session, params};

fn main() -> Result<()> {
    let db = Database::memory()?;
    let mut session = db.session()?;
    session.batch_execute("CREATE TABLE jobs (id int PRIMARY KEY, state text NOT NULL)")?;

    let mut transaction = session.transaction()?;
    transaction.execute("INSERT INTO jobs VALUES (1, 'new')", params![])?;
    {
        let mut savepoint = transaction.savepoint()?;
        savepoint.execute("UPDATE jobs SET state = 'running' WHERE id = 1", params![])?;
        // An error fails the savepoint only.
        let error = savepoint
            .execute("INSERT INTO jobs VALUES (1, 'again')", params![])
            .err();
        println!(
            "inside the savepoint: {}",
            error.map_or("no error".into(), |e| e.to_string())
        );
    } // dropped: everything since the savepoint is undone, the transaction goes on
    {
        let mut savepoint = transaction.savepoint()?;
        savepoint.execute("INSERT INTO jobs VALUES (2, 'new')", params![])?;
        savepoint.commit()?;
    }
    transaction.commit()?;
    print_jobs(&mut session)?;

    {
        let mut transaction = session.transaction()?;
        let deleted = transaction.execute("DELETE FROM jobs", params![])?;
        println!("deleted {deleted}, and let it roll back");
    }
    print_jobs(&mut session)
}

fn print_jobs(session: &mut Session) -> Result<()> {
    for row in session.query("SELECT id, state FROM jobs ORDER BY id", params![])? {
        println!("job {}: {}", row.get::<i32>("id")?, row.get::<String>("state")?);
    }
    Ok(())
}
