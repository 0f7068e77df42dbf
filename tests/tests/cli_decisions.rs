//! Decisions about chains on the command line: what they say and their exit codes; and the demo.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, missing_docs, reason = "tests")]

use pemba_tests::checkout::root;
use pemba_tests::command_line::Pemba;
use pemba_tests::process::ServerProcess;

/// The support desk: Omar works on ticket 1 of acme and lets the desk agent do so, which lets its sub-agent read.
struct Desk {
    _server: ServerProcess,
    pemba: Pemba,
    first: String,
    second: String,
}

fn desk() -> Desk {
    let server = ServerProcess::start(None, &[]);
    let pemba = Pemba { endpoint: server.endpoint() };
    let schema = root().join("schema/support-desk/schema.zed");
    pemba.expect(0, &["schema", "write", schema.to_str().unwrap()]);
    let relationships = [
        "customer:acme#viewer@user:omar",
        "ticket:1#customer@customer:acme",
        "ticket:1#assignee@user:omar",
        "ticket:1#refund_approver@user:maria",
        "ticket:2#assignee@user:omar",
    ];
    pemba.expect(0, &[&["relationship", "write"][..], &relationships].concat());
    pemba.expect(0, &["policy", "type", "user", "--kind", "human"]);
    pemba.expect(0, &["policy", "type", "agent", "--kind", "agent", "--mode", "managed"]);
    for agent in ["agent:desk", "agent:sub"] {
        pemba.expect(0, &["agent", "register", agent, "--sponsor", "user:maria"]);
    }
    let create = ["delegation", "create", "--from", "user:omar", "--to", "agent:desk", "--depth-left", "1"];
    let scope = ["--scope", "ticket:view,reply,refund@subtree(customer=customer:acme)", "--until", "1h"];
    let first = first_line(&pemba.expect(0, &[&create[..], &scope].concat()));
    let create = ["delegation", "create", "--parent", &first, "--from", "agent:desk", "--to", "agent:sub"];
    let scope = ["--scope", "ticket:view@1", "--until", "10m"];
    let second = first_line(&pemba.expect(0, &[&create[..], &scope].concat()));
    Desk { _server: server, pemba, first, second }
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap().to_owned()
}

impl Desk {
    /// A question by a delegation, with its exit code and what its answer says.
    #[track_caller]
    fn says(&self, code: i32, question: [&str; 2], delegation: &str, more: &[&str], parts: &[&str]) {
        let [resource, permission] = question;
        let check = ["check", resource, permission, "--delegation", delegation];
        let printed = self.pemba.expect(code, &[&check[..], more].concat());
        for part in parts {
            assert!(printed.contains(part), "`{part}` is not in: {printed}");
        }
    }
}

#[test]
fn a_chain_is_allowed_less_and_told_why_not() {
    let desk = desk();
    desk.says(0, ["ticket:1", "reply"], &desk.first, &[], &["ALLOW, by the clock until ", "(in "]);
    desk.says(
        0,
        ["ticket:1", "view"],
        &desk.second,
        &["--as", "agent:desk", "--as", "agent:sub"],
        &["ALLOW"],
    );
    let outside = ["DENY: it is outside the scope of the delegation dlg_", "ticket:view@1"];
    desk.says(1, ["ticket:1", "reply"], &desk.second, &[], &outside);
    desk.says(1, ["ticket:2", "view"], &desk.first, &[], &["DENY: it is outside the scope"]);
    desk.says(2, ["ticket:1", "view"], &desk.second, &["--as", "agent:desk"], &["CHAIN_MISMATCH"]);
    desk.says(2, ["ticket:1", "fly"], &desk.first, &[], &["fly"]);
    let alone = desk.pemba.expect(1, &["check", "ticket:1", "view", "--as", "agent:desk"]);
    assert_eq!(alone, "DENY: agent:desk lacks the permission\n");
    assert!(desk.pemba.expect(2, &["check", "ticket:1", "view"]).contains("SUBJECT"));
    assert_eq!(desk.pemba.expect(0, &["check", "ticket:1", "view", "user:omar"]), "yes\n");
    let json = desk.pemba.json(1, &["check", "ticket:1", "reply", "--delegation", &desk.second]);
    assert_eq!(json[0]["decision"]["outcome"], "deny");
    assert_eq!(json[0]["decision"]["limit"]["kind"], "scope");
    assert!(json[0]["checked_at"].is_string(), "{json:?}");
}

