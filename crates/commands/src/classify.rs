//! What is known of a statement by its kind alone: command tag, whether it writes, where it may run.
//!
//! PG: src/backend/tcop/utility.c (`CreateCommandTag`, `ClassifyUtilityCommandAsReadOnly`, `PreventInTransactionBlock`).

use common::{PgResult, pg_err};
use parser::ast::{
    CreateTableAsStmt, DefArg, DefElem, DiscardMode, LockMode, ObjectType, Statement, TransactionStmtKind,
    VariableSetKind,
};

/// The word after CREATE, DROP, COMMENT ON for a kind of object.
pub fn object_type_word(kind: ObjectType) -> &'static str {
    match kind {
        ObjectType::AccessMethod => "ACCESS METHOD",
        ObjectType::Aggregate => "AGGREGATE",
        ObjectType::Cast => "CAST",
        ObjectType::Collation => "COLLATION",
        ObjectType::Conversion => "CONVERSION",
        ObjectType::Database => "DATABASE",
        ObjectType::Domain | ObjectType::DomConstraint => "DOMAIN",
        ObjectType::EventTrigger => "EVENT TRIGGER",
        ObjectType::Extension => "EXTENSION",
        ObjectType::Fdw => "FOREIGN DATA WRAPPER",
        ObjectType::ForeignServer => "SERVER",
        ObjectType::ForeignTable => "FOREIGN TABLE",
        ObjectType::Function => "FUNCTION",
        ObjectType::Index => "INDEX",
        ObjectType::Language => "LANGUAGE",
        ObjectType::LargeObject => "LARGE OBJECT",
        ObjectType::MatView => "MATERIALIZED VIEW",
        ObjectType::OpClass => "OPERATOR CLASS",
        ObjectType::Operator => "OPERATOR",
        ObjectType::OpFamily => "OPERATOR FAMILY",
        ObjectType::Policy => "POLICY",
        ObjectType::Procedure => "PROCEDURE",
        ObjectType::Publication => "PUBLICATION",
        ObjectType::Role => "ROLE",
        ObjectType::Routine => "ROUTINE",
        ObjectType::Rule => "RULE",
        ObjectType::Schema => "SCHEMA",
        ObjectType::Sequence => "SEQUENCE",
        ObjectType::StatisticExt => "STATISTICS",
        ObjectType::Subscription => "SUBSCRIPTION",
        ObjectType::Tablespace => "TABLESPACE",
        ObjectType::Transform => "TRANSFORM",
        ObjectType::Trigger => "TRIGGER",
        ObjectType::TsConfiguration => "TEXT SEARCH CONFIGURATION",
        ObjectType::TsDictionary => "TEXT SEARCH DICTIONARY",
        ObjectType::TsParser => "TEXT SEARCH PARSER",
        ObjectType::TsTemplate => "TEXT SEARCH TEMPLATE",
        ObjectType::Type | ObjectType::Attribute => "TYPE",
        ObjectType::UserMapping => "USER MAPPING",
        ObjectType::View => "VIEW",
        _ => "TABLE",
    }
}

