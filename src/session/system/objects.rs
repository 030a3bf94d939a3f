//! `pg_describe_object`, `pg_identify_object`, `pg_identify_object_as_address`, `pg_get_object_address`.
//!
//! PG: src/backend/catalog/objectaddress.c.

use std::sync::Arc;

use catalog::CatalogView;
use catalog::ddl::describe::relkind_word;
use catalog::names::{quote_identifier, quote_qualified};
use catalog::row::StoredRow;
use catalog::store::CatalogRead;
use catalog::{columns as c, oids};
use common::{Oid, PgResult, internal, pg_err, unsupported};
use functions::framework::session::VisibleKind;
use types::io::{NameResolver, RegKind};
use types::{ArrayValue, Datum};

use crate::session::env::StatementEnv;
use crate::session::system::{int, oid, text};

/// A catalog whose rows are objects: what they are called, where name and schema (if any) stand.
struct Class {
    catalog: u32,
    word: &'static str,
    name: usize,
    schema: Option<usize>,
}

const fn class(catalog: u32, word: &'static str, name: usize, schema: Option<usize>) -> Class {
    Class {
        catalog,
        word,
        name,
        schema,
    }
}

/// All but relations, whose kinds have words of their own.
#[rustfmt::skip]
static CLASSES: &[Class] = &[
    class(1247, "type", c::pg_type::TYPNAME, Some(c::pg_type::TYPNAMESPACE)),
    class(1255, "routine", c::pg_proc::PRONAME, Some(c::pg_proc::PRONAMESPACE)),
    class(1260, "role", c::pg_authid::ROLNAME, None),
    class(1262, "database", c::pg_database::DATNAME, None),
    class(1213, "tablespace", c::pg_tablespace::SPCNAME, None),
    class(2612, "language", c::pg_language::LANNAME, None),
    class(2615, "schema", c::pg_namespace::NSPNAME, None),
    class(2617, "operator", c::pg_operator::OPRNAME, Some(c::pg_operator::OPRNAMESPACE)),
    class(2616, "operator class", c::pg_opclass::OPCNAME, Some(c::pg_opclass::OPCNAMESPACE)),
    class(2753, "operator family", c::pg_opfamily::OPFNAME, Some(c::pg_opfamily::OPFNAMESPACE)),
    class(2601, "access method", c::pg_am::AMNAME, None),
    class(2602, "operator of access method", c::pg_amop::OID, None),
    class(2603, "function of access method", c::pg_amproc::OID, None),
    class(2605, "cast", c::pg_cast::OID, None),
    class(3456, "collation", c::pg_collation::COLLNAME, Some(c::pg_collation::COLLNAMESPACE)),
    class(2606, "constraint", c::pg_constraint::CONNAME, None),
    class(2607, "conversion", c::pg_conversion::CONNAME, Some(c::pg_conversion::CONNAMESPACE)),
    class(2604, "default value", c::pg_attrdef::OID, None),
    class(2618, "rule", c::pg_rewrite::RULENAME, None),
    class(2620, "trigger", c::pg_trigger::TGNAME, None),
    class(3256, "policy", c::pg_policy::POLNAME, None),
    class(3381, "statistics object", c::pg_statistic_ext::STXNAME, Some(c::pg_statistic_ext::STXNAMESPACE)),
    class(3601, "text search parser", c::pg_ts_parser::PRSNAME, Some(c::pg_ts_parser::PRSNAMESPACE)),
    class(3600, "text search dictionary", c::pg_ts_dict::DICTNAME, Some(c::pg_ts_dict::DICTNAMESPACE)),
    class(3764, "text search template", c::pg_ts_template::TMPLNAME, Some(c::pg_ts_template::TMPLNAMESPACE)),
    class(3602, "text search configuration", c::pg_ts_config::CFGNAME, Some(c::pg_ts_config::CFGNAMESPACE)),
];

