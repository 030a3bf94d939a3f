//! Utility statements: what `commands` runs, with the session's surroundings.

use std::sync::Arc;

use catalog::CatalogView;
use catalog::privileges::{Guarded, ObjectKind, Privilege};
use commands::{CommandContext, CopyIn, CopyOut, CopyTarget, SessionAction};
use common::{Oid, PgResult};
use nodes::query::{Permissions, RangeTblEntry, RteKind};
use parser::ast::Statement;
use types::PhysType;

use crate::api::row::Column;
use crate::session::Session;
use crate::session::catalog::View;
use crate::session::cursor::Cursor;
use crate::session::env::StatementEnv;
use crate::session::plan::utility_column;
use crate::session::portal::{CopyFormat, CopyRows, Portal, PortalState, Step};
use crate::session::prepared::{Prepared, no_such_statement};
use crate::session::run::{RunningCopyIn, batches_of};
use crate::session::tag::CommandTag;

/// Data of COPY FROM STDIN is taken in pieces of at least so many bytes.
const COPY_PIECE: usize = 64 << 10;

impl Session {
    /// Runs something with a [`CommandContext`] over the running transaction.
    pub(crate) fn with_command<T>(
        &mut self,
        prepared: &Prepared,
        params: &[types::Datum],
        f: impl FnOnce(&mut CommandContext<'_>) -> PgResult<T>,
    ) -> PgResult<T> {
        self.ensure_transaction()?;
        let settings = self.format_settings();
        let work = self.settings().clone();
        let view = self.current_view()?;
        let mut actions = Vec::new();
        let Some(txn) = &self.block.txn else {
            return Err(common::internal!("no transaction"));
        };
        let env = StatementEnv::new(&self.core, txn, view, &prepared.source);
        let catalog = self.session_catalog();
        let in_use = |relation: &catalog::desc::RelationDesc| self.core.uses(relation);
        let mut cx = CommandContext {
            in_use: &in_use,
            txn,
            catalog: &catalog,
            relations: &self.core.db.relations,
            memory: &self.core.db.memory,
            temp: &work.temp_files,
            env: &*self.core.db.env,
            workers: Some(&env),
            after: &self.core.after,
            guc: &self.core.guc,
            settings: (*settings).clone(),
            session: &env,
            cancel: &self.core.cancel,
            notices: &self.core.notices,
            actions: &mut actions,
            source: &prepared.source,
            params,
            param_types: &prepared.param_types,
            routine: None,
            user: self.core.user.get(),
            session_user: self.core.session_user,
            database: self.core.db.database_oid,
            database_name: self.core.db.database_name(),
            asked: self.core.asked.get(),
            session_number: self.core.number,
            in_transaction_block: self.block.explicit,
        };
        let result = f(&mut cx);
        let value = result?;
        for action in actions {
            self.act(action)?;
        }
        self.act_for_routines()?;
        Ok(value)
    }

    /// What statements inside routines left to be done.
    pub(crate) fn act_for_routines(&mut self) -> PgResult<()> {
        let actions = std::mem::take(&mut *self.core.actions.borrow_mut());
        for action in actions {
            self.act(action)?;
        }
        Ok(())
    }

    fn act(&mut self, action: SessionAction) -> PgResult<()> {
        match action {
            SessionAction::ForgetPlans => {
                self.cache.clear();
                self.templates.clear();
            }
            SessionAction::Reset => {
                self.core.portals.get_mut().clear();
                self.core.cursors.get_mut().clear();
                self.core.statements.borrow_mut().clear();
                self.core.db.notify.unlisten(None, &self.core.mailbox);
            }
            SessionAction::ForgetSequences => {
                *self.core.sequences.borrow_mut() = Default::default();
            }
            SessionAction::ForgetSequence(oid) => self.core.sequences.borrow_mut().forget(oid),
            SessionAction::UsedTemporary => self.core.used_temp.set(true),
            SessionAction::SequenceAltered(oid) => {
                self.core.sequences.borrow_mut().altered(oid);
            }
            SessionAction::OnCommitDeleteRows(oid) => self.on_commit.push((oid, false)),
            SessionAction::OnCommitDrop(oid) => self.on_commit.push((oid, true)),
            SessionAction::TransactionModes(modes) => self.apply_modes(modes)?,
            SessionAction::ImportSnapshot(name) => self.import_snapshot(&name)?,
            SessionAction::SetRole(oid) => {
                if self.block.roles.is_empty() {
                    let before = self.core.user_name.borrow().clone();
                    self.block.roles.push((before, self.core.user.get()));
                }
                self.core.user.set(oid);
                let view = self.current_view()?;
                if let Some(name) = view.role_name(oid)? {
                    self.block.roles.push((name.clone(), oid));
                    *self.core.user_name.borrow_mut() = name;
                }
                self.block.role_settings = self.role_settings();
            }
        }
        Ok(())
    }

    /// Result columns of a statement without a plan.
    pub(crate) fn utility_columns(&mut self, stmt: &Statement) -> PgResult<Option<Arc<[Column]>>> {
        match stmt {
            Statement::Execute(e) => {
                let found = self
                    .core
                    .statement(e.name.as_str())
                    .ok_or_else(|| no_such_statement(e.name.as_str()))?;
                Ok(found.columns.clone())
            }
            Statement::Fetch(f) if !f.ismove => {
                let cursors = self.core.cursors.borrow();
                Ok(cursors.get(f.portalname.as_str()).and_then(Cursor::columns))
            }
            Statement::Call(call) => {
                let nothing = self.prepare_statement(&"".into(), None, &[])?;
                let columns = self.with_command(&nothing, &[], |cx| commands::describe_call(call, cx))?;
                Ok(columns.map(|columns| {
                    let shown = |c: &commands::ResultColumn| utility_column(&c.name, c.type_ref.oid);
                    columns.iter().map(shown).collect::<Vec<_>>().into()
                }))
            }
            other => Ok(commands::describe(other).map(|columns| {
                columns
                    .iter()
                    .map(|c| utility_column(&c.name, c.type_ref.oid))
                    .collect::<Vec<_>>()
                    .into()
            })),
        }
    }

    /// Starts (and mostly finishes) a statement without a plan.
    pub(crate) fn start_utility(&mut self, portal: &mut Portal) -> PgResult<Option<Step>> {
        let Some(stmt) = portal.prepared.stmt.clone() else {
            return Err(common::internal!("statement without a tree"));
        };
        self.refuse_if_failed(&stmt)?;
        let stmt = self.open_inner_execute(stmt, portal)?;
        if !commands::is_command(&stmt) {
            return self.control(&stmt, portal);
        }
        // What the defaults say of transactions counts from their beginning.
        self.ensure_transaction()?;
        commands::check_read_only(&stmt, self.block.read_only)?;
        commands::check_transaction_block(&stmt, self.block.explicit)?;
        if let Statement::Copy(copy) = &*stmt {
            match commands::copy_target(copy) {
                CopyTarget::Stdin => return self.begin_copy_in(portal, &stmt),
                CopyTarget::Stdout => return self.begin_copy_out(portal, &stmt),
                CopyTarget::File => {}
            }
        }
        let (prepared, params) = (portal.prepared.clone(), portal.params.clone());
        let ends_transactions = matches!(&*stmt, Statement::Call(_) | Statement::Do(_));
        self.core.nonatomic.set(ends_transactions && !self.block.explicit);
        let outcome = self.with_command(&prepared, &params, |cx| commands::execute(&stmt, cx))?;
        if let Some(txn) = &self.block.txn {
            txn.borrow_mut().next_command()?;
        }
        let tag = CommandTag::from(outcome.tag);
        let Some(set) = outcome.rows else {
            portal.state = PortalState::Done(tag.clone());
            return Ok(Some(Step::Complete(tag)));
        };
        let phys: Vec<PhysType> = set
            .columns
            .iter()
            .map(|c| PhysType::of_builtin(c.type_ref.oid))
            .collect();
        portal.state = PortalState::Rows {
            batches: batches_of(&set.rows, &phys),
            tag,
        };
        Ok(None)
    }

    fn begin_copy_in(&mut self, portal: &mut Portal, stmt: &Statement) -> PgResult<Option<Step>> {
        let Statement::Copy(stmt) = stmt else {
            return Err(common::internal!("COPY expected"));
        };
        let (prepared, params) = (portal.prepared.clone(), portal.params.clone());
        let copy = self.with_command(&prepared, &params, |cx| CopyIn::begin(stmt, cx))?;
        let format = CopyFormat {
            binary: copy.is_binary(),
            columns: copy.column_count(),
        };
        self.copy_in = Some(Box::new(RunningCopyIn {
            copy,
            prepared,
            waiting: Vec::new(),
        }));
        portal.state = PortalState::Done(CommandTag::default());
        Ok(Some(Step::CopyIn(format)))
    }

    /// Data for the COPY that waits for it. False: the end marker was in it, the rest is not wanted.
    pub(crate) fn feed_copy(&mut self, data: &[u8]) -> PgResult<bool> {
        let Some(mut running) = self.copy_in.take() else {
            return Err(common::pg_err!(
                PROTOCOL_VIOLATION,
                "no COPY FROM STDIN is in progress"
            ));
        };
        running.waiting.extend_from_slice(data);
        let mut more = true;
        if running.waiting.len() >= COPY_PIECE {
            let prepared = running.prepared.clone();
            more = self.with_command(&prepared, &[], |cx| running.copy.feed(cx, &running.waiting))?;
            running.waiting.clear();
        }
        self.copy_in = Some(running);
        Ok(more)
    }

    /// The end of the data; the command tag.
    pub(crate) fn end_copy(&mut self) -> PgResult<CommandTag> {
        let Some(running) = self.copy_in.take() else {
            return Err(common::pg_err!(
                PROTOCOL_VIOLATION,
                "no COPY FROM STDIN is in progress"
            ));
        };
        let RunningCopyIn {
            mut copy,
            prepared,
            waiting,
        } = *running;
        let rows = self.with_command(&prepared, &[], |cx| {
            copy.feed(cx, &waiting)?;
            copy.finish(cx)
        })?;
        if let Some(txn) = &self.block.txn {
            txn.borrow_mut().next_command()?;
        }
        Ok(CommandTag::counted("COPY", rows))
    }

    fn begin_copy_out(&mut self, portal: &mut Portal, stmt: &Statement) -> PgResult<Option<Step>> {
        let Statement::Copy(stmt) = stmt else {
            return Err(common::internal!("COPY expected"));
        };
        let (prepared, params) = (portal.prepared.clone(), portal.params.clone());
        let copy = self.with_command(&prepared, &params, |cx| CopyOut::begin(stmt, cx))?;
        let format = CopyFormat {
            binary: copy.is_binary(),
            columns: copy.column_count(),
        };
        portal.state = PortalState::CopyOut(Box::new(copy));
        Ok(Some(Step::CopyOut(format)))
    }

    pub(crate) fn copy_out_step(&mut self, portal: &mut Portal) -> PgResult<Step> {
        let (prepared, params) = (portal.prepared.clone(), portal.params.clone());
        let PortalState::CopyOut(copy) = &mut portal.state else {
            return Err(common::internal!("COPY is not running"));
        };
        let mut chunk = CopyRows::default();
        let more = self.with_command(&prepared, &params, |cx| copy.next_chunk(cx, &mut chunk.bytes))?;
        chunk.ends.extend_from_slice(copy.row_ends());
        if more || !chunk.is_empty() {
            return Ok(Step::CopyData(chunk));
        }
        let tag = CommandTag::counted("COPY", copy.rows());
        portal.state = PortalState::Done(tag.clone());
        Ok(Step::Complete(tag))
    }

    /// Temporary tables with ON COMMIT DELETE ROWS or DROP.
    pub(crate) fn run_on_commit_actions(&mut self) -> PgResult<()> {
        if self.on_commit.is_empty() || self.block.txn.is_none() {
            return Ok(());
        }
        let actions = self.on_commit.clone();
        for (oid, drop) in actions {
            let view = self.current_view()?;
            let Some(desc) = view.relation(oid)? else {
                self.on_commit.retain(|(o, _)| *o != oid);
                continue;
            };
            let name = catalog::names::quote_qualified(Some(&desc.namespace_name), &desc.name);
            let sql = if drop {
                format!("DROP TABLE {name} CASCADE")
            } else {
                format!("TRUNCATE {name}")
            };
            if drop {
                self.on_commit.retain(|(o, _)| *o != oid);
            }
            self.run_internal(&sql)?;
        }
        Ok(())
    }

    /// Runs a statement of the session's own inside the running transaction. Whoever the user has become meanwhile, the session may
    /// clear up its own temporary tables.
    fn run_internal(&mut self, sql: &str) -> PgResult<()> {
        const BOOTSTRAP_SUPERUSER: Oid = Oid(10);
        let user = self.core.user.replace(BOOTSTRAP_SUPERUSER);
        let done = self.run_all_of(sql);
        self.core.user.set(user);
        done
    }

    fn run_all_of(&mut self, sql: &str) -> PgResult<()> {
        let source: Arc<str> = sql.into();
        for raw in parser::parse(sql, &self.settings().parse)? {
            let prepared = self.prepare_statement(&source, Some(raw), &[])?;
            let mut portal = Portal::new(prepared, Vec::new());
            while !matches!(self.portal_step(&mut portal, 0)?, Step::Complete(_) | Step::Empty) {}
        }
        Ok(())
    }

    /// The session ends: its temporary schema goes with everything in it.
    pub(crate) fn drop_temporary_objects(&mut self) {
        let Some(namespace) = self.core.temp_namespace.get() else {
            return;
        };
        self.statement_begins();
        // What goes with the schema is told to nobody.
        let told = self.core.notices.borrow().len();
        let done = self.guarded(|s| {
            s.ensure_transaction()?;
            let name = s.current_view()?.namespace_name(namespace)?;
            if let Some(name) = name {
                s.run_internal(&format!(
                    "DROP SCHEMA {} CASCADE",
                    catalog::names::quote_identifier(&name)
                ))?;
            }
            s.commit_transaction()
        });
        self.core.notices.borrow_mut().truncate(told);
        self.core.placed_notices.set(told);
        if done.is_err() {
            // The rows of a lost temporary schema are unreachable; the next session of that number replaces it.
            self.rollback_block();
        }
    }
}

/// Privileges of a role on what a plan touches.
pub(crate) fn check_permissions(range_table: &[RangeTblEntry], view: &Arc<View>, user: Oid) -> PgResult<()> {
    let roles = view.roles()?;
    for rte in range_table {
        let RteKind::Relation { relation, .. } = rte.kind else {
            continue;
        };
        let p = &rte.permissions;
        let user = if p.check_as.is_valid() { p.check_as } else { user };
        let Some(desc) = view.relation(relation)? else {
            continue;
        };
        let wanted = [
            (p.select, Privilege::Select, Some(&p.selected_columns)),
            (p.insert, Privilege::Insert, Some(&p.inserted_columns)),
            (p.update, Privilege::Update, Some(&p.updated_columns)),
            (p.delete, Privilege::Delete, None),
        ];
        for (_, privilege, columns) in wanted.into_iter().filter(|(w, ..)| *w) {
            let guarded = Guarded {
                kind: ObjectKind::of_relkind(desc.relkind),
                owner: desc.owner,
                acl: desc.acl.as_deref(),
            };
            match columns {
                Some(columns) => {
                    let columns = Permissions::attnos(columns);
                    roles.check_columns(user, &desc, privilege, &columns)?;
                }
                None => roles.check(user, guarded, privilege, &desc.name)?,
            }
        }
    }
    Ok(())
}
