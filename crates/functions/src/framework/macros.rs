//! `builtins!` and `direct!`: the declarative lists that turn plain Rust functions into kernels.
//!
//! ```text
//! builtins! {
//!     textcat(a: text, b: text) -> text;                // fn textcat(a: &str, b: &str) -> String
//!     current_database(ctx) -> name;                    // fn current_database(ctx: &mut FnContext<'_>) -> PgResult<String>
//!     array_length(a: anyarray, dim: int4) -> int4;     // fn array_length(a: &ArrayValue, dim: i32) -> Option<i32>
//!     repeat = text_repeat(s: text, n: int4) -> text;   // prosrc `repeat`, Rust function `text_repeat`
//!     pg_typeof[general](any) -> regtype;               // fn(ctx: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Datum>, sees NULLs
//!     array_get[general strict](anyarray, int4) -> any; // the same, not called when an argument is NULL
//! }
//! ```
//! The name is `pg_proc.prosrc` (for SQL-language functions `proname`, told apart by argument types). A parameter of type
//! `Option<T>` sees NULL; NULL for any other parameter makes the result NULL without a call. The result may be `T`,
//! `Option<T>`, `PgResult<T>` or `PgResult<Option<T>>`. Texts arrive as `&str` and leave as `String`, `&str`, `Arc<str>` or
//! `Cow<str>`. Type names are those of [`sql`](crate::framework::sql).

/// Defines `BUILTINS: &[Builtin]` for the module from a list of entries.
macro_rules! builtins {
    ($($name:ident $(= $func:ident)? $([$($flag:ident)+])? ($($args:tt)*) -> $ret:ident;)*) => {
        /// The functions of this module, by `prosrc`.
        pub(crate) static BUILTINS: &[$crate::framework::registry::Builtin] = &[
            $( $crate::framework::macros::builtin_entry!(
                $name, [$($func)? $name], [$($($flag)+)?], ($($args)*), $ret) ),*
        ];
    };
}

/// One entry of `builtins!`.
macro_rules! builtin_entry {
    ($name:ident, [$func:ident $($_name:ident)?], [], (ctx $(, $arg:ident: $ty:ident)*), $ret:ident) => {
        $crate::framework::macros::builtin_typed!($name, $func, [ctx], ($($arg: $ty),*), $ret)
    };
    ($name:ident, [$func:ident $($_name:ident)?], [], ($($arg:ident: $ty:ident),*), $ret:ident) => {
        $crate::framework::macros::builtin_typed!($name, $func, [], ($($arg: $ty),*), $ret)
    };
    ($name:ident, [$func:ident $($_name:ident)?], [general], ($($ty:ident),*), $ret:ident) => {
        $crate::framework::macros::builtin_general!($name, $func, false, ($($ty),*), $ret)
    };
    ($name:ident, [$func:ident $($_name:ident)?], [general strict], ($($ty:ident),*), $ret:ident) => {
        $crate::framework::macros::builtin_general!($name, $func, true, ($($ty),*), $ret)
    };
}

/// A function with typed parameters.
macro_rules! builtin_typed {
    ($name:ident, $func:ident, [$($ctx:ident)?], ($($arg:ident: $ty:ident),*), $ret:ident) => {{
        #[allow(unused_variables, unused_mut, clippy::unit_arg, clippy::borrow_deref_ref)]
        fn vector(
            context: &mut $crate::framework::context::FnContext<'_>,
            args: &[&::types::Vector],
            sel: &::types::Selection,
            out: &mut ::types::Vector,
        ) -> ::common::PgResult<()> {
            const LONG: bool = false $(
                || <<$crate::framework::sql::$ty as $crate::framework::sql::SqlType>::Phys as $crate::framework::phys::Phys>::LONG)*;
            let cancel = context.cancel;
            $( let $ctx = context; )?
            let mut inputs = args.iter();
            $( let $arg = $crate::framework::registry::open_column::<$crate::framework::sql::$ty>(inputs.next())?; )*
            let mut sink = $crate::framework::phys::Sink::<
                <$crate::framework::sql::$ret as $crate::framework::sql::SqlType>::Phys>::open(out)?;
            sel.try_for_each(|i| {
                if LONG {
                    cancel.check()?;
                }
                $( let Some($arg) = $crate::framework::phys::FromArg::<
                    '_, <$crate::framework::sql::$ty as $crate::framework::sql::SqlType>::Phys>::from_arg($arg.get(i))
                    else { sink.store_null(i); return Ok(()) }; )*
                sink.store(i, $func($(&mut *$ctx,)? $($arg),*))
            })
        }
        #[allow(unused_variables, unused_mut, clippy::unit_arg, clippy::borrow_deref_ref)]
        fn scalar(
            context: &mut $crate::framework::context::FnContext<'_>,
            args: &[::types::Datum],
        ) -> ::common::PgResult<::types::Datum> {
            $( let $ctx = context; )?
            let mut inputs = args.iter();
            $( let Some($arg) = $crate::framework::phys::FromArg::<
                '_, <$crate::framework::sql::$ty as $crate::framework::sql::SqlType>::Phys>::from_arg(
                    $crate::framework::registry::open_datum::<$crate::framework::sql::$ty>(inputs.next())?)
                else { return Ok(::types::Datum::Null) }; )*
            $crate::framework::registry::close_datum::<$crate::framework::sql::$ret, _>($func($(&mut *$ctx,)? $($arg),*))
        }
        $crate::framework::registry::Builtin {
            name: stringify!($name),
            args: &[$(<$crate::framework::sql::$ty as $crate::framework::sql::SqlType>::OID),*],
            result: <$crate::framework::sql::$ret as $crate::framework::sql::SqlType>::OID,
            kernels: $crate::framework::registry::Kernels { vector, scalar },
        }
    }};
}

