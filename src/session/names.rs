//! Names behind `reg*` values, visibility, privileges, sizes: questions that functions ask about catalog objects.

use std::cell::{OnceCell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use catalog::CatalogView;
use catalog::names::{quote_identifier, quote_qualified};
use catalog::oids;
use catalog::store::CatalogRead;
use common::cancel::CancelToken;
use common::{Oid, PgResult, pg_err};
use executor::{ConstContext, DomainProgram, RelationOpener};
use functions::SessionContext;
use functions::framework::session::SizeKind;
use rustc_hash::FxHashMap;
use types::io::{CompositeField, NameResolver, RegKind, UserType};
use types::settings::TypeRef;
use types::{Datum, FormatSettings};

use crate::database::Inner;
use crate::session::catalog::View;

/// Indexes of `pg_ts_config` and `pg_ts_dict` by OID.
const PG_TS_CONFIG_OID_INDEX: Oid = Oid(3712);
const PG_TS_DICT_OID_INDEX: Oid = Oid(3605);

/// A statement's view, asked by functions.
pub(crate) struct Names {
    pub view: Arc<View>,
    /// Constraints of domains, compiled when the first value is read.
    domains: RefCell<FxHashMap<Oid, Rc<DomainProgram>>>,
    /// How values look in printed definitions; the defaults unless set.
    settings: OnceCell<Arc<FormatSettings>>,
}

/// A session that only knows names: what CHECK constraints of domains see when an input function runs them.
struct NamesOnly<'a>(&'a Names);

impl SessionContext for NamesOnly<'_> {
    fn resolver(&self) -> &dyn NameResolver {
        self.0
    }
}

impl Names {
    /// Name of the database.
    pub(crate) fn database(&self) -> &str {
        "postgres"
    }

    pub fn new(view: Arc<View>) -> Names {
        Names {
            view,
            domains: RefCell::default(),
            settings: OnceCell::new(),
        }
    }

    /// From now on values in printed definitions look so.
    pub(crate) fn show_as(&self, settings: impl FnOnce() -> Arc<FormatSettings>) {
        self.settings.get_or_init(settings);
    }

    pub(crate) fn settings(&self) -> Arc<FormatSettings> {
        self.settings.get().cloned().unwrap_or_default()
    }

    fn domain_program(&self, domain: Oid) -> PgResult<Rc<DomainProgram>> {
        if let Some(found) = self.domains.borrow().get(&domain) {
            return Ok(found.clone());
        }
        let program = Rc::new(DomainProgram::compile(domain, &*self.view)?);
        self.domains.borrow_mut().insert(domain, program.clone());
        Ok(program)
    }

    /// The name as one would have to write it: qualified unless it is found without.
    pub(crate) fn relation_name(&self, oid: Oid) -> PgResult<Option<String>> {
        let Some(desc) = self.view.relation(oid)? else {
            return Ok(None);
        };
        let visible = self
            .view
            .relation_by_name(None, &desc.name)?
            .is_some_and(|d| d.oid == oid);
        let schema = if visible {
            None
        } else {
            Some(&*desc.namespace_name)
        };
        Ok(Some(quote_qualified(schema, &desc.name)))
    }

    fn function_name(&self, oid: Oid) -> PgResult<Option<String>> {
        let Some(desc) = self.view.function(oid)? else {
            return Ok(None);
        };
        let all = self.view.functions_by_name(None, &desc.name)?;
        let unique = all.len() == 1 && all[0].oid == oid;
        let schema = if unique {
            None
        } else {
            self.view.namespace_name(desc.namespace)?
        };
        Ok(Some(quote_qualified(schema.as_deref(), &desc.name)))
    }

    /// `pg_get_serial_sequence`.
    pub fn serial_sequence(&self, table: &str, column: &str) -> PgResult<Option<String>> {
        let oid = self.known_relation(table)?;
        let Some(desc) = self.view.relation(oid)? else {
            return Ok(None);
        };
        let Some(col) = desc.column_by_name(column) else {
            return Err(pg_err!(
                UNDEFINED_COLUMN,
                "column \"{column}\" of relation \"{}\" does not exist",
                desc.name
            ));
        };
        let owned = catalog::ddl::sequence::owned_sequence(self.view.rows(), oid, col.attno)?;
        let Some(sequence) = owned else { return Ok(None) };
        Ok(self
            .view
            .relation(sequence)?
            .map(|s| quote_qualified(Some(&s.namespace_name), &s.name)))
    }

