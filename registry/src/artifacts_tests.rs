use super::*;

fn artifact_of(bytes: &'static [u8]) -> Artifact {
    VerifiedArtifact::of("model.bin", Bytes::from_static(bytes)).unwrap().artifact().clone()
}

#[tokio::test]
async fn what_is_put_is_got_by_its_digest() {
    let folder = tempfile::tempdir().unwrap();
    let store = ArtifactStore::open_folder(folder.path()).unwrap();
    let put = store.put("model.bin", Bytes::from_static(b"weights")).await.unwrap();
    assert_eq!(put.artifact().bytes, 7);
    let again = ArtifactStore::open_folder(folder.path()).unwrap().get(put.artifact()).await.unwrap();
    assert_eq!(again, put);
}

#[tokio::test]
async fn equal_bytes_are_stored_once_and_under_two_names() {
    let folder = tempfile::tempdir().unwrap();
    let store = ArtifactStore::open_folder(folder.path()).unwrap();
    let one = store.put("one.bin", Bytes::from_static(b"weights")).await.unwrap();
    let two = store.put("two.bin", Bytes::from_static(b"weights")).await.unwrap();
    assert_eq!(one.artifact().sha256, two.artifact().sha256);
    assert_eq!(store.get(two.artifact()).await.unwrap().bytes(), one.bytes());
    assert_eq!(files_below(folder.path()).len(), 1);
}

#[tokio::test]
async fn damaged_bytes_are_refused_and_healed_by_the_next_put() {
    let folder = tempfile::tempdir().unwrap();
    let store = ArtifactStore::open_folder(folder.path()).unwrap();
    let put = store.put("model.bin", Bytes::from_static(b"weights")).await.unwrap();
    let file = files_below(folder.path()).remove(0);
    std::fs::write(&file, b"wEights").unwrap();
    let refused = store.get(put.artifact()).await.unwrap_err();
    assert!(
        matches!(&refused, ArtifactError::DigestMismatch { name, .. } if name == "model.bin"),
        "unexpected {refused}"
    );
    std::fs::write(&file, b"weights and more").unwrap();
    let refused = store.get(put.artifact()).await.unwrap_err();
    assert!(matches!(refused, ArtifactError::SizeMismatch { expected: 7, actual: 16, .. }), "unexpected {refused}");
    store.put("model.bin", Bytes::from_static(b"weights")).await.unwrap();
    assert_eq!(store.get(put.artifact()).await.unwrap(), put);
}

#[tokio::test]
async fn what_is_not_there_is_named() {
    let refused = ArtifactStore::in_memory().get(&artifact_of(b"nobody put this")).await.unwrap_err();
    assert!(refused.to_string().starts_with("artifact \"model.bin\""), "unexpected {refused}");
    assert!(matches!(refused, ArtifactError::Missing { .. }));
}

#[tokio::test]
async fn impossible_events_are_refused_before_anything_is_read() {
    let store = ArtifactStore::in_memory();
    let bad_digest = Artifact { sha256: "../../etc/passwd".to_owned(), ..artifact_of(b"x") };
    assert!(matches!(store.get(&bad_digest).await.unwrap_err(), ArtifactError::DigestText { .. }));
    let too_large = Artifact { bytes: MAX_ARTIFACT_BYTES + 1, ..artifact_of(b"x") };
    assert!(matches!(store.get(&too_large).await.unwrap_err(), ArtifactError::TooLarge { .. }));
    let too_long = "n".repeat(MAX_ARTIFACT_NAME_BYTES + 1);
    for name in ["", "../up", "a/../b", "a/./b", "/a", "a/", "a//b", "a\\b", "a\0b", "a\n", "..", ".", &too_long] {
        let refused = store.put(name, Bytes::from_static(b"x")).await.unwrap_err();
        assert!(matches!(refused, ArtifactError::Name { .. }), "{name:?} gave {refused}");
    }
    let longest = "n".repeat(MAX_ARTIFACT_NAME_BYTES);
    for name in ["a/b.txt", ".hidden", "空/目录.json", "a...b", "%2e%2e", &longest] {
        assert_eq!(store.put(name, Bytes::from_static(b"x")).await.unwrap().name(), name);
    }
}

fn files_below(folder: &FolderPath) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(files_below(&path)) } else { files.push(path) }
    }
    files
}
