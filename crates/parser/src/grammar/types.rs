//! Types, domains, operators, operator classes, casts, transforms, conversions, collations, text search.

use common::error::ErrorExt;
use common::{PgResult, Span};

use crate::ast::{
    AlterDomainAction, AlterDomainStmt, AlterEnumStmt, AlterOpFamilyStmt, AlterTableAction, AlterTableCmd,
    AlterTsConfigType, AlterTsConfigurationStmt, CoercionContext, ColumnDef, CompositeTypeStmt, ConstrType,
    Constraint, CreateCastStmt, CreateConversionStmt, CreateDomainStmt, CreateEnumStmt, CreateOpClassItem,
    CreateOpClassStmt, CreateOpFamilyStmt, CreateRangeStmt, CreateTransformStmt, DefArg, DefElem, NameList,
    ObjectType, ObjectWithArgs, OpClassItem, Statement, TypeName,
};
use crate::grammar::constraint::Allowed;
use crate::grammar::options::named_option;
use crate::grammar::routine::define_stmt;
use crate::keywords::Keyword as K;
use crate::parser::Parser;
use crate::token::Tok;

type R<T> = PgResult<T>;

impl Parser<'_> {
    /// CREATE TYPE; the current token is TYPE.
    pub fn create_type(&mut self, start: u32) -> R<Statement> {
        self.bump();
        let names = self.any_name()?;
        if self.eat(K::As) {
            return self.create_type_as(start, names);
        }
        let mut stmt = define_stmt(ObjectType::Type, names);
        if self.at('(') {
            stmt.definition = self.definition()?;
        }
        stmt.span = self.span_from(start);
        Ok(stmt.into())
    }

    fn create_type_as(&mut self, start: u32, names: NameList) -> R<Statement> {
        if self.eat(K::Enum) {
            self.expect('(')?;
            let vals = if self.at(')') {
                Vec::new()
            } else {
                self.comma_list(|p| p.sconst())?
            };
            self.expect(')')?;
            return Ok(CreateEnumStmt {
                type_name: names,
                vals,
                span: self.span_from(start),
            }
            .into());
        }
        if self.eat(K::Range) {
            let params = self.definition()?;
            return Ok(CreateRangeStmt {
                type_name: names,
                params,
                span: self.span_from(start),
            }
            .into());
        }
        self.expect('(')?;
        let coldeflist = if self.at(')') {
            Vec::new()
        } else {
            self.comma_list(|p| p.table_func_element())?
        };
        self.expect(')')?;
        let typevar = self.range_var_from_names(names)?;
        Ok(CompositeTypeStmt {
            typevar,
            coldeflist,
            span: self.span_from(start),
        }
        .into())
    }

    /// ALTER TYPE ... ADD/RENAME/DROP VALUE; `None` if it is something else.
    pub fn alter_enum(&mut self, start: u32, type_name: &NameList) -> R<Option<Statement>> {
        let mut stmt = AlterEnumStmt {
            type_name: type_name.clone(),
            old_val: None,
            new_val: None,
            neighbor: None,
            new_val_is_after: true,
            skip_if_new_val_exists: false,
            span: Span::NONE,
        };
        if self.at2(K::Drop, K::Value) {
            let span = self.take().span();
            self.bump();
            self.sconst()?;
            return Err(self.not_supported("dropping an enum value is not implemented", span));
        }
        if self.eat2(K::Add, K::Value) {
            stmt.skip_if_new_val_exists = self.at(K::If);
            if stmt.skip_if_new_val_exists {
                self.expect_all(&[K::If, K::Not, K::Exists])?;
            }
            stmt.new_val = Some(self.sconst()?);
            if self.eat(K::Before) {
                stmt.neighbor = Some(self.sconst()?);
                stmt.new_val_is_after = false;
            } else if self.eat(K::After) {
                stmt.neighbor = Some(self.sconst()?);
            }
        } else if self.eat2(K::Rename, K::Value) {
            stmt.old_val = Some(self.sconst()?);
            self.expect(K::To)?;
            stmt.new_val = Some(self.sconst()?);
            stmt.new_val_is_after = false;
        } else {
            return Ok(None);
        }
        stmt.span = self.span_from(start);
        Ok(Some(stmt.into()))
    }

    /// ADD/DROP/ALTER ATTRIBUTE.
    pub fn alter_type_cmd(&mut self) -> R<AlterTableCmd> {
        let start = self.start();
        let Tok::Kw(word @ (K::Add | K::Drop | K::Alter)) = self.tok else {
            return self.fail();
        };
        self.bump();
        self.expect(K::Attribute)?;
        let action = match word {
            K::Add => {
                let element = self.table_func_element()?;
                let def = Box::new(ColumnDef {
                    name: element.name,
                    type_name: Some(element.type_name),
                    compression: None,
                    storage: None,
                    collation: element.collation,
                    constraints: Vec::new(),
                    fdwoptions: Vec::new(),
                    span: element.span,
                });
                AlterTableAction::AddAttribute {
                    def,
                    behavior: self.opt_drop_behavior(),
                }
            }
            K::Drop => {
                let missing_ok = self.opt_if_exists();
                let name = self.col_id()?;
                AlterTableAction::DropAttribute {
                    name,
                    missing_ok,
                    behavior: self.opt_drop_behavior(),
                }
            }
            _ => {
                let name = self.col_id()?;
                if self.eat(K::Set) {
                    self.expect(K::Data)?;
                }
                self.expect(K::Type)?;
                let type_name = self.typename()?;
                let collation = self.opt_collate_clause()?;
                let behavior = self.opt_drop_behavior();
                AlterTableAction::AlterAttributeType {
                    name,
                    type_name,
                    collation,
                    behavior,
                }
            }
        };
        Ok(AlterTableCmd {
            action,
            span: self.span_from(start),
        })
    }

    // ---- domains ------------------------------------------------------------------------------------------------

    /// CREATE DOMAIN; the current token is DOMAIN.
    pub fn create_domain(&mut self, start: u32) -> R<Statement> {
        self.bump();
        let domainname = self.any_name()?;
        self.eat(K::As);
        let type_name = self.typename()?;
        let (mut constraints, mut collation) = (Vec::new(), None);
        self.col_qual_list(&mut constraints, &mut collation)?;
        let span = self.span_from(start);
        Ok(CreateDomainStmt {
            domainname,
            type_name,
            collation,
            constraints,
            span,
        }
        .into())
    }

    /// ALTER DOMAIN, after the name (RENAME, OWNER and SET SCHEMA are read elsewhere).
    pub fn alter_domain(&mut self, start: u32, type_name: NameList) -> R<Statement> {
        let Tok::Kw(word) = self.tok else {
            return self.fail();
        };
        if !matches!(word, K::Set | K::Drop | K::Add | K::Validate) {
            return self.fail();
        }
        self.bump();
        let action = match word {
            K::Set if self.eat(K::Default) => AlterDomainAction::Default(Some(self.a_expr()?)),
            K::Set => {
                self.expect_all(&[K::Not, K::Null])?;
                AlterDomainAction::SetNotNull
            }
            K::Drop if self.eat(K::Default) => AlterDomainAction::Default(None),
            K::Drop if self.eat(K::Constraint) => {
                let missing_ok = self.opt_if_exists();
                let name = self.name()?;
                AlterDomainAction::DropConstraint {
                    name,
                    missing_ok,
                    behavior: self.opt_drop_behavior(),
                }
            }
            K::Drop => {
                self.expect_all(&[K::Not, K::Null])?;
                AlterDomainAction::DropNotNull
            }
            K::Add => AlterDomainAction::AddConstraint(Box::new(self.domain_constraint()?)),
            _ => {
                self.expect(K::Constraint)?;
                AlterDomainAction::ValidateConstraint(self.name()?)
            }
        };
        Ok(AlterDomainStmt {
            type_name,
            action,
            span: self.span_from(start),
        }
        .into())
    }

    fn domain_constraint(&mut self) -> R<Constraint> {
        let start = self.start();
        let conname = if self.eat(K::Constraint) {
            Some(self.name()?)
        } else {
            None
        };
        let span = self.span();
        let (mut constraint, allowed) = if self.eat(K::Check) {
            let mut c = Constraint::new(ConstrType::Check, span);
            self.expect('(')?;
            c.raw_expr = Some(self.a_expr()?);
            self.expect(')')?;
            (
                c,
                Allowed {
                    kind: "CHECK",
                    deferrable: false,
                    not_valid: true,
                    no_inherit: true,
                    enforced: false,
                },
            )
        } else {
            self.expect_all(&[K::Not, K::Null])?;
            let c = Constraint::new(ConstrType::NotNull, span);
            (
                c,
                Allowed {
                    kind: "NOT NULL",
                    deferrable: false,
                    not_valid: false,
                    no_inherit: false,
                    enforced: false,
                },
            )
        };
        let attributes = self.constraint_attribute_spec()?;
        self.process_cas_bits(attributes, &mut constraint, allowed)?;
        constraint.conname = conname;
        constraint.span = self.span_from(start);
        Ok(constraint)
    }

    // ---- operators ----------------------------------------------------------------------------------------------

    /// CREATE OPERATOR [CLASS | FAMILY]; the current token is OPERATOR.
    pub fn create_operator(&mut self, start: u32) -> R<Statement> {
        self.bump();
        if self.at(K::Class) && self.peek(1) != Tok::Char(b'.') {
            self.bump();
            return self.create_opclass(start);
        }
        if self.at(K::Family) && self.peek(1) != Tok::Char(b'.') {
            self.bump();
            let opfamilyname = self.any_name()?;
            self.expect(K::Using)?;
            let amname = self.name()?;
            return Ok(CreateOpFamilyStmt {
                opfamilyname,
                amname,
                span: self.span_from(start),
            }
            .into());
        }
        let names = self.any_operator()?;
        let mut stmt = define_stmt(ObjectType::Operator, names);
        stmt.definition = self.definition()?;
        stmt.span = self.span_from(start);
        Ok(stmt.into())
    }

    fn create_opclass(&mut self, start: u32) -> R<Statement> {
        let opclassname = self.any_name()?;
        let is_default = self.eat(K::Default);
        self.expect_all(&[K::For, K::Type])?;
        let datatype = self.typename()?;
        self.expect(K::Using)?;
        let amname = self.name()?;
        let opfamilyname = if self.eat(K::Family) {
            self.any_name()?
        } else {
            NameList::new()
        };
        self.expect(K::As)?;
        let items = self.comma_list(|p| p.opclass_item())?;
        let span = self.span_from(start);
        Ok(CreateOpClassStmt {
            opclassname,
            opfamilyname,
            amname,
            datatype,
            items,
            is_default,
            span,
        }
        .into())
    }

    fn opclass_item(&mut self) -> R<CreateOpClassItem> {
        let start = self.start();
        let item = if self.eat(K::Operator) {
            let number = self.iconst()?;
            let name = self.operator_maybe_args()?;
            let mut order_family = NameList::new();
            if self.eat(K::For) && !self.eat(K::Search) {
                self.expect_all(&[K::Order, K::By])?;
                order_family = self.any_name()?;
            }
            OpClassItem::Operator {
                number,
                name,
                order_family,
            }
        } else if self.eat(K::Function) {
            let number = self.iconst()?;
            let class_args = self.opt_paren_list(|p| p.typename())?;
            OpClassItem::Function {
                number,
                class_args,
                name: self.function_with_argtypes()?,
            }
        } else {
            self.expect(K::Storage)?;
            OpClassItem::Storage(self.typename()?)
        };
        Ok(CreateOpClassItem {
            item,
            span: self.span_from(start),
        })
    }

    fn operator_maybe_args(&mut self) -> R<ObjectWithArgs> {
        let start = self.start();
        let name = self.any_operator()?;
        let args_unspecified = !self.at('(');
        let args = if args_unspecified {
            Vec::new()
        } else {
            self.oper_argtypes()?
        };
        let span = self.span_from(start);
        Ok(ObjectWithArgs {
            name,
            args,
            func_args: Vec::new(),
            args_unspecified,
            span,
        })
    }

    /// ALTER OPERATOR FAMILY ... ADD/DROP, after USING name.
    pub fn alter_opfamily(
        &mut self,
        start: u32,
        opfamilyname: NameList,
        amname: crate::ast::Ident,
    ) -> R<Statement> {
        let is_drop = self.eat(K::Drop);
        let items = if is_drop {
            self.comma_list(|p| p.opclass_drop())?
        } else {
            self.expect(K::Add)?;
            self.comma_list(|p| p.opclass_item())?
        };
        Ok(AlterOpFamilyStmt {
            opfamilyname,
            amname,
            is_drop,
            items,
            span: self.span_from(start),
        }
        .into())
    }

    fn opclass_drop(&mut self) -> R<CreateOpClassItem> {
        let start = self.start();
        let is_operator = self.eat(K::Operator);
        if !is_operator {
            self.expect(K::Function)?;
        }
        let number = self.iconst()?;
        let args: Vec<TypeName> = self.paren_list(|p| p.typename())?;
        let item = match is_operator {
            true => OpClassItem::DropOperator { number, args },
            false => OpClassItem::DropFunction { number, args },
        };
        Ok(CreateOpClassItem {
            item,
            span: self.span_from(start),
        })
    }

    /// `'(' name [= value | NONE], ... ')'` of ALTER OPERATOR and ALTER TYPE.
    pub fn operator_def_list(&mut self) -> R<Vec<DefElem>> {
        self.paren_list(|p| {
            let name = p.col_label()?;
            let start = name.span.start;
            let mut arg = None;
            if p.eat('=') {
                arg = if p.eat(K::None) { None } else { Some(p.def_arg()?) };
            }
            let span = p.span_from(start);
            Ok(named_option(name, arg, span))
        })
    }

    // ---- casts, transforms, conversions -------------------------------------------------------------------------

    /// `'(' type AS type ')'`.
    pub fn cast_types(&mut self) -> R<(TypeName, TypeName)> {
        self.expect('(')?;
        let source = self.typename()?;
        self.expect(K::As)?;
        let target = self.typename()?;
        self.expect(')')?;
        Ok((source, target))
    }

    /// CREATE CAST; the current token is CAST.
    pub fn create_cast(&mut self, start: u32) -> R<Statement> {
        self.bump();
        let (source_type, target_type) = self.cast_types()?;
        let (mut func, mut inout) = (None, false);
        if self.eat(K::Without) {
            self.expect(K::Function)?;
        } else {
            self.expect(K::With)?;
            inout = self.eat(K::Inout);
            if !inout {
                self.expect(K::Function)?;
                func = Some(self.function_with_argtypes()?);
            }
        }
        let mut context = CoercionContext::Explicit;
        if self.eat(K::As) {
            context = if self.eat(K::Implicit) {
                CoercionContext::Implicit
            } else {
                self.expect(K::Assignment)?;
                CoercionContext::Assignment
            };
        }
        let span = self.span_from(start);
        Ok(CreateCastStmt {
            source_type,
            target_type,
            func,
            context,
            inout,
            span,
        }
        .into())
    }

    /// CREATE TRANSFORM; the current token is TRANSFORM.
    pub fn create_transform(&mut self, start: u32, replace: bool) -> R<Statement> {
        self.bump();
        self.expect(K::For)?;
        let type_name = self.typename()?;
        self.expect(K::Language)?;
        let lang = self.name()?;
        self.expect('(')?;
        let (mut from_sql, mut to_sql) = (None, None);
        loop {
            let slot = match self.tok {
                Tok::Kw(K::From) if from_sql.is_none() => &mut from_sql,
                Tok::Kw(K::To) if to_sql.is_none() => &mut to_sql,
                _ => return self.fail(),
            };
            self.bump();
            self.expect_all(&[K::Sql, K::With, K::Function])?;
            *slot = Some(self.function_with_argtypes()?);
            if from_sql.is_some() && to_sql.is_some() || !self.eat(',') {
                break;
            }
        }
        self.expect(')')?;
        Ok(CreateTransformStmt {
            replace,
            type_name,
            lang,
            from_sql,
            to_sql,
            span: self.span_from(start),
        }
        .into())
    }

    /// CREATE [DEFAULT] CONVERSION; the current token is DEFAULT or CONVERSION.
    pub fn create_conversion(&mut self, start: u32) -> R<Statement> {
        let is_default = self.eat(K::Default);
        self.expect(K::Conversion)?;
        let conversion_name = self.any_name()?;
        self.expect(K::For)?;
        let for_encoding = self.sconst()?.name;
        self.expect(K::To)?;
        let to_encoding = self.sconst()?.name;
        self.expect(K::From)?;
        let func_name = self.any_name()?;
        let span = self.span_from(start);
        Ok(CreateConversionStmt {
            conversion_name,
            for_encoding,
            to_encoding,
            func_name,
            is_default,
            span,
        }
        .into())
    }

    /// CREATE COLLATION; the current token is COLLATION.
    pub fn create_collation(&mut self, start: u32) -> R<Statement> {
        self.bump();
        let if_not_exists = self.opt_if_not_exists()?;
        let names = self.any_name()?;
        let mut stmt = define_stmt(ObjectType::Collation, names);
        stmt.if_not_exists = if_not_exists;
        if self.at(K::From) {
            self.bump();
            let from_at = self.span();
            let from = DefArg::Names(self.any_name()?);
            stmt.definition = vec![crate::grammar::transaction::option("from", Some(from), from_at)];
        } else {
            stmt.definition = self.definition()?;
        }
        stmt.span = self.span_from(start);
        Ok(stmt.into())
    }

    // ---- text search --------------------------------------------------------------------------------------------

    /// The word after TEXT SEARCH.
    pub fn text_search_kind(&mut self) -> R<ObjectType> {
        let kind = match self.tok {
            Tok::Kw(K::Parser) => ObjectType::TsParser,
            Tok::Kw(K::Dictionary) => ObjectType::TsDictionary,
            Tok::Kw(K::Template) => ObjectType::TsTemplate,
            Tok::Kw(K::Configuration) => ObjectType::TsConfiguration,
            _ => return self.fail(),
        };
        self.bump();
        Ok(kind)
    }

    /// CREATE TEXT SEARCH; the current token is TEXT.
    pub fn create_text_search(&mut self, start: u32) -> R<Statement> {
        self.expect_all(&[K::Text, K::Search])?;
        let kind = self.text_search_kind()?;
        let names = self.any_name()?;
        let mut stmt = define_stmt(kind, names);
        stmt.definition = self.definition()?;
        stmt.span = self.span_from(start);
        Ok(stmt.into())
    }

    /// ALTER TEXT SEARCH CONFIGURATION ... MAPPING, after the name.
    pub fn alter_ts_configuration(&mut self, start: u32, cfgname: NameList) -> R<Statement> {
        let Tok::Kw(word @ (K::Add | K::Alter | K::Drop)) = self.tok else {
            return self.fail();
        };
        self.bump();
        self.expect(K::Mapping)?;
        let mut stmt = AlterTsConfigurationStmt {
            kind: AlterTsConfigType::AddMapping,
            cfgname,
            tokentype: Vec::new(),
            dicts: Vec::new(),
            missing_ok: false,
            span: Span::NONE,
        };
        if word == K::Drop {
            stmt.kind = AlterTsConfigType::DropMapping;
            stmt.missing_ok = self.if_exists()?;
            self.expect(K::For)?;
            stmt.tokentype = self.comma_list(|p| p.name())?;
        } else if word == K::Alter && self.eat(K::Replace) {
            stmt.kind = AlterTsConfigType::ReplaceDict;
            stmt.dicts = self.replaced_dicts()?;
        } else {
            self.expect(K::For)?;
            stmt.tokentype = self.comma_list(|p| p.name())?;
            if word == K::Alter && self.eat(K::Replace) {
                stmt.kind = AlterTsConfigType::ReplaceDictForToken;
                stmt.dicts = self.replaced_dicts()?;
            } else {
                if word == K::Alter {
                    stmt.kind = AlterTsConfigType::AlterMappingForToken;
                }
                self.any_with()?;
                stmt.dicts = self.any_name_list()?;
            }
        }
        stmt.span = self.span_from(start);
        Ok(stmt.into())
    }

    fn replaced_dicts(&mut self) -> R<Vec<NameList>> {
        let old = self.any_name()?;
        self.any_with()?;
        Ok(vec![old, self.any_name()?])
    }

    fn any_with(&mut self) -> R<()> {
        if self.eat(Tok::WithLa) {
            Ok(())
        } else {
            self.expect(K::With)
        }
    }

    /// CREATE ASSERTION is only recognised to be refused.
    pub fn create_assertion(&mut self, start: u32) -> R<Statement> {
        self.bump();
        self.any_name()?;
        self.expect(K::Check)?;
        self.expect('(')?;
        self.a_expr()?;
        self.expect(')')?;
        self.constraint_attribute_spec()?;
        Err(
            common::pg_err!(FEATURE_NOT_SUPPORTED, "CREATE ASSERTION is not yet implemented")
                .at(Span::new(start, start)),
        )
    }
}
