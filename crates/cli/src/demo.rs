//! `pemba demo`: the support desk on an embedded store, one question after the other, then served for clients.

use std::net::SocketAddr;
use std::time::Instant;

use anyhow::{Context as _, Result};
use pemba_db::{Consistency, Database, Storage, View, Write};
use pemba_engine::Permissionship;
use pemba_model::{Limits, ObjectRef, Operation, Update, text};
use pemba_server::{Server, ServerOptions};

use crate::args::DemoArgs;
use crate::output::Output;
use crate::storage::database_options;
use crate::validate::file::ValidationFile;

const SCHEMA: &str = include_str!("../../../schema/support-desk/schema.zed");
const VALIDATION: &str = include_str!("../../../schema/support-desk/validation.yaml");
/// The key the demo's server asks for.
const DEMO_KEY: &str = "demo-key";

/// Shows the support desk; then serves it until stopped, unless told to end.
pub fn demo(args: &DemoArgs, output: &mut Output) -> Result<bool> {
    let folder = tempfile::tempdir().context("cannot make a folder for the demo's data")?;
    let data = folder.path().join("data");
    let database = Database::open(Storage::Directory(data.clone()), database_options(Limits::default()))?;
    let show = Show { database: database.clone(), output };
    show.run(&data.display().to_string())?;
    if args.exit {
        database.close();
        return Ok(true);
    }
    serve(args, database, output)
}

fn serve(args: &DemoArgs, database: Database, output: &mut Output) -> Result<bool> {
    let listen: SocketAddr = args.listen.parse().with_context(|| format!("`--listen {}`", args.listen))?;
    let options = ServerOptions {
        listen: vec![listen],
        preshared_keys: vec![DEMO_KEY.to_owned()],
        worker_threads: 1,
        database: Some(database.clone()),
        ..ServerOptions::default()
    };
    let server = Server::start(options)
        .with_context(|| format!("cannot serve on {listen}; name a free address with `--listen`"))?;
    output.line(&format!(
        "\nServing authzed.api.v1 on {listen}, key `{DEMO_KEY}`. Try, in another terminal:\n"
    ))?;
    let program = std::env::current_exe().map_or("pemba".to_owned(), |path| path.display().to_string());
    output.line(&format!("  export PEMBA_ENDPOINT=http://{listen} PEMBA_KEY={DEMO_KEY}"))?;
    output.line(&format!("  {program} check ticket:1001 view agent:acme-assistant"))?;
    output.line(&format!("  {program} lookup-resources ticket view user:omar"))?;
    output.line(&format!("  {program} watch"))?;
    output.line("\nor any SpiceDB client, in Python (pip install authzed):\n")?;
    output.line("  from authzed.api.v1 import InsecureClient")?;
    output.line(&format!("  client = InsecureClient(\"{listen}\", \"{DEMO_KEY}\")"))?;
    output.line("\nCtrl-C stops it; the demo's data goes with it.")?;
    crate::serve::wait_for_stop()?;
    server.shutdown();
    database.close();
    Ok(true)
}

struct Show<'a> {
    database: Database,
    output: &'a mut Output,
}