macro_rules! tags_of_objects {
    ($verb:literal, $kind:expr) => {
        match object_type_word($kind) {
            "ACCESS METHOD" => concat!($verb, " ACCESS METHOD"),
            "AGGREGATE" => concat!($verb, " AGGREGATE"),
            "CAST" => concat!($verb, " CAST"),
            "COLLATION" => concat!($verb, " COLLATION"),
            "CONVERSION" => concat!($verb, " CONVERSION"),
            "DATABASE" => concat!($verb, " DATABASE"),
            "DOMAIN" => concat!($verb, " DOMAIN"),
            "EVENT TRIGGER" => concat!($verb, " EVENT TRIGGER"),
            "EXTENSION" => concat!($verb, " EXTENSION"),
            "FOREIGN DATA WRAPPER" => concat!($verb, " FOREIGN DATA WRAPPER"),
            "SERVER" => concat!($verb, " SERVER"),
            "FOREIGN TABLE" => concat!($verb, " FOREIGN TABLE"),
            "FUNCTION" => concat!($verb, " FUNCTION"),
            "INDEX" => concat!($verb, " INDEX"),
            "LANGUAGE" => concat!($verb, " LANGUAGE"),
            "LARGE OBJECT" => concat!($verb, " LARGE OBJECT"),
            "MATERIALIZED VIEW" => concat!($verb, " MATERIALIZED VIEW"),
            "OPERATOR CLASS" => concat!($verb, " OPERATOR CLASS"),
            "OPERATOR" => concat!($verb, " OPERATOR"),
            "OPERATOR FAMILY" => concat!($verb, " OPERATOR FAMILY"),
            "POLICY" => concat!($verb, " POLICY"),
            "PROCEDURE" => concat!($verb, " PROCEDURE"),
            "PUBLICATION" => concat!($verb, " PUBLICATION"),
            "ROLE" => concat!($verb, " ROLE"),
            "ROUTINE" => concat!($verb, " ROUTINE"),
            "RULE" => concat!($verb, " RULE"),
            "SCHEMA" => concat!($verb, " SCHEMA"),
            "SEQUENCE" => concat!($verb, " SEQUENCE"),
            "STATISTICS" => concat!($verb, " STATISTICS"),
            "SUBSCRIPTION" => concat!($verb, " SUBSCRIPTION"),
            "TABLESPACE" => concat!($verb, " TABLESPACE"),
            "TRANSFORM" => concat!($verb, " TRANSFORM"),
            "TRIGGER" => concat!($verb, " TRIGGER"),
            "TEXT SEARCH CONFIGURATION" => concat!($verb, " TEXT SEARCH CONFIGURATION"),
            "TEXT SEARCH DICTIONARY" => concat!($verb, " TEXT SEARCH DICTIONARY"),
            "TEXT SEARCH PARSER" => concat!($verb, " TEXT SEARCH PARSER"),
            "TEXT SEARCH TEMPLATE" => concat!($verb, " TEXT SEARCH TEMPLATE"),
            "TYPE" => concat!($verb, " TYPE"),
            "USER MAPPING" => concat!($verb, " USER MAPPING"),
            "VIEW" => concat!($verb, " VIEW"),
            _ => concat!($verb, " TABLE"),
        }
    };
}

