//! A PostgreSQL server of the tests' own: made in a temporary folder, stopped when dropped.

use std::error::Error;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

type Done<T> = Result<T, Box<dyn Error>>;

#[derive(Debug)]
pub(crate) struct Postgres {
    programs: PathBuf,
    folder: PathBuf,
    as_user: bool,
    /// Where it listens.
    pub(crate) url: String,
}

const REMEDY: &str = "install it (Debian: apt-get install postgresql), or say where one is in YOUHUI_TEST_POSTGRES";

impl Postgres {
    /// Starts a server on a free port of this machine.
    pub(crate) fn start() -> Done<Self> {
        let programs = programs().ok_or(format!("PostgreSQL is not here: {REMEDY}"))?;
        // PostgreSQL refuses to run as root.
        let as_user = String::from_utf8_lossy(&Command::new("id").arg("-u").output()?.stdout).trim() == "0";
        let folder = std::env::temp_dir().join(format!("youhui-postgres-{}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        if as_user {
            run(Command::new("chown").arg("postgres").arg(&folder))?;
        }
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let server = Self { programs, folder, as_user, url: format!("postgres://youhui@127.0.0.1:{port}/postgres") };
        let data = server.folder.join("data");
        run(server.program("initdb").args(["-U", "youhui", "--auth=trust", "--no-sync", "-D"]).arg(&data))?;
        let options = format!("-p {port} -c listen_addresses=127.0.0.1 -c max_connections=200 -k {}", server.folder.display());
        run(server
            .program("pg_ctl")
            .args(["-w", "-l"])
            .arg(server.folder.join("log"))
            .args(["-o", &options, "-D"])
            .arg(&data)
            .arg("start"))?;
        Ok(server)
    }

    fn program(&self, name: &str) -> Command {
        let path = self.programs.join(name);
        if !self.as_user {
            return Command::new(path);
        }
        let mut command = Command::new("runuser");
        command.args(["-u", "postgres", "--"]).arg(path).current_dir(&self.folder);
        command
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let data = self.folder.join("data");
        if run(self.program("pg_ctl").args(["-m", "immediate", "-D"]).arg(data).arg("stop")).is_ok() {
            std::fs::remove_dir_all(&self.folder).ok();
        }
    }
}

/// Where `initdb` is: on the path, or where Debian puts the newest version.
fn programs() -> Option<PathBuf> {
    let on_path = std::env::split_paths(&std::env::var_os("PATH")?).find(|folder| folder.join("initdb").exists());
    on_path.or_else(|| {
        let versions = std::fs::read_dir(Path::new("/usr/lib/postgresql")).ok()?;
        let mut folders: Vec<PathBuf> = versions.flatten().map(|version| version.path().join("bin")).collect();
        folders.retain(|folder| folder.join("initdb").exists());
        folders.sort();
        folders.pop()
    })
}

fn run(command: &mut Command) -> Done<()> {
    let output = command.output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{command:?}: {}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr)).into())
}
