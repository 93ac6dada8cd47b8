//! The macros that turn the table of methods into code.
//!
//! A parameter's mode says how it travels and how a driver gets it: `ref T` is a record that is lent, `opt T` one that may be
//! missing, `val T` a number, `text` and `opt_text` and `texts` are texts, `initiator`
//! is a text in canonical spelling, `list T` is a list of records. Texts may come as null
//! where none are meant: the Python client sends them so.

/// The type of a parameter on the wire.
macro_rules! owned {
    (ref $type:ty) => { $type };
    (val $type:ty) => { $type };
    (opt $type:ty) => { Option<$type> };
    (opt_val $type:ty) => { Option<$type> };
    (list $type:ty) => { Vec<$type> };
    (text) => { String };
    (initiator) => { String };
    (opt_text) => { Option<String> };
    (texts) => { Option<Vec<String>> };
}

/// The type of a parameter of a Rust function.
macro_rules! lent {
    (ref $type:ty) => { &$type };
    (val $type:ty) => { $type };
    (opt $type:ty) => { Option<&$type> };
    (opt_val $type:ty) => { Option<$type> };
    (list $type:ty) => { &[$type] };
    (text) => { &str };
    (initiator) => { &str };
    (opt_text) => { Option<&str> };
    (texts) => { &[String] };
}

/// From the wire to a function's argument.
macro_rules! lend {
    ($value:expr, ref $type:ty) => {
        &$value
    };
    ($value:expr, val $type:ty) => {
        $value
    };
    ($value:expr, opt $type:ty) => {
        $value.as_ref()
    };
    ($value:expr, opt_val $type:ty) => {
        $value
    };
    ($value:expr, list $type:ty) => {
        &$value
    };
    ($value:expr, text) => {
        &$value
    };
    ($value:expr, initiator) => {
        &crate::initiator::canonical(&$value)
    };
    ($value:expr, opt_text) => {
        $value.as_deref()
    };
    ($value:expr, texts) => {
        $value.as_deref().unwrap_or_default()
    };
}

/// From a function's argument to the wire.
#[cfg(feature = "client")]
macro_rules! own {
    ($value:expr, ref $type:ty) => {
        $value.clone()
    };
    ($value:expr, val $type:ty) => {
        $value
    };
    ($value:expr, opt $type:ty) => {
        $value.cloned()
    };
    ($value:expr, opt_val $type:ty) => {
        $value
    };
    ($value:expr, list $type:ty) => {
        $value.to_vec()
    };
    ($value:expr, text) => {
        $value.to_owned()
    };
    ($value:expr, initiator) => {
        crate::initiator::canonical($value)
    };
    ($value:expr, opt_text) => {
        $value.map(str::to_owned)
    };
    ($value:expr, texts) => {
        Some($value.to_vec())
    };
}

