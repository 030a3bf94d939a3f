//! tokio-postgres against a server in this process.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use futures_util::{SinkExt, StreamExt, pin_mut};
use pglite::Database;
use pglite_server::{Auth, Options, ServerHandle, serve, serve_with};
use tokio_postgres::error::{ErrorPosition, SqlState};
use tokio_postgres::{Client, NoTls};

async fn connect(server: &ServerHandle, more: &str) -> Result<Client, tokio_postgres::Error> {
    let port = server.local_addr().port();
    let text = format!("host=127.0.0.1 port={port} user=postgres {more}");
    let (client, connection) = tokio_postgres::connect(&text, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

fn start() -> ServerHandle {
    serve(&Database::memory().unwrap(), "127.0.0.1:0").unwrap()
}

#[tokio::test]
async fn parameters_and_results_in_binary() {
    let server = start();
    let client = connect(&server, "").await.unwrap();
    client
        .batch_execute("CREATE TABLE t (id int PRIMARY KEY, name text, x float8, big bigint)")
        .await
        .unwrap();
    let insert = client
        .prepare("INSERT INTO t VALUES ($1, $2, $3, $4)")
        .await
        .unwrap();
    for i in 0..10_i32 {
        let name = (i != 3).then(|| format!("name {i}"));
        let n = client
            .execute(&insert, &[&i, &name, &(f64::from(i) / 2.0), &(1_i64 << 40)])
            .await
            .unwrap();
        assert_eq!(n, 1);
    }
    let rows = client
        .query(
            "SELECT id, name, x, big FROM t WHERE id >= $1 ORDER BY id",
            &[&2_i32],
        )
        .await
        .unwrap();
    assert_eq!(rows.len(), 8);
    assert_eq!(rows[0].get::<_, i32>(0), 2);
    assert_eq!(rows[0].get::<_, &str>("name"), "name 2");
    assert_eq!(rows[1].get::<_, Option<&str>>("name"), None);
    assert_eq!(rows[1].get::<_, f64>("x"), 1.5);
    assert_eq!(rows[1].get::<_, i64>("big"), 1 << 40);
    server.shutdown();
}

#[tokio::test]
async fn transactions_and_portals() {
    let server = start();
    let mut client = connect(&server, "").await.unwrap();
    client.batch_execute("CREATE TABLE t (id int)").await.unwrap();
    let tx = client.transaction().await.unwrap();
    tx.batch_execute("INSERT INTO t VALUES (1), (2), (3), (4), (5)")
        .await
        .unwrap();
    let portal = tx.bind("SELECT id FROM t ORDER BY id", &[]).await.unwrap();
    assert_eq!(tx.query_portal(&portal, 2).await.unwrap().len(), 2);
    assert_eq!(tx.query_portal(&portal, 2).await.unwrap().len(), 2);
    assert_eq!(tx.query_portal(&portal, 2).await.unwrap().len(), 1);
    tx.rollback().await.unwrap();
    let n: i64 = client
        .query_one("SELECT count(*) FROM t", &[])
        .await
        .unwrap()
        .get(0);
    assert_eq!(n, 0);
    server.shutdown();
}

#[tokio::test]
async fn errors_have_their_fields() {
    let server = start();
    let client = connect(&server, "").await.unwrap();
    let e = client.query("SELECT nothing", &[]).await.unwrap_err();
    let e = e.as_db_error().unwrap().clone();
    assert_eq!(e.code(), &SqlState::UNDEFINED_COLUMN);
    assert_eq!(e.position(), Some(&ErrorPosition::Original(8)));
    client
        .batch_execute("CREATE TABLE t (id int CONSTRAINT t_key PRIMARY KEY)")
        .await
        .unwrap();
    let e = client
        .batch_execute("INSERT INTO t VALUES (1), (1)")
        .await
        .unwrap_err();
    let e = e.as_db_error().unwrap().clone();
    assert_eq!((e.table(), e.constraint()), (Some("t"), Some("t_key")));
    assert_eq!(e.detail(), Some("Key (id)=(1) already exists."));
    // The connection goes on.
    let one: i32 = client.query_one("SELECT 1", &[]).await.unwrap().get(0);
    assert_eq!(one, 1);
    server.shutdown();
}

#[tokio::test]
async fn copy_both_ways() {
    let server = start();
    let client = connect(&server, "").await.unwrap();
    client
        .batch_execute("CREATE TABLE t (a int, b text)")
        .await
        .unwrap();
    let sink = client.copy_in("COPY t FROM STDIN").await.unwrap();
    pin_mut!(sink);
    sink.send(piece_of(b"1\tone\n2\t")).await.unwrap();
    sink.send(piece_of(b"two\n3\t\\N\n")).await.unwrap();
    assert_eq!(sink.finish().await.unwrap(), 3);
    let stream = client.copy_out("COPY t TO STDOUT").await.unwrap();
    pin_mut!(stream);
    let mut text = Vec::new();
    while let Some(piece) = stream.next().await {
        text.extend_from_slice(&piece.unwrap());
    }
    assert_eq!(text, b"1\tone\n2\ttwo\n3\t\\N\n");
    let e = client.copy_in::<_, bytes::Bytes>("COPY nothing FROM STDIN").await;
    assert!(e.is_err());
    server.shutdown();
}

#[tokio::test]
async fn copy_both_ways_in_binary() {
    use tokio_postgres::binary_copy::{BinaryCopyInWriter, BinaryCopyOutStream};
    use tokio_postgres::types::Type;
    let server = start();
    let client = connect(&server, "").await.unwrap();
    let create = "CREATE TABLE t (a int, b text, c float8)";
    client.batch_execute(create).await.unwrap();
    let types = [Type::INT4, Type::TEXT, Type::FLOAT8];
    let sink = client.copy_in("COPY t FROM STDIN (FORMAT binary)").await.unwrap();
    let writer = BinaryCopyInWriter::new(sink, &types);
    pin_mut!(writer);
    for i in 0..3000_i32 {
        let text = (i % 7 != 0).then(|| "x".repeat(i as usize % 50));
        writer.as_mut().write(&[&i, &text, &f64::from(i)]).await.unwrap();
    }
    assert_eq!(writer.finish().await.unwrap(), 3000);
    let query = "COPY (SELECT * FROM t WHERE a >= 1000 ORDER BY a) TO STDOUT (FORMAT binary)";
    let rows = BinaryCopyOutStream::new(client.copy_out(query).await.unwrap(), &types);
    pin_mut!(rows);
    let mut expected = 1000;
    while let Some(row) = rows.next().await {
        let row = row.unwrap();
        assert_eq!(row.get::<i32>(0), expected);
        let text = (expected % 7 != 0).then(|| "x".repeat(expected as usize % 50));
        assert_eq!(row.get::<Option<String>>(1), text);
        expected += 1;
    }
    assert_eq!(expected, 3000);
    let sink = client.copy_in("COPY t FROM STDIN (FORMAT binary)").await.unwrap();
    let writer = BinaryCopyInWriter::new(sink, &[Type::INT4]);
    pin_mut!(writer);
    writer.as_mut().write(&[&1_i32]).await.unwrap();
    let e = writer.finish().await.unwrap_err();
    assert_eq!(e.code(), Some(&SqlState::BAD_COPY_FILE_FORMAT));
    server.shutdown();
}

fn piece_of(b: &'static [u8]) -> bytes::Bytes {
    bytes::Bytes::from_static(b)
}

#[tokio::test]
async fn cancel_stops_a_statement() {
    let server = start();
    let client = connect(&server, "").await.unwrap();
    let token = client.cancel_token();
    let waiting = tokio::spawn(async move { client.batch_execute("SELECT pg_sleep(30)").await });
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    token.cancel_query(NoTls).await.unwrap();
    let e = waiting.await.unwrap().unwrap_err();
    assert_eq!(e.code(), Some(&SqlState::QUERY_CANCELED));
    server.shutdown();
}

#[tokio::test]
async fn passwords_and_names_are_checked() {
    let options = Options {
        auth: Auth::ScramSha256,
        superuser_password: Some("secret".into()),
        ..Options::default()
    };
    let server = serve_with(&Database::memory().unwrap(), "127.0.0.1:0", options).unwrap();
    assert!(connect(&server, "password=secret").await.is_ok());
    let e = connect(&server, "password=wrong").await.unwrap_err();
    assert_eq!(e.code(), Some(&SqlState::INVALID_PASSWORD));
    let e = connect(&server, "password=secret dbname=other")
        .await
        .unwrap_err();
    assert_eq!(e.code(), Some(&SqlState::INVALID_CATALOG_NAME));
    server.shutdown();
}

#[tokio::test]
async fn garbage_ends_one_connection_only() {
    use std::io::{Read, Write};
    let server = start();
    let client = connect(&server, "").await.unwrap();
    let mut raw = std::net::TcpStream::connect(server.local_addr()).unwrap();
    raw.write_all(&[0xff; 64]).unwrap();
    let mut answer = Vec::new();
    raw.read_to_end(&mut answer).unwrap_or(0);
    assert!(client.batch_execute("SELECT 1").await.is_ok());
    server.shutdown();
    assert!(client.batch_execute("SELECT 1").await.is_err());
}

#[tokio::test]
async fn pg_stat_activity_shows_other_connections() {
    let server = start();
    let by = connect(&server, "").await.unwrap();
    let other = connect(&server, "application_name=worker").await.unwrap();
    let statement = other.prepare("SELECT $1::int4 + 1").await.unwrap();
    let seen = async || {
        let sql = "SELECT state, query, application_name, client_port > 0, host(client_addr), wait_event
             FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'";
        let row = by.query_one(sql, &[]).await.unwrap();
        let texts: Vec<String> = [0, 1, 2, 4, 5].into_iter().map(|i| row.get(i)).collect();
        assert!(row.get::<_, bool>(3));
        texts.join("|")
    };
    assert_eq!(
        seen().await,
        "idle|SELECT $1::int4 + 1|worker|127.0.0.1|ClientRead"
    );
    other.batch_execute("BEGIN").await.unwrap();
    assert_eq!(
        seen().await,
        "idle in transaction|BEGIN|worker|127.0.0.1|ClientRead"
    );
    other.query_one(&statement, &[&1_i32]).await.unwrap();
    other.batch_execute("COMMIT").await.unwrap();
    other.query_one(&statement, &[&1_i32]).await.unwrap();
    assert_eq!(
        seen().await,
        "idle|SELECT $1::int4 + 1|worker|127.0.0.1|ClientRead"
    );
    let ends = by
        .query_one("SELECT host(inet_client_addr()), inet_server_port()", &[])
        .await
        .unwrap();
    assert_eq!(ends.get::<_, &str>(0), "127.0.0.1");
    assert_eq!(ends.get::<_, i32>(1), i32::from(server.local_addr().port()));
    server.shutdown();
}
