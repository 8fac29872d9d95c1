//! Files that people attach to records: kept as they are, found by what they say, harmless whatever they hold.

#![allow(clippy::indexing_slicing, reason = "JSON that is not as expected must fail the test, also in its helpers")]

use anyhow::Context as _;
use serde_json::{Value, json};
use tests::process::Server;

/// A PDF file of these objects, the first of which is the catalog.
fn pdf(objects: &[String]) -> Vec<u8> {
    let mut file = b"%PDF-1.4\n".to_vec();
    let mut offsets = Vec::new();
    for (index, object) in objects.iter().enumerate() {
        offsets.push(file.len());
        file.extend(format!("{} 0 obj\n{object}\nendobj\n", index + 1).as_bytes());
    }
    let table = file.len();
    file.extend(format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1).as_bytes());
    offsets.iter().for_each(|offset| file.extend(format!("{offset:010} 00000 n \n").as_bytes()));
    file.extend(
        format!("trailer\n<< /Size {} /Root 1 0 R >>\nstartxref\n{table}\n%%EOF\n", objects.len() + 1).as_bytes(),
    );
    file
}

fn stream(content: &str) -> String {
    format!("<< /Length {} >>\nstream\n{content}\nendstream", content.len())
}

/// One page that says something in Latin letters, and something in Chinese by glyph numbers, which a table of the font translates.
fn manual() -> Vec<u8> {
    let page =
        "BT /F1 12 Tf 72 720 Td (Grease the drive bearing HKL-7731) Tj ET BT /F2 12 Tf 72 700 Td <000100020003> Tj ET";
    let to_unicode = "/CIDInit /ProcSet findresource begin\n12 dict begin\nbegincmap\n/CMapName /T def\n/CMapType 2 def\n1 begincodespacerange\n<0000> <FFFF>\nendcodespacerange\n\
        3 beginbfchar\n<0001> <8F74>\n<0002> <627F>\n<0003> <5F02>\nendbfchar\nendcmap\nCMapName currentdict /CMap defineresource pop\nend\nend";
    pdf(&[
        "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>".to_owned(),
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R /Resources << /Font << /F1 5 0 R /F2 6 0 R >> >> >>".to_owned(),
        stream(page),
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>".to_owned(),
        "<< /Type /Font /Subtype /Type0 /BaseFont /Song /Encoding /Identity-H /DescendantFonts [7 0 R] /ToUnicode 8 0 R >>".to_owned(),
        "<< /Type /Font /Subtype /CIDFontType2 /BaseFont /Song /CIDSystemInfo << /Registry (Adobe) /Ordering (Identity) /Supplement 0 >> /DW 1000 /FontDescriptor 9 0 R >>".to_owned(),
        stream(to_unicode),
        "<< /Type /FontDescriptor /FontName /Song /Flags 4 /FontBBox [0 0 1000 1000] /ItalicAngle 0 /Ascent 800 /Descent -200 /CapHeight 700 /StemV 80 >>".to_owned(),
    ])
}

/// Pages that contain themselves, and a number of objects that no machine holds.
fn endless() -> Vec<u8> {
    pdf(&[
        "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
        "<< /Type /Pages /Kids [2 0 R 2 0 R] /Count 2000000000 /Parent 2 0 R >>".to_owned(),
    ])
}

async fn attach(server: &Server, query: &str, media_type: &str, body: Vec<u8>) -> anyhow::Result<(u16, Value)> {
    let address = format!("{}/api/v1/files?{query}", server.client.base());
    let request = reqwest::Client::new().post(address).header("content-type", media_type).body(body);
    let response = request.send().await?;
    Ok((response.status().as_u16(), response.json().await?))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_pdf_says_is_found_and_what_it_does_is_nothing() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let server = Server::start(&dir.path().join("data"), None).await?;
    let client = &server.client;
    let fault =
        json!({"type": "fault.observed", "data": {"fault": "F-1", "asset": "LOOM-07", "symptoms": {"zh": "异响"}}});
    client.must_post("/api/v1/events", &fault).await?;

    let file = manual();
    let (status, told) = attach(&server, "name=manual.pdf&kind=fault&id=F-1", "application/pdf", file.clone()).await?;
    assert_eq!(status, 201, "{told}");
    let text = told["attachment"]["text"].as_str().context("no text was read")?;
    assert!(text.contains("Grease the drive bearing HKL-7731") && text.contains("轴承异"), "{text:?}");
    let sha256 = told["attachment"]["file"]["sha256"].as_str().context("no digest")?;
    assert_eq!(client.bytes(&format!("/api/v1/files/{sha256}")).await?, file, "the file itself is kept as it is");
    let position = told["position"].as_u64().context("no position")?;
    for word in ["HKL-7731", "grease", "轴承"] {
        let found = client.get(&format!("/api/v1/knowledge/search?q={word}&min_position={position}")).await?;
        let named = found["items"].as_array().into_iter().flatten().any(|item| item.to_string().contains("manual.pdf"));
        assert!(named, "{word}: {found}");
    }

    // What somebody says it holds counts more than what is read; what cannot be read is kept, and says nothing.
    let (_, told) =
        attach(&server, "name=a.pdf&kind=fault&id=F-1&text=typed%20off", "application/pdf", manual()).await?;
    assert_eq!(told["attachment"]["text"], "typed off");
    let cut = manual().into_iter().take(300).collect();
    let noise: Vec<u8> = (0..100_000_u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    for (name, body) in [("endless", endless()), ("cut", cut), ("noise", noise), ("none", Vec::from(b"%PDF-"))] {
        let query = format!("name={name}.pdf&kind=fault&id=F-1");
        let (status, told) = attach(&server, &query, "application/pdf", body.clone()).await?;
        assert_eq!(status, 201, "{name}: {told}");
        assert!(told["attachment"].get("text").is_none(), "{name}: {told}");
        let sha256 = told["attachment"]["file"]["sha256"].as_str().context("no digest")?;
        assert_eq!(client.bytes(&format!("/api/v1/files/{sha256}")).await?, body, "{name}");
    }
    let kept = client.get("/api/v1/files/fault/F-1").await?;
    assert_eq!(kept["items"].as_array().map(Vec::len), Some(6), "{kept}");
    assert!(client.is_ready().await);
    let (status, told) = attach(&server, "name=a.pdf&kind=fault", "application/pdf", manual()).await?;
    assert_eq!((status, &told["field"]), (400, &json!("id")), "{told}");
    let (status, told) = attach(&server, "name=a.pdf&kind=fault&id=F-1", "pdf", manual()).await?;
    assert_eq!((status, &told["field"]), (400, &json!("content-type")), "{told}");
    server.stop().await
}
