//! A support desk: agents of a team answer the tickets of their customers, but an internal note stays internal.
//!
//! Start a server, then run this:
//!
//! ```text
//! pemba serve --memory --listen 127.0.0.1:50051 --preshared-key secret
//! PEMBA_ENDPOINT=127.0.0.1:50051 PEMBA_KEY=secret cargo run -p pemba-client --example support_desk
//! ```
//!
//! It replaces the schema of that server.

#![allow(clippy::print_stdout, reason = "the example shows its answers")]

use pemba_client::{
    Check, Client, ConnectOptions, Consistency, LookupResources, LookupSubjects, Write,
    model::{ObjectRef, Relationship, SubjectRef},
};

const SCHEMA: &str = "
definition user {}

definition team {
    relation member: user
}

definition customer {
    relation contact: user
    relation served_by: team#member
}

definition ticket {
    relation customer: customer
    relation assignee: user
    permission answer = assignee + customer->served_by
    permission read = answer + customer->contact
    permission read_notes = answer
}
";

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let endpoint = std::env::var("PEMBA_ENDPOINT").unwrap_or_else(|_| "127.0.0.1:50051".to_owned());
    let key = std::env::var("PEMBA_KEY").unwrap_or_else(|_| "secret".to_owned());
    let client = Client::connect(ConnectOptions::new(endpoint).token(key)).await?;

    client.write_schema(SCHEMA).await?;
    let user = |name: &str| SubjectRef::direct("user", name);
    let (acme, leak) = (ObjectRef::new("customer", "acme"), ObjectRef::new("ticket", "leak"));
    let first_line = ObjectRef::new("team", "first_line");
    let facts = [
        Relationship::new(first_line, "member", user("noor")),
        Relationship::new(acme.clone(), "served_by", SubjectRef::userset("team", "first_line", "member")),
        Relationship::new(acme, "contact", user("carla")),
        Relationship::new(leak.clone(), "customer", SubjectRef::direct("customer", "acme")),
        Relationship::new(ObjectRef::new("ticket", "old"), "assignee", user("noor")),
    ];
    let write = facts.into_iter().fold(Write::new(), Write::touch);
    let written = client.write(write).await?;
    let fresh = Consistency::AtLeastAsFresh(written);

    let may_carla = |permission: &str| Check::new(leak.clone(), permission, user("carla"));
    let answers = client.check_bulk(&[may_carla("read"), may_carla("read_notes")], &fresh).await?;
    println!("the customer's contact carla on ticket leak:");
    for (question, answer) in ["read", "read_notes"].iter().zip(answers.answers) {
        println!("  {question}: {:?}", answer?);
    }

    println!("noor can answer:");
    let mut tickets =
        client.lookup_resources(LookupResources::new("ticket", "answer", user("noor")).at(fresh.clone()));
    while let Some(ticket) = tickets.next().await {
        println!("  {}", ticket?.object_id);
    }

    println!("ticket leak can be read by:");
    let mut readers = client.lookup_subjects(LookupSubjects::new(leak, "read", "user").at(fresh));
    while let Some(reader) = readers.next().await {
        println!("  {}", reader?.object_id);
    }
    Ok(())
}
