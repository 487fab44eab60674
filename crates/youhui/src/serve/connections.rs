//! Connections: how many, how slow they may be, and how they end.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;

/// Who sends the head of a request more slowly is hung up on: a few machines could otherwise hold every connection.
const HEAD: Duration = Duration::from_secs(10);
/// Connections at once; more wait to be accepted.
const MOST: usize = 4096;

/// Answers until `stop`, then ends what is under way, for so long at most.
pub(super) async fn serve(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    router: Router,
    stop: impl Future<Output = ()>,
    patience: Duration,
) {
    let mut protocol = http1::Builder::new();
    protocol.timer(TokioTimer::new()).header_read_timeout(HEAD);
    let (graceful, places) = (GracefulShutdown::new(), Arc::new(Semaphore::new(MOST)));
    let mut stop = std::pin::pin!(stop);
    loop {
        let accepted = async {
            // Never closed: a place is only waited for.
            let place = Arc::clone(&places).acquire_owned().await.ok();
            (listener.accept().await, place)
        };
        let (accepted, place) = tokio::select! {
            accepted = accepted => accepted,
            () = &mut stop => break,
        };
        let Ok((stream, _)) = accepted else {
            // Too many open files, mostly: some will close.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        // Small answers go out at once.
        stream.set_nodelay(true).ok();
        let service = TowerToHyperService::new(router.clone());
        let Some(tls) = tls.clone() else {
            let connection = graceful.watch(protocol.serve_connection(TokioIo::new(stream), service));
            tokio::spawn(async move {
                // A client that goes away is no error of ours.
                connection.await.ok();
                drop(place);
            });
            continue;
        };
        let (protocol, watcher) = (protocol.clone(), graceful.watcher());
        tokio::spawn(async move {
            // Whoever is slow to say hello is hung up on as well.
            if let Ok(Ok(stream)) = tokio::time::timeout(HEAD, tls.accept(stream)).await {
                watcher.watch(protocol.serve_connection(TokioIo::new(stream), service)).await.ok();
            }
            drop(place);
        });
    }
    drop(listener);
    tokio::time::timeout(patience, graceful.shutdown()).await.ok();
}
