//! `sanfleet array`: the arrays that the controller reaches.

use sanfleet_protocol::{ArrayId, seal::Purpose, v1};

use super::Console;
use crate::{
    args::{ArrayCommand, ArrayUri, PasswordFrom},
    exit::Exit,
    failure::Failure,
    output::View,
    secret,
};

mod show;
mod table;

pub use table::table;

pub async fn run(console: &Console, command: ArrayCommand) -> Result<Exit, Failure> {
    match command {
        ArrayCommand::List => console.ask(v1::ArrayListRequest {}, list).await,
        ArrayCommand::Show { array } => {
            console.ask(v1::ArrayShowRequest { name: array.to_string() }, show::view).await
        }
        ArrayCommand::Add { name, uri, password, no_password, dry_run } => {
            let from = (uri.names_a_user() && !no_password || password.is_given()).then_some(password);
            add(console, name, uri, from, dry_run).await
        }
        ArrayCommand::Password { array, password } => replace_password(console, array, &password).await,
        ArrayCommand::Remove { array } => {
            let request = v1::ArrayRemoveRequest { name: array.to_string() };
            console.ask(request, |_| View::default()).await
        }
    }
}

async fn add(
    console: &Console,
    name: ArrayId,
    uri: ArrayUri,
    from: Option<PasswordFrom>,
    dry_run: bool,
) -> Result<Exit, Failure> {
    let (name, uri) = (name.to_string(), uri.into_inner());
    let password = match from {
        Some(from) => {
            let read = secret::read(&from, &format!("Password for {uri}: ")).await?;
            let purpose = Purpose::AddArray { name: &name, uri: &uri };
            Some(secret::sealed(&console.client, from.controller_key.as_ref(), &read, purpose).await?)
        }
        None => None,
    };
    let added = |reply: &v1::ArrayAddReply| View::table(table(reply.array.as_slice()));
    console.ask(v1::ArrayAddRequest { name, uri, password, dry_run }, added).await
}

async fn replace_password(console: &Console, array: ArrayId, from: &PasswordFrom) -> Result<Exit, Failure> {
    let name = array.to_string();
    let read = secret::read(from, &format!("New password for array {name}: ")).await?;
    let purpose = Purpose::ReplacePassword { name: &name };
    let password = Some(secret::sealed(&console.client, from.controller_key.as_ref(), &read, purpose).await?);
    let replaced = |reply: &v1::ArrayPasswordReply| View::table(table(reply.array.as_slice()));
    console.ask(v1::ArrayPasswordRequest { name, password }, replaced).await
}

fn list(reply: &v1::ArrayListReply) -> View {
    View::table(table(&reply.arrays))
}
