//! The commands about agents as a person or a script runs them: what they print and their exit codes.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, missing_docs, reason = "tests")]

use pemba_tests::checkout::root;
use pemba_tests::command_line::Pemba;
use pemba_tests::process::ServerProcess;

/// The support desk: Omar works on ticket 1 of acme, Maria approves its refunds.
fn desk(server: &ServerProcess) -> Pemba {
    let pemba = Pemba { endpoint: server.endpoint() };
    let schema = root().join("schema/support-desk/schema.zed");
    pemba.expect(0, &["schema", "write", schema.to_str().unwrap()]);
    let relationships = [
        "customer:acme#viewer@user:omar",
        "customer:globex#viewer@user:omar",
        "ticket:1#customer@customer:acme",
        "ticket:1#assignee@user:omar",
        "ticket:1#refund_approver@user:maria",
        "ticket:2#customer@customer:globex",
    ];
    pemba.expect(0, &[&["relationship", "write"][..], &relationships].concat());
    pemba.expect(0, &["policy", "type", "user", "--kind", "human"]);
    pemba.expect(0, &["policy", "type", "agent", "--kind", "agent", "--mode", "managed"]);
    for agent in ["agent:desk", "agent:sub"] {
        pemba.expect(0, &["agent", "register", agent, "--sponsor", "user:maria"]);
    }
    pemba
}

/// Omar lets the desk agent do what he may on acme's tickets.
fn delegation(pemba: &Pemba, more: &[&str]) -> String {
    let scope = "ticket:view,reply,refund@subtree(customer=customer:acme)";
    let create = ["delegation", "create", "--from", "user:omar", "--to", "agent:desk", "--until", "1h"];
    first_line(&pemba.expect(0, &[&create[..], &["--scope", scope], more].concat()))
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap().to_owned()
}

#[track_caller]
fn has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "`{part}` is not in: {text}");
    }
}

#[test]
fn agents_live_their_lives() {
    let server = ServerProcess::start(None, &[]);
    let pemba = desk(&server);
    let register = ["agent", "register", "agent:a", "--sponsor", "user:maria", "--kind", "machine-client"];
    let more = ["--purpose", "Files tickets", "--ceiling", "ticket:view@*", "--ceiling", "ticket:reply@1,2"];
    let terms = [
        "--label",
        "night",
        "--until",
        "2d",
        "--attest-every",
        "30d",
        "--external-name",
        "spiffe=spiffe://x/a",
        "--proposed",
    ];
    let printed = pemba.expect(0, &[&register[..], &more, &terms].concat());
    assert_eq!(printed, "agent:a registered: proposed, incarnation 1, version 1\n");
    let shown = pemba.expect(0, &["agent", "get", "agent:a"]);
    has(
        &shown,
        &["machine-client", "Files tickets", "ticket:reply@1,2", "night", "spiffe=spiffe://x/a", "(in "],
    );
    assert_eq!(pemba.expect(0, &["agent", "activate", "agent:a"]), "agent:a: active, version 2\n");

    let both = pemba.expect(0, &["agent", "suspend", "agent:a", "agent:desk", "--reason", "A drill"]);
    assert_eq!(both, "agent:a: suspended, version 3\nagent:desk: suspended, version 2\n");
    has(&pemba.expect(0, &["agent", "list", "--state", "suspended"]), &["AGENT", "agent:a ", "agent:desk"]);
    assert_eq!(pemba.expect(0, &["agent", "list", "--label", "none-has-it"]), "none\n");
    pemba.expect(0, &["agent", "resume", "agent:a", "agent:desk"]);
    pemba.expect(0, &["agent", "quarantine", "agent:a", "--if-version", "4"]);
    pemba.expect(0, &["agent", "resume", "agent:a"]);

    let updated =
        pemba.expect(0, &["agent", "update", "agent:a", "--tenant", "north", "--clear", "purpose,labels"]);
    has(&updated, &["updated: active", "version 7"]);
    let agent = &pemba.json(0, &["agent", "get", "agent:a"])[0];
    assert_eq!(agent["spec"]["tenant"], "north");
    assert_eq!(agent["spec"]["purpose"], "");
    assert_eq!(agent["spec"]["labels"], serde_json::json!([]));
    assert_eq!(agent["spec"]["ceiling"], serde_json::json!(["ticket:view@*", "ticket:reply@1,2"]));
    assert_eq!(agent["spec"]["kind"], "machine-client");
    pemba.expect(0, &["agent", "attest", "agent:a", "--reason", "Still needed"]);

    let propose = ["agent", "propose-sponsor", "agent:a", "--from", "user:maria", "--to", "user:omar"];
    pemba.expect(0, &propose);
    has(&pemba.expect(0, &["agent", "get", "agent:a"]), &["to user:omar instead of user:maria"]);
    pemba.expect(0, &["agent", "accept-sponsor", "agent:a", "user:omar"]);
    has(&pemba.expect(0, &["agent", "list", "--sponsor", "user:omar"]), &["agent:a"]);

    pemba.expect(0, &["agent", "retire", "agent:a", "--reason", "Replaced"]);
    let history = pemba.expect(0, &["agent", "history", "agent:a"]);
    has(&history, &["registered", "A drill", "Still needed", "Replaced", "WHEN"]);
    let again = pemba.expect(0, &["agent", "register", "agent:a", "--sponsor", "user:omar"]);
    has(&again, &["incarnation 2"]);
}