impl Show<'_> {
    fn run(mut self, data: &str) -> Result<()> {
        self.title("A support desk on an embedded store")?;
        self.output.line(&format!("  data in {data}"))?;
        let relationships = ValidationFile::parse(VALIDATION, SCHEMA)?.relationships;
        self.database.write_schema(SCHEMA.to_owned()).wait().context("schema")?;
        let count = relationships.len();
        let updates = relationships
            .into_iter()
            .map(|relationship| Update { operation: Operation::Create, relationship });
        let write = Write { updates: updates.collect(), preconditions: Vec::new(), metadata: None };
        self.database.write(write).wait().context("relationships")?;
        self.output.line(&format!(
            "  schema/support-desk/schema.zed, {count} relationships, one fsync each write\n"
        ))?;
        self.checks()?;
        self.lookup()?;
        self.expand()?;
        self.token()
    }

    fn title(&mut self, text: &str) -> Result<()> {
        self.output.line(text)?;
        Ok(())
    }

    fn view(&self) -> Result<View> {
        Ok(self.database.view(&Consistency::FullyConsistent)?)
    }

    fn checks(&mut self) -> Result<()> {
        self.title("Checks: who may do what, and why")?;
        for (resource, permission, subject, why) in [
            ("ticket:1001", "reply", "agent:acme-assistant", "assigned to the ticket, and on its customer"),
            ("ticket:1002", "reply", "agent:acme-assistant", "may read it, but it is not assigned to it"),
            ("ticket:2001", "view", "agent:acme-assistant", "another customer's ticket"),
            ("customer:acme", "view", "user:omar", "tier two is a team within support"),
            ("customer:globex", "view", "agent:triage-bot", "its team may, but it is blocked by name"),
            ("ticket:1002", "approve_refund", "user:omar", "nobody approves on a ticket they work on"),
        ] {
            let answer = self.check(&self.view()?, resource, permission, subject)?;
            self.output.line(&format!("  {answer:<8} {resource}#{permission}@{subject}   {why}"))?;
        }
        self.output.line("")?;
        Ok(())
    }

    fn check(&self, view: &View, resource: &str, permission: &str, subject: &str) -> Result<&'static str> {
        let answer =
            view.check(&text::parse_object(resource)?, permission, &text::parse_subject(subject)?, None)?;
        Ok(match answer.permissionship {
            Permissionship::Yes => "ALLOWED",
            Permissionship::Conditional => "DEPENDS",
            Permissionship::No => "DENIED",
        })
    }

    fn lookup(&mut self) -> Result<()> {
        self.title("Lookup: the tickets that agent:acme-assistant can see")?;
        let view = self.view()?;
        let subject = text::parse_subject("agent:acme-assistant")?;
        let started = Instant::now();
        let found = view.lookup_resources("ticket", "view", &subject, None)?;
        let took = started.elapsed();
        let of = found.resource_type;
        let ids =
            found.definite.iter().filter_map(|ordinal| view.object_id(of?, pemba_engine::Ordinal(ordinal)));
        let ids: Vec<_> = ids.map(|id| format!("ticket:{id}")).collect();
        self.output.line(&format!("  {}   ({} us)\n", ids.join(", "), took.as_micros()))?;
        Ok(())
    }

    fn expand(&mut self) -> Result<()> {
        self.title("Expand: what customer:globex#view is made of")?;
        let tree =
            crate::tree::from_engine(self.view()?.expand(&ObjectRef::new("customer", "globex"), "view")?);
        let mut lines = Vec::new();
        crate::tree::lines(&tree, 1, &mut lines);
        for line in lines {
            self.output.line(&line)?;
        }
        self.output.line("")?;
        Ok(())
    }

    fn token(&mut self) -> Result<()> {
        self.title("Tokens: a revocation that no reader can miss, and a past that stays readable")?;
        let before = self.view()?.token();
        let relationship = text::parse_relationship("customer:acme#agent@agent:acme-assistant")?;
        let update = Update { operation: Operation::Delete, relationship };
        let write = Write { updates: vec![update], preconditions: Vec::new(), metadata: None };
        let committed = self.database.write(write).wait()?;
        let after = committed.token;
        self.output.line(&format!("  revoked customer:acme#agent@agent:acme-assistant -> token {after}"))?;
        let question = ("ticket:1001", "reply", "agent:acme-assistant");
        let fresh = self.database.view(&Consistency::AtLeastAsFresh(after))?;
        let past = self.database.view(&Consistency::AtExactSnapshot(before))?;
        let now = self.check(&fresh, question.0, question.1, question.2)?;
        let then = self.check(&past, question.0, question.1, question.2)?;
        self.output.line(&format!(
            "  {now:<8} ticket:1001#reply@agent:acme-assistant   at least as fresh as that token"
        ))?;
        self.output.line(&format!("  {then:<8} the same question, exactly at the token before"))?;
        Ok(())
    }
}
