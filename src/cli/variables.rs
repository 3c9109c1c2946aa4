//! What other programs need to know of an instance, as variables in the syntax of each reader.

use crate::appsettings::layers::Layers;
use crate::hub::settings::broker_address;
use std::fmt::Write;

/// One value under the names that its readers use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    /// For shells and pipelines.
    pub name: &'static str,
    /// For .NET's configuration.
    pub dotnet: &'static str,
    pub value: String,
    pub secret: bool,
}

/// Who reads the variables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Syntax {
    /// A POSIX shell: values are quoted.
    Shell,
    /// A POSIX shell, under .NET's names.
    DotnetShell,
    /// `docker run --env-file`, under .NET's names: values are raw.
    DockerEnvFile,
    /// The file that `GITHUB_ENV` names.
    Github,
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum VariableError {
    /// A format without quotes has no way to write it.
    #[error("{0} holds a line break, which an env file cannot express")]
    LineBreak(&'static str),
}

/// The variables of what runs.
pub fn of(hub_url: Option<&str>, redis: bool, rabbitmq: bool, layers: &Layers) -> Vec<Variable> {
    let mut variables = Vec::new();
    let mut add = |name, dotnet, value: &str, secret| {
        variables.push(Variable {
            name,
            dotnet,
            value: value.to_owned(),
            secret,
        });
    };
    if let Some(url) = hub_url {
        add("HARMONY_HUB_URL", "signalrHostUrl", url, false);
    }
    if redis {
        let connection = layers.get("RedisConnectionString");
        let secret = connection.to_ascii_lowercase().contains("password=");
        add("HARMONY_REDIS", "RedisConnectionString", connection, secret);
    }
    if let Some(address) = broker_address(layers).ok().filter(|_| rabbitmq) {
        let port = address.endpoint.port.to_string();
        for (name, key, value, secret) in [
            (
                "HARMONY_RABBITMQ_HOST",
                "BrokerConfiguration__Host",
                address.endpoint.host.as_str(),
                false,
            ),
            (
                "HARMONY_RABBITMQ_PORT",
                "BrokerConfiguration__Port",
                &port,
                false,
            ),
            (
                "HARMONY_RABBITMQ_USER",
                "BrokerConfiguration__Username",
                &address.username,
                false,
            ),
            (
                "HARMONY_RABBITMQ_PASSWORD",
                "BrokerConfiguration__Password",
                address.password.reveal(),
                true,
            ),
            (
                "HARMONY_RABBITMQ_VHOST",
                "BrokerConfiguration__VirtualHost",
                &address.virtual_host,
                false,
            ),
        ] {
            add(name, key, value, secret);
        }
    }
    variables
}

/// The lines that a reader takes.
pub fn written(variables: &[Variable], syntax: Syntax) -> Result<String, VariableError> {
    let mut text = String::new();
    for variable in variables {
        let value = &variable.value;
        // Writing to a string does not fail.
        let _ = match syntax {
            Syntax::Shell => writeln!(text, "{}={}", variable.name, shell_quoted(value)),
            Syntax::DotnetShell => writeln!(text, "{}={}", variable.dotnet, shell_quoted(value)),
            Syntax::DockerEnvFile => {
                if value.contains(['\n', '\r']) {
                    return Err(VariableError::LineBreak(variable.dotnet));
                }
                writeln!(text, "{}={value}", variable.dotnet)
            }
            Syntax::Github => write!(text, "{}", github(variable)),
        };
    }
    Ok(text)
}

/// `NAME=VALUE`, or a here-document where the value has several lines.
fn github(variable: &Variable) -> String {
    let Variable { name, value, .. } = variable;
    if !value.contains(['\n', '\r']) {
        return format!("{name}={value}\n");
    }
    let mut delimiter = "EOF".to_owned();
    while value.lines().any(|line| line == delimiter) {
        delimiter.push('_');
    }
    format!("{name}<<{delimiter}\n{value}\n{delimiter}\n")
}

/// The workflow commands that hide the secrets from a job's log, a line of a secret each.
pub fn masks(variables: &[Variable]) -> String {
    let secrets = variables.iter().filter(|variable| variable.secret);
    let lines = secrets.flat_map(|variable| variable.value.lines());
    lines
        .filter(|line| !line.is_empty())
        .map(|line| {
            format!(
                "::add-mask::{}\n",
                line.replace('%', "%25").replace('\r', "%0D")
            )
        })
        .collect()
}

/// A value that a shell takes as it is.
fn shell_quoted(value: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "_-./:@%+,".contains(letter);
    if !value.is_empty() && value.chars().all(plain) {
        value.to_owned()
    } else {
        format!("'{}'", value.replace('\'', "'\\''"))
    }
}