/// A function over datums: variadic and polymorphic ones.
macro_rules! builtin_general {
    ($name:ident, $func:ident, $strict:literal, ($($ty:ident),*), $ret:ident) => {{
        fn vector(
            ctx: &mut $crate::framework::context::FnContext<'_>,
            args: &[&::types::Vector],
            sel: &::types::Selection,
            out: &mut ::types::Vector,
        ) -> ::common::PgResult<()> {
            $crate::framework::registry::general_vector::<$strict>($func, ctx, args, sel, out)
        }
        fn scalar(
            ctx: &mut $crate::framework::context::FnContext<'_>,
            args: &[::types::Datum],
        ) -> ::common::PgResult<::types::Datum> {
            if $strict && args.iter().any(::types::Datum::is_null) {
                return Ok(::types::Datum::Null);
            }
            $func(ctx, args)
        }
        $crate::framework::registry::Builtin {
            name: stringify!($name),
            args: &[$(<$crate::framework::sql::$ty as $crate::framework::sql::SqlType>::OID),*],
            result: <$crate::framework::sql::$ret as $crate::framework::sql::SqlType>::OID,
            kernels: $crate::framework::registry::Kernels { vector, scalar },
        }
    }};
}

/// Defines `DIRECT: &[Builtin]`: functions of one or two fixed-width values that never return NULL and fail at most through
/// [`Checked`](crate::framework::direct::Checked); their kernels are plain loops over slices, which the compiler vectorizes.
macro_rules! direct {
    ($($name:ident $(= $func:ident)? ($a:ident: $ta:ident $(, $b:ident: $tb:ident)?) -> $ret:ident;)*) => {
        /// The functions of this module with vectorizing kernels, by `prosrc`.
        pub(crate) static DIRECT: &[$crate::framework::registry::Builtin] = &[
            $( $crate::framework::macros::direct_entry!(
                $name, [$($func)? $name], ($a: $ta $(, $b: $tb)?), $ret) ),*
        ];
    };
}

/// The storage class of an SQL type name.
macro_rules! phys_of {
    ($ty:ident) => {
        <$crate::framework::sql::$ty as $crate::framework::sql::SqlType>::Phys
    };
}

/// The Rust type of its values.
macro_rules! native_of {
    ($ty:ident) => {
        <$crate::framework::macros::phys_of!($ty) as $crate::framework::phys::Native>::Value
    };
}

