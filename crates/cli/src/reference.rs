//! The reference page of the command line, generated from the flags so that it cannot be wrong.

use clap::CommandFactory as _;

use crate::args::Cli;

/// The page, in Markdown. `docs/cli.md` holds it; a test compares them.
pub fn page() -> String {
    let mut page = String::from(
        "# Command line\n\nGenerated from the flags by `PEMBA_UPDATE=1 cargo test -p pemba-cli --test reference`; do not edit.\n\n\
         Exit codes: 0 done, yes or ALLOW; 1 no, anything but ALLOW, or a file that is not as it should be; 2 could not be \
         done, with the reason on standard error.\n\n\
         With `--json` every command prints one JSON value a line. Those about agents print the server's answer: fields as \
         in `proto/pemba/v1`, objects, relationships, scopes, tokens, times and spans as the text that is typed, enums as \
         the words of the flags.\n\n\
         Spans are such as `90s`, `1h30m` or `7d`; where a time is asked for, a span counts from now.\n",
    );
    let command = Cli::command();
    for child in command.get_subcommands() {
        section(&mut page, child, "pemba");
    }
    page
}

fn section(page: &mut String, command: &clap::Command, parent: &str) {
    let name = format!("{parent} {}", command.get_name());
    let mut children = command.get_subcommands().peekable();
    if children.peek().is_some() {
        children.for_each(|child| section(page, child, &name));
        return;
    }
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    page.push_str(&format!(
        "\n## `{name}`\n\n{about}.\n\n| argument | environment | default | meaning |\n|---|---|---|---|\n"
    ));
    for argument in command.get_arguments() {
        row(page, argument);
    }
}

fn row(page: &mut String, argument: &clap::Arg) {
    let value = argument.get_value_names().and_then(|names| names.first()).map(ToString::to_string);
    let takes_value = argument.get_action().takes_values();
    let shown = match (argument.get_long(), value) {
        (Some(long), Some(value)) if takes_value => format!("--{long} {value}"),
        (Some(long), _) => format!("--{long}"),
        (None, value) => value.unwrap_or_else(|| argument.get_id().to_string().to_uppercase()),
    };
    let environment =
        argument.get_env().map(|name| format!("`{}`", name.to_string_lossy())).unwrap_or_default();
    let default = argument.get_default_values().iter().map(|value| value.to_string_lossy().into_owned());
    let default = default.filter(|_| takes_value).collect::<Vec<_>>().join(", ");
    let default = if default.is_empty() { String::new() } else { format!("`{default}`") };
    let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
    page.push_str(&format!("| `{shown}` | {environment} | {default} | {help} |\n"));
}
