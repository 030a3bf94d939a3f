//! From a statement's kind to the function that runs it.

use common::error::ErrorExt;
use common::{PgResult, unsupported};
use parser::ast::Statement;
use types::oids;

use crate::classify::{check_transaction_block, command_tag};
use crate::context::{CommandContext, CommandOutcome, ResultColumn};
use crate::guc::GucStore;
use crate::{
    alter_base_type, alter_table, alter_type, cast, collation, comment, copy, create_index, create_table,
    create_table_as, create_type, create_view, domain, drop, explain, grant, maintenance, matview, namespace,
    opclass, operator, reindex, rename, role_settings, roles, routine, sequence, settings, statistics,
    text_search, truncate, vacuum,
};

/// Runs a utility statement. COPY from STDIN and to STDOUT run through [`CopyIn`](crate::CopyIn) and [`CopyOut`](crate::CopyOut)
/// instead.
pub fn execute(stmt: &Statement, cx: &mut CommandContext<'_>) -> PgResult<CommandOutcome> {
    check_transaction_block(stmt, cx.in_transaction_block)?;
    match stmt {
        Statement::VariableSet(s) => settings::variable_set(s, cx),
        Statement::VariableShow(s) => settings::variable_show(s, cx),
        Statement::Discard(s) => settings::discard(s, cx),
        Statement::ConstraintsSet(s) => settings::constraints_set(s, cx),
        Statement::Create(s) => create_table::create_table(s, cx),
        Statement::Index(s) => create_index::create_index(s, cx),
        Statement::CreateSeq(s) => sequence::create_sequence(s, cx),
        Statement::AlterSeq(s) => sequence::alter_sequence(s, cx),
        Statement::CreateSchema(s) => namespace::create_schema(s, cx),
        Statement::Drop(s) => drop::drop_statement(s, cx),
        Statement::Truncate(s) => truncate::truncate(s, cx),
        Statement::Copy(s) => copy::copy_file(s, cx),
        Statement::AlterTable(s) => alter_table::alter_table(s, cx),
        Statement::Rename(s) => rename::rename(s, cx),
        Statement::AlterObjectSchema(s) => rename::set_schema(s, cx),
        Statement::AlterOwner(s) => rename::set_owner(s, cx),
        Statement::Select(s) if s.into.is_some() => create_table_as::select_into(s, cx),
        Statement::CreateTableAs(s) => create_table_as::create_table_as(s, cx),
        Statement::View(s) => create_view::create_view(s, cx),
        Statement::RefreshMatView(s) => matview::refresh(s, cx),
        Statement::Define(s) => create_type::define(s, cx),
        Statement::CompositeType(s) => create_type::create_composite(s, cx),
        Statement::CreateEnum(s) => create_type::create_enum(s, cx),
        Statement::CreateRange(s) => create_type::create_range(s, cx),
        Statement::AlterEnum(s) => alter_type::alter_enum(s, cx),
        Statement::CreateDomain(s) => domain::create_domain(s, cx),
        Statement::AlterDomain(s) => domain::alter_domain(s, cx),
        Statement::Explain(s) => explain::explain(s, cx),
        Statement::CreateRole(s) => roles::create_role(s, cx),
        Statement::AlterRole(s) => roles::alter_role(s, cx),
        Statement::AlterRoleSet(s) => role_settings::alter_role(s, cx),
        Statement::AlterDatabaseSet(s) => role_settings::alter_database(s, cx),
        Statement::DropRole(s) => roles::drop_role(s, cx),
        Statement::Grant(s) => grant::grant(s, cx),
        Statement::GrantRole(s) => roles::grant_role(s, cx),
        Statement::Comment(s) => comment::comment(s, cx),
        Statement::Vacuum(s) => vacuum::vacuum(s, cx),
        Statement::Lock(s) => maintenance::lock(s, cx),
        Statement::Reindex(s) => reindex::reindex(s, cx),
        Statement::CreateFunction(s) => routine::create::create_function(s, cx),
        Statement::AlterFunction(s) => routine::alter::alter_function(s, cx),
        Statement::Call(s) => routine::call::call(s, cx),
        Statement::Do(s) => routine::inline::do_block(s, cx),
        Statement::CreateCast(s) => cast::create_cast(s, cx),
        Statement::AlterOperator(s) => operator::alter_operator(s, cx),
        Statement::AlterType(s) => alter_base_type::alter_type(s, cx),
        Statement::CreateOpClass(s) => opclass::create_class(s, cx),
        Statement::CreateOpFamily(s) => opclass::create_family(s, cx),
        Statement::AlterOpFamily(s) => opclass::alter_family(s, cx),
        Statement::AlterCollation(s) => collation::refresh_version(s, cx),
        Statement::AlterTsDictionary(s) => text_search::alter_dictionary(s, cx),
        Statement::AlterTsConfiguration(s) => text_search::alter_configuration(s, cx),
        Statement::CreateStats(s) => statistics::create_statistics(s, cx),
        Statement::AlterStats(s) => statistics::alter_statistics(s, cx),
        Statement::CheckPoint(_) => maintenance::checkpoint(cx),
        other => Err(unsupported!("{} is not supported yet", command_tag(other)).at(other.span())),
    }
}

/// Result columns of a utility statement, without running it; `None`: no result.
pub fn describe(stmt: &Statement) -> Option<Vec<ResultColumn>> {
    match stmt {
        Statement::Explain(s) => Some(explain::describe(s)),
        Statement::VariableShow(s) if s.name == "all" => Some(
            ["name", "setting", "description"]
                .map(|name| ResultColumn::new(name, oids::TEXT))
                .to_vec(),
        ),
        Statement::VariableShow(s) => Some(vec![ResultColumn::new(
            GucStore::display_name(&s.name),
            oids::TEXT,
        )]),
        _ => None,
    }
}