#[test]
fn what_cannot_be_done_to_an_agent_is_said() {
    let server = ServerProcess::start(None, &[]);
    let pemba = desk(&server);
    has(&pemba.expect(2, &["agent", "get", "agent:nobody"]), &["AGENT_NOT_FOUND", "agent:nobody"]);
    let orphan = pemba.expect(2, &["agent", "register", "agent:b"]);
    has(&orphan, &["error: ", "sponsor"]);
    let by_agent = pemba.expect(2, &["agent", "register", "agent:b", "--sponsor", "agent:desk"]);
    has(&by_agent, &["SPONSOR_NOT_HUMAN"]);
    has(&pemba.expect(2, &["agent", "register", "agent"]), &["type:id"]);
    let stale = pemba.expect(2, &["agent", "update", "agent:desk", "--tenant", "x", "--if-version", "7"]);
    has(&stale, &["VERSION_MISMATCH", "7"]);
    let partly = pemba.expect(2, &["agent", "suspend", "agent:desk", "agent:nobody"]);
    has(&partly, &["agent:nobody"]);
    assert_eq!(pemba.json(0, &["agent", "get", "agent:desk"])[0]["status"], "active", "all or none");
    has(&pemba.expect(2, &["agent", "list", "--status", "sleepy"]), &["sleepy", "quarantined"]);
    let wrong = ["agent", "register", "agent:b", "--sponsor", "user:maria", "--ceiling", "ticket:view"];
    has(&pemba.expect(2, &wrong), &["`@`", "ticket:view,reply@t1,t2"]);
    has(&pemba.expect(2, &["agent", "register", "agent:b", "--until", "soon"]), &["soon", "RFC 3339"]);
}

#[test]
fn humans_and_policies_are_set_and_shown() {
    let server = ServerProcess::start(None, &[]);
    let pemba = desk(&server);
    let set = ["human", "set", "user:omar", "disabled", "--person", "Omar B.", "--reason", "Left"];
    assert_eq!(pemba.expect(0, &set), "user:omar is disabled, version 1\n");
    has(&pemba.expect(0, &["human", "get", "user:omar"]), &["disabled", "Omar B.", "Left"]);
    has(&pemba.expect(2, &["human", "get", "user:nobody"]), &["HUMAN_NOT_FOUND"]);
    has(&pemba.expect(2, &["human", "set", "user:omar", "gone"]), &["gone", "disabled"]);

    let labelled = pemba.expect(0, &["policy", "labels", "ticket#view", "safe", "read"]);
    assert_eq!(labelled, "ticket#view: safe, read\n");
    pemba.expect(0, &["policy", "grant", "ticket#assignee", "approve_refund"]);
    let listed = pemba.expect(0, &["policy", "list"]);
    has(
        &listed,
        &[
            "user   human",
            "agent  agent  managed",
            "ticket#view",
            "read",
            "ticket#assignee",
            "approve_refund",
        ],
    );
    let json = &pemba.json(0, &["policy", "list"])[0];
    assert_eq!(json["type_policies"][0]["kind"], "agent");
    assert_eq!(json["type_policies"][0]["mode"], "managed");
    pemba.expect(0, &["policy", "labels", "ticket#view"]);
    assert_eq!(pemba.json(0, &["policy", "list"])[0]["labels"], serde_json::json!([]));
    has(&pemba.expect(2, &["policy", "labels", "ticket"]), &["type#name"]);
    has(&pemba.expect(2, &["policy", "labels", "ticket#fly", "safe"]), &["fly"]);
}

