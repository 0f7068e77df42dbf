//! The second act of the demo: an agent works on one customer's tickets for somebody, for one task. Every step is a
//! command of this program, shown as it is typed, with what it prints; a step that ends otherwise ends the demo.

use anyhow::{Context as _, Result, bail};
use clap::Parser as _;

use super::DEMO_KEY;
use super::flight;
use crate::args::Cli;
use crate::output::Output;

/// How a step is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ends {
    /// Done, or yes.
    Yes,
    /// With a no.
    No,
    /// The server refuses it.
    Refused,
}

/// The act, on a server that is asked as any client asks it.
pub(super) struct Act<'a> {
    /// Where it serves, `http://host:port`.
    pub(super) endpoint: String,
    pub(super) output: &'a mut Output,
}

impl Act<'_> {
    pub(super) fn play(mut self) -> Result<()> {
        self.registers()?;
        let task = self.delegates()?;
        let translation = self.narrows(&task)?;
        self.approves(&task)?;
        self.kills(&task, &translation)?;
        self.ends(&task, &translation)
    }

    fn registers(&mut self) -> Result<()> {
        self.title("Agents: known, sponsored by a human, and nothing by themselves")?;
        self.run(Ends::Yes, &["policy", "type", "user", "--kind", "human"])?;
        self.run(Ends::Yes, &["policy", "type", "agent", "--kind", "agent", "--mode", "managed"])?;
        let purpose = "Answers the tickets of one customer";
        let ceiling = "ticket:view,reply,refund@*";
        let (sponsor, register) = (["--sponsor", "user:maria"], ["agent", "register"]);
        let assistant = [&register[..], &["agent:acme-assistant"], &sponsor, &["--purpose", purpose]];
        self.run(Ends::Yes, &[assistant.concat(), vec!["--ceiling", ceiling]].concat())?;
        let translator = [&register[..], &["agent:translator"], &sponsor, &["--ceiling", "ticket:view@*"]];
        self.run(Ends::Yes, &translator.concat())?;
        self.run(Ends::No, &["check", "ticket:1002", "reply", "--as", "agent:acme-assistant"])?;
        Ok(())
    }

    /// Omar lets the assistant work on one customer's tickets.
    fn delegates(&mut self) -> Result<String> {
        self.title("Delegation: Omar's authority, for one customer's tickets and one hour")?;
        let scope = "ticket:view,reply,refund@subtree(customer=customer:acme)";
        let people = ["--from", "user:omar", "--to", "agent:acme-assistant"];
        let terms = ["--until", "1h", "--depth-left", "1", "--consent", "Answer acme's open tickets"];
        let create = [&["delegation", "create"][..], &people, &["--scope", scope], &terms].concat();
        let task = id(&self.run(Ends::Yes, &create)?, "dlg_")?;
        self.run(Ends::Yes, &["check", "ticket:1002", "reply", "--delegation", &task])?;
        self.note("Omar may read ticket 2001, another customer's; his agent may not:")?;
        self.run(Ends::Yes, &["check", "ticket:2001", "view", "user:omar"])?;
        self.run(Ends::No, &["check", "ticket:2001", "view", "--delegation", &task])?;
        Ok(task)
    }

    /// The assistant hands less of it on.
    fn narrows(&mut self, task: &str) -> Result<String> {
        self.title("A sub-agent: less, for less long, and never more")?;
        let hop = ["--parent", task, "--from", "agent:acme-assistant", "--to", "agent:translator"];
        let create = [&["delegation", "create"][..], &hop, &["--until", "10m"]].concat();
        let wider = [&create[..], &["--scope", "ticket:view@*"]].concat();
        self.run(Ends::Refused, &wider)?;
        let narrow = [&create[..], &["--scope", "ticket:view@subtree(customer=customer:acme)"]].concat();
        let translation = id(&self.run(Ends::Yes, &narrow)?, "dlg_")?;
        self.run(Ends::Yes, &["check", "ticket:1002", "view", "--delegation", &translation])?;
        self.run(Ends::No, &["check", "ticket:1002", "reply", "--delegation", &translation])?;
        Ok(translation)
    }

    /// A refund needs a human, once.
    fn approves(&mut self, task: &str) -> Result<()> {
        self.title("Approval: money only with a human, for one amount, once")?;
        let who =
            ["--approver-permission", "approve_refund", "--human-only", "--distinct-from", "actor,root"];
        let policy = ["approval", "policy", "set", "ticket#refund", "--bind", "amount"];
        self.run(Ends::Yes, &[&policy[..], &who].concat())?;
        self.run(Ends::Yes, &["relationship", "write", "ticket:1002#refund_approver@user:maria"])?;
        let amount = ["--context", r#"{"amount":40}"#];
        let action = ["ticket:1002", "refund", "--delegation", task];
        self.run(Ends::No, &[&["check"][..], &action, &amount].concat())?;
        let ask = [&["approval", "request"][..], &action, &amount, &["--reason", "Wrong invoice"]].concat();
        let approval = id(&self.run(Ends::Yes, &ask)?, "apr_")?;
        self.run(Ends::Refused, &["approval", "vote", &approval, "user:omar", "--approve"])?;
        self.run(Ends::Yes, &["approval", "vote", &approval, "user:maria", "--approve"])?;
        let present = ["--approval", &approval];
        let more = ["--context", r#"{"amount":4000}"#];
        self.run(Ends::Refused, &[&["check"][..], &action, &present, &more].concat())?;
        let used = [&["check"][..], &action, &present, &amount, &["--consume", "refund-1"]].concat();
        self.run(Ends::Yes, &used)?;
        self.note("A second refund with the same approval:")?;
        let again = [&["check"][..], &action, &present, &amount, &["--consume", "refund-2"]].concat();
        self.run(Ends::No, &again)?;
        Ok(())
    }

    /// The assistant is stopped while it works.
    fn kills(&mut self, task: &str, translation: &str) -> Result<()> {
        self.title("Kill switch: thrown while the agent is asking")?;
        let flight = flight::Flight::start(&self.endpoint, task)?;
        let reason = ["--reason", "Answers look wrong"];
        let throw =
            [&["kill", "throw", "acme-stop", "--agent", "agent:acme-assistant"][..], &reason].concat();
        self.run(Ends::Yes, &throw)?;
        self.output.line(&format!("  {}", flight.land()?))?;
        self.run(Ends::No, &["check", "ticket:1002", "reply", "--delegation", task])?;
        self.note("and with it whoever acts through it:")?;
        self.run(Ends::No, &["explain", "ticket:1002", "view", "--delegation", translation])?;
        self.run(Ends::Yes, &["kill", "lift", "acme-stop", "--reason", "It was a misread log"])?;
        Ok(())
    }

    /// The task is done.
    fn ends(&mut self, task: &str, translation: &str) -> Result<()> {
        self.title("The end of a task: one write, and everything that rests on it is over")?;
        self.run(Ends::Yes, &["check", "ticket:1002", "view", "--delegation", translation])?;
        self.run(Ends::Yes, &["delegation", "revoke", task, "--reason", "The task is done"])?;
        self.run(Ends::No, &["check", "ticket:1002", "view", "--delegation", translation])?;
        self.run(Ends::Yes, &["agent", "list"])?;
        Ok(())
    }

    fn title(&mut self, text: &str) -> Result<()> {
        self.output.line(&format!("\n{text}"))?;
        Ok(())
    }

    fn note(&mut self, text: &str) -> Result<()> {
        self.output.line(&format!("  {text}"))?;
        Ok(())
    }

    /// Runs one command, shows it and what it prints, and returns that.
    fn run(&mut self, ends: Ends, arguments: &[&str]) -> Result<String> {
        let typed: Vec<String> = arguments.iter().map(|argument| quoted(argument)).collect();
        let typed = format!("pemba {}", typed.join(" "));
        self.output.line(&format!("  $ {typed}"))?;
        let connection = ["--endpoint", &self.endpoint, "--key", DEMO_KEY];
        let command = Cli::try_parse_from([&["pemba"], arguments, &connection].concat())?.command;
        let (mut captured, printed) = Output::captured();
        let ended = crate::remote::run(command, &mut captured);
        let (found, text) = match ended {
            Ok(true) => (Ends::Yes, printed.text()),
            Ok(false) => (Ends::No, printed.text()),
            Err(error) => (Ends::Refused, format!("error: {error:#}")),
        };
        for line in text.lines() {
            self.output.line(&format!("    {line}"))?;
        }
        if found != ends {
            bail!("`{typed}` was to end with {ends:?} and ended with {found:?}");
        }
        Ok(text)
    }
}

/// An argument as a shell takes it.
fn quoted(argument: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_:=,@/.".contains(c);
    let is_plain = !argument.is_empty() && argument.chars().all(is_plain);
    if is_plain { argument.to_owned() } else { format!("'{}'", argument.replace('\'', r"'\''")) }
}

/// The id of a kind that a command printed first.
fn id(text: &str, prefix: &str) -> Result<String> {
    let first = text.lines().next().filter(|line| line.starts_with(prefix));
    first.map(str::to_owned).with_context(|| format!("no `{prefix}...` in `{text}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_shown_as_they_are_typed() {
        assert_eq!(quoted("ticket:view,reply@t1"), "ticket:view,reply@t1");
        assert_eq!(quoted("ticket:view@*"), "'ticket:view@*'");
        assert_eq!(quoted("acme's"), r"'acme'\''s'");
        assert_eq!(quoted(""), "''");
    }
}
