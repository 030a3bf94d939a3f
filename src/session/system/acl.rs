//! Functions over `aclitem`, and `pg_get_acl`.

use std::sync::Arc;

use catalog::CatalogView;
use catalog::privileges::{AclItem, GrantOption};
use catalog::store::CatalogRead;
use catalog::{columns as c, oids};
use common::{Oid, PgResult, internal};
use functions::hash_extended;
use types::{ArrayValue, Datum};

use crate::session::env::StatementEnv;
use crate::session::system::{int, oid, privileges, text};

fn item(args: &[Datum], at: usize) -> PgResult<AclItem> {
    AclItem::parse(text(args, at)).ok_or_else(|| internal!("aclitem expected, got {:?}", args.get(at)))
}

impl StatementEnv<'_> {
    /// A role's OID by the name in an `aclitem`: a number when there is no such role any more.
    fn role_number(&self, name: &str) -> PgResult<u32> {
        if name.is_empty() {
            return Ok(0);
        }
        let found = self.view.roles()?.by_name(name).map(|r| r.oid.0);
        Ok(found.or_else(|| name.parse().ok()).unwrap_or(0))
    }

    fn role_text(&self, role: Oid) -> PgResult<Arc<str>> {
        if !role.is_valid() {
            return Ok("".into());
        }
        let name = self.view.role_name(role)?;
        Ok(name.unwrap_or_else(|| role.to_string().into()))
    }

    /// PostgreSQL adds privileges, grantee and grantor, and keeps the lower half.
    fn acl_hash(&self, args: &[Datum]) -> PgResult<u32> {
        let item = item(args, 0)?;
        Ok(item
            .privileges
            .wrapping_add(self.role_number(&item.grantee)?)
            .wrapping_add(self.role_number(&item.grantor)?))
    }

    /// The functions over `aclitem`; `None` for others.
    pub(super) fn acl_value(&self, function: &str, args: &[Datum]) -> PgResult<Option<Datum>> {
        Ok(Some(match function {
            "aclitem_eq" => Datum::Bool(item(args, 0)? == item(args, 1)?),
            "hash_aclitem" => Datum::Int4(self.acl_hash(args)? as i32),
            "hash_aclitem_extended" => {
                let (sum, seed) = (self.acl_hash(args)?, int(args, 1) as u64);
                Datum::Int8(match seed {
                    0 => i64::from(sum),
                    _ => hash_extended(types::oids::INT4, &Datum::Int4(sum as i32), seed)? as i64,
                })
            }
            "aclcontains" => {
                let wanted = item(args, 1)?;
                let Some(Datum::Array(acl)) = args.first() else {
                    return Ok(Some(Datum::Null));
                };
                let all = acl
                    .elements
                    .iter()
                    .filter_map(Datum::as_str)
                    .filter_map(AclItem::parse);
                let mut same = all.filter(|i| i.grantee == wanted.grantee && i.grantor == wanted.grantor);
                Datum::Bool(same.any(|i| {
                    wanted.privileges & !i.privileges == 0 && wanted.grant_options & !i.grant_options == 0
                }))
            }
            "makeaclitem" => {
                let mut made = AclItem {
                    grantee: self.role_text(oid(args, 0))?,
                    grantor: self.role_text(oid(args, 1))?,
                    privileges: 0,
                    grant_options: 0,
                };
                let option = match args.get(3) {
                    Some(Datum::Bool(true)) => GrantOption::With,
                    _ => GrantOption::Without,
                };
                for (privilege, _) in privileges::parse(text(args, 2), privileges::EVERY_LETTER)? {
                    made.grant(privilege, option);
                }
                Datum::text(made.to_string())
            }
            "pg_get_acl" => self.object_acl(args)?,
            _ => return Ok(None),
        }))
    }

    /// `pg_get_acl(class, object, column)`: NULL where there is none.
    fn object_acl(&self, args: &[Datum]) -> PgResult<Datum> {
        let (class, object, column) = (oid(args, 0), oid(args, 1), int(args, 2));
        if !class.is_valid() && !object.is_valid() {
            return Ok(Datum::Null);
        }
        let at = match class {
            oids::PG_CLASS => c::pg_class::RELACL,
            oids::PG_TYPE => c::pg_type::TYPACL,
            oids::PG_PROC => c::pg_proc::PROACL,
            oids::PG_NAMESPACE => c::pg_namespace::NSPACL,
            oids::PG_DATABASE => c::pg_database::DATACL,
            Oid(2612) => c::pg_language::LANACL,
            Oid(1213) => c::pg_tablespace::SPCACL,
            Oid(
                1260
                | 2601..=2607
                | 2613
                | 2616..=2618
                | 2620
                | 2753
                | 3079
                | 3256
                | 3381
                | 3456
                | 3600..=3602
                | 3764
                | 1417
                | 1418
                | 2328
                | 3466
                | 3576
                | 6100
                | 6104
                | 6106
                | 6237
                | 6243
                | 826
                | 1261,
            ) => return Ok(Datum::Null),
            _ => return Err(internal!("unrecognized class ID: {class}")),
        };
        if class == oids::PG_CLASS && column != 0 {
            let desc = self.view.relation(object)?;
            let found = i16::try_from(column)
                .ok()
                .and_then(|n| desc.as_ref()?.column(n).cloned());
            return Ok(found.and_then(|c| c.acl).map_or(Datum::Null, |acl| {
                Datum::Array(Arc::new(ArrayValue::from_elements(
                    types::oids::ACLITEM,
                    acl.to_vec(),
                )))
            }));
        }
        let rows = self.view.rows().scan(class)?;
        let row = rows.iter().find(|r| r.oid(0) == object);
        Ok(row.map_or(Datum::Null, |r| r.datum(at).clone()))
    }
}