#[test]
fn kill_switches_are_thrown_listed_and_lifted() {
    let server = ServerProcess::start(None, &[]);
    let pemba = desk(&server);
    let throw = ["kill", "throw", "stop", "--agent", "agent:desk", "--reason", "Odd", "--until", "1h"];
    let thrown = pemba.expect(0, &throw);
    has(&thrown, &["the switch stop is thrown: deny-all for agent:desk, lifts in "]);
    has(&pemba.expect(0, &["agent", "get", "agent:desk"]), &["active, but killed"]);
    pemba.expect(0, &["kill", "throw", "all", "--all", "--mode", "deny-write"]);
    has(&pemba.expect(0, &["kill", "list"]), &["stop", "Odd", "every agent", "deny-write"]);
    assert_eq!(pemba.json(0, &["kill", "list"]).len(), 2);
    has(&pemba.expect(2, &throw), &["KILL_EXISTS", "stop"]);
    assert_eq!(pemba.expect(0, &["kill", "lift", "stop"]), "the switch stop is lifted from agent:desk\n");
    pemba.expect(0, &["kill", "lift", "all"]);
    assert_eq!(pemba.expect(0, &["kill", "list"]), "none\n");
    has(&pemba.expect(2, &["kill", "lift", "stop"]), &["KILL_NOT_FOUND"]);
    has(&pemba.expect(2, &["kill", "throw", "x"]), &["--agent", "--all"]);
    has(&pemba.expect(2, &["kill", "throw", "x", "--all", "--tenant", "t"]), &["cannot be used with"]);
}

#[test]
fn delegations_are_made_shown_renewed_and_revoked() {
    let server = ServerProcess::start(None, &[]);
    let pemba = desk(&server);
    let first = delegation(&pemba, &["--depth-left", "1", "--consent", "Answer them"]);
    assert!(first.starts_with("dlg_"), "{first}");
    let hop = ["delegation", "create", "--parent", &first, "--from", "agent:desk", "--to", "agent:sub"];
    let narrower = [&hop[..], &["--scope", "ticket:view@1", "--until", "10m"]].concat();
    let made = pemba.expect(0, &narrower);
    has(&made, &["agent:desk delegates to agent:sub; it ends in "]);
    let second = first_line(&made);
    let shown = pemba.expect(0, &["delegation", "get", &second]);
    has(&shown, &["Answer them", "ticket:view@1", "2 from the root, 0 may follow", "alive", "user:omar"]);
    assert!(shown.find(&first).unwrap() < shown.find("ticket:view@1").unwrap(), "outermost first: {shown}");
    let wider = pemba.expect(2, &[&hop[..], &["--scope", "ticket:view@*", "--until", "10m"]].concat());
    has(&wider, &["SCOPE_WIDER"]);
    let longer = pemba.expect(2, &[&hop[..], &["--scope", "ticket:view@1", "--until", "3d"]].concat());
    has(&longer, &["OUTLIVES_PARENT"]);

    has(
        &pemba.expect(0, &["delegation", "list", "--root", "user:omar"]),
        &[&first, &second, "alive", "STATE"],
    );
    let renewed =
        pemba.expect(0, &["delegation", "renew", &first, "--scope", "ticket:view@1", "--until", "30m"]);
    has(&renewed, &["renewed dlg_", "it ends in "]);
    let chain = pemba.json(0, &["delegation", "get", &second]);
    assert_eq!(chain.len(), 2);
    assert_eq!(chain[0]["scope"], serde_json::json!(["ticket:view@1"]));
    assert_eq!(chain[1]["parent_id"], first.as_str());

    let revoked = pemba.expect(0, &["delegation", "revoke", &first, "--reason", "Enough"]);
    has(&revoked, &["and all that rests on it"]);
    has(&pemba.expect(0, &["delegation", "get", &second]), &["revoked", "Enough", "not alive"]);
    assert_eq!(pemba.expect(0, &["delegation", "list", "--to", "agent:sub", "--alive"]), "none\n");
    has(&pemba.expect(2, &["delegation", "list"]), &["--root"]);
    has(&pemba.expect(2, &["delegation", "get", "dlg_1"]), &["dlg_1", "32 hexadecimal digits"]);
}

