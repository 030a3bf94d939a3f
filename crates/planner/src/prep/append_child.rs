//! Members of append relations, and expressions over the whole as expressions over a member.
//!
//! PG: `AppendRelInfo`, src/backend/optimizer/util/appendinfo.c.

use std::borrow::Cow;
use std::sync::Arc;

use catalog::RelationDesc;
use common::{AttrNumber, Oid};
use nodes::expr::{CoercionForm, Expr, RowExpr, Var, VarSource};
use nodes::relids::RelIds;
use nodes::stored::StoredFact;
use nodes::walk;

use crate::exprs::facts;
use crate::root::Root;

/// An entry whose rows are part of another's: a table of an inheritance tree, an arm of a UNION ALL.
#[derive(Clone, Debug)]
pub struct AppendChild {
    /// Range table index of the whole.
    pub parent: usize,
    /// Its own.
    pub child: usize,
    pub source: AppendSource,
}

/// Where the columns of the whole are in a member.
#[derive(Clone, Debug)]
pub enum AppendSource {
    /// In a table that inherits, or a partition.
    Table(TableMember),
    /// In an arm of a UNION ALL: what stands for each column, and what the columns are called.
    Arm {
        exprs: Vec<Expr>,
        names: Arc<[Box<str>]>,
    },
}

/// A table beside the one that the query names.
#[derive(Clone, Debug)]
pub struct TableMember {
    /// From the parent's attnos (less 1) to its own.
    pub map: Vec<AttrNumber>,
    pub parent_desc: Arc<RelationDesc>,
    pub desc: Arc<RelationDesc>,
}

impl AppendChild {
    /// The table that it is, unless it is an arm of a UNION ALL.
    pub fn table(&self) -> Option<Oid> {
        match &self.source {
            AppendSource::Table(t) => Some(t.desc.oid),
            AppendSource::Arm { .. } => None,
        }
    }

    pub fn is_arm(&self) -> bool {
        matches!(self.source, AppendSource::Arm { .. })
    }

    /// An expression over the parent as one over the child.
    pub fn translate(&self, expr: &Expr) -> Expr {
        let mut expr = expr.clone();
        walk::rewrite(&mut expr, &mut |e| {
            let Expr::Var(v) = e else { return };
            if facts::var_rel(v) != Some(self.parent) {
                return;
            }
            *e = match &self.source {
                AppendSource::Table(table) => table.column(v, self.child),
                AppendSource::Arm { exprs, names } => of_arm(v, exprs, names),
            };
        });
        expr
    }

    /// An expression over the child as one over the parent, if the parent has all its columns.
    pub fn to_parent(&self, expr: &Expr) -> Option<Expr> {
        let mut expr = expr.clone();
        let complete = match &self.source {
            AppendSource::Table(table) => table.to_parent(&mut expr, self),
            AppendSource::Arm { exprs, .. } => self.arm_to_parent(&mut expr, exprs),
        };
        complete.then_some(expr)
    }

    /// Replaces what the arm hands out by the column of the whole that it is; false if more of the child is left.
    fn arm_to_parent(&self, expr: &mut Expr, exprs: &[Expr]) -> bool {
        if !facts::relids(expr).contains(self.child) {
            return true;
        }
        if let Some(at) = exprs.iter().position(|x| x == expr) {
            *expr = Expr::Var(Var {
                source: VarSource::Rel {
                    index: self.parent,
                    levels_up: 0,
                },
                attno: at as AttrNumber + 1,
                type_ref: expr.type_ref(),
                collation: expr.collation(),
                nulling_rels: Default::default(),
                returning: Default::default(),
                span: common::Span::NONE,
            });
            return true;
        }
        let mut complete = !matches!(expr, Expr::Var(_));
        walk::for_each_child_mut(expr, &mut |e| complete = complete && self.arm_to_parent(e, exprs));
        complete
    }
}

/// A column of a UNION ALL as an arm computes it; its row is made of all of them.
fn of_arm(v: &Var, exprs: &[Expr], names: &[Box<str>]) -> Expr {
    let column = usize::try_from(v.attno)
        .ok()
        .and_then(|n| exprs.get(n.checked_sub(1)?));
    column.cloned().unwrap_or_else(|| {
        Expr::Row(RowExpr {
            args: exprs.to_vec(),
            row_type: v.type_ref.oid,
            names: names.to_vec(),
            form: CoercionForm::ImplicitCast,
            span: v.span,
        })
    })
}

impl TableMember {
    fn column(&self, v: &Var, child: usize) -> Expr {
        let mut v = v.clone();
        v.source = VarSource::Rel {
            index: child,
            levels_up: 0,
        };
        match v.attno {
            0 => return self.whole_row(&v),
            n if n > 0 => v.attno = self.map.get(n as usize - 1).copied().unwrap_or(n),
            n => {
                if let Some((fact, column)) = StoredFact::of_attno(n) {
                    let own = self.map.get(column as usize - 1).copied();
                    v.attno = fact.attno(own.unwrap_or(column));
                }
            }
        }
        Expr::Var(v)
    }

