use super::*;

struct Folder {
    dir: tempfile::TempDir,
}

impl Folder {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    fn secret(&self) -> PathBuf {
        self.dir.path().join("data/keys/log.key")
    }

    fn public(&self) -> PathBuf {
        self.dir.path().join("data/log.vkey")
    }

    fn open(&self, origin: Option<&str>, signed: bool) -> Result<LogKey, KeyError> {
        let name = Origin::new(origin.unwrap_or("example.com/log")).unwrap();
        let checkpoint = Path::new("checkpoint");
        LogKey::open(&self.secret(), &self.public(), &name, origin.is_some(), signed.then_some(checkpoint))
    }
}

#[test]
fn a_key_is_made_once_for_its_owner_only() {
    let folder = Folder::new();
    let key = folder.open(None, false).unwrap();
    assert_eq!(key.verifier.name(), "example.com/log");
    assert_eq!(std::fs::metadata(folder.secret()).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::metadata(folder.secret().parent().unwrap()).unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(std::fs::read_to_string(folder.public()).unwrap(), format!("{}\n", key.verifier.as_str()));
    let secret = std::fs::read_to_string(folder.secret()).unwrap();
    assert!(secret.starts_with("PRIVATE+KEY+example.com/log+"));
    assert_eq!(folder.open(None, true).unwrap().verifier, key.verifier);
    assert_eq!(std::fs::read_to_string(folder.secret()).unwrap(), secret);
    assert_ne!(Folder::new().open(None, false).unwrap().verifier, key.verifier);
}

#[test]
fn a_lost_key_is_an_error_and_not_a_new_key() {
    let folder = Folder::new();
    let first = folder.open(None, false).unwrap();
    let secret = std::fs::read(folder.secret()).unwrap();
    std::fs::remove_file(folder.secret()).unwrap();
    assert!(matches!(folder.open(None, false), Err(KeyError::Lost { .. })));
    // Without the verifier key too, a checkpoint still shows that there was one.
    std::fs::remove_file(folder.public()).unwrap();
    assert!(matches!(folder.open(None, true), Err(KeyError::Lost { .. })));
    assert!(!folder.secret().exists() && !folder.public().exists());
    // What can be derived is derived.
    std::fs::write(folder.secret(), secret).unwrap();
    assert_eq!(folder.open(None, true).unwrap().verifier, first.verifier);
    assert!(folder.public().exists());
}

#[test]
fn files_of_different_keys_and_of_other_names_are_refused() {
    let (one, two) = (Folder::new(), Folder::new());
    drop((one.open(None, false).unwrap(), two.open(None, false).unwrap()));
    std::fs::copy(two.public(), one.public()).unwrap();
    assert!(matches!(one.open(None, true), Err(KeyError::Mismatch { .. })));
    assert!(matches!(two.open(Some("example.com/renamed"), true), Err(KeyError::Name { .. })));
    assert!(two.open(Some("example.com/log"), true).is_ok());
    // What nobody configures does not rename it.
    let kept = LogKey::open(&two.secret(), &two.public(), &Origin::new("millwright/x").unwrap(), false, None).unwrap();
    assert_eq!(kept.verifier.name(), "example.com/log");
    std::fs::write(two.secret(), "PRIVATE+KEY+nonsense\n").unwrap();
    assert!(matches!(two.open(None, true), Err(KeyError::Malformed { .. })));
}