#[test]
fn what_stopped_a_chain_is_told_with_when_by_whom_and_why() {
    let desk = desk();
    let (first, second, pemba) = (&desk.first, &desk.second, &desk.pemba);
    let view = ["ticket:1", "view"];
    pemba.expect(0, &["kill", "throw", "stop", "--agent", "agent:desk", "--reason", "Odd"]);
    let killed = ["DENY: agent:desk is stopped: the kill switch stop was thrown ", " by default: Odd"];
    desk.says(1, view, second, &[], &killed);
    pemba.expect(0, &["kill", "lift", "stop"]);
    pemba.expect(0, &["kill", "throw", "slow", "--all", "--mode", "deny-write"]);
    desk.says(
        1,
        ["ticket:1", "reply"],
        first,
        &[],
        &["DENY: agent:desk may only read: the kill switch slow"],
    );
    pemba.expect(0, &["kill", "lift", "slow"]);
    pemba.expect(0, &["agent", "suspend", "agent:desk", "--reason", "A drill"]);
    desk.says(1, view, first, &[], &["DENY: agent:desk is suspended, since ", " by default: A drill"]);
    pemba.expect(0, &["agent", "resume", "agent:desk"]);
    pemba.expect(0, &["human", "set", "user:omar", "disabled"]);
    desk.says(1, view, first, &[], &["DENY: user:omar is disabled"]);
    pemba.expect(0, &["human", "set", "user:omar", "active"]);
    desk.says(0, view, first, &[], &["ALLOW"]);
    let session = first_line(&pemba.expect(0, &["session", "open", "agent:desk", "--until", "5m"]));
    pemba.expect(0, &["session", "close", &session, "--reason", "Done"]);
    let closed = pemba.expect(1, &["check", "ticket:1", "view", "--session", &session, "--as", "agent:desk"]);
    assert!(closed.starts_with(&format!("DENY: the session {session} was closed ")), "{closed}");
    assert!(closed.ends_with(" by default: Done\n"), "{closed}");
    pemba.expect(0, &["delegation", "revoke", first, "--reason", "Enough"]);
    let revoked = format!("DENY: the delegation {first} was revoked ");
    desk.says(1, view, second, &[], &[&revoked, " by default: Enough\n"]);
    let explained = pemba.expect(1, &["explain", "ticket:1", "view", "--delegation", second]);
    assert!(explained.starts_with(&revoked) && explained.contains("user:omar"), "{explained}");
}

#[test]
fn what_counts_is_consumed_once() {
    let desk = desk();
    let refund = ["ticket:1", "refund"];
    let (first, pemba) = (&desk.first, &desk.pemba);
    let set = ["approval", "policy", "set", "ticket#refund", "--approver-permission", "approve_refund"];
    pemba.expect(0, &set);
    desk.says(1, refund, first, &[], &["REQUIRES APPROVAL: everything else allows it"]);
    let asked = pemba.expect(0, &["approval", "request", "ticket:1", "refund", "--delegation", first]);
    let approval = first_line(&asked);
    let present = ["--approval", &approval];
    desk.says(
        1,
        refund,
        first,
        &present,
        &[&format!("REQUIRES APPROVAL: the approval {approval} is pending")],
    );
    pemba.expect(0, &["approval", "vote", &approval, "user:maria", "--approve"]);
    desk.says(1, refund, first, &present, &["REQUIRES CONSUMPTION"]);
    let used = ["--approval", &approval, "--consume", "once"];
    desk.says(0, refund, first, &used, &["ALLOW", "the approval has 0 uses left"]);
    desk.says(0, refund, first, &used, &["nothing was used again"]);
    let again = ["--approval", &approval, "--consume", "twice"];
    desk.says(
        1,
        refund,
        first,
        &again,
        &[&format!("REQUIRES APPROVAL: the approval {approval} is consumed")],
    );
    let elsewhere = ["--consume", "once"];
    desk.says(2, ["ticket:1", "view"], first, &elsewhere, &["IDEMPOTENCY_CONFLICT"]);
    let fresh = ["check", "ticket:1", "view", "--delegation", first, "--consume", "x", "--full"];
    assert!(pemba.expect(2, &fresh).contains("cannot be used with"));
}

#[test]
fn the_demo_plays_to_its_end() {
    let pemba = Pemba { endpoint: String::new() };
    let played = pemba.expect(0, &["demo", "--exit"]);
    for part in ["REQUIRES APPROVAL", "is stopped: the kill switch acme-stop", "SCOPE_WIDER", "was revoked "]
    {
        assert!(played.contains(part), "`{part}` is not in: {played}");
    }
}
