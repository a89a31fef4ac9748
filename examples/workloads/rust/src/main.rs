use spiffe::{JwtSource, X509Source};
use x509_parser::parse_x509_certificate;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let x509 = X509Source::new().await?;
    println!("I am {}", x509.svid()?.spiffe_id());

    let jwt = JwtSource::new().await?;
    let token = jwt.fetch_jwt_svid(["reports"]).await?;
    println!("my token is for {}", token.audience().join(" "));

    let mut updates = x509.updated();
    loop {
        let svid = x509.svid()?;
        let (_, leaf) = parse_x509_certificate(svid.leaf().as_bytes())?;
        println!("serial {}", leaf.serial);
        updates.changed().await?;
    }
}