/// The command tag without counts.
#[expect(clippy::too_many_lines, reason = "one line per kind of statement")]
pub fn command_tag(stmt: &Statement) -> &'static str {
    match stmt {
        Statement::Select(s) if s.into.is_some() => "SELECT INTO",
        Statement::Select(s) if s.locking.is_empty() => "SELECT",
        Statement::Select(_) => "SELECT FOR UPDATE",
        Statement::Insert(_) => "INSERT",
        Statement::Update(_) => "UPDATE",
        Statement::Delete(_) => "DELETE",
        Statement::Merge(_) => "MERGE",
        Statement::Copy(_) => "COPY",
        Statement::Return(_) => "RETURN",
        Statement::Create(s) if s.foreign.is_some() => "CREATE FOREIGN TABLE",
        Statement::Create(_) => "CREATE TABLE",
        Statement::AlterTable(s) => tags_of_objects!("ALTER", s.objtype),
        Statement::AlterTableMoveAll(s) => tags_of_objects!("ALTER", s.objtype),
        Statement::Index(_) => "CREATE INDEX",
        Statement::CreateTableAs(s) => create_table_as_tag(s),
        Statement::RefreshMatView(_) => "REFRESH MATERIALIZED VIEW",
        Statement::View(_) => "CREATE VIEW",
        Statement::CreateSeq(_) => "CREATE SEQUENCE",
        Statement::AlterSeq(_) => "ALTER SEQUENCE",
        Statement::Truncate(_) => "TRUNCATE TABLE",
        Statement::CreateStats(_) => "CREATE STATISTICS",
        Statement::AlterStats(_) => "ALTER STATISTICS",
        Statement::CreateFunction(s) if s.is_procedure => "CREATE PROCEDURE",
        Statement::CreateFunction(_) => "CREATE FUNCTION",
        Statement::AlterFunction(s) => tags_of_objects!("ALTER", s.objtype),
        Statement::Do(_) => "DO",
        Statement::Call(_) => "CALL",
        Statement::CreateTrig(_) => "CREATE TRIGGER",
        Statement::CreateEventTrig(_) => "CREATE EVENT TRIGGER",
        Statement::AlterEventTrig(_) => "ALTER EVENT TRIGGER",
        Statement::Rule(_) => "CREATE RULE",
        Statement::Define(s) => tags_of_objects!("CREATE", s.kind),
        Statement::CreateOpClass(_) => "CREATE OPERATOR CLASS",
        Statement::CreateOpFamily(_) => "CREATE OPERATOR FAMILY",
        Statement::AlterOpFamily(_) => "ALTER OPERATOR FAMILY",
        Statement::AlterOperator(_) => "ALTER OPERATOR",
        Statement::AlterType(_) | Statement::AlterEnum(_) => "ALTER TYPE",
        Statement::CreateCast(_) => "CREATE CAST",
        Statement::CreateTransform(_) => "CREATE TRANSFORM",
        Statement::CreateConversion(_) => "CREATE CONVERSION",
        Statement::CreatePLang(_) => "CREATE LANGUAGE",
        Statement::CreateAm(_) => "CREATE ACCESS METHOD",
        Statement::CompositeType(_) | Statement::CreateEnum(_) | Statement::CreateRange(_) => "CREATE TYPE",
        Statement::CreateDomain(_) => "CREATE DOMAIN",
        Statement::AlterDomain(_) => "ALTER DOMAIN",
        Statement::AlterTsDictionary(_) => "ALTER TEXT SEARCH DICTIONARY",
        Statement::AlterTsConfiguration(_) => "ALTER TEXT SEARCH CONFIGURATION",
        Statement::CreatePolicy(_) => "CREATE POLICY",
        Statement::AlterPolicy(_) => "ALTER POLICY",
        Statement::Drop(s) => tags_of_objects!("DROP", s.remove_type),
        Statement::Comment(_) => "COMMENT",
        Statement::SecLabel(_) => "SECURITY LABEL",
        Statement::Rename(s) => tags_of_objects!("ALTER", s.relation_type.unwrap_or(s.rename_type)),
        Statement::AlterObjectSchema(s) => tags_of_objects!("ALTER", s.object_type),
        Statement::AlterOwner(s) => tags_of_objects!("ALTER", s.object_type),
        Statement::AlterObjectDepends(s) => tags_of_objects!("ALTER", s.object_type),
        Statement::AlterCollation(_) => "ALTER COLLATION",
        Statement::CreateSchema(_) => "CREATE SCHEMA",
        Statement::CreateExtension(_) => "CREATE EXTENSION",
        Statement::AlterExtension(_) | Statement::AlterExtensionContents(_) => "ALTER EXTENSION",
        Statement::CreateFdw(_) => "CREATE FOREIGN DATA WRAPPER",
        Statement::AlterFdw(_) => "ALTER FOREIGN DATA WRAPPER",
        Statement::CreateForeignServer(_) => "CREATE SERVER",
        Statement::AlterForeignServer(_) => "ALTER SERVER",
        Statement::CreateUserMapping(_) => "CREATE USER MAPPING",
        Statement::AlterUserMapping(_) => "ALTER USER MAPPING",
        Statement::DropUserMapping(_) => "DROP USER MAPPING",
        Statement::ImportForeignSchema(_) => "IMPORT FOREIGN SCHEMA",
        Statement::CreateTableSpace(_) => "CREATE TABLESPACE",
        Statement::DropTableSpace(_) => "DROP TABLESPACE",
        Statement::AlterTableSpaceOptions(_) => "ALTER TABLESPACE",
        Statement::Createdb(_) => "CREATE DATABASE",
        Statement::Dropdb(_) => "DROP DATABASE",
        Statement::AlterDatabase(_)
        | Statement::AlterDatabaseRefreshColl(_)
        | Statement::AlterDatabaseSet(_) => "ALTER DATABASE",
        Statement::CreatePublication(_) => "CREATE PUBLICATION",
        Statement::AlterPublication(_) => "ALTER PUBLICATION",
        Statement::CreateSubscription(_) => "CREATE SUBSCRIPTION",
        Statement::AlterSubscription(_) => "ALTER SUBSCRIPTION",
        Statement::DropSubscription(_) => "DROP SUBSCRIPTION",
        Statement::CreateRole(_) => "CREATE ROLE",
        Statement::AlterRole(_) | Statement::AlterRoleSet(_) => "ALTER ROLE",
        Statement::DropRole(_) => "DROP ROLE",
        Statement::Grant(s) if s.is_grant => "GRANT",
        Statement::Grant(_) => "REVOKE",
        Statement::GrantRole(s) if s.is_grant => "GRANT ROLE",
        Statement::GrantRole(_) => "REVOKE ROLE",
        Statement::AlterDefaultPrivileges(_) => "ALTER DEFAULT PRIVILEGES",
        Statement::DropOwned(_) => "DROP OWNED",
        Statement::ReassignOwned(_) => "REASSIGN OWNED",
        Statement::Transaction(s) => transaction_tag(s.kind),
        Statement::VariableSet(s) => match s.kind {
            VariableSetKind::Reset | VariableSetKind::ResetAll => "RESET",
            _ => "SET",
        },
        Statement::VariableShow(_) => "SHOW",
        Statement::AlterSystem(_) => "ALTER SYSTEM",
        Statement::Discard(s) => match s.target {
            DiscardMode::All => "DISCARD ALL",
            DiscardMode::Plans => "DISCARD PLANS",
            DiscardMode::Sequences => "DISCARD SEQUENCES",
            DiscardMode::Temp => "DISCARD TEMP",
        },
        Statement::Prepare(_) => "PREPARE",
        Statement::Execute(_) => "EXECUTE",
        Statement::Deallocate(s) if s.name.is_some() => "DEALLOCATE",
        Statement::Deallocate(_) => "DEALLOCATE ALL",
        Statement::DeclareCursor(_) => "DECLARE CURSOR",
        Statement::ClosePortal(s) if s.portalname.is_some() => "CLOSE CURSOR",
        Statement::ClosePortal(_) => "CLOSE CURSOR ALL",
        Statement::Fetch(s) if s.ismove => "MOVE",
        Statement::Fetch(_) => "FETCH",
        Statement::Explain(_) => "EXPLAIN",
        Statement::Vacuum(s) if s.is_vacuumcmd => "VACUUM",
        Statement::Vacuum(_) => "ANALYZE",
        Statement::Cluster(_) => "CLUSTER",
        Statement::Reindex(_) => "REINDEX",
        Statement::CheckPoint(_) => "CHECKPOINT",
        Statement::Lock(_) => "LOCK TABLE",
        Statement::ConstraintsSet(_) => "SET CONSTRAINTS",
        Statement::Listen(_) => "LISTEN",
        Statement::Unlisten(_) => "UNLISTEN",
        Statement::Notify(_) => "NOTIFY",
        Statement::Load(_) => "LOAD",
    }
}