/// Catalogs that have no objects here.
#[rustfmt::skip]
static EMPTY: &[(u32, &str)] = &[
    (2613, "large object"), (3079, "extension"),
    (826, "default acl"), (6243, "parameter ACL"), (2328, "foreign-data wrapper"), (1417, "server"), (1418, "user mapping"),
    (3466, "event trigger"), (6104, "publication"), (6106, "publication relation"), (6237, "publication namespace"),
    (6100, "subscription"), (3576, "transform"), (1261, "role membership"),
];

/// An object as the three functions tell it.
struct Identity {
    word: String,
    schema: Option<String>,
    name: Option<String>,
    identity: String,
    names: Vec<String>,
    args: Vec<String>,
    description: String,
}

fn texts(list: Vec<String>) -> Datum {
    let elements = list.into_iter().map(Datum::text).collect();
    Datum::Array(Arc::new(ArrayValue::from_elements(types::oids::TEXT, elements)))
}

fn unknown_class(class: Oid) -> Box<common::PgError> {
    internal!("unsupported object class: {class}")
}

impl StatementEnv<'_> {
    fn row_of(&self, class: &Class, object: Oid) -> PgResult<Option<StoredRow>> {
        let rows = self.view.rows().scan(Oid(class.catalog))?;
        Ok(rows.into_iter().find(|r| r.oid(0) == object))
    }

    fn known(&self, kind: RegKind, object: Oid) -> PgResult<String> {
        Ok(self
            .names
            .name_of(kind, object)?
            .unwrap_or_else(|| object.to_string()))
    }

    fn type_text(&self, type_oid: Oid) -> PgResult<String> {
        match type_oid {
            Oid::INVALID => Ok("NONE".to_owned()),
            other => catalog::format_type::format_type(&*self.view, other, -1),
        }
    }

    /// A relation, or one of its columns.
    fn relation_identity(&self, object: Oid, column: i64) -> PgResult<Option<Identity>> {
        let Some(desc) = self.view.relation(object)? else {
            return Ok(None);
        };
        let word = relkind_word(desc.relkind);
        let qualified = quote_qualified(Some(&desc.namespace_name), &desc.name);
        let shown = self.known(RegKind::Class, object)?;
        let mut names = vec![desc.namespace_name.to_string(), desc.name.to_string()];
        if column == 0 {
            return Ok(Some(Identity {
                word: word.to_owned(),
                schema: Some(desc.namespace_name.to_string()),
                name: Some(quote_identifier(&desc.name).into_owned()),
                identity: qualified,
                names,
                args: Vec::new(),
                description: format!("{word} {shown}"),
            }));
        }
        const SYSTEM: [&str; 6] = ["ctid", "xmin", "cmin", "xmax", "cmax", "tableoid"];
        let own = i16::try_from(column).ok().and_then(|n| desc.column(n));
        let system = usize::try_from(-1 - column).ok().and_then(|n| SYSTEM.get(n));
        let Some(found) = own.filter(|c| !c.dropped).map(|c| &*c.name).or(system.copied()) else {
            return Ok(None);
        };
        names.push(found.to_owned());
        Ok(Some(Identity {
            word: format!("{word} column"),
            schema: Some(desc.namespace_name.to_string()),
            name: Some(quote_identifier(&desc.name).into_owned()),
            identity: format!("{qualified}.{}", quote_identifier(found)),
            names,
            args: Vec::new(),
            description: format!("column {found} of {word} {shown}"),
        }))
    }

    /// An object of any class; `None` when there is none.
    fn identity(&self, class: Oid, object: Oid, column: i64) -> PgResult<Option<Identity>> {
        if class == oids::PG_CLASS {
            return self.relation_identity(object, column);
        }
        let Some(known) = CLASSES.iter().find(|k| k.catalog == class.0) else {
            return match EMPTY.iter().any(|(catalog, _)| *catalog == class.0) {
                true => Ok(None),
                false => Err(unknown_class(class)),
            };
        };
        let Some(row) = self.row_of(known, object)? else {
            return Ok(None);
        };
        let schema = match known.schema {
            Some(at) => self.view.namespace_name(row.oid(at))?.map(|s| s.to_string()),
            None => None,
        };
        let name = match known.name {
            0 => object.to_string(),
            at => row.text(at).to_string(),
        };
        let mut names: Vec<String> = schema.iter().cloned().collect();
        names.push(name.clone());
        let mut found = Identity {
            word: known.word.to_owned(),
            name: Some(quote_identifier(&name).into_owned()),
            identity: quote_qualified(schema.as_deref(), &name),
            schema,
            names,
            args: Vec::new(),
            description: format!("{} {}", known.word, quote_identifier(&name)),
        };
        self.complete(class, object, &row, &name, &mut found)?;
        if class == oids::PG_STATISTIC_EXT
            && self.names.is_visible(VisibleKind::Statistics, object)? == Some(false)
        {
            found.description = format!("{} {}", found.word, found.identity);
        }
        Ok(Some(found))
    }

    /// What is special about a class.
    fn complete(
        &self,
        class: Oid,
        object: Oid,
        row: &StoredRow,
        name: &str,
        found: &mut Identity,
    ) -> PgResult<()> {
        let schema = found.schema.as_deref().map(|s| quote_identifier(s).into_owned());
        let schema = schema.unwrap_or_default();
        match class {
            oids::PG_TYPE => {
                let shown = self.type_text(object)?;
                found.description = format!("type {shown}");
                found.identity.clone_from(&shown);
                found.names = vec![shown];
            }
            oids::PG_PROC => {
                let types: PgResult<Vec<String>> = row
                    .oids(c::pg_proc::PROARGTYPES)
                    .into_iter()
                    .map(|t| self.type_text(t))
                    .collect();
                found.args = types?;
                found.word = match row.char(c::pg_proc::PROKIND) {
                    b'a' => "aggregate",
                    b'p' => "procedure",
                    _ => "function",
                }
                .to_owned();
                found.name = None;
                found.identity = format!("{}({})", found.identity, found.args.join(","));
                found.description = format!("function {}", self.known(RegKind::Procedure, object)?);
            }
            oids::PG_OPERATOR => {
                let sides = [c::pg_operator::OPRLEFT, c::pg_operator::OPRRIGHT];
                let types: PgResult<Vec<String>> =
                    sides.iter().map(|at| self.type_text(row.oid(*at))).collect();
                found.args = types?;
                found.name = None;
                found.identity = format!("{schema}.{name}({})", found.args.join(","));
                found.description = format!("operator {}", self.known(RegKind::Operator, object)?);
            }
            oids::PG_OPCLASS | oids::PG_OPFAMILY => {
                let methods = self.view.rows().scan(Oid(2601))?;
                let method = methods.iter().find(|m| m.oid(0) == row.oid(1));
                let method = method.map_or_else(String::new, |m| m.text(c::pg_am::AMNAME).to_string());
                found.identity = format!("{} USING {method}", found.identity);
                found.description = format!("{} for access method {method}", found.description);
                found.names.insert(0, method);
            }
            oids::PG_AMOP | oids::PG_AMPROC => self.complete_member(class == oids::PG_AMPROC, row, found)?,
            oids::PG_CAST => {
                let source = self.type_text(row.oid(c::pg_cast::CASTSOURCE))?;
                let target = self.type_text(row.oid(c::pg_cast::CASTTARGET))?;
                found.name = None;
                found.identity = format!("({source} AS {target})");
                found.description = format!("cast from {source} to {target}");
                (found.names, found.args) = (vec![source], vec![target]);
            }
            oids::PG_CONSTRAINT => self.complete_constraint(row, name, found)?,
            oids::PG_REWRITE => self.on_relation("rule", name, row.oid(c::pg_rewrite::EV_CLASS), found)?,
            oids::PG_TRIGGER => self.on_relation("trigger", name, row.oid(c::pg_trigger::TGRELID), found)?,
            oids::PG_POLICY => self.on_relation("policy", name, row.oid(c::pg_policy::POLRELID), found)?,
            oids::PG_ATTRDEF => self.complete_default(row, found)?,
            _ => {}
        }
        Ok(())
    }

    fn complete_constraint(&self, row: &StoredRow, name: &str, found: &mut Identity) -> PgResult<()> {
        let relation = row.oid(c::pg_constraint::CONRELID);
        let domain = row.oid(c::pg_constraint::CONTYPID);
        if relation.is_valid() {
            self.on_relation("table constraint", name, relation, found)?;
            found.description = found.description.replacen("table constraint", "constraint", 1);
        } else {
            let domain = self.type_text(domain)?;
            found.word = "domain constraint".to_owned();
            found.name = None;
            found.identity = format!("{} on {domain}", quote_identifier(name));
            found.description = format!("constraint {name}");
            (found.names, found.args) = (vec![domain], vec![name.to_owned()]);
        }
        Ok(())
    }

    /// Members of operator families; both catalogs begin alike.
    fn complete_member(&self, is_function: bool, row: &StoredRow, found: &mut Identity) -> PgResult<()> {
        use c::pg_amop::{AMOPFAMILY, AMOPLEFTTYPE, AMOPOPR, AMOPRIGHTTYPE, AMOPSTRATEGY};
        let Some(family) = self.identity(oids::PG_OPFAMILY, row.oid(AMOPFAMILY), 0)? else {
            return Ok(());
        };
        let (word, object) = match is_function {
            true => (
                "function",
                self.known(RegKind::Procedure, row.oid(c::pg_amproc::AMPROC))?,
            ),
            false => ("operator", self.known(RegKind::Operator, row.oid(AMOPOPR))?),
        };
        let number = row.int2(AMOPSTRATEGY);
        let (left, right) = (
            self.type_text(row.oid(AMOPLEFTTYPE))?,
            self.type_text(row.oid(AMOPRIGHTTYPE))?,
        );
        let place = format!("{word} {number} ({left}, {right}) of ");
        found.name = None;
        found.identity = format!("{place}{}", family.identity);
        found.description = format!("{place}{}: {object}", family.description);
        found.names = family.names;
        found.names.push(number.to_string());
        found.args = vec![left, right];
        Ok(())
    }

    fn complete_default(&self, row: &StoredRow, found: &mut Identity) -> PgResult<()> {
        let column = i64::from(row.int2(c::pg_attrdef::ADNUM));
        if let Some(of) = self.relation_identity(row.oid(c::pg_attrdef::ADRELID), column)? {
            found.name = None;
            found.identity = format!("for {}", of.identity);
            found.description = format!("default value for {}", of.description);
            found.names = of.names;
        }
        Ok(())
    }

    /// Objects with a name on a relation.
    fn on_relation(&self, word: &str, name: &str, relation: Oid, found: &mut Identity) -> PgResult<()> {
        let Some(of) = self.relation_identity(relation, 0)? else {
            return Ok(());
        };
        found.word = word.to_owned();
        found.schema = of.schema;
        found.name = None;
        found.identity = format!("{} on {}", quote_identifier(name), of.identity);
        found.description = format!("{word} {name} on {}", of.description);
        found.names = of.names;
        found.names.push(name.to_owned());
        Ok(())
    }

    /// `pg_describe_object(class, object, column)`.
    pub(super) fn describe_object(&self, args: &[Datum]) -> PgResult<Datum> {
        let (class, object) = (oid(args, 0), oid(args, 1));
        if !class.is_valid() && !object.is_valid() {
            return Ok(Datum::Null);
        }
        let found = self.identity(class, object, int(args, 2))?;
        Ok(found.map_or(Datum::Null, |f| Datum::text(f.description)))
    }

    /// What kind of object it would be that is not there.
    fn missing_word(&self, class: Oid, object: Oid, column: i64) -> PgResult<&'static str> {
        if class == oids::PG_CLASS {
            let table = column != 0 && self.view.relation(object)?.is_some();
            return Ok(if table { "table column" } else { "relation" });
        }
        let known = CLASSES.iter().map(|k| (k.catalog, k.word));
        let mut all = known.chain(EMPTY.iter().copied());
        let found = all.find(|(catalog, _)| *catalog == class.0);
        Ok(found.map_or("", |(_, word)| word))
    }

    /// `pg_identify_object` and, with `address`, `pg_identify_object_as_address`.
    pub(super) fn identify_object(&self, args: &[Datum], as_address: bool) -> PgResult<Vec<Vec<Datum>>> {
        let class = oid(args, 0);
        let found = self.identity(class, oid(args, 1), int(args, 2))?;
        let missing = Datum::text(self.missing_word(class, oid(args, 1), int(args, 2))?);
        let optional = |t: Option<String>| t.map_or(Datum::Null, Datum::text);
        let row = match (found, as_address) {
            (None, true) => vec![missing, Datum::Null, Datum::Null],
            (None, false) => vec![missing, Datum::Null, Datum::Null, Datum::Null],
            (Some(f), true) => vec![Datum::text(f.word), texts(f.names), texts(f.args)],
            (Some(f), false) => vec![
                Datum::text(f.word),
                optional(f.schema),
                optional(f.name),
                Datum::text(f.identity),
            ],
        };
        Ok(vec![row])
    }

    /// `pg_get_object_address(type, names, arguments)`.
    pub(super) fn object_address(&self, args: &[Datum]) -> PgResult<Vec<Vec<Datum>>> {
        let word = text(args, 0);
        let Some(kind) = AddressKind::of(word) else {
            return Err(pg_err!(
                INVALID_PARAMETER_VALUE,
                "unrecognized object type \"{word}\""
            ));
        };
        let (names, arguments) = (names_of(args, 1)?, names_of(args, 2)?);
        let quoted: Vec<_> = names.iter().map(|n| quote_identifier(n)).collect();
        let dotted = quoted.join(".");
        let single = |what: &str| match &names[..] {
            [one] => Ok(quote_identifier(one).into_owned()),
            _ => Err(pg_err!(
                INVALID_PARAMETER_VALUE,
                "name list length must be exactly {what}"
            )),
        };
        if names.is_empty() && !matches!(kind, AddressKind::Type) {
            return Err(pg_err!(
                INVALID_PARAMETER_VALUE,
                "name list length must be at least 1"
            ));
        }
        let (class, object, sub) = match kind {
            AddressKind::Relation => (oids::PG_CLASS, self.names.object(RegKind::Class, &dotted)?, 0),
            AddressKind::Column => self.column_address(&names)?,
            AddressKind::Type => (
                oids::PG_TYPE,
                self.names.type_ref(&single("1")?.replace('"', ""))?.oid,
                0,
            ),
            AddressKind::Schema | AddressKind::Role => {
                let (class, kind) = match kind {
                    AddressKind::Schema => (oids::PG_NAMESPACE, RegKind::Namespace),
                    _ => (oids::PG_AUTHID, RegKind::Role),
                };
                (class, self.names.object(kind, &single("1")?)?, 0)
            }
            AddressKind::Routine | AddressKind::Operator => {
                let (class, kind, name) = match kind {
                    AddressKind::Routine => (oids::PG_PROC, RegKind::Procedure, dotted),
                    _ => (oids::PG_OPERATOR, RegKind::Operator, names.join(".")),
                };
                let signature = format!("{name}({})", arguments.join(","));
                (class, self.names.object(kind, &signature)?, 0)
            }
            AddressKind::Collation => (
                oids::PG_COLLATION,
                self.names.object(RegKind::Collation, &dotted)?,
                0,
            ),
            AddressKind::Unsupported => {
                return Err(pg_err!(
                    INVALID_PARAMETER_VALUE,
                    "unsupported object type \"{word}\""
                ));
            }
            AddressKind::Other => {
                return Err(unsupported!("addresses of type \"{word}\" are not supported yet"));
            }
        };
        Ok(vec![vec![
            Datum::Oid(class.0),
            Datum::Oid(object.0),
            Datum::Int4(sub),
        ]])
    }

    fn column_address(&self, names: &[String]) -> PgResult<(Oid, Oid, i32)> {
        let Some((column, relation)) = names.split_last().filter(|(_, r)| !r.is_empty()) else {
            return Err(pg_err!(SYNTAX_ERROR, "column name must be qualified"));
        };
        let dotted = relation
            .iter()
            .map(|n| quote_identifier(n))
            .collect::<Vec<_>>()
            .join(".");
        let object = self.names.object(RegKind::Class, &dotted)?;
        let desc = self.view.relation(object)?;
        let number = desc
            .as_ref()
            .and_then(|d| d.column_by_name(column))
            .map(|c| c.attno);
        let number = number.ok_or_else(|| {
            pg_err!(
                UNDEFINED_COLUMN,
                "column \"{column}\" of relation \"{}\" does not exist",
                relation.join(".")
            )
        })?;
        Ok((oids::PG_CLASS, object, i32::from(number)))
    }
}

