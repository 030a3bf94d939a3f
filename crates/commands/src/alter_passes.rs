//! In which order ALTER TABLE runs its subcommands, however they are written.
//!
//! PG: src/backend/commands/tablecmds.c (`AlterTablePass`, `ATPrepCmd`, `ATParseTransformCmd`).

use parser::ast::{AlterTableAction, AlterTableCmd, ConstrType, Constraint};

/// Subcommands that run together, in the order in which they are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pass {
    Drop,
    ColumnTypes,
    AddColumn,
    SetExpression,
    /// What depended on columns whose types have changed is made again before.
    ColumnAttributes,
    /// Constraints on indexes that are there.
    IndexConstraint,
    /// Constraints that make an index.
    AddIndex,
    /// Defaults, too.
    OtherConstraint,
    Misc,
}

/// All of them.
pub(crate) const PASSES: [Pass; 9] = [
    Pass::Drop,
    Pass::ColumnTypes,
    Pass::AddColumn,
    Pass::SetExpression,
    Pass::ColumnAttributes,
    Pass::IndexConstraint,
    Pass::AddIndex,
    Pass::OtherConstraint,
    Pass::Misc,
];

/// The subcommands of a pass.
pub(crate) fn of_pass(cmds: &[AlterTableCmd], pass: Pass) -> impl Iterator<Item = &AlterTableCmd> {
    cmds.iter().filter(move |cmd| pass_of(&cmd.action) == pass)
}

fn pass_of(action: &AlterTableAction) -> Pass {
    match action {
        AlterTableAction::DropColumn { .. }
        | AlterTableAction::DropAttribute { .. }
        | AlterTableAction::DropConstraint { .. }
        | AlterTableAction::DropNotNull(_)
        | AlterTableAction::DropIdentity { .. }
        | AlterTableAction::DropExpression { .. }
        | AlterTableAction::ColumnDefault { default: None, .. }
        | AlterTableAction::DropOids => Pass::Drop,
        AlterTableAction::AlterColumnType { .. } | AlterTableAction::AlterAttributeType { .. } => {
            Pass::ColumnTypes
        }
        AlterTableAction::AddColumn { .. } | AlterTableAction::AddAttribute { .. } => Pass::AddColumn,
        AlterTableAction::SetExpression { .. } => Pass::SetExpression,
        AlterTableAction::SetNotNull(_) | AlterTableAction::SetIdentity { .. } => Pass::ColumnAttributes,
        AlterTableAction::AddConstraint(constraint) => pass_of_constraint(constraint),
        AlterTableAction::ColumnDefault { .. } | AlterTableAction::AddIdentity { .. } => {
            Pass::OtherConstraint
        }
        _ => Pass::Misc,
    }
}

/// When a constraint is added.
pub(crate) fn pass_of_constraint(constraint: &Constraint) -> Pass {
    match constraint.contype {
        ConstrType::NotNull => Pass::ColumnAttributes,
        ConstrType::Primary | ConstrType::Unique if constraint.indexname.is_some() => Pass::IndexConstraint,
        ConstrType::Primary | ConstrType::Unique | ConstrType::Exclusion => Pass::AddIndex,
        _ => Pass::OtherConstraint,
    }
}