    /// A child's row as a value of the parent's row type.
    fn whole_row(&self, var: &Var) -> Expr {
        let live = || self.parent_desc.columns.iter().filter(|c| !c.dropped);
        let args = live()
            .map(|c| {
                Expr::Var(Var {
                    attno: self.map.get(c.attno as usize - 1).copied().unwrap_or(0),
                    type_ref: c.type_ref,
                    collation: c.collation,
                    ..var.clone()
                })
            })
            .collect();
        Expr::Row(RowExpr {
            args,
            row_type: var.type_ref.oid,
            names: live().map(|c| Box::from(&*c.name)).collect(),
            form: Default::default(),
            span: var.span,
        })
    }

    fn to_parent(&self, expr: &mut Expr, of: &AppendChild) -> bool {
        let mut complete = true;
        walk::rewrite(expr, &mut |e| {
            let Expr::Var(v) = e else { return };
            if facts::var_rel(v) != Some(of.child) {
                return;
            }
            v.source = VarSource::Rel {
                index: of.parent,
                levels_up: 0,
            };
            let fact = StoredFact::of_attno(v.attno);
            let column = fact.map_or(v.attno, |(_, column)| column);
            if column > 0 {
                match self.map.iter().position(|a| *a == column) {
                    Some(at) => {
                        let at = at as AttrNumber + 1;
                        v.attno = fact.map_or(at, |(fact, _)| fact.attno(at));
                    }
                    None => complete = false,
                }
            }
        });
        complete
    }
}

/// The members of all append relations of a level. Dereferences to a slice in the order of [`AppendMembers::push`].
#[derive(Default)]
pub struct AppendMembers {
    members: Vec<AppendChild>,
    /// By range table index: 1 plus the place among `members`, 0 for what is no member. A table may have thousands of partitions.
    places: Vec<u32>,
}

impl AppendMembers {
    pub fn push(&mut self, member: AppendChild) {
        if self.places.len() <= member.child {
            self.places.resize(member.child + 1, 0);
        }
        let at = member.child;
        self.members.push(member);
        self.places[at] = self.members.len() as u32;
    }

    /// Forgets what does not satisfy the condition.
    pub fn retain(&mut self, keep: impl Fn(&AppendChild) -> bool) {
        let before = std::mem::take(self);
        before.members.into_iter().filter(keep).for_each(|m| self.push(m));
    }

    /// The member with this range table index.
    pub fn of_entry(&self, rt_index: usize) -> Option<&AppendChild> {
        let place = *self.places.get(rt_index)? as usize;
        self.members.get(place.checked_sub(1)?)
    }
}

impl std::ops::Deref for AppendMembers {
    type Target = [AppendChild];

    fn deref(&self) -> &[AppendChild] {
        &self.members
    }
}

impl Root<'_, '_> {
    /// What the entry is a member of, if of anything.
    pub fn append_member(&self, child: usize) -> Option<&AppendChild> {
        self.append_children.of_entry(child)
    }

    /// The entry of the join tree of which an entry is part: itself, if it is no member of anything.
    pub fn topmost(&self, mut rt_index: usize) -> usize {
        while let Some(member) = self.append_member(rt_index) {
            rt_index = member.parent;
        }
        rt_index
    }

    /// The entries of the join tree of which these are part.
    pub fn topmost_of(&self, relids: &RelIds) -> RelIds {
        if self.append_children.is_empty() {
            return relids.clone();
        }
        let mut out = RelIds::empty();
        relids.iter().for_each(|i| out.insert(self.topmost(i)));
        out
    }

    /// As [`Root::topmost_of`], where joins of members are planned at all.
    pub fn whole_of<'r>(&self, relids: &'r RelIds) -> Cow<'r, RelIds> {
        match self.context().settings.enable_partitionwise_join {
            true => Cow::Owned(self.topmost_of(relids)),
            false => Cow::Borrowed(relids),
        }
    }

    /// Several members of append relations, joined.
    pub fn is_child_join(&self, relids: &RelIds) -> bool {
        self.context().settings.enable_partitionwise_join
            && relids.len() > 1
            && relids.iter().any(|i| self.append_member(i).is_some())
    }

    /// An expression over things that entries are part of, as one over the entries.
    pub fn translate_to(&self, expr: &Expr, relids: &RelIds) -> Expr {
        let mut expr = expr.clone();
        for child in relids.iter() {
            let mut chain = Vec::new();
            let mut at = child;
            while let Some(member) = self.append_member(at) {
                chain.push(member);
                at = member.parent;
            }
            for member in chain.into_iter().rev() {
                expr = member.translate(&expr);
            }
        }
        expr
    }

    /// An expression over one member as one over the entry of the join tree; `None` if the latter does not have all its columns.
    pub fn translate_up(&self, expr: &Expr) -> Option<Expr> {
        let member = facts::relids(expr)
            .singleton()
            .and_then(|rel| self.append_member(rel));
        match member {
            Some(member) => self.translate_up(&member.to_parent(expr)?),
            None => Some(expr.clone()),
        }
    }
}
