//! Expressions as text, by way of the catalog's deparser.

use catalog::CatalogView;
use catalog::deparse::{Deparse, expression};
use catalog::desc::RelationDesc;
use common::PgResult;
use nodes::Expr;
use types::io::IoContext;
use types::settings::FormatSettings;

/// An index expression as `pg_get_indexdef` prints it.
pub(crate) fn index_expression(
    expr: &Expr,
    table: &RelationDesc,
    view: &dyn CatalogView,
) -> PgResult<String> {
    let settings = FormatSettings::default();
    let context = Deparse {
        view,
        relation: Some(table),
        io: IoContext::new(&settings),
    };
    expression(&context, expr)
}