macro_rules! table {
    (
        $(#[$trait_doc:meta])*
        session { $($session:tt)* }
        lists {
            $($(#[$list_doc:meta])* $list:ident as $List:ident -> $record:ty, needs [$($list_need:ident),*]
                $(legacy $list_legacy:path)?;)*
        }
        calls {
            $($(#[$call_doc:meta])* $call:ident as $Call:ident { $($field:ident: ($($mode:tt)*)),* } -> $reply:ty,
                needs [$($need:ident),*] $(and $extra:ident($($argument:ident),*))? $(legacy $call_legacy:path)?;)*
        }
        extensions {
            $($(#[$extension_doc:meta])* $extension:ident as $Extension:ident
                { $($x_field:ident: ($($x_mode:tt)*)),* } -> $x_reply:ty;)*
        }
    ) => {
        $(#[$trait_doc])*
        pub trait ArrayDriver {
            $($session)*

            $($(#[$list_doc])* fn $list(&mut self, _search: Option<&Search>) -> Answer<Vec<$record>> {
                Err(LsmError::no_support())
            })*

            $($(#[$call_doc])*
            #[allow(unused_variables, clippy::too_many_arguments, reason = "the protocol's parameters, named for who implements it")]
            fn $call(&mut self, $($field: lent!($($mode)*)),*) -> Answer<$reply> {
                Err(LsmError::no_support())
            })*

            $($(#[$extension_doc])*
            #[allow(unused_variables, reason = "named for who implements it")]
            fn $extension(&mut self, $($x_field: lent!($($x_mode)*)),*) -> Answer<$x_reply> {
                Err(LsmError::no_support())
            })*
        }

        /// Every method that needs a capability.
        pub(crate) const METHODS: &[Method] = &[
            $(Method { name: stringify!($list), needs: &[$(Capability::$list_need),*] },)*
            $(Method { name: stringify!($call), needs: &[$(Capability::$need),*] },)*
        ];

        /// Every method that is not libStorageMgmt's, without the prefix that it has on the wire.
        pub(crate) const EXTENSIONS: &[&str] = &[$(stringify!($extension)),*];

        $(
            #[derive(Serialize, Deserialize)]
            pub(crate) struct $List {
                #[serde(default)]
                pub search_key: Option<String>,
                #[serde(default)]
                pub search_value: Option<String>,
            }

            impl Call for $List {
                const METHOD: &'static str = stringify!($list);
                type Reply = Vec<$record>;

                fn needs(&self) -> Vec<Capability> {
                    vec![$(Capability::$list_need),*]
                }

                $(fn legacy(reply: Self::Reply) -> Self::Reply {
                    $list_legacy(reply)
                })?
            }
        )*

        $(
            #[derive(Serialize, Deserialize)]
            pub(crate) struct $Call {
                $(pub $field: owned!($($mode)*),)*
            }

            impl Call for $Call {
                const METHOD: &'static str = stringify!($call);
                type Reply = $reply;

                fn needs(&self) -> Vec<Capability> {
                    #[allow(unused_mut, reason = "not every call needs more")]
                    let mut needs = vec![$(Capability::$need),*];
                    $(needs.extend($extra($(&self.$argument),*));)?
                    needs
                }

                $(fn legacy(reply: Self::Reply) -> Self::Reply {
                    $call_legacy(reply)
                })?
            }
        )*

        $(
            #[derive(Serialize, Deserialize)]
            pub(crate) struct $Extension { $(pub $x_field: owned!($($x_mode)*),)* }

            impl Call for $Extension {
                const METHOD: &'static str = concat!("sanfleet_", stringify!($extension));
                type Reply = $x_reply;
            }
        )*

        /// Makes the call that `method` names; none when the table has no such method.
        pub(crate) fn route(driver: &mut dyn ArrayDriver, method: &str, request: Incoming<'_>) -> Option<Result<Vec<u8>, LsmError>> {
            Some(match method {
                $($List::METHOD => request.list(|c: &$List| (&c.search_key, &c.search_value), |search| driver.$list(search)),)*
                $($Call::METHOD => request.answer(|_c: &$Call| driver.$call($(lend!(_c.$field, $($mode)*)),*)),)*
                $($Extension::METHOD => request.answer(|_c: &$Extension| driver.$extension($(lend!(_c.$x_field, $($x_mode)*)),*)),)*
                _ => return None,
            })
        }

        /// The calls, typed. Each takes whole records, as the protocol does, and is bound by the session's deadline.
        #[cfg(feature = "client")]
        #[allow(clippy::too_many_arguments, reason = "the protocol's parameters")]
        impl crate::client::Session {
            $($(#[$list_doc])* pub async fn $list(&mut self, search: Option<&Search>) -> Result<Vec<$record>, crate::client::ClientError> {
                let (search_key, search_value) = search.map(|search| (search.key.clone(), search.value.clone())).unzip();
                self.call($List { search_key, search_value }).await
            })*

            $($(#[$call_doc])* pub async fn $call(&mut self, $($field: lent!($($mode)*)),*) -> Result<$reply, crate::client::ClientError> {
                self.call($Call { $($field: own!($field, $($mode)*)),* }).await
            })*

            $($(#[$extension_doc])* pub async fn $extension(&mut self, $($x_field: lent!($($x_mode)*)),*) -> Result<$x_reply, crate::client::ClientError> {
                self.call($Extension { $($x_field: own!($x_field, $($x_mode)*)),* }).await
            })*
        }
    };
}

#[cfg(feature = "client")]
pub(super) use own;
pub(super) use {lend, lent, owned, table};
