use std::path::{Path as FolderPath, PathBuf};

use super::*;

fn chunks(sizes: &[usize]) -> (Vec<u8>, Vec<Result<Bytes, std::io::Error>>) {
    let mut whole = Vec::new();
    let mut chunks = Vec::new();
    for (number, size) in sizes.iter().enumerate() {
        let chunk: Vec<u8> = (0..*size).map(|at| (at * 31 + number) as u8).collect();
        whole.extend_from_slice(&chunk);
        chunks.push(Ok(Bytes::from(chunk)));
    }
    (whole, chunks)
}

fn artifact(streamed: Streamed) -> Artifact {
    Artifact { name: "model/weights.bin".to_owned(), sha256: streamed.sha256.to_string(), bytes: streamed.bytes }
}

fn files_below(folder: &FolderPath) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(files_below(&path)) } else { files.push(path) }
    }
    files
}

async fn collect(store: &ArtifactStore, artifact: &Artifact) -> Result<Vec<u8>, ArtifactError> {
    let mut content = store.stream(artifact).await?;
    let mut whole = Vec::new();
    while let Some(chunk) = content.try_next().await? {
        whole.extend_from_slice(&chunk);
    }
    Ok(whole)
}

#[tokio::test]
async fn what_streams_in_streams_out_however_it_is_cut() {
    let part = PART_BYTES;
    for sizes in
        [vec![], vec![0], vec![1], vec![5, 0, 7], vec![part], vec![part - 1, 2], vec![3 * part + 17, 1], vec![part; 2]]
    {
        let folder = tempfile::tempdir().unwrap();
        let store = ArtifactStore::open_folder(folder.path()).unwrap();
        let (whole, content) = chunks(&sizes);
        let streamed = store.put_stream("weights.bin", stream::iter(content)).await.unwrap();
        assert_eq!((streamed.sha256, streamed.bytes), (Digest::of(&whole), whole.len() as u64), "{sizes:?}");
        assert_eq!(collect(&store, &artifact(streamed)).await.unwrap(), whole, "{sizes:?}");
        assert_eq!(files_below(folder.path()).len(), 1, "nothing is left under way: {sizes:?}");
        // The same as one that was put whole.
        let put = store.put("weights.bin", Bytes::from(whole)).await.unwrap();
        assert_eq!(put.artifact().sha256, streamed.sha256.to_string());
        assert_eq!(files_below(folder.path()).len(), 1);
    }
}

#[tokio::test]
async fn a_stream_that_breaks_stores_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = ArtifactStore::open_folder(folder.path()).unwrap();
    for sizes in [vec![10], vec![PART_BYTES + 1]] {
        let (_, mut content) = chunks(&sizes);
        content.push(Err(std::io::Error::other("the client went away")));
        let refused = store.put_stream("weights.bin", stream::iter(content)).await.unwrap_err();
        assert!(matches!(refused, ArtifactError::Arrival { .. }), "{refused}");
    }
    assert_eq!(files_below(folder.path()), Vec::<PathBuf>::new());
}

#[tokio::test]
async fn a_damaged_file_never_arrives_whole() {
    let folder = tempfile::tempdir().unwrap();
    let store = ArtifactStore::open_folder(folder.path()).unwrap();
    let (mut whole, content) = chunks(&[2 * PART_BYTES + 5]);
    let artifact = artifact(store.put_stream("weights.bin", stream::iter(content)).await.unwrap());
    let file = files_below(folder.path()).remove(0);
    *whole.last_mut().unwrap() ^= 1;
    std::fs::write(&file, &whole).unwrap();
    let mut content = store.stream(&artifact).await.unwrap();
    let mut arrived = 0;
    let refused = loop {
        match content.next().await.unwrap() {
            Ok(chunk) => arrived += chunk.len(),
            Err(refused) => break refused,
        }
    };
    assert!(matches!(refused, ArtifactError::DigestMismatch { .. }), "{refused}");
    assert!(arrived < whole.len(), "all {arrived} bytes arrived");

    whole.push(0);
    std::fs::write(&file, &whole).unwrap();
    assert!(matches!(store.stream(&artifact).await.err(), Some(ArtifactError::SizeMismatch { .. })));
    std::fs::remove_file(&file).unwrap();
    assert!(matches!(store.stream(&artifact).await.err(), Some(ArtifactError::Missing { .. })));
}

#[tokio::test]
async fn a_part_is_what_lies_between() {
    let store = ArtifactStore::in_memory();
    let (whole, content) = chunks(&[1000]);
    let artifact = artifact(store.put_stream("weights.bin", stream::iter(content)).await.unwrap());
    for (start, end) in [(0, 1), (0, 1000), (999, 1000), (17, 400)] {
        let part: Vec<Bytes> = store.stream_part(&artifact, start..end).await.unwrap().try_collect().await.unwrap();
        let expected = whole.get(start as usize..end as usize).unwrap();
        assert_eq!(part.concat(), expected, "{start} to {end}");
    }
    #[expect(clippy::reversed_empty_ranges, reason = "this is what is refused")]
    let nonsense = [0..1001, 5..5, 7..6, 1000..1001];
    for part in nonsense {
        let refused = store.stream_part(&artifact, part.clone()).await.err();
        assert!(matches!(refused, Some(ArtifactError::NoSuchPart { .. })), "{part:?}: {refused:?}");
    }
}
