//! Option lists, role names and the other small parts that many statements share.

use common::error::ErrorExt;
use common::{PgResult, Span, pg_err};

use crate::ast::{
    AConst, ConstValue, DefArg, DefElem, DefElemAction, DropBehavior, Expr, Ident, Name, NameList, RoleSpec,
    RoleSpecType,
};
use crate::keywords::{Category, Keyword as K};
use crate::parser::{Parser, is_non_reserved_word};
use crate::token::Tok;

type R<T> = PgResult<T>;

/// An option whose name stood in the text.
pub fn named_option(name: Ident, arg: Option<DefArg>, span: Span) -> DefElem {
    DefElem {
        namespace: None,
        name: name.name,
        arg,
        action: DefElemAction::Unspec,
        span,
    }
}

/// A number as an option's value.
pub fn number_arg(number: Expr) -> DefArg {
    match number {
        Expr::AConst(AConst {
            value: ConstValue::Integer(n),
            ..
        }) => DefArg::Integer(n),
        Expr::AConst(AConst {
            value: ConstValue::Float(text),
            ..
        }) => DefArg::Float(text),
        other => DefArg::Expr(Box::new(other)),
    }
}

impl Parser<'_> {
    /// `'(' name [.name] [= value], ... ')'`.
    pub fn reloptions(&mut self) -> R<Vec<DefElem>> {
        self.paren_list(|p| p.reloption_elem())
    }

    fn reloption_elem(&mut self) -> R<DefElem> {
        let first = self.col_label()?;
        let start = first.span.start;
        let (namespace, name) = if self.eat('.') {
            (Some(first.name), self.col_label()?)
        } else {
            (None, first)
        };
        let arg = if self.eat('=') {
            Some(self.def_arg()?)
        } else {
            None
        };
        let span = self.span_from(start);
        Ok(DefElem {
            namespace,
            name: name.name,
            arg,
            action: DefElemAction::Unspec,
            span,
        })
    }

    /// `'(' name [= value], ... ')'`.
    pub fn definition(&mut self) -> R<Vec<DefElem>> {
        self.paren_list(|p| p.def_elem())
    }

    /// `[WITH definition]`.
    pub fn opt_definition(&mut self) -> R<Vec<DefElem>> {
        if self.eat(K::With) {
            self.definition()
        } else {
            Ok(Vec::new())
        }
    }

    fn def_elem(&mut self) -> R<DefElem> {
        let name = self.col_label()?;
        let start = name.span.start;
        let arg = if self.eat('=') {
            Some(self.def_arg()?)
        } else {
            None
        };
        let span = self.span_from(start);
        Ok(named_option(name, arg, span))
    }

    /// `def_arg`: a type, an operator, a number, a string or a reserved word.
    pub fn def_arg(&mut self) -> R<DefArg> {
        match self.tok {
            Tok::SConst => Ok(DefArg::String(self.sconst()?.name)),
            Tok::IConst | Tok::FConst => Ok(number_arg(self.numeric_only()?)),
            Tok::Char(b'+' | b'-') if matches!(self.peek(1), Tok::IConst | Tok::FConst) => {
                Ok(number_arg(self.numeric_only()?))
            }
            Tok::Kw(K::None) => Ok(DefArg::String(self.take_name().name)),
            Tok::Kw(k) if k.category() == Category::Reserved => Ok(DefArg::String(self.take_name().name)),
            Tok::Ident | Tok::Kw(K::Operator) if self.next_is('(') && self.at(K::Operator) => {
                Ok(DefArg::Names(self.qual_all_op()?))
            }
            Tok::Ident | Tok::Kw(_) => Ok(DefArg::TypeName(Box::new(self.func_type()?))),
            _ => Ok(DefArg::Names(self.qual_all_op()?)),
        }
    }

    /// `'(' option [value], ... ')'` of EXPLAIN, VACUUM and relatives.
    pub fn utility_option_list(&mut self) -> R<Vec<DefElem>> {
        self.paren_list(|p| p.utility_option_elem())
    }

    fn utility_option_elem(&mut self) -> R<DefElem> {
        let span = self.span();
        let name = match self.tok {
            Tok::Kw(K::Analyze | K::Analyse) => {
                self.bump();
                Ident::new(Name::new_static("analyze"), span)
            }
            Tok::FormatLa => self.take_name(),
            _ => self.non_reserved_word()?,
        };
        let arg = match self.tok {
            Tok::Char(b',' | b')') => None,
            Tok::IConst | Tok::FConst | Tok::Char(b'+' | b'-') => Some(number_arg(self.numeric_only()?)),
            Tok::SConst | Tok::Ident | Tok::Kw(_) => Some(DefArg::String(self.opt_boolean_or_string()?.name)),
            _ => return self.fail(),
        };
        let span = self.span_from(span.start);
        Ok(named_option(name, arg, span))
    }

    /// `[OPTIONS (name 'value', ...)]`.
    pub fn create_generic_options(&mut self) -> R<Vec<DefElem>> {
        if !self.eat(K::Options) {
            return Ok(Vec::new());
        }
        self.paren_list(|p| p.generic_option_elem(DefElemAction::Unspec))
    }

    fn generic_option_elem(&mut self, action: DefElemAction) -> R<DefElem> {
        let name = self.col_label()?;
        let start = name.span.start;
        let arg = Some(DefArg::String(self.sconst()?.name));
        let mut option = named_option(name, arg, self.span_from(start));
        option.action = action;
        Ok(option)
    }

    /// `OPTIONS ([SET | ADD | DROP] name ['value'], ...)`.
    pub fn alter_generic_options(&mut self) -> R<Vec<DefElem>> {
        self.expect(K::Options)?;
        self.paren_list(|p| {
            let verb = p.peek(1) != Tok::SConst;
            match p.tok {
                Tok::Kw(K::Set) if verb => {
                    p.bump();
                    p.generic_option_elem(DefElemAction::Set)
                }
                Tok::Kw(K::Add) if verb => {
                    p.bump();
                    p.generic_option_elem(DefElemAction::Add)
                }
                Tok::Kw(K::Drop) if verb => {
                    p.bump();
                    let name = p.col_label()?;
                    let span = name.span;
                    let mut option = named_option(name, None, span);
                    option.action = DefElemAction::Drop;
                    Ok(option)
                }
                _ => p.generic_option_elem(DefElemAction::Unspec),
            }
        })
    }

    /// `[CASCADE | RESTRICT]`.
    pub fn opt_drop_behavior(&mut self) -> DropBehavior {
        if self.eat(K::Cascade) {
            return DropBehavior::Cascade;
        }
        self.eat(K::Restrict);
        DropBehavior::Restrict
    }

    /// `[IF EXISTS]`.
    pub fn opt_if_exists(&mut self) -> bool {
        self.eat2(K::If, K::Exists)
    }

    /// `[IF EXISTS]` where no name could follow: IF commits.
    pub fn if_exists(&mut self) -> R<bool> {
        if !self.eat(K::If) {
            return Ok(false);
        }
        self.expect(K::Exists)?;
        Ok(true)
    }

    /// True at `USER MAPPING`, as opposed to a user of the name `mapping`.
    pub fn at_user_mapping(&self) -> bool {
        self.at2(K::User, K::Mapping) && matches!(self.peek(2), Tok::Kw(K::For | K::If))
    }

    /// `[IF NOT EXISTS]`.
    pub fn opt_if_not_exists(&mut self) -> R<bool> {
        if !self.at2(K::If, K::Not) {
            return Ok(false);
        }
        self.expect_all(&[K::If, K::Not, K::Exists])?;
        Ok(true)
    }

    /// `any_name, ...`.
    pub fn any_name_list(&mut self) -> R<Vec<NameList>> {
        self.comma_list(|p| p.any_name())
    }

    /// `'(' column, ... ')'` or nothing.
    pub fn opt_column_list(&mut self) -> R<Vec<Ident>> {
        self.opt_paren_list(|p| p.col_id())
    }

    /// `handler_name`: a possibly qualified name of a function.
    pub fn handler_name(&mut self) -> R<NameList> {
        let mut names = vec![self.name()?];
        while self.eat('.') {
            names.push(self.col_label()?);
        }
        Ok(names)
    }

    // ---- roles --------------------------------------------------------------------------------------------------

    /// `RoleSpec`.
    pub fn role_spec(&mut self) -> R<RoleSpec> {
        let span = self.span();
        let role = match self.tok {
            Tok::Kw(K::CurrentRole) => RoleSpecType::CurrentRole,
            Tok::Kw(K::CurrentUser) => RoleSpecType::CurrentUser,
            Tok::Kw(K::SessionUser) => RoleSpecType::SessionUser,
            tok if is_non_reserved_word(tok) => {
                let name = self.name_of(self.token()).clone();
                match name.as_str() {
                    "public" => RoleSpecType::Public,
                    "none" => {
                        return Err(pg_err!(RESERVED_NAME, "role name \"none\" is reserved").at(span));
                    }
                    _ => RoleSpecType::CString(name),
                }
            }
            _ => return self.fail(),
        };
        self.bump();
        Ok(RoleSpec { role, span })
    }

    /// `RoleSpec, ...`.
    pub fn role_list(&mut self) -> R<Vec<RoleSpec>> {
        self.comma_list(|p| p.role_spec())
    }

    /// `RoleId`: a role's own name, not one of the placeholders.
    pub fn role_id(&mut self) -> R<Ident> {
        let spec = self.role_spec()?;
        let span = spec.span;
        let reserved = match spec.role {
            RoleSpecType::CString(name) => return Ok(Ident { name, span }),
            RoleSpecType::Public => {
                return Err(pg_err!(RESERVED_NAME, "role name \"public\" is reserved").at(span));
            }
            RoleSpecType::SessionUser => "SESSION_USER",
            RoleSpecType::CurrentUser => "CURRENT_USER",
            RoleSpecType::CurrentRole => "CURRENT_ROLE",
        };
        Err(pg_err!(RESERVED_NAME, "{reserved} cannot be used as a role name here").at(span))
    }

    /// `[string | NULL]`: the text of COMMENT and SECURITY LABEL.
    pub fn comment_text(&mut self) -> R<Option<Name>> {
        if self.eat(K::Null) {
            Ok(None)
        } else {
            Ok(Some(self.sconst()?.name))
        }
    }
}
