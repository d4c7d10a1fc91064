//! What the live world is measured against: one handler of axum that does nothing, on all cores. Prints its address and
//! serves until it is killed.

use axum::Router;
use axum::routing::get;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("http://{}", listener.local_addr()?);
    axum::serve(listener, Router::new().route("/hello", get(|| async { "hello" }))).await
}
