//! `pemba human ...`: the people behind agents.

use anyhow::Result;
use clap::Subcommand;
use pemba_proto::authzed::api::v1::ObjectReference;
use pemba_proto::pemba::v1::{GetHumanRequest, Human, HumanStatus, SetHumanRequest};

use super::json::to_json;
use super::nouns::{instant_text, object, object_text};
use super::services::{Services, answer, given};
use super::table::details;
use super::words::{parser, word};
use crate::args::Connection;
use crate::output::Output;

/// Humans: whether they count as sponsors, approvers and roots.
#[derive(Debug, Subcommand)]
pub enum HumanCommand {
    /// Say whether a human still counts, and who is behind the account.
    Set {
        /// The human, `type:id`.
        #[arg(value_parser = object)]
        principal: ObjectReference,
        /// Whether they count.
        #[arg(value_parser = parser::<HumanStatus>())]
        status: HumanStatus,
        /// The person behind it: accounts with the same name here are one person.
        #[arg(long, default_value = "")]
        person: String,
        /// Why.
        #[arg(long, default_value = "")]
        reason: String,
        /// The server.
        #[command(flatten)]
        connection: Connection,
    },
    /// Show what is known of a human.
    Get {
        /// The human, `type:id`.
        #[arg(value_parser = object)]
        principal: ObjectReference,
        /// The server.
        #[command(flatten)]
        connection: Connection,
    },
}

pub(super) async fn run(command: HumanCommand, output: &mut Output) -> Result<()> {
    match command {
        HumanCommand::Set { principal, status, person, reason, connection } => {
            let principal = Some(principal);
            let request = SetHumanRequest { principal, status: status.into(), person, reason };
            let response = answer(Services::connect(&connection).await?.agents().set_human(request)).await?;
            let value = to_json("pemba.v1.SetHumanResponse", &response)?;
            let human = given(response.human, "human")?;
            let (name, status) = (object_text(human.principal.as_ref()), word::<HumanStatus>(human.status));
            Ok(output.either(&format!("{name} is {status}, version {}", human.version), &value)?)
        }
        HumanCommand::Get { principal, connection } => {
            let request = GetHumanRequest { principal: Some(principal) };
            let response = answer(Services::connect(&connection).await?.agents().get_human(request)).await?;
            show(&given(response.human, "human")?, output)
        }
    }
}

fn show(human: &Human, output: &mut Output) -> Result<()> {
    if output.is_json() {
        return Ok(output.json(&to_json("pemba.v1.Human", human)?)?);
    }
    let pairs = vec![
        ("human", object_text(human.principal.as_ref())),
        ("status", word::<HumanStatus>(human.status)),
        ("person", human.person.clone()),
        ("since", format!("{} by {}", instant_text(human.since), human.by)),
        ("reason", human.reason.clone()),
        ("version", human.version.to_string()),
    ];
    Ok(details(output, pairs)?)
}
