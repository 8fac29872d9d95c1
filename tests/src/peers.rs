//! Programs that we did not write: started on free loopback ports, stopped by their process.

use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::Context;

use crate::process::{eventually, free_port};
use crate::{skipped, workspace};

/// A mosquitto broker.
#[derive(Debug)]
pub struct Mosquitto {
    child: Child,
    /// Where it listens.
    pub port: u16,
}

/// Whether the program is installed; says what to install where it is not.
pub fn installed(program: &str, package: &str) -> bool {
    // Finding out by starting it: `mosquitto -h` and `mosquitto_pub --help` end by themselves, whatever their status.
    let found = Command::new(program)
        .arg("--help")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok();
    if !found {
        skipped(&format!("{program} is not installed: apt-get install {package}"));
    }
    found
}

/// A Python (3.12 or newer) that has this module; `None`, said aloud, where there is none. `MILLWRIGHT_PYTHON` names one to try first.
pub fn python_with(module: &str, package: &str) -> Option<String> {
    let named = std::env::var("MILLWRIGHT_PYTHON").ok();
    let candidates = ["python3.14", "python3.13", "python3.12", "python3"].map(str::to_owned);
    let import = format!("import sys; assert sys.version_info >= (3, 12); import {module}");
    let found = named.into_iter().chain(candidates).find(|python| {
        let tried = Command::new(python)
            .args(["-c", &import])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        tried.is_ok_and(|status| status.success())
    });
    if found.is_none() {
        skipped(&format!(
            "no Python of at least 3.12 has {module}: python3.12 -m pip install {package} (MILLWRIGHT_PYTHON names another)"
        ));
    }
    found
}

/// A Python that has MLflow's client; `None`, said aloud, where there is none. `MILLWRIGHT_MLFLOW_PYTHON` names one to try first.
pub fn mlflow_python() -> Option<String> {
    let named = std::env::var("MILLWRIGHT_MLFLOW_PYTHON").ok();
    let candidates = ["python3.13", "python3.12", "python3.11", "python3"].map(str::to_owned);
    // Importing it takes many seconds; finding it does not.
    let find =
        "import importlib.util as u, sys; sys.exit(not all(u.find_spec(m) for m in ('mlflow', 'sklearn', 'pandas')))";
    let found = named.into_iter().chain(candidates).find(|python| {
        let tried = Command::new(python)
            .args(["-c", find])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        tried.is_ok_and(|status| status.success())
    });
    if found.is_none() {
        skipped(
            "no Python has MLflow's client: python3.12 -m pip install 'mlflow>=3.10' (MILLWRIGHT_MLFLOW_PYTHON names another)",
        );
    }
    found
}

/// A program in Go that uses `golang.org/x/mod/sumdb`, built from its source in `tests/peers`; `None`, said aloud, where Go or the package is missing.
///
/// # Errors
/// When it does not build although both are there.
pub fn go_program(source: &str, dir: &Path) -> anyhow::Result<Option<PathBuf>> {
    const PACKAGES: &str = "/usr/share/gocode";
    if !installed("go", "golang-go") {
        return Ok(None);
    }
    if !Path::new(PACKAGES).join("src/golang.org/x/mod/sumdb/tlog").is_dir() {
        skipped("golang.org/x/mod is not installed: apt-get install golang-golang-x-mod-dev");
        return Ok(None);
    }
    let program = dir.join("go-program");
    let built = Command::new("go")
        .args(["build", "-o"])
        .arg(&program)
        .arg(workspace().join("tests/peers").join(source))
        // Debian's packages lie in a folder, and nothing is fetched.
        .envs([("GO111MODULE", "off"), ("GOPATH", PACKAGES), ("GOFLAGS", "")])
        .env("GOCACHE", dir.join("go-cache"))
        .output()?;
    anyhow::ensure!(built.status.success(), "go build: {}", String::from_utf8_lossy(&built.stderr));
    Ok(Some(program))
}

/// A witness that others wrote (`aics-witness`).
#[derive(Debug)]
pub struct AicsWitness {
    child: Child,
    python: String,
    config: PathBuf,
    /// Its submission prefix.
    pub url: String,
    /// Its verifier key.
    pub vkey: String,
}

impl AicsWitness {
    /// Makes a witness that knows one log, and starts it; `None`, said aloud, where it is not installed.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start(dir: &Path, name: &str, origin: &str, log_key: &str) -> anyhow::Result<Option<Self>> {
        let Some(python) = python_with("aics_witness", "aics-witness") else { return Ok(None) };
        let (port, config) = (free_port()?, dir.join("witness.json"));
        let listen = format!("127.0.0.1:{port}");
        let run = |arguments: &[&str]| -> anyhow::Result<String> {
            let (command, rest) = arguments.split_first().context("no command")?;
            let output = Command::new(&python)
                .args(["-m", "aics_witness", command, "--config"])
                .arg(&config)
                .args(rest)
                .output()?;
            anyhow::ensure!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
            Ok(String::from_utf8(output.stdout)?)
        };
        let vkey = run(&["init", "--name", name, "--listen", &listen])?.trim().to_owned();
        run(&["add-log", "--origin", origin, "--vkey", log_key])?;
        let child = Self::serve(&python, &config)?;
        let witness = Self { child, python, config, url: format!("http://{listen}"), vkey };
        witness.listening().await?;
        Ok(Some(witness))
    }

    fn serve(python: &str, config: &Path) -> anyhow::Result<Child> {
        Command::new(python)
            .args(["-m", "aics_witness", "serve", "--config"])
            .arg(config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("starting aics-witness")
    }

    async fn listening(&self) -> anyhow::Result<()> {
        let address = self.url.trim_start_matches("http://").to_owned();
        eventually("the witness listens", async || Ok(TcpStream::connect(&address).is_ok().then_some(()))).await
    }

    /// Ends it.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn stop(&mut self) -> anyhow::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Starts it again, with what it remembers.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn restart(&mut self) -> anyhow::Result<()> {
        self.child = Self::serve(&self.python, &self.config)?;
        self.listening().await
    }
}

