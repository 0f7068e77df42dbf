//! On whose authority a question is asked: the flags, and the chain they name.

use anyhow::{Result, bail};
use clap::Args;
use pemba_proto::authzed::api::v1::ObjectReference;
use pemba_proto::pemba::v1::Chain;

use super::nouns::{object, object_text, objects_text};

/// Who acts, by which delegation, presenting what.
#[derive(Debug, Clone, Default, Args)]
pub struct ChainFlags {
    /// Who acts, `type:id`; may be repeated, outermost first. Alone, without a root, a delegation or a session, it acts on
    /// its own authority. With a delegation it is only compared.
    #[arg(long = "as", value_name = "PRINCIPAL", value_parser = object)]
    pub(super) actors: Vec<ObjectReference>,
    /// The last hop of the chain, `dlg_...`.
    #[arg(long, value_name = "DELEGATION", default_value = "", hide_default_value = true)]
    pub(super) delegation: String,
    /// The session to present, `ses_...`.
    #[arg(long, value_name = "SESSION", default_value = "", hide_default_value = true)]
    pub(super) session: String,
    /// The approval to present, `apr_...`.
    #[arg(long, value_name = "APPROVAL", default_value = "", hide_default_value = true)]
    pub(super) approval: String,
}

impl ChainFlags {
    /// Whether none was given.
    pub(crate) fn is_empty(&self) -> bool {
        self.actors.is_empty()
            && self.delegation.is_empty()
            && self.session.is_empty()
            && self.approval.is_empty()
    }

    /// The chain with its root, where one is given.
    pub(super) fn chain(self, root: Option<ObjectReference>) -> Result<Chain> {
        let ChainFlags { mut actors, delegation, session, approval } = self;
        let mut root = root;
        if root.is_none() && delegation.is_empty() && session.is_empty() {
            if actors.len() > 1 {
                bail!("more than one acts: name the `--delegation` by which the last of them does");
            }
            root = actors.pop();
            if root.is_none() {
                bail!("name whose authority is used: the subject, `--as`, `--delegation` or `--session`");
            }
        }
        Ok(Chain { root, actors, delegation_id: delegation, session_id: session, approval_id: approval })
    }
}

/// Root and actors, in words.
pub(super) fn chain_text(chain: Option<&Chain>) -> String {
    let Some(chain) = chain else { return String::new() };
    let root = object_text(chain.root.as_ref());
    if chain.actors.is_empty() { root } else { format!("{} for {root}", objects_text(&chain.actors)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(actors: &[&str], delegation: &str) -> ChainFlags {
        let actors = actors.iter().map(|name| object(name).unwrap()).collect();
        ChainFlags { actors, delegation: delegation.to_owned(), ..ChainFlags::default() }
    }

    #[test]
    fn one_alone_is_the_root_and_a_delegation_needs_none() {
        let alone = flags(&["agent:a"], "").chain(None).unwrap();
        assert_eq!((object_text(alone.root.as_ref()).as_str(), alone.actors.len()), ("agent:a", 0));
        let delegated = flags(&["agent:a"], "dlg_1").chain(None).unwrap();
        assert_eq!((delegated.root.is_none(), delegated.actors.len()), (true, 1));
        let named = flags(&["agent:a"], "").chain(Some(object("user:u").unwrap())).unwrap();
        assert_eq!(chain_text(Some(&named)), "agent:a for user:u");
        assert!(
            flags(&["agent:a", "agent:b"], "").chain(None).unwrap_err().to_string().contains("--delegation")
        );
        assert!(flags(&[], "").chain(None).unwrap_err().to_string().contains("--as"));
    }
}
