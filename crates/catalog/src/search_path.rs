//! The search path: which schemas unqualified names are looked for in.

use common::{Oid, PgResult};

use crate::oids;
use crate::session_view::namespaces;
use crate::store::CatalogRead;

/// A resolved `search_path`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchPath {
    effective: Vec<Oid>,
    creation: Option<Oid>,
    temp: Option<Oid>,
}

/// What a search path is resolved for.
#[derive(Clone, Copy, Debug)]
pub struct PathOwner<'a> {
    /// `current_user`, for `"$user"`.
    pub user_name: &'a str,
    /// The session's temporary schema, when it has one.
    pub temp_namespace: Option<Oid>,
}

impl SearchPath {
    /// Resolves the elements of the setting. Schemas that do not exist are passed over; `pg_catalog` and the temporary schema
    /// come first unless they are named.
    pub fn resolve(
        read: &dyn CatalogRead,
        elements: &[String],
        owner: PathOwner<'_>,
    ) -> PgResult<SearchPath> {
        let schemas = namespaces(read)?;
        let find = |name: &str| schemas.iter().find(|n| &*n.name == name).map(|n| n.oid);
        let mut named: Vec<Oid> = Vec::new();
        let mut temp_first = false;
        for element in elements {
            let oid = match element.as_str() {
                "$user" => find(owner.user_name),
                "pg_temp" => {
                    // Named but not made yet: objects created now would go there.
                    temp_first |= named.is_empty() && owner.temp_namespace.is_none();
                    owner.temp_namespace
                }
                name => find(name),
            };
            if let Some(oid) = oid.filter(|oid| !named.contains(oid)) {
                named.push(oid);
            }
        }
        Ok(SearchPath::of(named, owner.temp_namespace, temp_first))
    }

    fn of(named: Vec<Oid>, temp: Option<Oid>, temp_first: bool) -> SearchPath {
        let creation = if temp_first { None } else { named.first().copied() };
        let mut effective = named;
        if !effective.contains(&oids::PG_CATALOG_NAMESPACE) {
            effective.insert(0, oids::PG_CATALOG_NAMESPACE);
        }
        if let Some(temp) = temp.filter(|t| !effective.contains(t)) {
            effective.insert(0, temp);
        }
        SearchPath {
            effective,
            creation,
            temp,
        }
    }

    /// `pg_catalog` and the schemas given, in this order, for tests and internal work.
    pub fn fixed(schemas: &[Oid]) -> SearchPath {
        SearchPath::of(schemas.to_vec(), None, false)
    }

    /// All schemas to search, in order, implicit ones included.
    pub fn effective(&self) -> &[Oid] {
        &self.effective
    }

    /// Where new objects without a schema go (`current_schema`).
    pub fn creation_namespace(&self) -> Option<Oid> {
        self.creation
    }

    /// The session's temporary schema.
    pub fn temp_namespace(&self) -> Option<Oid> {
        self.temp
    }

    /// Schemas as `current_schemas(implicit)` lists them.
    pub fn schemas(&self, implicit: bool) -> Vec<Oid> {
        if implicit {
            return self.effective.clone();
        }
        let start = self.effective.iter().position(|oid| Some(*oid) == self.creation);
        start.map_or(Vec::new(), |at| self.effective[at..].to_vec())
    }
}
