//! The door to providers: pools of peers, connections and calls. Knows nothing of LLMs.

mod spec;

pub use spec::{
    Balance, BaseUrl, Credential, HealthCheck, HealthProbe, Peers, PoolSpec, ProviderSpec, Scheme,
    TlsSpec,
};
