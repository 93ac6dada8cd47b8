//! `#[array_driver]` on `impl ArrayDriver for …`: notes which methods the block defines.
//!
//! The language cannot tell a default method from one that a type implements, and a driver that lists its own abilities by hand will
//! one day claim what it does not do. So the list is read off the code. Nothing else about the block is changed or checked.

use proc_macro::{Delimiter, Group, TokenStream, TokenTree};

/// Adds `fn implemented()` with the names of all methods that the block defines.
#[proc_macro_attribute]
pub fn array_driver(_arguments: TokenStream, block: TokenStream) -> TokenStream {
    let mut tokens: Vec<TokenTree> = block.into_iter().collect();
    // The body is the last thing of an impl block.
    if let Some(TokenTree::Group(body)) = tokens.last_mut()
        && body.delimiter() == Delimiter::Brace
    {
        let mut inside = body.stream();
        inside.extend(implemented(&methods(body.stream())));
        let mut with_list = Group::new(Delimiter::Brace, inside);
        with_list.set_span(body.span());
        *body = with_list;
    }
    tokens.into_iter().collect()
}

/// The names after each `fn` at the block's own level: what is in bodies and parameters is one token here.
fn methods(body: TokenStream) -> Vec<String> {
    let tokens: Vec<TokenTree> = body.into_iter().collect();
    tokens
        .windows(2)
        .filter_map(|pair| match pair {
            [TokenTree::Ident(word), TokenTree::Ident(name)] if word.to_string() == "fn" => {
                Some(name.to_string())
            }
            _ => None,
        })
        .collect()
}

fn implemented(methods: &[String]) -> TokenStream {
    let list = format!(
        "fn implemented(&self) -> ::sanfleet_driver::Implemented {{ ::sanfleet_driver::Implemented::new(&{methods:?}) }}"
    );
    // A list of identifiers in quotes always parses; were it not to, the missing method stops the build.
    list.parse().unwrap_or_default()
}
