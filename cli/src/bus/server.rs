//! What a nats-server is to be told in its configuration. All of it is public.

use super::{
    Layout,
    certificate::{SERVER, SERVER_KEY},
};

/// The part that is about users, for every server of the bus, new or old.
pub struct Trust<'a> {
    pub operator: &'a str,
    /// The public key of the account, and its signed text; the fleet's first.
    pub accounts: [(&'a str, &'a str); 2],
    pub system_account: &'a str,
}

/// Goes into a file of its own, which a server's configuration includes.
pub fn trust(trust: &Trust<'_>, layout: &Layout) -> String {
    let accounts: String = trust.accounts.iter().map(|(key, token)| format!("  {key}: {token}\n")).collect();
    format!(
        "# Who may say what. Made by `sanfleet bus`, which writes it anew when a user is revoked.\n\
         operator: {operator}\n\
         system_account: {system}\n\
         # Servers keep what they are told later in this folder, which is their own.\n\
         resolver {{\n  type: full\n  dir: {accounts_dir:?}\n  allow_delete: false\n  interval: \"2m\"\n}}\n\
         resolver_preload {{\n{accounts}}}\n",
        operator = trust.operator,
        system = trust.system_account,
        accounts_dir = layout.store.join("accounts"),
    )
}

/// A single server for a new bus.
pub fn single(layout: &Layout, trust_file: &str) -> String {
    format!(
        "listen: {listen:?}\n\
         server_name: sanfleet\n\
         # The journal of runs lives here: every write is synced before it is acknowledged.\n\
         jetstream {{\n  store_dir: {store:?}\n  sync_interval: always\n}}\n\
         tls {{\n  cert_file: {certificate:?}\n  key_file: {key:?}\n}}\n\
         include {trust_file:?}\n",
        listen = layout.listen.to_string(),
        store = layout.store,
        certificate = layout.etc.join(SERVER),
        key = layout.etc.join(SERVER_KEY),
    )
}