impl Drop for AicsWitness {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Mosquitto {
    /// Starts a broker that keeps sessions and every message for clients that are away; `None`, said aloud, where it is not installed.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start(dir: &Path) -> anyhow::Result<Option<Self>> {
        if !installed("mosquitto", "mosquitto") || !installed("mosquitto_pub", "mosquitto-clients") {
            return Ok(None);
        }
        let port = free_port()?;
        let config = dir.join("mosquitto.conf");
        let settings = format!(
            "listener {port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\nmax_inflight_messages 1000\npersistence false\n"
        );
        std::fs::write(&config, settings)?;
        let child = Command::new("mosquitto")
            .arg("-c")
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("starting mosquitto")?;
        let broker = Self { child, port };
        eventually("mosquitto listens", async || Ok(TcpStream::connect(("127.0.0.1", port)).is_ok().then_some(())))
            .await?;
        Ok(Some(broker))
    }
}

/// A server that takes e-mail (aiosmtpd), and keeps what it took in a file, one letter a line.
#[derive(Debug)]
pub struct Smtp {
    child: Child,
    letters: PathBuf,
    /// Where it listens.
    pub port: u16,
}

/// Takes letters for everybody but `nobody@`. With a third argument it wants STARTTLS, with a certificate for `localhost` that it writes there, and a log-in as `mill` with `loom and shuttle`.
const SMTP_SERVER: &str = r#"
import datetime, email, json, ssl, sys, threading
from email import policy
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
port, letters, certificate = int(sys.argv[1]), sys.argv[2], (sys.argv[3:] or [None])[0]

class Handler:
    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith('nobody@'):
            return f'550 5.1.1 <{address}> is not known here'
        envelope.rcpt_tos.append(address)
        return '250 OK'

    async def handle_DATA(self, server, session, envelope):
        letter = email.message_from_bytes(envelope.content, policy=policy.default)
        said = {'from': envelope.mail_from, 'to': envelope.rcpt_tos, 'subject': letter['subject'], 'id': letter['message-id'],
                'body': letter.get_content(), 'encrypted': session.ssl is not None, 'user': (session.auth_data or [None])[0]}
        with open(letters, 'a') as file:
            file.write(json.dumps(said) + '\n')
        return '250 OK'

def certify(path):
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, 'localhost')])
    now = datetime.datetime.now(datetime.timezone.utc)
    made = (x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(7)
            .not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName('localhost')]), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True).sign(key, hashes.SHA256()))
    pem = serialization.Encoding.PEM
    with open(path, 'wb') as file:
        file.write(made.public_bytes(pem))
    with open(path + '.key', 'wb') as file:
        file.write(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path, path + '.key')
    return context

def authenticate(server, session, envelope, mechanism, data):
    good = data.login == b'mill' and data.password == b'loom and shuttle'
    return AuthResult(success=good, handled=good, auth_data=('mill',) if good else None)

secure = {}
if certificate:
    secure = dict(tls_context=certify(certificate), require_starttls=True, auth_required=True, authenticator=authenticate)
Controller(Handler(), hostname='127.0.0.1', port=port, **secure).start()
threading.Event().wait()
"#;

impl Smtp {
    /// Starts the server on a port; with a path for its certificate it wants encryption and a log-in. `None`, said aloud, where aiosmtpd is not installed.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start(dir: &Path, port: u16, certificate: Option<&Path>) -> anyhow::Result<Option<Self>> {
        let Some(python) = python_with("aiosmtpd, cryptography", "aiosmtpd cryptography") else { return Ok(None) };
        let letters = dir.join("letters.jsonl");
        let mut command = Command::new(python);
        command.args(["-c", SMTP_SERVER, &port.to_string()]).arg(&letters).args(certificate);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let server = Self { child, letters, port };
        eventually("the mail server listens", async || {
            Ok(TcpStream::connect(("127.0.0.1", port)).is_ok().then_some(()))
        })
        .await?;
        Ok(Some(server))
    }

    /// The letters that it took.
    ///
    /// # Errors
    /// When its file cannot be read.
    pub fn letters(&self) -> anyhow::Result<Vec<serde_json::Value>> {
        if !self.letters.exists() {
            return Ok(Vec::new());
        }
        let text = std::fs::read_to_string(&self.letters)?;
        text.lines().map(|line| serde_json::from_str(line).context("a letter")).collect()
    }
}

impl Drop for Smtp {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
