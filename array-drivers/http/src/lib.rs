//! HTTP towards an array, for drivers: one request, one bounded answer, within a deadline.
//!
//! TLS is verified unless the URI says otherwise; no redirect is followed, no proxy of the environment asked, no connection kept.
//! Nothing is sent twice: only a connection that was refused, over which nothing can have gone, is tried again.
//! Passwords are in no error and no debug text. Beside it is what such drivers need where arrays know volumes by name: [`Lock`].

mod client;
mod credentials;
mod deadline;
mod endpoint;
mod error;
mod lock;
mod trust;

pub use client::{Client, Method, Response};
pub use credentials::Credentials;
pub use deadline::Deadline;
pub use endpoint::{Endpoint, EndpointError};
pub use error::HttpError;
pub use lock::{Held, Lock};
pub use trust::{Tls, TrustError};
