//! A place for files that is not the log's own folder: a folder elsewhere, or a bucket that speaks S3.

use std::path::Path as FolderPath;
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use url::Url;

/// A bucket, with the prefix under which everything of ours lies.
#[derive(Clone, Debug)]
pub struct Bucket {
    /// Where the objects are.
    pub store: Arc<dyn ObjectStore>,
    /// What their names begin with.
    pub prefix: Path,
    /// The address, without anything secret in it.
    pub address: String,
}

/// Why an address is not that of a bucket.
#[derive(Debug, thiserror::Error)]
pub enum BucketError {
    /// It is neither a folder nor an address of a known kind.
    #[error("{address:?} is no bucket: {reason}")]
    Address {
        /// The address.
        address: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The folder cannot be made.
    #[error("the folder {folder} cannot be made")]
    Folder {
        /// The folder.
        folder: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

impl Bucket {
    /// Opens `s3://bucket/prefix`, `file:///folder`, `memory:///` or a folder's plain path. What S3 needs besides comes from the environment, in the variables that
    /// AWS's own tools read (`AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_REGION`, `AWS_ENDPOINT_URL`, `AWS_ALLOW_HTTP`). A folder is made where it is missing; what is put into
    /// it is synced before it counts.
    ///
    /// # Errors
    /// [`BucketError`].
    pub fn open(address: &str) -> Result<Self, BucketError> {
        let wrong = |reason: String| BucketError::Address { address: address.to_owned(), reason };
        // A plain path is no address; a drive letter is not a scheme either, but we do not run where there are any.
        let url = match Url::parse(address) {
            Ok(url) => url,
            Err(url::ParseError::RelativeUrlWithoutBase) => return Self::folder(FolderPath::new(address)),
            Err(error) => return Err(wrong(error.to_string())),
        };
        if url.scheme() == "file" {
            let path = url.to_file_path().map_err(|()| wrong("it names no folder of this machine".to_owned()))?;
            return Self::folder(&path);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(wrong(
                "a secret does not belong into the address; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY".to_owned(),
            ));
        }
        // Names and values are checked by the library; what it does not know is somebody else's.
        let environment = std::env::vars().map(|(name, value)| (name.to_ascii_lowercase(), value));
        let settings = environment.filter(|(name, _)| name.starts_with("aws_"));
        let (store, prefix) = object_store::parse_url_opts(&url, settings).map_err(|error| wrong(error.to_string()))?;
        Ok(Self { store: store.into(), prefix, address: url.to_string() })
    }

    /// A folder of this machine.
    ///
    /// # Errors
    /// [`BucketError::Folder`].
    pub fn folder(path: &FolderPath) -> Result<Self, BucketError> {
        let failed = |source| BucketError::Folder { folder: path.display().to_string(), source };
        std::fs::create_dir_all(path).map_err(failed)?;
        let path = path.canonicalize().map_err(failed)?;
        let store = LocalFileSystem::new_with_prefix(&path)
            .map_err(|error| BucketError::Address { address: path.display().to_string(), reason: error.to_string() })?
            .with_fsync(true);
        Ok(Self { store: Arc::new(store), prefix: Path::default(), address: path.display().to_string() })
    }

    /// The object of a name like `log/0000000000.segment`.
    pub fn object(&self, name: &str) -> Path {
        name.split('/').fold(self.prefix.clone(), |path, part| path.join(part))
    }
}