#[test]
fn sessions_are_opened_granted_in_and_closed() {
    let server = ServerProcess::start(None, &[]);
    let pemba = desk(&server);
    let for_task = delegation(&pemba, &[]);
    let open = ["session", "open", "agent:desk", "--delegation", &for_task, "--until", "30m", "--idle", "5m"];
    let more = ["--task", "T-1", "--purpose", "Close it", "--scope", "ticket:view@1", "--label", "night"];
    let opened = pemba.expect(0, &[&open[..], &more].concat());
    has(&opened, &["open for agent:desk, presented by client default; it ends in "]);
    let session = first_line(&opened);
    has(
        &pemba.expect(0, &["session", "get", &session]),
        &["T-1", "Close it", "5m", &for_task, "ticket:view@1"],
    );
    let alone = first_line(&pemba.expect(0, &["session", "open", "agent:desk", "--until", "1h"]));

    pemba.expect(0, &["policy", "grant", "ticket#assignee", "approve_refund"]);
    let grant = ["session", "grant", &alone, "user:maria", "ticket:1#assignee@agent:desk", "--until", "10m"];
    has(&pemba.expect(0, &grant), &["ticket:1#assignee@agent:desk[expiration:"]);
    let stranger = ["session", "grant", &alone, "user:omar", "ticket:1#assignee@agent:desk"];
    has(&pemba.expect(2, &stranger), &["GRANT_NOT_PERMITTED"]);

    pemba.expect(
        0,
        &[
            "approval",
            "policy",
            "set",
            "ticket#assignee",
            "--grants",
            "--approver-permission",
            "approve_refund",
        ],
    );
    let line = "ticket:1#assignee@agent:desk";
    let asked = pemba.expect(0, &["approval", "request-grant", &alone, "user:omar", line]);
    has(&asked, &["pending: user:omar grants ticket:1#assignee@agent:desk[expiration:"]);
    let approval = first_line(&asked);
    pemba.expect(0, &["approval", "vote", &approval, "user:maria", "--approve"]);
    let approved = [&stranger[..], &["--approval", &approval]].concat();
    has(&pemba.expect(0, &approved), &["ticket:1#assignee@agent:desk[expiration:"]);
    has(&pemba.expect(2, &approved), &["APPROVAL_NOT_USABLE"]);
    has(&pemba.expect(0, &["approval", "policy", "list"]), &["granting ticket#assignee"]);
    pemba.expect(0, &["approval", "policy", "delete", "ticket#assignee", "--grants"]);

    let listed = pemba.expect(0, &["session", "list", "--actor", "agent:desk", "--open"]);
    has(&listed, &[&session, &alone, "T-1"]);
    has(&pemba.expect(0, &["session", "close", &session, "--reason", "Done"]), &["closed ses_"]);
    has(&pemba.expect(0, &["session", "get", &session]), &["closed", "Done"]);
    assert_eq!(pemba.json(0, &["session", "list", "--open"]).len(), 1);
    has(&pemba.expect(2, &["session", "get", "ses_x"]), &["ses_x"]);
    has(&pemba.expect(2, &["session", "open", "agent:desk", "--until", "2030"]), &["2030"]);
}