/// One entry of `direct!`.
macro_rules! direct_entry {
    ($name:ident, [$func:ident $($_name:ident)?], ($a:ident: $ta:ident), $ret:ident) => {{
        fn vector(
            _ctx: &mut $crate::framework::context::FnContext<'_>,
            args: &[&::types::Vector],
            sel: &::types::Selection,
            out: &mut ::types::Vector,
        ) -> ::common::PgResult<()> {
            $crate::framework::direct::unary::<
                $crate::framework::macros::phys_of!($ta),
                $crate::framework::macros::phys_of!($ret),
                $crate::framework::macros::native_of!($ta),
                $crate::framework::macros::native_of!($ret),
                _,
            >(args, sel, out, $func)
        }
        fn scalar(
            _ctx: &mut $crate::framework::context::FnContext<'_>,
            args: &[::types::Datum],
        ) -> ::common::PgResult<::types::Datum> {
            $crate::framework::direct::unary_datum::<
                $crate::framework::macros::phys_of!($ta),
                $crate::framework::macros::phys_of!($ret),
                $crate::framework::macros::native_of!($ta),
                $crate::framework::macros::native_of!($ret),
                _,
            >(args, $func)
        }
        $crate::framework::registry::Builtin {
            name: stringify!($name),
            args: &[<$crate::framework::sql::$ta as $crate::framework::sql::SqlType>::OID],
            result: <$crate::framework::sql::$ret as $crate::framework::sql::SqlType>::OID,
            kernels: $crate::framework::registry::Kernels { vector, scalar },
        }
    }};
    ($name:ident, [$func:ident $($_name:ident)?], ($a:ident: $ta:ident, $b:ident: $tb:ident), $ret:ident) => {{
        fn vector(
            _ctx: &mut $crate::framework::context::FnContext<'_>,
            args: &[&::types::Vector],
            sel: &::types::Selection,
            out: &mut ::types::Vector,
        ) -> ::common::PgResult<()> {
            $crate::framework::direct::binary::<
                $crate::framework::macros::phys_of!($ta),
                $crate::framework::macros::phys_of!($tb),
                $crate::framework::macros::phys_of!($ret),
                $crate::framework::macros::native_of!($ta),
                $crate::framework::macros::native_of!($tb),
                $crate::framework::macros::native_of!($ret),
                _,
            >(args, sel, out, $func)
        }
        fn scalar(
            _ctx: &mut $crate::framework::context::FnContext<'_>,
            args: &[::types::Datum],
        ) -> ::common::PgResult<::types::Datum> {
            $crate::framework::direct::binary_datum::<
                $crate::framework::macros::phys_of!($ta),
                $crate::framework::macros::phys_of!($tb),
                $crate::framework::macros::phys_of!($ret),
                $crate::framework::macros::native_of!($ta),
                $crate::framework::macros::native_of!($tb),
                $crate::framework::macros::native_of!($ret),
                _,
            >(args, $func)
        }
        $crate::framework::registry::Builtin {
            name: stringify!($name),
            args: &[
                <$crate::framework::sql::$ta as $crate::framework::sql::SqlType>::OID,
                <$crate::framework::sql::$tb as $crate::framework::sql::SqlType>::OID,
            ],
            result: <$crate::framework::sql::$ret as $crate::framework::sql::SqlType>::OID,
            kernels: $crate::framework::registry::Kernels { vector, scalar },
        }
    }};
}

/// Defines `AGGREGATES: &[AggregateEntry]`: `sum(int4) -> int8 = sum_int::<i32>;` where the right side is a
/// `fn(&CallInfo) -> Box<dyn Accumulator>`.
macro_rules! aggregates {
    ($($name:ident ($($ty:ident),*) -> $ret:ident = $make:expr;)*) => {
        /// The aggregates of this module, by name and argument types.
        pub(crate) static AGGREGATES: &[$crate::framework::aggregate::AggregateEntry] = &[$(
            $crate::framework::aggregate::AggregateEntry {
                name: stringify!($name),
                args: &[$(<$crate::framework::sql::$ty as $crate::framework::sql::SqlType>::OID),*],
                result: <$crate::framework::sql::$ret as $crate::framework::sql::SqlType>::OID,
                make: $make,
            }
        ),*];
    };
}

/// Defines `SETS: &[SetEntry]`: `generate_series_int4(int4, int4) -> int4 = series_int4;` (by `prosrc`) where the right
/// side is a `fn(&mut FnContext, &[Datum]) -> PgResult<Box<dyn SetRows>>`.
macro_rules! set_functions {
    ($($name:ident ($($ty:ident),*) -> $ret:ident = $make:expr;)*) => {
        /// The set-returning functions of this module, by `prosrc`.
        pub(crate) static SETS: &[$crate::framework::set::SetEntry] = &[$(
            $crate::framework::set::SetEntry {
                name: stringify!($name),
                args: &[$(<$crate::framework::sql::$ty as $crate::framework::sql::SqlType>::OID),*],
                result: <$crate::framework::sql::$ret as $crate::framework::sql::SqlType>::OID,
                make: $make,
            }
        ),*];
    };
}

pub(crate) use {
    aggregates, builtin_entry, builtin_general, builtin_typed, builtins, direct, direct_entry, native_of,
    phys_of, set_functions,
};
