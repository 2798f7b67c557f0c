//! From the task file's endpoint to one that can be connected: URL and password.

use super::endpoint::Endpoint;
use wherry_model::Fault;
use wherry_model::task::EndpointSpec;

/// Reads the URL and fetches the password.
///
/// Errors: class `Input`, never with any part of the password.
pub async fn resolve(spec: &EndpointSpec) -> Result<Endpoint, Fault> {
    let _ = spec;
    Err(Fault::input("CONN-030", "not connected"))
}
