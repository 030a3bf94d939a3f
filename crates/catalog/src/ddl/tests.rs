//! Catalog changes end to end: what DDL writes, what descriptors say afterwards.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;

use ::types::Datum;
use ::types::oids as t;
use ::types::settings::TypeRef;
use access::{Storage, StorageOptions, TransactionOptions};
use common::env::os::OsEnv;
use common::{Oid, PgError, PgResult, Span};
use nodes::expr::{CoercionForm, Const, FuncExpr};
use nodes::query::{Alias, CommandType, Permissions, RangeTblEntry, RteColumn, RteKind, TargetEntry};
use nodes::{Expr, Query, RelIds, Var, VarSource};

use super::constraint::{NameParts, NewConstraint};
use super::drop::{DropBehavior, notice_text};
use super::index::NewIndex;
use super::relation::{NewColumn, NewRelation};
use super::sequence::{SequenceOwner, SequenceParameters, owned_sequence};
use super::{Ddl, ObjectAddress};
use crate::database::{Catalog, CatalogSession};
use crate::desc::{IndexColumnDesc, IndexDesc};
use crate::oids;
use crate::search_path::SearchPath;
use crate::view::CatalogView;

const PUBLIC: Oid = oids::PUBLIC_NAMESPACE;

struct Db {
    catalog: Arc<Catalog>,
    proc: Arc<txn::Proc>,
}

fn db() -> Db {
    let mut options = StorageOptions::in_memory(Arc::new(OsEnv::new()));
    options.background = false;
    let storage = Storage::open(options).unwrap();
    let proc = storage.register(1).unwrap();
    Db {
        catalog: Catalog::open(storage),
        proc,
    }
}

fn path() -> Arc<SearchPath> {
    Arc::new(SearchPath::fixed(&[PUBLIC]))
}