fn create_table_as_tag(stmt: &CreateTableAsStmt) -> &'static str {
    match stmt.objtype {
        ObjectType::MatView => "CREATE MATERIALIZED VIEW",
        _ => "CREATE TABLE AS",
    }
}

fn transaction_tag(kind: TransactionStmtKind) -> &'static str {
    match kind {
        TransactionStmtKind::Begin => "BEGIN",
        TransactionStmtKind::Start => "START TRANSACTION",
        TransactionStmtKind::Commit => "COMMIT",
        TransactionStmtKind::Rollback | TransactionStmtKind::RollbackTo => "ROLLBACK",
        TransactionStmtKind::Savepoint => "SAVEPOINT",
        TransactionStmtKind::Release => "RELEASE",
        TransactionStmtKind::Prepare => "PREPARE TRANSACTION",
        TransactionStmtKind::CommitPrepared => "COMMIT PREPARED",
        TransactionStmtKind::RollbackPrepared => "ROLLBACK PREPARED",
    }
}

/// True when a read-only transaction may run it. Queries and EXPLAIN are judged by what they do, not here.
pub fn is_read_only(stmt: &Statement) -> bool {
    match stmt {
        Statement::Select(s) => s.into.is_none(),
        Statement::Copy(s) => !s.is_from,
        Statement::Lock(s) => s.mode <= LockMode::RowExclusive,
        Statement::Transaction(s) => !matches!(
            s.kind,
            TransactionStmtKind::Prepare
                | TransactionStmtKind::CommitPrepared
                | TransactionStmtKind::RollbackPrepared
        ),
        Statement::AlterSystem(_)
        | Statement::Call(_)
        | Statement::Do(_)
        | Statement::CheckPoint(_)
        | Statement::Cluster(_)
        | Statement::Reindex(_)
        | Statement::Vacuum(_)
        | Statement::ClosePortal(_)
        | Statement::ConstraintsSet(_)
        | Statement::Deallocate(_)
        | Statement::DeclareCursor(_)
        | Statement::Discard(_)
        | Statement::Execute(_)
        | Statement::Explain(_)
        | Statement::Fetch(_)
        | Statement::Listen(_)
        | Statement::Load(_)
        | Statement::Notify(_)
        | Statement::Prepare(_)
        | Statement::Unlisten(_)
        | Statement::VariableSet(_)
        | Statement::VariableShow(_)
        | Statement::Return(_) => true,
        _ => false,
    }
}

/// `cannot execute CREATE TABLE in a read-only transaction`.
pub fn check_read_only(stmt: &Statement, transaction_is_read_only: bool) -> PgResult<()> {
    if !transaction_is_read_only || is_read_only(stmt) {
        return Ok(());
    }
    Err(read_only_error(match command_tag(stmt) {
        "COPY" => "COPY FROM",
        tag => tag,
    }))
}

/// The error for something that writes in a read-only transaction.
pub fn read_only_error(what: &str) -> Box<common::PgError> {
    pg_err!(
        READ_ONLY_SQL_TRANSACTION,
        "cannot execute {what} in a read-only transaction"
    )
}