#[test]
fn approvals_are_asked_for_voted_on_and_taken_back() {
    let server = ServerProcess::start(None, &[]);
    let pemba = desk(&server);
    let by = delegation(&pemba, &[]);
    let set = ["approval", "policy", "set", "ticket#refund", "--approver-permission", "approve_refund"];
    let terms = ["--bind", "amount", "--human-only", "--distinct-from", "actor,root", "--cool-down", "1m"];
    let text = pemba.expect(0, &[&set[..], &terms].concat());
    has(&text, &["ticket#refund needs 1 who may approve_refund; policy version "]);
    has(&pemba.expect(0, &["approval", "policy", "list"]), &["agent-chains", "actor, root", "amount", "15m"]);

    let request =
        ["approval", "request", "ticket:1", "refund", "--delegation", &by, "--reason", "Double charge"];
    let asked = pemba.expect(0, &[&request[..], &["--context", r#"{"amount":40}"#]].concat());
    has(&asked, &["pending: refund on ticket:1 by agent:desk for user:omar; to be decided in "]);
    let approval = first_line(&asked);
    has(&pemba.expect(2, &request), &["BOUND_VALUE_MISSING", "amount"]);
    let waiting = pemba.expect(0, &["approval", "list", "--votable-by", "user:maria"]);
    has(&waiting, &[&approval, "pending", "Double charge"]);
    assert_eq!(pemba.expect(0, &["approval", "list", "--votable-by", "user:omar"]), "none\n");
    let own = pemba.expect(2, &["approval", "vote", &approval, "user:omar", "--approve"]);
    has(&own, &["APPROVER_NOT_ELIGIBLE", "somebody of the chain"]);
    has(&pemba.expect(2, &["approval", "vote", &approval, "user:maria"]), &["--approve", "--reject"]);
    let vote = ["approval", "vote", &approval, "user:maria", "--approve", "--comment", "Fine"];
    has(&pemba.expect(0, &vote), &["is approved; to be used in "]);
    has(
        &pemba.expect(0, &["approval", "get", &approval]),
        &["user:maria approves", "Fine", r#"{"amount":40}"#],
    );
    has(&pemba.expect(0, &["approval", "cancel", &approval]), &["is cancelled"]);

    let asked = pemba.expect(0, &[&request[..], &["--context", r#"{"amount":41}"#]].concat());
    let reject = ["approval", "vote", &first_line(&asked), "user:maria", "--reject"];
    has(&pemba.expect(0, &reject), &["is denied"]);
    let again = pemba.expect(2, &[&request[..], &["--context", r#"{"amount":41}"#]].concat());
    has(&again, &["COOLING_DOWN"]);
    let states: Vec<_> =
        pemba.json(0, &["approval", "list"]).iter().map(|one| one["state"].clone()).collect();
    assert!(states.contains(&"cancelled".into()) && states.contains(&"denied".into()), "{states:?}");
    let glass = ["glass", "policy", "set", "ticket#refund", "--user-permission", "view"];
    let text = pemba.expect(0, &[&glass[..], &["--reviewer-permission", "approve_refund"]].concat());
    has(&text, &["who may view breaks the glass for ticket#refund"]);
    let hurry = ["glass", "break", "ticket:1", "refund", "--delegation", &by, "--reason", "Down"];
    let hurry = [&hurry[..], &["--context", r#"{"amount":42}"#, "--user", "user:omar"]].concat();
    let text = pemba.expect(0, &hurry);
    has(&text, &["it ends in ", "and is to be reviewed in "]);
    let broken = first_line(&text);
    has(&pemba.expect(0, &["glass", "list", "--open"]), &[&broken, "open", "user:omar", "Down"]);
    has(&pemba.expect(0, &["approval", "get", &broken]), &["glass broken by", "user:omar"]);
    let review = |who| ["glass", "review", &broken, who, "--justified", "--comment", "It was"];
    has(&pemba.expect(2, &review("user:omar")), &["REVIEWER_NOT_ELIGIBLE"]);
    has(&pemba.expect(0, &review("user:maria")), &["justified"]);
    has(&pemba.expect(0, &["glass", "get", &broken]), &["It was", "user:maria"]);
    pemba.expect(0, &["glass", "policy", "delete", "ticket#refund"]);
    assert_eq!(pemba.expect(0, &["glass", "policy", "list"]), "none\n");
    pemba.expect(0, &["approval", "policy", "delete", "ticket#refund"]);
    assert_eq!(pemba.expect(0, &["approval", "policy", "list"]), "none\n");
    has(&pemba.expect(2, &["approval", "policy", "delete", "ticket#refund"]), &["POLICY_NOT_FOUND"]);
}