/// How the address of a kind of object is found.
enum AddressKind {
    Relation,
    Column,
    Type,
    Schema,
    Role,
    Routine,
    Operator,
    Collation,
    Other,
    /// PostgreSQL knows the word, but has no addresses of it.
    Unsupported,
}

impl AddressKind {
    fn of(word: &str) -> Option<AddressKind> {
        Some(match word {
            "table" | "index" | "sequence" | "view" | "materialized view" | "foreign table" => {
                AddressKind::Relation
            }
            "table column"
            | "index column"
            | "view column"
            | "materialized view column"
            | "foreign table column" => AddressKind::Column,
            "type" => AddressKind::Type,
            "schema" => AddressKind::Schema,
            "role" => AddressKind::Role,
            "aggregate" | "function" | "procedure" => AddressKind::Routine,
            "operator" => AddressKind::Operator,
            "collation" => AddressKind::Collation,
            "toast table"
            | "composite type"
            | "sequence column"
            | "toast table column"
            | "composite type column" => AddressKind::Unsupported,
            "table constraint"
            | "domain constraint"
            | "conversion"
            | "default value"
            | "language"
            | "large object"
            | "operator class"
            | "operator family"
            | "access method"
            | "operator of access method"
            | "function of access method"
            | "rule"
            | "trigger"
            | "text search parser"
            | "text search dictionary"
            | "text search template"
            | "text search configuration"
            | "role membership"
            | "database"
            | "tablespace"
            | "foreign-data wrapper"
            | "server"
            | "user mapping"
            | "default acl"
            | "extension"
            | "event trigger"
            | "policy"
            | "publication"
            | "publication namespace"
            | "publication relation"
            | "subscription"
            | "transform"
            | "statistics object"
            | "cast"
            | "parameter ACL" => AddressKind::Other,
            _ => return None,
        })
    }
}

/// An argument that is a list of names.
fn names_of(args: &[Datum], at: usize) -> PgResult<Vec<String>> {
    let Some(Datum::Array(a)) = args.get(at) else {
        return Ok(Vec::new());
    };
    if a.elements.iter().any(Datum::is_null) {
        return Err(pg_err!(
            INVALID_PARAMETER_VALUE,
            "name or argument lists may not contain nulls"
        ));
    }
    let names = a.elements.iter().filter_map(Datum::as_str);
    Ok(names.map(str::to_owned).collect())
}
