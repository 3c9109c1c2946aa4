//! Why a checkout's settings cannot be read or changed.

use super::gateway::GatewayError;
use crate::appsettings::SettingsError;
use crate::appsettings::document::EditError;
use crate::schema::Violations;

#[derive(Debug, thiserror::Error)]
pub enum ProjectError {
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error(transparent)]
    Shape(#[from] EditError),
    #[error(transparent)]
    Invalid(#[from] Violations),
    #[error("there are no settings of '{0}' here")]
    NoApplication(String),
    #[error(transparent)]
    Gateway(#[from] GatewayError),
}