    /// `obj_description`, `col_description`; without a class, a comment on any object of that number.
    pub fn description(&self, object: Oid, class: Option<&str>, column: i32) -> PgResult<Option<String>> {
        use catalog::columns::pg_description as c;
        let class = match class {
            Some(name) => match self.view.relation_by_name(Some("pg_catalog"), name)? {
                Some(desc) => desc.oid,
                None => return Ok(None),
            },
            None => {
                let rows = self.view.rows().scan(oids::PG_DESCRIPTION)?;
                let of_object =
                    |r: &&catalog::row::StoredRow| r.oid(c::OBJOID) == object && r.int4(c::OBJSUBID) == 0;
                return Ok(rows
                    .iter()
                    .find(of_object)
                    .map(|r| r.text(c::DESCRIPTION).to_string()));
            }
        };
        let address = catalog::ddl::ObjectAddress {
            class,
            object,
            sub: column,
        };
        Ok(catalog::ddl::comments::comment(self.view.rows(), address)?.map(|c| c.to_string()))
    }

    /// `shobj_description`.
    pub fn shared_description(&self, object: Oid, catalog: &str) -> PgResult<Option<String>> {
        let class = match catalog {
            "pg_database" => oids::PG_DATABASE,
            "pg_authid" => oids::PG_AUTHID,
            _ => return Ok(None),
        };
        let found = catalog::ddl::comments::shared_comment(self.view.rows(), class, object)?;
        Ok(found.map(|c| c.to_string()))
    }

    /// What PostgreSQL's TOAST table of this table takes: one page of its index while it is empty.
    fn toast_size(&self, db: &Inner, table: Oid) -> i64 {
        const THRESHOLD: i32 = 2000;
        const UTF8_BYTES: i32 = 4;
        const TOAST_PAGE_BYTES: u64 = 4 * 1996;
        const TOAST_PAGES_PER_LEAF: u64 = 100;
        let Ok(Some(desc)) = self.view.relation(table) else {
            return 0;
        };
        let long = desc
            .columns
            .iter()
            .filter(|c| !c.dropped && c.storage != b'p')
            .any(|c| match (c.type_ref.oid, c.type_ref.typmod) {
                (types::oids::NUMERIC, typmod) => typmod < 0,
                (types::oids::VARCHAR | types::oids::BPCHAR, typmod) => {
                    typmod < 0 || typmod.saturating_mul(UTF8_BYTES) > THRESHOLD
                }
                _ => true,
            });
        if !long || !matches!(desc.relkind, b'r' | b'm') || table < Oid::FIRST_NORMAL {
            return 0;
        }
        let values = db.relations.table(&desc).map_or(0, |table| table.toast_bytes());
        // Pages of chunks of 2 kB, and the index's.
        let pages = values.div_ceil(TOAST_PAGE_BYTES);
        (pages + 1 + pages.div_ceil(TOAST_PAGES_PER_LEAF)) as i64 * 8192
    }

    /// Sizes in bytes.
    pub fn size(&self, db: &Inner, kind: SizeKind<'_>) -> PgResult<Option<i64>> {
        const PAGE: i64 = 8192;
        let relation = |oid: Oid| -> PgResult<Option<i64>> {
            let Some(desc) = self.view.relation(oid)? else {
                return Ok(None);
            };
            Ok(Some(self.view.relation_size(&desc)?.0 as i64 * PAGE))
        };
        let indexes = |oid: Oid| -> PgResult<i64> {
            let Some(desc) = self.view.relation(oid)? else {
                return Ok(0);
            };
            desc.indexes
                .iter()
                .try_fold(0, |sum, i| Ok(sum + relation(*i)?.unwrap_or(0)))
        };
        match kind {
            SizeKind::Relation { oid, fork: "main" } => relation(oid),
            SizeKind::Relation { oid, .. } => Ok(relation(oid)?.map(|_| 0)),
            SizeKind::Table(oid) => Ok(relation(oid)?.map(|size| size + self.toast_size(db, oid))),
            SizeKind::Indexes(oid) => Ok(Some(indexes(oid)?)),
            SizeKind::TotalRelation(oid) => match relation(oid)? {
                Some(size) => Ok(Some(size + self.toast_size(db, oid) + indexes(oid)?)),
                None => Ok(None),
            },
            SizeKind::Database(_) | SizeKind::Tablespace(_) => {
                let (delta, cached) = db.storage.memory_bytes();
                let disk = db.storage.size_on_disk()? as i64;
                Ok(Some(if disk > 0 { disk } else { (delta + cached) as i64 }))
            }
        }
    }
}

impl NameResolver for Names {
    fn resolve(&self, kind: RegKind, name: &str) -> PgResult<Oid> {
        self.object(kind, name)
    }

    fn resolve_type(&self, name: &str) -> PgResult<TypeRef> {
        self.type_ref(name)
    }

