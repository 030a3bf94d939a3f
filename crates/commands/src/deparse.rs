//! placeholder
use catalog::CatalogView;
use catalog::desc::RelationDesc;
use common::PgResult;
use nodes::Expr;
/// x
pub fn index_expression(_expr: &Expr, _table: &RelationDesc, _view: &dyn CatalogView) -> PgResult<String> {
    Ok("expr".into())
}
