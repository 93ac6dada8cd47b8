//! Operations that make an array known, give it another password, and forget it.
//!
//! What does not work is not kept: an array is connected to before it is stored, a password before it replaces another.

use async_nats::jetstream::kv;
use sanfleet_driver::ErrorNumber;
use sanfleet_protocol::{
    ArrayId, Password,
    limits::full_text,
    seal::Purpose,
    v1::{self, api_error::Kind},
};

use super::{Api, Failure, array::summary, array::unknown};
use crate::{
    arrays::{ArrayDefinition, ArrayError, DefinitionError, Stays, StoreError, advice},
    catalog::ArrayRecord,
    clock::now_unix_ms,
};

impl From<DefinitionError> for Failure {
    fn from(error: DefinitionError) -> Self {
        Self::new(Kind::Invalid, error, "")
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::new(
            Kind::Internal,
            full_text(&error),
            "see state_dir in controller.toml, and who may write there",
        )
    }
}

impl Api {
    pub(super) async fn array_add(self, request: v1::ArrayAddRequest) -> Result<v1::ArrayAddReply, Failure> {
        let definition = ArrayDefinition::parse(&request.name, &request.uri)?;
        let name = definition.name.clone();
        let purpose = Purpose::AddArray { name: name.as_str(), uri: &definition.uri };
        let given = request.password.map(|sealed| self.unseal(&sealed, purpose)).transpose()?;
        if given.is_some() {
            must_name_a_user(&definition)?;
        }
        if self.catalog.read().array(&name).is_some() {
            return Err(taken(&name));
        }
        let password = match &given {
            Some(password) => Some(password.clone()),
            None => self.passwords().find(&name)?.map(|(password, _)| password),
        };
        if request.dry_run {
            return self.dry_run(definition, password).await;
        }
        self.connects(&definition, password).await.map_err(|error| not_kept(&error, &definition))?;
        // Before it is stored, so that what follows the store finds it known and leaves it to us.
        if !self.looker.introduce(definition.clone()) {
            return Err(taken(&name));
        }
        if let Err(failure) = self.keep(&definition, given.as_ref()).await {
            if self.looker.arrays.remove(&name).is_ok() {
                self.looker.forget(&name).await;
            }
            return Err(failure);
        }
        self.looker.follow(definition).await?;
        Ok(v1::ArrayAddReply { array: self.shown(&name) })
    }

    async fn keep(&self, definition: &ArrayDefinition, password: Option<&Password>) -> Result<(), Failure> {
        self.store(definition).await?;
        let Some(password) = password else { return Ok(()) };
        if let Err(error) = self.passwords().keep(&definition.name, password) {
            self.unstore(&definition.name).await?;
            return Err(error.into());
        }
        Ok(())
    }

    /// Lists the array as it would be, and keeps nothing.
    async fn dry_run(
        &self,
        definition: ArrayDefinition,
        password: Option<Password>,
    ) -> Result<v1::ArrayAddReply, Failure> {
        let handle = self.looker.arrays.separate(definition.clone(), password);
        let state = self.looker.try_out(&handle).await.map_err(|error| not_kept(&error, &definition))?;
        let ArrayDefinition { name, uri, kind } = definition;
        let now = now_unix_ms();
        let mut record = ArrayRecord::new(name, uri, kind, now);
        record.state = Some(state.into());
        record.last_seen_unix_ms = Some(now);
        Ok(v1::ArrayAddReply { array: Some(summary(&record, None)) })
    }

    /// Replaces an array's password by one with which it answers.
    pub(super) async fn array_password(
        self,
        request: v1::ArrayPasswordRequest,
    ) -> Result<v1::ArrayPasswordReply, Failure> {
        let name: ArrayId = request.name.parse()?;
        let definition = self.definition(&name)?;
        must_name_a_user(&definition)?;
        let sealed =
            request.password.ok_or_else(|| Failure::new(Kind::Invalid, "there is no password in it", ""))?;
        let password = self.unseal(&sealed, Purpose::ReplacePassword { name: name.as_str() })?;
        let asked = self.connects(&definition, Some(password.clone())).await;
        asked.map_err(|error| not_kept(&error, &definition))?;
        self.passwords().keep(&name, &password)?;
        self.looker.arrays.password_changed(&name);
        Ok(v1::ArrayPasswordReply { array: self.shown(&name) })
    }

