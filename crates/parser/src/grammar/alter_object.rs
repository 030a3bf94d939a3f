//! ALTER of routines, types, operators, statistics and text search objects.

use common::PgResult;

use crate::ast::{
    AlterCollationStmt, AlterOperatorStmt, AlterStatsStmt, AlterTableStmt, AlterTsDictionaryStmt,
    AlterTypeStmt, NameList, ObjectName, ObjectType, RenameStmt, Statement,
};
use crate::grammar::alter::{Common, OS, ROS, ROUTINE};
use crate::keywords::Keyword as K;
use crate::parser::Parser;
use crate::token::Tok;

type R<T> = PgResult<T>;
use ObjectType as O;

impl Parser<'_> {
    // ---- routines, types, operators -----------------------------------------------------------------------------

    pub fn alter_routine(&mut self, start: u32, word: K) -> R<Statement> {
        self.bump();
        let kind = match word {
            K::Function => O::Function,
            K::Procedure => O::Procedure,
            _ => O::Routine,
        };
        let func = self.function_with_argtypes()?;
        let object = ObjectName::WithArgs(Box::new(func.clone()));
        if let Some(stmt) = self.try_alter_common(start, kind, &object, ROUTINE)? {
            return Ok(stmt);
        }
        self.alter_function(start, kind, func)
    }

    pub fn alter_collation(&mut self, start: u32) -> R<Statement> {
        self.bump();
        let collname = self.any_name()?;
        if self.eat(K::Refresh) {
            self.expect(K::Version)?;
            return Ok(AlterCollationStmt {
                collname,
                span: self.span_from(start),
            }
            .into());
        }
        self.alter_common(start, O::Collation, ObjectName::Name(collname), ROS)
    }

    pub fn alter_type(&mut self, start: u32) -> R<Statement> {
        self.bump();
        let names = self.any_name()?;
        if let Some(stmt) = self.alter_enum(start, &names)? {
            return Ok(stmt);
        }
        if self.at2(K::Rename, K::Attribute) {
            return self.rename_attribute(start, names);
        }
        if self.at2(K::Set, '(') {
            self.bump();
            let options = self.operator_def_list()?;
            return Ok(AlterTypeStmt {
                type_name: names,
                options,
                span: self.span_from(start),
            }
            .into());
        }
        let object = ObjectName::Name(names.clone());
        if let Some(stmt) = self.try_alter_common(start, O::Type, &object, ROS)? {
            return Ok(stmt);
        }
        if self.eat(K::Set) {
            return self.fail();
        }
        let cmds = self.comma_list(|p| p.alter_type_cmd())?;
        let relation = self.range_var_from_names(names)?;
        let span = self.span_from(start);
        Ok(AlterTableStmt {
            relation,
            cmds,
            objtype: O::Type,
            missing_ok: false,
            span,
        }
        .into())
    }

    pub fn rename_attribute(&mut self, start: u32, names: NameList) -> R<Statement> {
        self.bump();
        self.bump();
        let subname = Some(self.name()?);
        self.expect(K::To)?;
        let newname = self.name()?;
        let behavior = self.opt_drop_behavior();
        let relation = Some(self.range_var_from_names(names)?);
        Ok(RenameStmt {
            rename_type: O::Attribute,
            relation_type: Some(O::Type),
            relation,
            object: None,
            subname,
            newname,
            behavior,
            missing_ok: false,
            span: self.span_from(start),
        }
        .into())
    }

    pub fn alter_domain_stmt(&mut self, start: u32) -> R<Statement> {
        self.bump();
        let names = self.any_name()?;
        if self.at2(K::Rename, K::Constraint) {
            self.bump();
            self.bump();
            let subname = Some(self.name()?);
            self.expect(K::To)?;
            let newname = self.name()?;
            return Ok(self.rename(
                start,
                O::DomConstraint,
                Some(ObjectName::Name(names)),
                subname,
                newname,
            ));
        }
        let object = ObjectName::Name(names.clone());
        if let Some(stmt) = self.try_alter_common(start, O::Domain, &object, ROS)? {
            return Ok(stmt);
        }
        self.alter_domain(start, names)
    }

    pub fn alter_operator(&mut self, start: u32) -> R<Statement> {
        self.bump();
        if matches!(self.tok, Tok::Kw(K::Class | K::Family)) && self.peek(1) != Tok::Char(b'.') {
            let family = self.take().tok == Tok::Kw(K::Family);
            let names = self.any_name()?;
            self.expect(K::Using)?;
            let method = self.name()?;
            if family && matches!(self.tok, Tok::Kw(K::Add | K::Drop)) {
                return self.alter_opfamily(start, names, method);
            }
            let mut packed = vec![method];
            packed.extend(names);
            let kind = if family { O::OpFamily } else { O::OpClass };
            return self.alter_common(start, kind, ObjectName::Name(packed), ROS);
        }
        let opername = self.operator_with_argtypes()?;
        if self.at2(K::Set, '(') {
            self.bump();
            let options = self.operator_def_list()?;
            return Ok(AlterOperatorStmt {
                opername,
                options,
                span: self.span_from(start),
            }
            .into());
        }
        self.alter_common(start, O::Operator, ObjectName::WithArgs(Box::new(opername)), OS)
    }

    pub fn alter_statistics(&mut self, start: u32) -> R<Statement> {
        self.bump();
        let missing_ok = self.opt_if_exists();
        let defnames = self.any_name()?;
        if missing_ok || self.at2(K::Set, K::Statistics) {
            self.expect_all(&[K::Set, K::Statistics])?;
            let stxstattarget = if self.eat(K::Default) {
                None
            } else {
                Some(self.signed_iconst()?)
            };
            return Ok(AlterStatsStmt {
                defnames,
                stxstattarget,
                missing_ok,
                span: self.span_from(start),
            }
            .into());
        }
        self.alter_common(start, O::StatisticExt, ObjectName::Name(defnames), ROS)
    }

    pub fn alter_text_search(&mut self, start: u32) -> R<Statement> {
        self.bump();
        self.expect(K::Search)?;
        let kind = self.text_search_kind()?;
        let names = self.any_name()?;
        if kind == O::TsDictionary && self.at('(') {
            let options = self.definition()?;
            return Ok(AlterTsDictionaryStmt {
                dictname: names,
                options,
                span: self.span_from(start),
            }
            .into());
        }
        if kind == O::TsConfiguration && matches!(self.tok, Tok::Kw(K::Add | K::Alter | K::Drop)) {
            return self.alter_ts_configuration(start, names);
        }
        let owner = matches!(kind, O::TsDictionary | O::TsConfiguration);
        let allowed = Common {
            rename: true,
            owner,
            schema: true,
            depends: false,
        };
        self.alter_common(start, kind, ObjectName::Name(names), allowed)
    }
}