    fn name_of(&self, kind: RegKind, oid: Oid) -> PgResult<Option<String>> {
        match kind {
            RegKind::Class => self.relation_name(oid),
            RegKind::Type => match self.view.type_desc(oid)? {
                Some(_) => Ok(Some(catalog::format_type::format_type(&*self.view, oid, -1)?)),
                None => Ok(None),
            },
            RegKind::Proc => self.function_name(oid),
            RegKind::Procedure => {
                let Some(desc) = self.view.function(oid)? else {
                    return Ok(None);
                };
                let types: PgResult<Vec<String>> = desc
                    .arg_types
                    .iter()
                    .map(|t| catalog::format_type::format_type(&*self.view, *t, -1))
                    .collect();
                let visible = self
                    .view
                    .functions_by_name(None, &desc.name)?
                    .iter()
                    .any(|f| f.oid == oid);
                let schema = if visible {
                    None
                } else {
                    self.view.namespace_name(desc.namespace)?
                };
                Ok(Some(format!(
                    "{}({})",
                    quote_qualified(schema.as_deref(), &desc.name),
                    types?.join(",")
                )))
            }
            RegKind::Role => Ok(self
                .view
                .role_name(oid)?
                .map(|n| quote_identifier(&n).into_owned())),
            RegKind::Namespace => Ok(self
                .view
                .namespace_name(oid)?
                .map(|n| quote_identifier(&n).into_owned())),
            RegKind::Collation => Ok(self
                .view
                .collation_name(oid)?
                .map(|n| quote_identifier(&n).into_owned())),
            RegKind::Oper => self.operator_name(oid),
            RegKind::Operator => {
                let Some(o) = self.view.operator(oid)? else {
                    return Ok(None);
                };
                let side = |t: Oid| -> PgResult<String> {
                    match t {
                        Oid::INVALID => Ok("NONE".into()),
                        // A type as such, not one whose length is not given.
                        types::oids::BPCHAR => Ok("character".into()),
                        t => catalog::format_type::format_type(&*self.view, t, -1),
                    }
                };
                Ok(Some(format!("{}({},{})", o.name, side(o.left)?, side(o.right)?)))
            }
            RegKind::Config => self.text_search_name(PG_TS_CONFIG_OID_INDEX, oid),
            RegKind::Dictionary => self.text_search_name(PG_TS_DICT_OID_INDEX, oid),
        }
    }

    fn user_type(&self, type_oid: Oid) -> PgResult<Option<UserType>> {
        let Some(desc) = self.view.type_desc(type_oid)? else {
            return Ok(None);
        };
        Ok(match desc.kind {
            b'e' => Some(UserType::Enum),
            b'd' => Some(UserType::Domain {
                base: desc.base_type,
                typmod: desc.typmod,
            }),
            b'c' => {
                let Some(rel) = self.view.relation(desc.relation)? else {
                    return Ok(None);
                };
                let live = rel.columns.iter().filter(|c| !c.dropped);
                let fields = live
                    .map(|c| CompositeField {
                        name: c.name.to_string(),
                        type_oid: c.type_ref.oid,
                        typmod: c.type_ref.typmod,
                    })
                    .collect();
                Some(UserType::Composite { fields })
            }
            _ if desc.is_array => {
                let delimiter = self
                    .view
                    .type_desc(desc.element)?
                    .map_or(',', |e| char::from(e.delimiter));
                Some(UserType::Array {
                    element: desc.element,
                    delimiter,
                })
            }
            b'r' => self
                .view
                .range(type_oid)?
                .map(|r| UserType::Range { subtype: r.subtype }),
            b'm' => self
                .view
                .range(type_oid)?
                .map(|r| UserType::Multirange { range: r.range }),
            _ if desc.like.is_valid() => Some(UserType::Base { like: desc.like }),
            _ => None,
        })
    }

    fn enum_label_oid(&self, type_oid: Oid, label: &str) -> PgResult<Option<Oid>> {
        let labels = self.view.enum_labels(type_oid)?;
        let found = labels.iter().find(|(_, l)| &**l == label).map(|(o, _)| *o);
        if let Some(oid) = found {
            self.view.check_enum_label(oid)?;
        }
        Ok(found)
    }

    fn enum_label(&self, label_oid: Oid) -> PgResult<Option<String>> {
        Ok(self.view.enum_label(label_oid)?.map(|l| l.to_string()))
    }

    fn enum_label_oids(&self, type_oid: Oid) -> PgResult<Vec<Oid>> {
        Ok(self
            .view
            .enum_labels(type_oid)?
            .iter()
            .map(|(oid, _)| *oid)
            .collect())
    }

    fn check_enum_label(&self, label_oid: Oid) -> PgResult<()> {
        self.view.check_enum_label(label_oid)
    }

    fn check_domain(&self, domain: Oid, value: &Datum) -> PgResult<()> {
        let program = self.domain_program(domain)?;
        let settings = FormatSettings::default();
        let cancel = CancelToken::default();
        program.check(ConstContext {
            catalog: &*self.view,
            session: &NamesOnly(self),
            settings: &settings,
            cancel: &cancel,
            params: std::slice::from_ref(value),
        })
    }

    fn type_name(&self, type_oid: Oid) -> PgResult<Option<String>> {
        Ok(Some(catalog::format_type::format_type(
            &*self.view,
            type_oid,
            -1,
        )?))
    }
}
