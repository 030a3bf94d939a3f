//! Base types: shells that are filled in.

use common::{Oid, PgResult};
use types::Datum;

use crate::columns::pg_type;
use crate::ddl::depend::DependencyType;
use crate::ddl::types::TypeShape;
use crate::ddl::{Ddl, ObjectAddress, oid};
use crate::oids;

/// A base type to make of a shell.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct NewBaseType {
    pub shell: Oid,
    pub namespace: Oid,
    pub name: String,
    pub len: i16,
    pub by_val: bool,
    pub category: u8,
    pub preferred: bool,
    pub delimiter: u8,
    pub element: Oid,
    /// The text of a value.
    pub default: Option<String>,
    pub align: u8,
    pub storage: u8,
    pub collatable: bool,
    /// input, output, receive, send, typmod_in, typmod_out, analyze, subscript.
    pub functions: [Oid; 8],
}

impl NewBaseType {
    /// With what CREATE TYPE assumes where nothing is said.
    pub fn new(shell: Oid, namespace: Oid, name: &str) -> NewBaseType {
        NewBaseType {
            shell,
            namespace,
            name: name.to_owned(),
            len: -1,
            by_val: false,
            category: b'U',
            preferred: false,
            delimiter: b',',
            element: Oid::INVALID,
            default: None,
            align: b'i',
            storage: b'p',
            collatable: false,
            functions: [Oid::INVALID; 8],
        }
    }
}

impl Ddl<'_> {
    /// CREATE TYPE with input and output functions; its array type comes with it.
    pub fn create_base_type(&mut self, new: &NewBaseType) -> PgResult<()> {
        use pg_type::*;
        let array = self.create_array_type(new.namespace, &new.name, new.shell, new.align)?;
        if new.delimiter != b',' {
            self.alter_type(array, &[(TYPDELIM, Datum::Char(new.delimiter))])?;
        }
        let [
            input,
            output,
            receive,
            send,
            typmod_in,
            typmod_out,
            analyze,
            subscript,
        ] = new.functions;
        let shape = TypeShape {
            len: new.len,
            by_val: new.by_val,
            kind: b'b',
            category: new.category,
            align: new.align,
            storage: new.storage,
            functions: [input, output, receive, send, analyze, subscript],
        };
        let mut row = self.type_row(new.shell, new.namespace, &new.name, &shape);
        row[TYPISPREFERRED] = Datum::Bool(new.preferred);
        row[TYPDELIM] = Datum::Char(new.delimiter);
        row[TYPELEM] = oid(new.element);
        row[TYPARRAY] = oid(array);
        row[TYPMODIN] = oid(typmod_in);
        row[TYPMODOUT] = oid(typmod_out);
        if let Some(text) = &new.default {
            row[TYPDEFAULT] = Datum::text(text.as_str());
        }
        if new.collatable {
            row[TYPCOLLATION] = oid(oids::DEFAULT_COLLATION);
        }
        let old = self.get(oids::PG_TYPE_OID_INDEX, new.shell)?;
        // The owner stays the shell's.
        let changes: Vec<(usize, Datum)> = row
            .into_iter()
            .enumerate()
            .filter(|(at, _)| !matches!(*at, OID | TYPNAME | TYPNAMESPACE | TYPOWNER))
            .collect();
        self.set(oids::PG_TYPE, old, &changes)?;
        let object = ObjectAddress::new(oids::PG_TYPE, new.shell);
        for function in new.functions.into_iter().filter(|f| f.is_valid()) {
            let function = ObjectAddress::new(oids::PG_PROC, function);
            self.record_dependency(object, function, DependencyType::Normal)?;
        }
        Ok(())
    }
}
