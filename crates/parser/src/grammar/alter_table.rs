//! ALTER TABLE and the other relation kinds that share its subcommands.

use common::{PgResult, Span};

use crate::ast::{
    AlterTableAction, AlterTableCmd, AlterTableMoveAllStmt, AlterTableStmt, ConstrType, Constraint, DefArg,
    DefElem, EnableState, Ident, ObjectType, RangeVar, ReplicaIdentity, Statement, TriggerTarget,
};
use crate::grammar::constraint::Allowed;
use crate::grammar::transaction::option;
use crate::keywords::Keyword as K;
use crate::parser::Parser;
use crate::token::Tok;

type R<T> = PgResult<T>;
use AlterTableAction as A;

impl Parser<'_> {
    /// Subcommands on a relation whose kind and name have been read.
    pub fn alter_table_rest(
        &mut self,
        start: u32,
        objtype: ObjectType,
        relation: RangeVar,
        missing_ok: bool,
    ) -> R<Statement> {
        let partition_start = self.start();
        let partition = match (self.tok, objtype) {
            (Tok::Kw(K::Attach), ObjectType::Table | ObjectType::Index) => {
                Some(self.attach_partition(objtype)?)
            }
            (Tok::Kw(K::Detach), ObjectType::Table) => Some(self.detach_partition()?),
            _ => None,
        };
        let cmds = match partition {
            Some(action) => vec![AlterTableCmd {
                action,
                span: self.span_from(partition_start),
            }],
            None => self.comma_list(|p| p.alter_table_cmd())?,
        };
        Ok(AlterTableStmt {
            relation,
            cmds,
            objtype,
            missing_ok,
            span: self.span_from(start),
        }
        .into())
    }

    fn attach_partition(&mut self, objtype: ObjectType) -> R<A> {
        self.bump();
        self.expect(K::Partition)?;
        let name = self.qualified_name()?;
        let bound = if objtype == ObjectType::Table {
            Some(Box::new(self.partition_bound_spec()?))
        } else {
            None
        };
        Ok(A::AttachPartition { name, bound })
    }

    fn detach_partition(&mut self) -> R<A> {
        self.bump();
        self.expect(K::Partition)?;
        let name = self.qualified_name()?;
        if self.eat(K::Finalize) {
            return Ok(A::DetachPartitionFinalize(name));
        }
        let concurrent = self.eat(K::Concurrently);
        Ok(A::DetachPartition { name, concurrent })
    }

    /// `ALL IN TABLESPACE ...`, after the kind of relation.
    pub fn alter_move_all(&mut self, start: u32, objtype: ObjectType) -> R<Statement> {
        self.expect_all(&[K::All, K::In, K::Tablespace])?;
        let orig_tablespace = self.name()?;
        let mut roles = Vec::new();
        if self.eat(K::Owned) {
            self.expect(K::By)?;
            roles = self.role_list()?;
        }
        self.expect_all(&[K::Set, K::Tablespace])?;
        let new_tablespace = self.name()?;
        let nowait = self.eat(K::Nowait);
        let span = self.span_from(start);
        Ok(AlterTableMoveAllStmt {
            orig_tablespace,
            objtype,
            roles,
            new_tablespace,
            nowait,
            span,
        }
        .into())
    }

    fn alter_table_cmd(&mut self) -> R<AlterTableCmd> {
        let start = self.start();
        let Tok::Kw(word) = self.tok else {
            return self.fail();
        };
        let action = match word {
            K::Add => self.alter_add()?,
            K::Alter => self.alter_alter()?,
            K::Drop => self.alter_drop()?,
            K::Set => self.alter_set()?,
            K::Enable | K::Disable => self.alter_enable(word)?,
            K::No => self.alter_no()?,
            K::Options => A::GenericOptions(self.alter_generic_options()?),
            _ => {
                self.bump();
                self.alter_other(word)?
            }
        };
        Ok(AlterTableCmd {
            action,
            span: self.span_from(start),
        })
    }

    fn alter_other(&mut self, word: K) -> R<A> {
        Ok(match word {
            K::Validate => {
                self.expect(K::Constraint)?;
                A::ValidateConstraint(self.name()?)
            }
            K::Cluster => {
                self.expect(K::On)?;
                A::ClusterOn(self.name()?)
            }
            K::Inherit => A::AddInherit(self.qualified_name()?),
            K::Of => {
                let names = self.any_name()?;
                A::AddOf(self.type_from_names(names))
            }
            K::Not => {
                self.expect(K::Of)?;
                A::DropOf
            }
            K::Owner => {
                self.expect(K::To)?;
                A::ChangeOwner(self.role_spec()?)
            }
            K::Reset => A::ResetRelOptions(self.reloptions()?),
            K::Replica => {
                self.expect(K::Identity)?;
                A::ReplicaIdentity(self.replica_identity()?)
            }
            K::Force => {
                self.expect_all(&[K::Row, K::Level, K::Security])?;
                A::ForceRowSecurity
            }
            _ => {
                let mark = self.mark() - 1;
                self.rewind(mark);
                return self.fail();
            }
        })
    }

    fn alter_no(&mut self) -> R<A> {
        self.bump();
        if self.eat(K::Force) {
            self.expect_all(&[K::Row, K::Level, K::Security])?;
            return Ok(A::NoForceRowSecurity);
        }
        self.expect(K::Inherit)?;
        Ok(A::DropInherit(self.qualified_name()?))
    }

    fn replica_identity(&mut self) -> R<ReplicaIdentity> {
        let identity = match self.tok {
            Tok::Kw(K::Nothing) => ReplicaIdentity::Nothing,
            Tok::Kw(K::Full) => ReplicaIdentity::Full,
            Tok::Kw(K::Default) => ReplicaIdentity::Default,
            _ => {
                self.expect_all(&[K::Using, K::Index])?;
                return Ok(ReplicaIdentity::Index(self.name()?));
            }
        };
        self.bump();
        Ok(identity)
    }

    fn alter_add(&mut self) -> R<A> {
        self.bump();
        if self.at_table_constraint() {
            return Ok(A::AddConstraint(Box::new(self.table_constraint()?)));
        }
        self.eat(K::Column);
        let missing_ok = self.opt_if_not_exists()?;
        Ok(A::AddColumn {
            def: Box::new(self.column_def()?),
            missing_ok,
        })
    }

    fn alter_drop(&mut self) -> R<A> {
        self.bump();
        if self.eat(K::Constraint) {
            let missing_ok = self.opt_if_exists();
            let name = self.name()?;
            return Ok(A::DropConstraint {
                name,
                missing_ok,
                behavior: self.opt_drop_behavior(),
            });
        }
        self.eat(K::Column);
        let missing_ok = self.opt_if_exists();
        let name = self.col_id()?;
        Ok(A::DropColumn {
            name,
            missing_ok,
            behavior: self.opt_drop_behavior(),
        })
    }

    fn alter_set(&mut self) -> R<A> {
        self.bump();
        Ok(match self.tok {
            Tok::Char(b'(') => A::SetRelOptions(self.reloptions()?),
            Tok::Kw(K::Without) => {
                self.bump();
                if self.eat(K::Oids) {
                    return Ok(A::DropOids);
                }
                self.expect(K::Cluster)?;
                A::DropCluster
            }
            Tok::Kw(K::Logged) => {
                self.bump();
                A::SetLogged
            }
            Tok::Kw(K::Unlogged) => {
                self.bump();
                A::SetUnlogged
            }
            Tok::Kw(K::Access) => {
                self.bump();
                self.expect(K::Method)?;
                A::SetAccessMethod(if self.eat(K::Default) {
                    None
                } else {
                    Some(self.col_id()?)
                })
            }
            Tok::Kw(K::Tablespace) => {
                self.bump();
                A::SetTablespace(self.name()?)
            }
            _ => return self.fail(),
        })
    }

    fn alter_enable(&mut self, word: K) -> R<A> {
        self.bump();
        let mut state = if word == K::Enable {
            EnableState::Enable
        } else {
            EnableState::Disable
        };
        if word == K::Enable {
            if self.eat(K::Always) {
                state = EnableState::EnableAlways;
            } else if self.eat(K::Replica) {
                state = EnableState::EnableReplica;
            }
        }
        let plain = matches!(state, EnableState::Enable | EnableState::Disable);
        if plain && self.eat(K::Row) {
            self.expect_all(&[K::Level, K::Security])?;
            return Ok(if word == K::Enable {
                A::EnableRowSecurity
            } else {
                A::DisableRowSecurity
            });
        }
        if self.eat(K::Rule) {
            return Ok(A::Rule {
                state,
                name: self.name()?,
            });
        }
        self.expect(K::Trigger)?;
        let target = match self.tok {
            Tok::Kw(K::All) if plain => TriggerTarget::All,
            Tok::Kw(K::User) if plain => TriggerTarget::User,
            _ => {
                return Ok(A::Trigger {
                    state,
                    target: TriggerTarget::Name(self.name()?),
                });
            }
        };
        self.bump();
        Ok(A::Trigger { state, target })
    }

    // ---- ALTER COLUMN -------------------------------------------------------------------------------------------

    fn alter_alter(&mut self) -> R<A> {
        self.bump();
        if self.eat(K::Constraint) {
            return self.alter_constraint();
        }
        self.eat(K::Column);
        if self.at(Tok::IConst) {
            let span = self.span();
            let num = self.iconst()?;
            self.expect_all(&[K::Set, K::Statistics])?;
            let value = self.statistics_value()?;
            if !(1..=i32::from(i16::MAX)).contains(&num) {
                let max = i16::MAX;
                use common::error::ErrorExt;
                return Err(common::pg_err!(
                    INVALID_PARAMETER_VALUE,
                    "column number must be in range from 1 to {max}"
                )
                .at(span));
            }
            return Ok(A::SetStatistics {
                name: None,
                num,
                value,
            });
        }
        let name = self.col_id()?;
        match self.tok {
            Tok::Kw(K::Set) => self.alter_column_set(name),
            Tok::Kw(K::Drop) => self.alter_column_drop(name),
            Tok::Kw(K::Reset) => {
                self.bump();
                Ok(A::ResetOptions {
                    name,
                    options: self.reloptions()?,
                })
            }
            Tok::Kw(K::Type) => self.alter_column_type(name),
            Tok::Kw(K::Restart) => Ok(A::SetIdentity {
                name,
                options: self.alter_identity_options()?,
            }),
            Tok::Kw(K::Options) => Ok(A::AlterColumnGenericOptions {
                name,
                options: self.alter_generic_options()?,
            }),
            Tok::Kw(K::Add) => {
                let span = self.take().span();
                self.expect(K::Generated)?;
                let mut constraint = Constraint::new(ConstrType::Identity, span);
                constraint.generated_when = self.generated_when()?;
                self.expect_all(&[K::As, K::Identity])?;
                constraint.options = self.opt_parenthesized_seq_options()?;
                constraint.span = self.span_from(span.start);
                Ok(A::AddIdentity {
                    name,
                    constraint: Box::new(constraint),
                })
            }
            _ => self.fail(),
        }
    }

    fn statistics_value(&mut self) -> R<Option<i32>> {
        if self.eat(K::Default) {
            Ok(None)
        } else {
            Ok(Some(self.signed_iconst()?))
        }
    }

    fn alter_constraint(&mut self) -> R<A> {
        let name = self.name()?;
        if self.eat(K::Inherit) {
            return Ok(A::AlterConstraint {
                name,
                enforced: None,
                deferrability: None,
                no_inherit: Some(false),
            });
        }
        let given = self.constraint_attribute_spec()?;
        if given.not_valid() {
            return Err(self.not_supported("constraints cannot be altered to be NOT VALID", given.span()));
        }
        let allowed = Allowed {
            kind: "FOREIGN KEY",
            deferrable: true,
            not_valid: false,
            no_inherit: true,
            enforced: true,
        };
        let mut scratch = Constraint::new(ConstrType::Foreign, Span::NONE);
        self.process_cas_bits(given, &mut scratch, allowed)?;
        let no_inherit = given.no_inherit().then_some(true);
        let (enforced, deferrability) = (given.enforced(), given.deferrability());
        Ok(A::AlterConstraint {
            name,
            enforced,
            deferrability,
            no_inherit,
        })
    }

    fn alter_column_set(&mut self, name: Ident) -> R<A> {
        let next = self.peek(1);
        if matches!(next, Tok::Kw(K::Generated)) || self.is_seq_option_start(next) {
            return Ok(A::SetIdentity {
                name,
                options: self.alter_identity_options()?,
            });
        }
        self.bump();
        Ok(match self.tok {
            Tok::Char(b'(') => A::SetOptions {
                name,
                options: self.reloptions()?,
            },
            Tok::Kw(K::Default) => {
                self.bump();
                A::ColumnDefault {
                    name,
                    default: Some(self.a_expr()?),
                }
            }
            Tok::Kw(K::Not) => {
                self.bump();
                self.expect(K::Null)?;
                A::SetNotNull(name)
            }
            Tok::Kw(K::Expression) => {
                self.bump();
                self.expect(K::As)?;
                self.expect('(')?;
                let expr = self.a_expr()?;
                self.expect(')')?;
                A::SetExpression { name, expr }
            }
            Tok::Kw(K::Statistics) => {
                self.bump();
                A::SetStatistics {
                    name: Some(name),
                    num: 0,
                    value: self.statistics_value()?,
                }
            }
            Tok::Kw(K::Storage) => {
                self.bump();
                A::SetStorage {
                    name,
                    storage: self.col_id_or_default()?,
                }
            }
            Tok::Kw(K::Compression) => {
                self.bump();
                A::SetCompression {
                    name,
                    method: self.col_id_or_default()?,
                }
            }
            Tok::Kw(K::Data) => {
                self.bump();
                return self.alter_column_type(name);
            }
            _ => return self.fail(),
        })
    }

    fn is_seq_option_start(&self, tok: Tok) -> bool {
        matches!(
            tok,
            Tok::Kw(
                K::As
                    | K::Cache
                    | K::Cycle
                    | K::Increment
                    | K::Logged
                    | K::Unlogged
                    | K::Maxvalue
                    | K::Minvalue
                    | K::No
                    | K::Owned
                    | K::Sequence
                    | K::Start
                    | K::Restart
            )
        )
    }

    fn alter_column_drop(&mut self, name: Ident) -> R<A> {
        self.bump();
        let Tok::Kw(word) = self.tok else {
            return self.fail();
        };
        if !matches!(word, K::Default | K::Not | K::Expression | K::Identity) {
            return self.fail();
        }
        self.bump();
        Ok(match word {
            K::Default => A::ColumnDefault { name, default: None },
            K::Not => {
                self.expect(K::Null)?;
                A::DropNotNull(name)
            }
            K::Expression => A::DropExpression {
                name,
                missing_ok: self.if_exists()?,
            },
            _ => A::DropIdentity {
                name,
                missing_ok: self.if_exists()?,
            },
        })
    }

    fn alter_column_type(&mut self, name: Ident) -> R<A> {
        self.expect(K::Type)?;
        let type_name = self.typename()?;
        let collation = self.opt_collate_clause()?;
        let using = if self.eat(K::Using) {
            Some(self.a_expr()?)
        } else {
            None
        };
        Ok(A::AlterColumnType {
            name,
            type_name,
            collation,
            using,
        })
    }

    /// `alter_identity_column_option_list`.
    fn alter_identity_options(&mut self) -> R<Vec<DefElem>> {
        let mut options = Vec::new();
        loop {
            let span = self.span();
            if self.at(K::Restart) {
                options.extend(self.seq_option()?);
            } else if self.eat(K::Set) {
                if self.eat(K::Generated) {
                    let by_default = self.generated_when()? == crate::ast::GeneratedWhen::ByDefault;
                    let value = DefArg::String(if by_default { "d" } else { "a" }.into());
                    options.push(option("generated", Some(value), self.span_from(span.start)));
                    continue;
                }
                let sequence_only = self.tok;
                let Some(option) = self.seq_option()? else {
                    return self.fail();
                };
                if matches!(sequence_only, Tok::Kw(K::As | K::Restart | K::Owned)) {
                    let message = format!("sequence option \"{}\" not supported here", option.name);
                    return Err(self.grammar_error(&message, option.span));
                }
                options.push(option);
            } else {
                return Ok(options);
            }
        }
    }
}