    /// Forgets an array that nothing needs. On the array itself nothing is changed.
    pub(super) async fn array_remove(
        self,
        request: v1::ArrayRemoveRequest,
    ) -> Result<v1::ArrayRemoveReply, Failure> {
        let name: ArrayId = request.name.parse()?;
        self.definition(&name)?;
        if let Some(what) = self.runs.needing(&name).first() {
            return Err(in_use(&name, what));
        }
        // From here on no run can begin on it, and none has.
        self.looker.arrays.remove(&name).map_err(|why| match why {
            Stays::Unknown(_) => unknown(&name),
            Stays::InUse(_) => in_use(&name, "a run that just began"),
        })?;
        self.looker.forget(&name).await;
        // The password first: what is left after a crash in between is an array that says that it has none.
        self.passwords().forget(&name)?;
        self.unstore(&name).await?;
        Ok(v1::ArrayRemoveReply {})
    }

    fn passwords(&self) -> &crate::arrays::Passwords {
        self.looker.arrays.passwords()
    }

    fn definition(&self, name: &ArrayId) -> Result<ArrayDefinition, Failure> {
        let catalog = self.catalog.read();
        let array = catalog.array(name).ok_or_else(|| unknown(name))?;
        Ok(ArrayDefinition::parse(name.as_str(), &array.uri)?)
    }

    fn shown(&self, name: &ArrayId) -> Option<v1::ArraySummary> {
        let status = self.looker.arrays.status(name);
        self.catalog.read().array(name).map(|array| summary(array, status.as_ref()))
    }

    /// Sees whether there is an array that answers.
    async fn connects(
        &self,
        definition: &ArrayDefinition,
        password: Option<Password>,
    ) -> Result<(), ArrayError> {
        self.looker.arrays.separate(definition.clone(), password).ask().await
    }

    /// Of two who add the same name at once, one wins.
    async fn store(&self, definition: &ArrayDefinition) -> Result<(), Failure> {
        let store = self.bus.arrays().await.map_err(|error| unavailable(&error))?;
        match store.create(definition.name.as_str(), definition.uri.clone().into()).await {
            Ok(_) => Ok(()),
            Err(error) if error.kind() == kv::CreateErrorKind::AlreadyExists => Err(taken(&definition.name)),
            Err(error) => Err(unavailable(&error)),
        }
    }

    async fn unstore(&self, name: &ArrayId) -> Result<(), Failure> {
        let store = self.bus.arrays().await.map_err(|error| unavailable(&error))?;
        store.delete(name.as_str()).await.map_err(|error| unavailable(&error))
    }
}

fn unavailable(error: &(dyn std::error::Error + 'static)) -> Failure {
    let message = format!("the stored arrays cannot be changed: {}", full_text(error));
    Failure::new(Kind::Unavailable, message, "is JetStream up?")
}

fn taken(name: &ArrayId) -> Failure {
    let message = format!("an array is named {name} already");
    Failure::new(
        Kind::Conflict,
        message,
        "`sanfleet array list` shows it; another password: `sanfleet array password`",
    )
}

fn in_use(name: &ArrayId, what: &str) -> Failure {
    let message = format!("array {name} is needed by {what}");
    Failure::new(
        Kind::Conflict,
        message,
        "detach what is attached and see the run through, then remove the array",
    )
}

/// A password without a user would be sent under whatever name the driver makes up.
fn must_name_a_user(definition: &ArrayDefinition) -> Result<(), Failure> {
    if definition.user().is_some() {
        return Ok(());
    }
    let message = format!("a password is given, but {} names no user", definition.uri);
    let hint = format!("write the user before the host: {}://USER@HOST/", definition.kind);
    Err(Failure::new(Kind::Invalid, message, &hint))
}

/// What does not answer is not stored. Whether the URI or the array is at fault, the driver knows.
fn not_kept(error: &ArrayError, definition: &ArrayDefinition) -> Failure {
    let kind = match error.by_array().map(|said| said.number) {
        Some(ErrorNumber::InvalidArgument | ErrorNumber::PluginAuthFailed) => Kind::Invalid,
        _ => Kind::Unavailable,
    };
    let hint = match error.by_array().map(|said| said.number) {
        // "Another password" would be a command for an array that is known.
        Some(ErrorNumber::PluginAuthFailed) if definition.user().is_some() => {
            "see that user and password are right; nothing was changed".to_owned()
        }
        _ => format!("{}; nothing was changed", advice(error, definition)),
    };
    Failure::new(kind, full_text(error), &hint)
}
