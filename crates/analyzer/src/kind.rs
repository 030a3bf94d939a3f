//! Where an expression stands, and what PostgreSQL forbids there.
//!
//! PG: src/include/parser/parse_node.h (`ParseExprKind`).

/// The clause that an expression belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum ExprKind {
    None,
    Other,
    JoinOn,
    JoinUsing,
    FromSubselect,
    FromFunction,
    Where,
    Policy,
    Having,
    Filter,
    WindowPartition,
    WindowOrder,
    WindowFrameRange,
    WindowFrameRows,
    WindowFrameGroups,
    SelectTarget,
    InsertTarget,
    UpdateSource,
    UpdateTarget,
    MergeWhen,
    GroupBy,
    OrderBy,
    DistinctOn,
    Limit,
    Offset,
    Returning,
    MergeReturning,
    Values,
    ValuesSingle,
    CheckConstraint,
    DomainCheck,
    ColumnDefault,
    FunctionDefault,
    IndexExpression,
    IndexPredicate,
    StatsExpression,
    AlterColTransform,
    ExecuteParameter,
    TriggerWhen,
    PartitionBound,
    PartitionExpression,
    CallArgument,
    CopyWhere,
    GeneratedColumn,
    CycleMark,
}

impl ExprKind {
    /// The clause's name in messages such as `argument of WHERE must be type boolean`.
    pub fn name(self) -> &'static str {
        use ExprKind as K;
        match self {
            K::None => "invalid expression kind",
            K::Other => "extension expression",
            K::JoinOn => "JOIN/ON",
            K::JoinUsing => "JOIN/USING",
            K::FromSubselect => "sub-SELECT in FROM",
            K::FromFunction => "function in FROM",
            K::Where => "WHERE",
            K::Policy => "POLICY",
            K::Having => "HAVING",
            K::Filter => "FILTER",
            K::WindowPartition => "window PARTITION BY",
            K::WindowOrder => "window ORDER BY",
            K::WindowFrameRange => "window RANGE",
            K::WindowFrameRows => "window ROWS",
            K::WindowFrameGroups => "window GROUPS",
            K::SelectTarget => "SELECT",
            K::InsertTarget => "INSERT",
            K::UpdateSource | K::UpdateTarget => "UPDATE",
            K::MergeWhen => "MERGE WHEN",
            K::GroupBy => "GROUP BY",
            K::OrderBy => "ORDER BY",
            K::DistinctOn => "DISTINCT ON",
            K::Limit => "LIMIT",
            K::Offset => "OFFSET",
            K::Returning | K::MergeReturning => "RETURNING",
            K::Values | K::ValuesSingle => "VALUES",
            K::CheckConstraint | K::DomainCheck => "CHECK",
            K::ColumnDefault | K::FunctionDefault => "DEFAULT",
            K::IndexExpression => "index expression",
            K::IndexPredicate => "index predicate",
            K::StatsExpression => "statistics expression",
            K::AlterColTransform => "USING",
            K::ExecuteParameter => "EXECUTE",
            K::TriggerWhen => "WHEN",
            K::PartitionBound => "partition bound",
            K::PartitionExpression => "PARTITION BY",
            K::CallArgument => "CALL",
            K::CopyWhere => "WHERE",
            K::GeneratedColumn => "GENERATED AS",
            K::CycleMark => "CYCLE",
        }
    }

    /// Plural name of the utility-statement expression, as in `aggregate functions are not allowed in ...`.
    fn utility_place(self) -> Option<&'static str> {
        use ExprKind as K;
        Some(match self {
            K::Policy => "policy expressions",
            K::MergeWhen => "MERGE WHEN conditions",
            K::CheckConstraint | K::DomainCheck => "check constraints",
            K::ColumnDefault | K::FunctionDefault => "DEFAULT expressions",
            K::IndexExpression => "index expressions",
            K::IndexPredicate => "index predicates",
            K::StatsExpression => "statistics expressions",
            K::AlterColTransform => "transform expressions",
            K::ExecuteParameter => "EXECUTE parameters",
            K::TriggerWhen => "trigger WHEN conditions",
            K::PartitionBound => "partition bound",
            K::PartitionExpression => "partition key expressions",
            K::CallArgument => "CALL arguments",
            K::CopyWhere => "COPY FROM WHERE conditions",
            K::GeneratedColumn => "column generation expressions",
            K::JoinOn | K::JoinUsing => "JOIN conditions",
            _ => return None,
        })
    }

    /// Where aggregates are forbidden: the place to name in the error.
    pub(crate) fn aggregate_error_place(self) -> Option<&'static str> {
        use ExprKind as K;
        match self {
            K::None
            | K::Other
            | K::Having
            | K::WindowPartition
            | K::WindowOrder
            | K::SelectTarget
            | K::OrderBy
            | K::DistinctOn => None,
            K::FromSubselect => Some("FROM clause of their own query level"),
            K::FromFunction => Some("functions in FROM"),
            _ => Some(self.utility_place().unwrap_or(self.name())),
        }
    }

    /// Where window functions are forbidden.
    pub(crate) fn window_error_place(self) -> Option<&'static str> {
        use ExprKind as K;
        match self {
            K::None | K::Other | K::FromSubselect | K::SelectTarget | K::OrderBy | K::DistinctOn => None,
            K::FromFunction => Some("functions in FROM"),
            K::WindowPartition
            | K::WindowOrder
            | K::WindowFrameRange
            | K::WindowFrameRows
            | K::WindowFrameGroups => Some("window definitions"),
            _ => Some(self.utility_place().unwrap_or(self.name())),
        }
    }

    /// Where set-returning functions are forbidden (functions in FROM have a rule of their own).
    pub(crate) fn srf_error_place(self) -> Option<&'static str> {
        use ExprKind as K;
        match self {
            K::None
            | K::Other
            | K::FromSubselect
            | K::FromFunction
            | K::WindowPartition
            | K::WindowOrder
            | K::SelectTarget
            | K::InsertTarget
            | K::GroupBy
            | K::OrderBy
            | K::DistinctOn
            | K::ValuesSingle => None,
            K::WindowFrameRange | K::WindowFrameRows | K::WindowFrameGroups => Some("window definitions"),
            _ => Some(self.utility_place().unwrap_or(self.name())),
        }
    }

    /// Where subqueries are forbidden.
    pub(crate) fn subquery_error_place(self) -> Option<&'static str> {
        use ExprKind as K;
        Some(match self {
            K::CheckConstraint | K::DomainCheck => "check constraint",
            K::ColumnDefault | K::FunctionDefault => "DEFAULT expression",
            K::IndexExpression => "index expression",
            K::IndexPredicate => "index predicate",
            K::StatsExpression => "statistics expression",
            K::AlterColTransform => "transform expression",
            K::ExecuteParameter => "EXECUTE parameter",
            K::TriggerWhen => "trigger WHEN condition",
            K::PartitionBound => "partition bound",
            K::PartitionExpression => "partition key expression",
            K::CallArgument => "CALL argument",
            K::CopyWhere => "COPY FROM WHERE condition",
            K::GeneratedColumn => "column generation expression",
            _ => return None,
        })
    }

    /// Where columns are forbidden.
    pub(crate) fn column_error_place(self) -> Option<&'static str> {
        match self {
            ExprKind::ColumnDefault => Some("DEFAULT expression"),
            ExprKind::PartitionBound => Some("partition bound expression"),
            _ => None,
        }
    }
}
