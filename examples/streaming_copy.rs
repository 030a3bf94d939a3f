//! COPY in both directions, piece by piece: memory does not grow with the data.

use std::io::Write;

use pglite::{Database, Result, params};

fn main() -> Result<()> {
    let db = Database::memory()?;
    let mut session = db.session()?;
    session.batch_execute("CREATE TABLE points (id int PRIMARY KEY, x float8, label text)")?;

    let mut copy = session.copy_in("COPY points FROM STDIN (FORMAT csv)")?;
    for first in (0..10_000).step_by(500) {
        let lines: String = (first..first + 500)
            .map(|id| format!("{id},{},\"point, {id}\"\n", f64::from(id) / 4.0))
            .collect();
        copy.write(lines.as_bytes())?;
    }
    println!("copied in {} rows", copy.finish()?);

    let count: i64 = session
        .query_one("SELECT count(*) FROM points WHERE x >= 1000", params![])?
        .get(0)?;
    println!("{count} of them have x >= 1000");

    let mut bytes = 0;
    let rows = session.copy_out("COPY points TO STDOUT", |piece| {
        bytes += piece.len();
        Ok(())
    })?;
    println!("copied out {rows} rows, {bytes} bytes");

    let mut out = std::io::stdout().lock();
    session.copy_out(
        "COPY (SELECT * FROM points WHERE id < 3 ORDER BY id) TO STDOUT (FORMAT csv, HEADER)",
        |piece| {
            let _ = out.write_all(piece);
            Ok(())
        },
    )?;
    Ok(())
}