/// True when a snapshot is taken before the statement runs (`PlannedStmtRequiresSnapshot`).
pub fn needs_snapshot(stmt: &Statement) -> bool {
    !matches!(
        stmt,
        Statement::Transaction(_)
            | Statement::Lock(_)
            | Statement::VariableSet(_)
            | Statement::VariableShow(_)
            | Statement::ConstraintsSet(_)
            | Statement::Fetch(_)
            | Statement::Listen(_)
            | Statement::Notify(_)
            | Statement::Unlisten(_)
            | Statement::CheckPoint(_)
    )
}

/// True when it runs in a failed transaction, too: only what ends it or goes back to a savepoint.
pub fn allowed_in_failed_transaction(stmt: &Statement) -> bool {
    match stmt {
        Statement::Transaction(s) => matches!(
            s.kind,
            TransactionStmtKind::Commit
                | TransactionStmtKind::Rollback
                | TransactionStmtKind::RollbackTo
                | TransactionStmtKind::Prepare
        ),
        _ => false,
    }
}

/// The name to use in `%s cannot run inside a transaction block`, for statements that must not.
pub fn must_not_be_in_transaction_block(stmt: &Statement) -> Option<&'static str> {
    match stmt {
        Statement::Vacuum(s) if s.is_vacuumcmd => Some("VACUUM"),
        Statement::Createdb(_) => Some("CREATE DATABASE"),
        Statement::Dropdb(_) => Some("DROP DATABASE"),
        Statement::CreateTableSpace(_) => Some("CREATE TABLESPACE"),
        Statement::DropTableSpace(_) => Some("DROP TABLESPACE"),
        Statement::AlterSystem(_) => Some("ALTER SYSTEM"),
        Statement::Discard(s) if s.target == DiscardMode::All => Some("DISCARD ALL"),
        Statement::Index(s) if s.concurrent => Some("CREATE INDEX CONCURRENTLY"),
        Statement::Drop(s) if s.concurrent => Some("DROP INDEX CONCURRENTLY"),
        Statement::Reindex(s) => reindex_block_name(s),
        Statement::Cluster(s) if s.relation.is_none() => Some("CLUSTER"),
        Statement::Transaction(s) => match s.kind {
            TransactionStmtKind::CommitPrepared => Some("COMMIT PREPARED"),
            TransactionStmtKind::RollbackPrepared => Some("ROLLBACK PREPARED"),
            _ => None,
        },
        _ => None,
    }
}

fn reindex_block_name(stmt: &parser::ast::ReindexStmt) -> Option<&'static str> {
    use parser::ast::ReindexObjectType as Kind;
    let concurrently = stmt
        .params
        .iter()
        .any(|p| p.name == "concurrently" && option_is_true(p));
    match stmt.kind {
        Kind::Schema => Some("REINDEX SCHEMA"),
        Kind::System => Some("REINDEX SYSTEM"),
        Kind::Database => Some("REINDEX DATABASE"),
        Kind::Index | Kind::Table if concurrently => Some("REINDEX CONCURRENTLY"),
        Kind::Index | Kind::Table => None,
    }
}

/// A boolean option as written, without complaints: absent values are true.
fn option_is_true(option: &DefElem) -> bool {
    match &option.arg {
        None => true,
        Some(DefArg::Boolean(b)) => *b,
        Some(DefArg::Integer(i)) => *i != 0,
        Some(DefArg::String(s)) => {
            matches!(s.to_ascii_lowercase().as_str(), "true" | "on" | "t" | "yes" | "1")
        }
        Some(_) => true,
    }
}

/// `VACUUM cannot run inside a transaction block`.
pub fn check_transaction_block(stmt: &Statement, in_block: bool) -> PgResult<()> {
    if !in_block {
        return Ok(());
    }
    match must_not_be_in_transaction_block(stmt) {
        Some(name) => Err(pg_err!(
            ACTIVE_SQL_TRANSACTION,
            "{name} cannot run inside a transaction block"
        )),
        None => Ok(()),
    }
}

/// True for statements that this crate executes (the session runs queries, cursors, transactions, prepared statements itself).
pub fn is_command(stmt: &Statement) -> bool {
    match stmt {
        Statement::Select(s) => s.into.is_some(),
        Statement::Insert(_)
        | Statement::Update(_)
        | Statement::Delete(_)
        | Statement::Merge(_)
        | Statement::Transaction(_)
        | Statement::Prepare(_)
        | Statement::Execute(_)
        | Statement::Deallocate(_)
        | Statement::DeclareCursor(_)
        | Statement::ClosePortal(_)
        | Statement::Fetch(_)
        | Statement::Listen(_)
        | Statement::Unlisten(_)
        | Statement::Notify(_) => false,
        _ => true,
    }
}