impl Db {
    /// Runs DDL in a transaction of its own and commits; the notices come back.
    fn run<T>(&self, work: impl FnOnce(&mut Ddl<'_>) -> PgResult<T>) -> (PgResult<T>, Vec<String>) {
        let mut txn = self
            .catalog
            .storage()
            .begin(&self.proc, TransactionOptions::default())
            .unwrap();
        let mut session = CatalogSession::default();
        let (result, notices) = {
            let mut writer = self.catalog.writer(&mut txn, &mut session).unwrap();
            let mut ddl = Ddl::new(&mut writer, Oid(10), path());
            let result = work(&mut ddl);
            let notices = ddl.notices.iter().map(|n| notice_text(n)).collect();
            (result, notices)
        };
        match &result {
            Ok(_) => {
                txn.commit().unwrap();
            }
            Err(_) => txn.abort(),
        }
        (result, notices)
    }

    fn ok<T>(&self, work: impl FnOnce(&mut Ddl<'_>) -> PgResult<T>) -> T {
        self.run(work).0.unwrap()
    }

    fn err<T>(&self, work: impl FnOnce(&mut Ddl<'_>) -> PgResult<T>) -> Box<PgError> {
        self.run(work).0.err().expect("it should fail")
    }

    fn read<T>(&self, look: impl FnOnce(&dyn CatalogView) -> PgResult<T>) -> T {
        let txn = self
            .catalog
            .storage()
            .begin(&self.proc, TransactionOptions::default())
            .unwrap();
        let cache = self.catalog.caches().current();
        let reader = self.catalog.reader(txn.latest_snapshot().unwrap());
        let sizes = Arc::new(crate::session_view::RecordedSizes);
        let view = crate::session_view::SessionView::new(reader, cache, path(), sizes);
        look(&view).unwrap()
    }

    fn table(&self, name: &str) -> Oid {
        let columns = vec![
            NewColumn::new("a", TypeRef::plain(t::INT4)),
            NewColumn::new("b", TypeRef::plain(t::TEXT)),
        ];
        let new = NewRelation::new(name, PUBLIC, b'r').with_columns(columns);
        self.ok(|ddl| ddl.create_relation(&new)).oid
    }

    fn view(&self, name: &str, table: Oid) -> Oid {
        let new = NewRelation::new(name, PUBLIC, b'v')
            .with_columns(vec![NewColumn::new("a", TypeRef::plain(t::INT4))]);
        self.ok(|ddl| ddl.create_view(&new, &select_a(table))).oid
    }

    fn drop(&self, object: ObjectAddress, behavior: DropBehavior) -> (PgResult<()>, Vec<String>) {
        let (result, notices) = self.run(|ddl| ddl.drop_objects(&[object], behavior));
        (result.map(|_| ()), notices)
    }
}

fn relation(oid: Oid) -> ObjectAddress {
    ObjectAddress::new(oids::PG_CLASS, oid)
}

fn column_a() -> Expr {
    Expr::Var(Var {
        source: VarSource::Rel {
            index: 1,
            levels_up: 0,
        },
        attno: 1,
        type_ref: TypeRef::plain(t::INT4),
        collation: Oid(0),
        nulling_rels: RelIds::empty(),
        returning: Default::default(),
        span: Span::NONE,
    })
}

fn int4(value: i32) -> Expr {
    Expr::Const(Const {
        value: Datum::Int4(value),
        type_ref: TypeRef::plain(t::INT4),
        collation: Oid(0),
        span: Span::NONE,
    })
}

/// `a > 0`.
fn a_is_positive() -> Expr {
    Expr::Func(FuncExpr {
        func: Oid(147),
        op: Oid(521),
        args: vec![column_a(), int4(0)],
        result: TypeRef::plain(t::BOOL),
        returns_set: false,
        variadic: false,
        form: CoercionForm::ExplicitCall,
        input_collation: Oid(0),
        collation: Oid(0),
        span: Span::NONE,
    })
}

fn select_a(table: Oid) -> Query {
    let mut query = Query::new(CommandType::Select);
    query.range_table.push(RangeTblEntry {
        kind: RteKind::Relation {
            relation: table,
            relkind: b'r',
            inherit: true,
            sample: None,
        },
        alias: None,
        eref: Alias::default(),
        columns: vec![RteColumn {
            type_ref: TypeRef::plain(t::INT4),
            collation: Oid(0),
        }],
        in_from: true,
        permissions: Permissions::default(),
    });
    query.target_list.push(TargetEntry {
        expr: column_a(),
        resno: 1,
        name: Some("a".into()),
        sort_group_ref: 0,
        origin_table: table,
        origin_column: 1,
        resjunk: false,
    });
    query
}

#[test]
fn a_table_is_found_by_name_with_its_columns_and_types() {
    let db = db();
    let oid = db.table("t");
    let desc = db.read(|v| v.relation_by_name(None, "t")).unwrap();
    assert_eq!((desc.oid, desc.columns.len(), desc.relkind), (oid, 2, b'r'));
    assert_eq!(&*desc.namespace_name, "public");
    let row_type = db.read(|v| v.type_by_name(None, "t")).unwrap();
    assert_eq!(
        (row_type.oid, row_type.relation, row_type.kind),
        (desc.row_type, oid, b'c')
    );
    let array = db.read(|v| v.type_by_name(None, "_t")).unwrap();
    assert_eq!(
        (array.element, row_type.array, array.is_array),
        (row_type.oid, array.oid, true)
    );
    assert!(db.read(|v| v.relation_by_name(None, "pg_class")).is_some());
}

#[test]
fn taken_names_give_postgres_errors() {
    let db = db();
    let t = db.table("t");
    let again = NewRelation::new("t", PUBLIC, b'v');
    let error = db.err(|ddl| ddl.create_relation(&again));
    assert_eq!(
        (error.sqlstate.as_str(), error.message.as_str()),
        ("42P07", "relation \"t\" already exists")
    );
    let column = NewColumn::new("a", TypeRef::plain(t::INT4));
    let error = db.err(|ddl| ddl.add_column(t, &column, None));
    assert_eq!(
        (error.sqlstate.as_str(), error.message.as_str()),
        ("42701", "column \"a\" of relation \"t\" already exists")
    );
    let twice = NewRelation::new("u", PUBLIC, b'r').with_columns(vec![column.clone(), column]);
    assert_eq!(
        db.err(|ddl| ddl.create_relation(&twice)).message,
        "column \"a\" specified more than once"
    );
    let system = NewRelation::new("u", PUBLIC, b'r')
        .with_columns(vec![NewColumn::new("ctid", TypeRef::plain(t::INT4))]);
    let error = db.err(|ddl| ddl.create_relation(&system));
    assert_eq!(
        error.message,
        "column name \"ctid\" conflicts with a system column name"
    );
    let error = db.err(|ddl| ddl.create_namespace("public", Oid(10)));
    assert_eq!(
        (error.sqlstate.as_str(), error.message.as_str()),
        ("42P06", "schema \"public\" already exists")
    );
    assert_eq!(
        db.err(|ddl| ddl.create_namespace("pg_x", Oid(10)))
            .sqlstate
            .as_str(),
        "42939"
    );
    db.ok(|ddl| ddl.create_enum(PUBLIC, "color", &["red".into()]));
    let error = db.err(|ddl| ddl.create_relation(&NewRelation::new("color", PUBLIC, b'r')));
    assert_eq!(
        (error.sqlstate.as_str(), error.message.as_str()),
        ("42710", "type \"color\" already exists")
    );
}

#[test]
fn an_array_type_gives_way() {
    let db = db();
    db.table("t");
    db.table("_t");
    assert_eq!(db.read(|v| v.type_by_name(None, "_t")).unwrap().kind, b'c');
    assert!(db.read(|v| v.type_by_name(None, "__t")).unwrap().is_array);
}

#[test]
fn restrict_names_what_depends_and_cascade_takes_it_along() {
    let db = db();
    let t = db.table("t");
    let v = db.view("v", t);
    let w = db.view("w", v);
    let (result, _) = db.drop(relation(t), DropBehavior::Restrict);
    let error = result.unwrap_err();
    assert_eq!(
        (error.sqlstate.as_str(), error.message.as_str()),
        ("2BP01", "cannot drop table t because other objects depend on it")
    );
    assert_eq!(
        error.detail.as_deref(),
        Some("view v depends on table t\nview w depends on view v")
    );
    assert_eq!(
        error.hint.as_deref(),
        Some("Use DROP ... CASCADE to drop the dependent objects too.")
    );
    let (result, notices) = db.drop(relation(t), DropBehavior::Cascade);
    result.unwrap();
    assert_eq!(
        notices,
        ["drop cascades to 2 other objects\ndrop cascades to view v\ndrop cascades to view w"]
    );
    for oid in [t, v, w] {
        assert!(db.read(|view| view.relation(oid)).is_none());
    }
    assert!(db.read(|view| view.type_by_name(None, "t")).is_none());
    db.ok(|ddl| {
        assert!(
            ddl.store
                .scan(oids::PG_ATTRIBUTE)?
                .iter()
                .all(|row| row.oid(0) < Oid::FIRST_NORMAL)
        );
        assert!(
            ddl.store
                .scan(oids::PG_DEPEND)?
                .iter()
                .all(|row| row.oid(1) < Oid::FIRST_NORMAL)
        );
        Ok(())
    });
}

#[test]
fn a_column_that_a_view_needs_stays_and_others_leave_a_gap() {
    let db = db();
    let t = db.table("t");
    let v = db.view("v", t);
    let error = db
        .drop(ObjectAddress::column(t, 1), DropBehavior::Restrict)
        .0
        .unwrap_err();
    assert_eq!(
        error.message,
        "cannot drop column a of table t because other objects depend on it"
    );
    assert_eq!(
        error.detail.as_deref(),
        Some("view v depends on column a of table t")
    );
    db.drop(ObjectAddress::column(t, 2), DropBehavior::Restrict)
        .0
        .unwrap();
    let desc = db.read(|view| view.relation(t)).unwrap();
    let b = desc.column(2).unwrap();
    assert!(b.dropped && b.phys == ::types::PhysType::Text && desc.column_by_name("b").is_none());
    let c = db.ok(|ddl| {
        ddl.add_column(
            t,
            &NewColumn::new("b", TypeRef::plain(t::INT8)),
            Some(Datum::Int8(7)),
        )
    });
    let desc = db.read(|view| view.relation(t)).unwrap();
    assert_eq!(
        (c, desc.column(3).unwrap().missing.clone()),
        (3, Some(Datum::Int8(7)))
    );
    assert!(db.read(|view| view.relation(v)).is_some());
}

#[test]
fn parts_of_objects_cannot_be_dropped_alone() {
    let db = db();
    let t = db.table("t");
    let row_type = db.read(|v| v.relation(t)).unwrap().row_type;
    let error = db
        .drop(ObjectAddress::new(oids::PG_TYPE, row_type), DropBehavior::Cascade)
        .0
        .unwrap_err();
    assert_eq!(error.message, "cannot drop type t because table t requires it");
    assert_eq!(error.hint.as_deref(), Some("You can drop table t instead."));
    let error = db
        .drop(relation(oids::PG_CLASS), DropBehavior::Cascade)
        .0
        .unwrap_err();
    assert_eq!(
        error.message,
        "cannot drop table pg_class because it is required by the database system"
    );
}

fn primary_key(db: &Db, table: Oid) -> (Oid, Oid) {
    let mut class = NewRelation::new("t_pkey", PUBLIC, b'i');
    class.columns = vec![NewColumn::new("a", TypeRef::plain(t::INT4))];
    let index = IndexDesc {
        table,
        access_method: oids::BTREE_AM,
        unique: true,
        primary: true,
        exclusion: false,
        nulls_not_distinct: false,
        immediate: true,
        valid: true,
        ready: true,
        live: true,
        clustered: false,
        columns: vec![IndexColumnDesc {
            attno: 1,
            expr: None,
            opclass: Oid(1978),
            opfamily: Oid(1976),
            opcintype: t::INT4,
            collation: Oid(0),
            descending: true,
            nulls_first: true,
            text_order: None,
        }],
        key_count: 1,
        predicate: None,
    };
    db.ok(|ddl| {
        let new = NewIndex {
            relation: class,
            index,
            for_constraint: true,
        };
        let index = ddl.create_index(&new)?.oid;
        let mut constraint = NewConstraint::new(b'p', "t_pkey", PUBLIC, table, vec![1]);
        constraint.index = index;
        let constraint = ddl.add_constraint(&constraint)?;
        ddl.attach_index_to_constraint(index, constraint)?;
        Ok((index, constraint))
    })
}

#[test]
fn indexes_constraints_and_defaults_come_back_in_the_descriptor() {
    let db = db();
    let t = db.table("t");
    let (index, constraint) = primary_key(&db, t);
    db.ok(|ddl| {
        ddl.set_default(t, 1, Some(&int4(42)))?;
        let mut check = NewConstraint::new(b'c', "t_a_check", PUBLIC, t, vec![1]);
        check.check = Some(a_is_positive());
        ddl.add_constraint(&check)?;
        let parts = NameParts {
            first: "t",
            second: Some("a"),
            label: "check",
            is_relation: false,
        };
        assert_eq!(ddl.choose_constraint_name(parts, t, PUBLIC)?, "t_a_check1");
        Ok(())
    });
    let desc = db.read(|v| v.relation(t)).unwrap();
    assert_eq!(desc.indexes, [index]);
    assert_eq!(*desc.columns[0].default.clone().unwrap(), int4(42));
    let names: Vec<&str> = desc.constraints.iter().map(|c| &*c.name).collect();
    assert_eq!(names, ["t_a_check", "t_pkey"]);
    assert_eq!(desc.constraints[0].check.as_deref(), Some(&a_is_positive()));
    let index_desc = db.read(|v| v.relation(index)).unwrap().index.clone().unwrap();
    assert_eq!(
        (
            index_desc.table,
            index_desc.primary,
            index_desc.columns[0].descending
        ),
        (t, true, true)
    );

    let error = db.drop(relation(index), DropBehavior::Restrict).0.unwrap_err();
    assert_eq!(
        error.message,
        "cannot drop index t_pkey because constraint t_pkey on table t requires it"
    );
    db.ok(|ddl| ddl.rename_relation(index, "pk"));
    assert!(
        db.read(|v| v.relation(t))
            .unwrap()
            .constraints
            .iter()
            .any(|c| &*c.name == "pk")
    );
    db.drop(
        ObjectAddress::new(oids::PG_CONSTRAINT, constraint),
        DropBehavior::Restrict,
    )
    .0
    .unwrap();
    let desc = db.read(|v| v.relation(t)).unwrap();
    assert!(desc.indexes.is_empty() && desc.constraints.len() == 1);
    db.drop(relation(t), DropBehavior::Restrict).0.unwrap();
}

#[test]
fn an_owned_sequence_goes_with_its_column() {
    let db = db();
    let t = db.table("t");
    let parameters = SequenceParameters {
        type_oid: t::INT8,
        start: 1,
        increment: 1,
        max: i64::MAX,
        min: 1,
        cache: 1,
        cycle: false,
    };
    let s = db.ok(|ddl| {
        let made = ddl.create_sequence("t_a_seq", PUBLIC, b'p', &parameters)?;
        ddl.set_sequence_owner(made.oid, Some(SequenceOwner::Column(t, 1)))?;
        assert_eq!(owned_sequence(&*ddl.store, t, 1)?, Some(made.oid));
        Ok(made.oid)
    });
    db.ok(|ddl| {
        ddl.create_namespace("app", Oid(10))
            .and_then(|app| ddl.set_relation_namespace(t, app))
    });
    assert_eq!(&*db.read(|v| v.relation(s)).unwrap().namespace_name, "app");
    db.drop(ObjectAddress::column(t, 1), DropBehavior::Restrict)
        .0
        .unwrap();
    assert!(db.read(|v| v.relation(s)).is_none());
}

#[test]
fn dropping_a_schema_needs_cascade_and_qualifies_names() {
    let db = db();
    let app = db.ok(|ddl| ddl.create_namespace("app", Oid(10)));
    db.ok(|ddl| ddl.create_relation(&NewRelation::new("T x", app, b'r')));
    let schema = ObjectAddress::new(oids::PG_NAMESPACE, app);
    let error = db.drop(schema, DropBehavior::Restrict).0.unwrap_err();
    assert_eq!(
        error.message,
        "cannot drop schema app because other objects depend on it"
    );
    assert_eq!(
        error.detail.as_deref(),
        Some("table app.\"T x\" depends on schema app")
    );
    let (result, notices) = db.drop(schema, DropBehavior::Cascade);
    result.unwrap();
    assert_eq!(notices, ["drop cascades to table app.\"T x\""]);
}

#[test]
fn a_rolled_back_table_was_never_there_and_own_changes_are_seen() {
    let db = db();
    let error = db.err(|ddl| {
        let made = ddl.create_relation(&NewRelation::new("t", PUBLIC, b'r'))?;
        assert!(ddl.view().relation(made.oid)?.is_some());
        ddl.create_relation(&NewRelation::new("t", PUBLIC, b'r'))
    });
    assert_eq!(error.sqlstate.as_str(), "42P07");
    assert!(db.read(|v| v.relation_by_name(None, "t")).is_none());
    let before = db.catalog.caches().current().version();
    db.table("t");
    assert!(db.catalog.caches().current().version() > before);
}

#[test]
fn built_in_rows_can_change() {
    let db = db();
    db.ok(|ddl| {
        ddl.alter_namespace(
            PUBLIC,
            &[(crate::columns::pg_namespace::NSPOWNER, Datum::Oid(10))],
        )?;
        ddl.alter_role(
            "postgres",
            &[(crate::columns::pg_authid::ROLPASSWORD, Datum::text("secret"))],
        )?;
        Ok(())
    });
    db.ok(|ddl| {
        let rows = ddl.store.scan(oids::PG_NAMESPACE)?;
        assert_eq!(rows.len(), 4);
        let roles = crate::privileges::Roles::load(&*ddl.store)?;
        assert_eq!(
            roles.by_name("postgres").unwrap().password.as_deref(),
            Some("secret")
        );
        Ok(())
    });
}

#[test]
fn comments_are_kept_per_object_and_go_with_it() {
    let db = db();
    let t = db.table("t");
    db.ok(|ddl| {
        ddl.set_comment(relation(t), Some("all of it"))?;
        ddl.set_comment(ObjectAddress::column(t, 1), Some("a part"))?;
        ddl.set_comment(relation(t), Some("changed"))
    });
    let count = |db: &Db| db.ok(|ddl| Ok(ddl.store.scan(oids::PG_DESCRIPTION)?.len()));
    assert_eq!(count(&db), 2);
    db.drop(relation(t), DropBehavior::Restrict).0.unwrap();
    assert_eq!(count(&db), 0);
}

#[test]
fn everything_is_there_after_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let open = || {
        let mut options = StorageOptions::in_dir(Arc::new(OsEnv::new()), dir.path());
        options.background = false;
        let storage = Storage::open(options).unwrap();
        let proc = storage.register(1).unwrap();
        Db {
            catalog: Catalog::open(storage),
            proc,
        }
    };
    let owner = Oid(10);
    let t = {
        let db = open();
        let t = db.table("t");
        db.ok(|ddl| {
            ddl.alter_namespace(
                PUBLIC,
                &[(crate::columns::pg_namespace::NSPOWNER, Datum::Oid(owner.0))],
            )
        });
        db.ok(|ddl| ddl.rename_column(t, "a", "id"));
        t
    };
    for _ in 0..2 {
        let db = open();
        let desc = db.read(|v| v.relation_by_name(None, "t")).unwrap();
        assert_eq!((desc.oid, &*desc.columns[0].name), (t, "id"));
        db.ok(|ddl| {
            let schemas = ddl.store.scan(oids::PG_NAMESPACE)?;
            let public = schemas.iter().find(|row| row.oid(0) == PUBLIC).unwrap();
            assert_eq!(
                (schemas.len(), public.oid(crate::columns::pg_namespace::NSPOWNER)),
                (4, owner)
            );
            Ok(())
        });
        db.catalog.storage().close().unwrap();
    }
    let db = open();
    assert!(db.table("u") > t);
}

/// `cargo test -p pglite-catalog --release -- --ignored --nocapture timing`: prints what first touches and cached lookups cost.
#[test]
#[ignore = "a measurement"]
fn timing() {
    let start = std::time::Instant::now();
    let mut lap = start;
    let mut report = |what: &str, times: u32| {
        println!("{what}: {:?}", lap.elapsed() / times);
        lap = std::time::Instant::now();
    };
    let db = db();
    report("storage and catalog open", 1);
    db.read(|v| v.relation_by_name(None, "nothing"));
    report("first lookup of a name", 1);
    for catalog in [
        oids::PG_NAMESPACE,
        oids::PG_CLASS,
        oids::PG_ATTRIBUTE,
        oids::PG_PROC,
    ] {
        db.ok(|ddl| ddl.store.scan(catalog).map(|_| ()));
        report(&format!("first scan of catalog {catalog}"), 1);
    }
    for i in 0..100 {
        db.table(&format!("t{i}"));
    }
    report("CREATE TABLE with two columns", 100);
    db.read(|view| {
        view.relation_by_name(None, "t5")?;
        let begin = std::time::Instant::now();
        for _ in 0..100_000 {
            std::hint::black_box(view.relation_by_name(None, "t5")?);
        }
        println!("cached relation by name: {:?}", begin.elapsed() / 100_000);
        let begin = std::time::Instant::now();
        for _ in 0..100_000 {
            std::hint::black_box(view.operators_by_name(None, "+")?);
        }
        println!("operators of a name: {:?}", begin.elapsed() / 100_000);
        Ok(())
    });
}
