//! A base relation or join while it is being planned.

use std::cell::OnceCell;
use std::rc::Rc;
use std::sync::Arc;

use catalog::{IndexDesc, RelationDesc};
use common::{AttrNumber, Oid};
use nodes::expr::Expr;
use nodes::query::{JoinType, Query, TableSample};
use nodes::relids::RelIds;

use crate::exprs::facts;
use crate::extended::Known;
use crate::joininfo;
use crate::partitionwise::PartitionInfo;
use crate::path::PathRef;
use crate::upper::Planned;

/// A condition with what planning knows of it.
#[derive(Clone, Debug, PartialEq)]
pub struct RestrictInfo {
    pub clause: Expr,
    /// Relations it uses.
    pub clause_relids: RelIds,
    /// Relations that must be joined before it can be tested.
    pub required: RelIds,
    /// From WHERE or an inner join; false: belongs to an outer join's ON.
    pub pushed_down: bool,
    /// `left = right` with one side from each input: operator and sides, with their relations.
    pub equality: Option<Equality>,
    /// Equivalence class it is part of.
    pub class: Option<usize>,
    pub selectivity: f64,
    /// Share of rows that its parts leave which already restrict single relations ([`crate::exprs::or_clauses`]).
    pub already_restricted: f64,
    /// Cost of testing it once.
    pub cost: f64,
    /// Contains a volatile function: never moved into an index or below what it stands on.
    pub volatile: bool,
}

/// An equality usable for merge and hash joins.
#[derive(Clone, Debug, PartialEq)]
pub struct Equality {
    pub op: Oid,
    pub collation: Oid,
    pub left: Expr,
    pub right: Expr,
    pub left_relids: RelIds,
    pub right_relids: RelIds,
    pub can_hash: bool,
    /// Btree family in which the operator is equality, for merging.
    pub family: Option<Oid>,
    /// Estimated different values of each side; known once base relations have sizes.
    pub distinct: [f64; 2],
    /// That is a guess, because nothing is known of the side.
    pub guessed: [bool; 2],
    /// For merging; known once base relations have sizes.
    pub merge: Option<MergeFacts>,
}

/// What a merge join on an equality needs.
#[derive(Clone, Debug, PartialEq)]
pub struct MergeFacts {
    /// Equivalence classes of the left and the right side: the orders to merge in.
    pub classes: [usize; 2],
    /// Comparison function for (left, right) and for (right, left).
    pub compare: [Option<Oid>; 2],
}

/// An outer, semi or anti join that restricts the join order.
#[derive(Clone, Debug)]
pub struct SpecialJoin {
    pub join_type: JoinType,
    /// Relations that must be on the left before it can be done, and as written.
    pub min_left: RelIds,
    pub syn_left: RelIds,
    /// The same for the right.
    pub min_right: RelIds,
    pub syn_right: RelIds,
    /// The condition rejects NULLs of the left side.
    pub lhs_strict: bool,
    /// A condition from above it tests the side that it may turn to NULL: no join further up may come before it.
    pub filtered: bool,
}

impl SpecialJoin {
    /// It may hand out rows in which some of these relations are NULL, or has rows though they have none.
    pub fn makes_null(&self, relids: &RelIds) -> bool {
        match self.join_type {
            JoinType::Semi => false,
            JoinType::Full => relids.overlaps(&self.syn_left) || relids.overlaps(&self.syn_right),
            _ => relids.overlaps(&self.syn_right),
        }
    }
}

/// An index of a base relation.
#[derive(Clone, Debug)]
pub struct IndexInfo {
    pub oid: Oid,
    pub desc: IndexDesc,
    /// Expressions of the index over the relation's range table index.
    pub column_exprs: Vec<Expr>,
    pub predicate: Vec<Expr>,
    /// The predicate follows from the query's conditions.
    pub predicate_ok: bool,
    pub pages: f64,
    pub tuples: f64,
    pub tree_height: f64,
}

impl IndexInfo {
    /// A btree, the kind that this planner scans in order.
    pub fn is_btree(&self) -> bool {
        self.desc.access_method == Oid(403)
    }

    /// Answers equality only.
    pub fn is_hash(&self) -> bool {
        self.desc.access_method == joininfo::HASH
    }
}

/// What a base relation is.
#[derive(Clone, Debug)]
pub enum BaseKind {
    /// A table.
    Table(Arc<RelationDesc>),
    /// A subquery that waits for the conditions that it can test.
    Unplanned(Rc<Query>),
    /// A planned subquery.
    Subquery(Rc<Planned>),
    /// A planned function, VALUES list, CTE or work table.
    Other,
}

/// A base relation or a join of some.
#[derive(Clone, Debug)]
pub struct RelOptInfo {
    pub relids: RelIds,
    pub rows: f64,
    pub width: i32,
    pub paths: Vec<PathRef>,
    /// Paths that yield part of the rows in each participant of a Gather.
    pub partial_paths: Vec<PathRef>,
    /// Workers may compute it.
    pub parallel_safe: bool,
    /// How its rows are divided, where tables are joined partition by partition.
    pub partition: Option<Rc<PartitionInfo>>,
    /// Base relations only.
    pub base: Option<BaseRel>,
}

/// What only base relations have.
#[derive(Clone, Debug)]
pub struct BaseRel {
    pub rt_index: usize,
    pub kind: BaseKind,
    pub pages: f64,
    pub tuples: f64,
    pub indexes: Vec<Rc<IndexInfo>>,
    /// Conditions on this relation alone.
    pub restrictions: Vec<Rc<RestrictInfo>>,
    /// LATERAL: relations it refers to.
    pub lateral: RelIds,
    /// The root of an inheritance tree: it has no rows of its own here.
    pub is_append: bool,
    /// Its members that may have rows.
    pub members: Vec<usize>,
    /// For a member: the root.
    pub append_parent: Option<usize>,
    /// For a member: the root's join conditions in its own terms.
    pub member_clauses: Option<Vec<Rc<RestrictInfo>>>,
    /// TABLESAMPLE.
    pub sample: Option<Rc<TableSample>>,
    /// Its extended statistics, once somebody asked.
    pub extended: OnceCell<Rc<[Known]>>,
}

impl BaseRel {
    /// The table's descriptor, for tables.
    pub fn table(&self) -> Option<&Arc<RelationDesc>> {
        match &self.kind {
            BaseKind::Table(desc) => Some(desc),
            _ => None,
        }
    }
}

/// A column that some node above its scan needs, and which relations must be joined before nobody needs it any more. What a member of an
/// append relation computes for a column of the whole may be any expression.
#[derive(Clone, Debug)]
pub struct NeededVar {
    pub expr: Expr,
    pub rel: usize,
    pub attno: AttrNumber,
    /// Union of the relations of the join conditions that use it.
    pub joins: Vec<RelIds>,
    /// Needed at the top of the query level.
    pub top: bool,
    /// Average width of its values.
    pub width: i32,
}

impl NeededVar {
    /// The columns of the relation that must be read for it.
    pub fn attnos(&self) -> Vec<AttrNumber> {
        let mut vars = Vec::new();
        facts::vars(&self.expr, false, &mut vars);
        let own = vars.into_iter().filter_map(|e| match e {
            Expr::Var(v) if facts::var_rel(v) == Some(self.rel) => Some(v.attno),
            _ => None,
        });
        own.collect()
    }
}
