//! The built binary's commands against a server, as a person or a script runs them.

use std::process::{Command, Output};

use serde_json::Value;

use crate::process::{KEY, binary};

/// Commands that ask one server.
pub struct Pemba {
    /// Where it serves, `http://host:port`.
    pub endpoint: String,
}

impl Pemba {
    /// A command that is ready to run.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command.args(arguments).env("PEMBA_ENDPOINT", &self.endpoint).env("PEMBA_KEY", KEY);
        command
    }

    /// Runs it.
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Runs it, demands an exit code and returns what was printed; for exit code 2, what was printed as the error.
    #[track_caller]
    pub fn expect(&self, code: i32, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        let printed = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {error}{printed}");
        if code == 2 { error } else { printed }
    }

    /// Runs it with `--json` and returns the values of its lines.
    #[track_caller]
    pub fn json(&self, code: i32, arguments: &[&str]) -> Vec<Value> {
        let printed = self.expect(code, &[arguments, &["--json"]].concat());
        printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}
