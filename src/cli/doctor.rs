//! `harmony doctor`: checks for problems, cheap ones first, and shows how to fix them.

mod bundle;
mod check;
mod engine;
mod machine;
mod reach;
mod remedy;
mod repository;
mod servers;
mod settings;
mod support;
mod surroundings;
mod windows;

use super::context::Context;
use super::failure::{Exit, Failure};
use crate::project::Project;
use crate::provision::look::look;
use crate::provision::questions::Questions;
use crate::terminal::safe::neutral_lines;
use anstyle::{AnsiColor, Style};
use check::{Check, CheckStatus};
use serde::Serialize;
use std::fmt;
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub struct DoctorArguments {
    /// Fix what can be fixed safely, after asking
    #[arg(long)]
    fix: bool,
    /// Write a support archive (.tar.gz): checks, status, plan, settings and logs without secrets
    #[arg(long, value_name = "FILE")]
    bundle: Option<PathBuf>,
}

#[derive(Debug, Serialize)]
struct Diagnosis {
    checks: Vec<Check>,
    summary: Summary,
}

#[derive(Debug, Serialize)]
struct Summary {
    ok: usize,
    warnings: usize,
    failed: usize,
}

impl fmt::Display for Diagnosis {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut category = "";
        for Check {
            category: own,
            name,
            status,
            message,
            fix,
        } in &self.checks
        {
            if *own != category {
                writeln!(formatter, "{own}")?;
                category = own;
            }
            let (sign, colour) = match status {
                CheckStatus::Ok => ("ok     ", AnsiColor::Green),
                CheckStatus::Warning => ("warning", AnsiColor::Yellow),
                CheckStatus::Failed => ("FAILED ", AnsiColor::Red),
            };
            let style = Style::new().fg_color(Some(colour.into()));
            writeln!(
                formatter,
                "  {style}{sign}{style:#}  {name}: {}",
                neutral_lines(message)
            )?;
            if !fix.is_empty() {
                writeln!(formatter, "           fix: {}", neutral_lines(fix))?;
            }
        }
        let Summary {
            ok,
            warnings,
            failed,
        } = self.summary;
        write!(
            formatter,
            "{ok} ok, {warnings} {}, {failed} failed",
            if warnings == 1 { "warning" } else { "warnings" }
        )
    }
}

pub async fn run(context: &Context, arguments: &DoctorArguments) -> Result<(), Failure> {
    let examination = {
        let _step = context.terminal.step("checking");
        examine(context).await?
    };
    let Examination {
        checks,
        failure,
        project,
    } = examination;
    let count = |status| checks.iter().filter(|check| check.status == status).count();
    let summary = Summary {
        ok: count(CheckStatus::Ok),
        warnings: count(CheckStatus::Warning),
        failed: count(CheckStatus::Failed),
    };
    let failed = summary.failed;
    let diagnosis = Diagnosis { checks, summary };
    context.terminal.result(&diagnosis);
    if let Some(path) = &arguments.bundle {
        let checks = serde_json::to_value(&diagnosis).unwrap_or_default();
        bundle::write(context, path, &checks, project.as_ref()).await?;
        let path = path.display();
        context
            .terminal
            .note(&format!("Wrote {path}; look into it before you send it."));
    }
    if arguments.fix {
        return remedy::apply(context, &diagnosis.checks).await;
    }
    match failure {
        Some(failure) => Err(failure.shown()),
        None if failed > 0 => {
            let message = "something would not work";
            Err(Failure::new(Exit::Failed, "unhealthy", message).shown())
        }
        None => Ok(()),
    }
}

struct Examination {
    checks: Vec<Check>,
    /// Docker is needed and cannot be asked: nothing else can be told for sure.
    failure: Option<Failure>,
    /// The settings, where they could be read.
    project: Option<Project>,
}

/// What can be said where the look itself failed; an earlier check may have told why.
fn cut_short(mut checks: Vec<Check>, failure: &Failure) -> Examination {
    if !checks
        .iter()
        .any(|check| check.status == CheckStatus::Failed)
    {
        checks.push(Check::failed("machine", "look", failure));
    }
    Examination {
        checks,
        failure: None,
        project: None,
    }
}

async fn examine(context: &Context) -> Result<Examination, Failure> {
    let mut checks = machine::checks(context);
    let mut about_settings = Vec::new();
    let project = settings::read(context, &mut about_settings);
    let layers = project.as_ref().map(|project| project.hub.layers());
    let ports = surroundings::wanted_ports(project.as_ref());
    checks.extend(surroundings::checks(&ports));
    let checkout = context.find_checkout().ok();
    let root = checkout.as_ref().map(|checkout| checkout.root.as_path());
    checks.extend(windows::checks(root, &ports));
    if let (Some(project), Some(checkout)) = (&project, &checkout) {
        about_settings.extend(repository::checks(checkout, project));
        about_settings.extend(reach::checks(context, checkout));
    }
    let mut questions = match &layers {
        Some(layers) => Questions::about_servers(layers, servers::WITHIN),
        None => Questions::about_existence(),
    };
    questions.ports = engine::ports();
    questions.ports.extend(servers::hub_port(project.as_ref()));
    let sight = match look(&context.installation()?, &questions).await {
        Ok(sight) => sight,
        Err(error) => {
            checks.append(&mut about_settings);
            return Ok(cut_short(checks, &error.into()));
        }
    };
    checks.extend(engine::checks(&sight).await);
    checks.append(&mut about_settings);
    if let (Some(project), Some(layers)) = (&project, &layers) {
        checks.extend(settings::certificate(context, project, layers));
        checks.push(settings::authentication(layers));
        checks.extend(servers::checks(&sight.world, layers));
        checks.extend(servers::versions(&sight.world).await);
        checks.extend(servers::rejected(&sight.world).await);
        checks.push(servers::hub(context, &sight.world, project).await);
    }
    let failure = sight.world.engine_failure().cloned().map(Failure::from);
    Ok(Examination {
        checks,
        failure,
        project,
    })
}
