use super::{join, media_type, safe, safe_folder};

#[test]
fn what_leads_out_of_a_tree_is_refused_in_every_encoding() {
    let bad = [
        "..",
        "../x",
        "a/../b",
        "a/..",
        "%2e%2e/x",
        "%2E%2E%2Fx",
        "a/%252e%252e/x",
        "%25252e%25252e/etc",
        "..%2f..%2fx",
        "a/.. /x",
        "./x",
        "a//b",
        "/etc/passwd",
        "%2fetc/passwd",
        "a/",
        "",
        "a\\..\\b",
        "a%5c..%5cb",
        "a\0b",
        "a%00b",
        "a\nb",
        "a#b",
        "C:/x",
        "c:x",
        "file:///etc/passwd",
        "FILE:x",
        "a/%ff",
    ];
    for path in bad {
        let refused = safe(path).map(str::to_owned);
        assert_eq!(refused.unwrap_err().message(), "Invalid path", "{path:?}");
    }
    let deep = format!("%{}2e", "25".repeat(40));
    assert!(safe(&deep).is_err());
    assert!(safe(&"x".repeat(1025)).is_err());
}

#[test]
fn what_stays_in_it_is_taken_as_it_is() {
    let good =
        ["a", "a/b.txt", "...", "a/....", "100%.txt", "模型/权重.bin", "e\u{301}", "\u{202e}txt.exe", "a b", "..a/b.."];
    for path in good {
        assert_eq!(safe(path).unwrap(), path);
    }
    for (path, folder) in [("", ""), (".", ""), ("./", ""), ("a/", "a"), ("a/b", "a/b")] {
        assert_eq!(safe_folder(path).unwrap(), folder, "{path:?}");
    }
    assert!(safe_folder("/").is_err());
    assert!(safe_folder("a//").is_err());
    assert_eq!((join("", "x"), join("a", ""), join("a", "x")), ("x".into(), "a".into(), "a/x".into()));
}

#[test]
fn kinds_of_files_are_those_of_the_original() {
    let kinds = [
        ("a.txt", "text/plain"),
        ("dir/b.pkl", "application/octet-stream"),
        ("c.png", "image/png"),
        ("d.PDF", "application/pdf"),
        ("dir/MLmodel", "text/plain"),
        ("mlproject", "text/plain"),
        (".json", "application/octet-stream"),
        ("nothing", "application/octet-stream"),
    ];
    for (path, kind) in kinds {
        assert_eq!(media_type(path), kind, "{path}");
    }
}
