//! Orders of texts under collations.

use std::sync::Arc;

use common::{Oid, PgResult, internal};
use types::collation::Collation;

use crate::columns::pg_collation::*;
use crate::oids;
use crate::store::{CatalogRead, key_oid};

/// `unicode`.
const UNICODE: Oid = Oid(963);

/// The order of texts under a collation; `None`: that of their bytes.
pub fn text_order(read: &dyn CatalogRead, collation: Oid) -> PgResult<Option<Arc<Collation>>> {
    if collation == UNICODE {
        return Ok(Some(Arc::new(Collation::open("und")?)));
    }
    if collation < Oid::FIRST_NORMAL {
        return Ok(None);
    }
    let rows = read.lookup(oids::PG_COLLATION_OID_INDEX, &[key_oid(collation)])?;
    let Some(row) = rows.first() else {
        return Err(internal!("cache lookup failed for collation {collation}"));
    };
    match row.char(COLLPROVIDER) {
        b'i' => {
            let locale = row.text_opt(COLLLOCALE);
            Ok(Some(Arc::new(Collation::open(
                locale.as_deref().unwrap_or("und"),
            )?)))
        }
        _ => Ok(None),
    }
}
