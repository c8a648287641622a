//! Issuers of workload tokens: of machines, of jobs and of service accounts, without a user.

use crate::model::algorithm::Algorithm;
use crate::server::settings::issuer::value::{Issuer, IssuerKind};
use crate::server::settings::key_access::KeyAccess;

/// Where Kubernetes mounts the token of a pod's service account, and the authority of the cluster.
const SERVICE_ACCOUNT_TOKEN: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";
const CLUSTER_AUTHORITY: &str = "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt";

/// The API server as every pod reaches it.
const API_SERVER: &str = "https://kubernetes.default.svc";
const API_SERVER_DISCOVERY: &str =
    "https://kubernetes.default.svc/.well-known/openid-configuration";

impl Issuer {
    /// A SPIFFE trust domain, by its name such as `example.org`: JWT-SVIDs of its workloads
    /// ([SPIFFE JWT-SVID](https://github.com/spiffe/spiffe/blob/main/standards/JWT-SVID.md)).
    ///
    /// 1. `sub` must be a SPIFFE ID of this trust domain, `spiffe://example.org/<path>`, and `aud` and `exp`
    ///    must be there (sections 3.1 to 3.3).
    /// 2. A token without `iss` belongs to the trust domain of its subject. One with `iss` is this issuer's
    ///    where that is `spiffe://example.org` or an [alias](Self::also_named), such as the `jwt_issuer` of
    ///    SPIRE; its subject must be of the trust domain all the same.
    /// 3. `typ` is absent, `JWT` or `JOSE` (section 2.3); the algorithms are those of section 2.1: RS, PS and
    ///    ES with 256, 384 and 512.
    /// 4. The workload is subject and client: [`client_id`](Self::client_id) lists those that are accepted,
    ///    by their SPIFFE IDs.
    ///
    /// The keys are those of the trust domain's bundle whose `use` is `jwt-svid` or `sig`: its address is a
    /// [`key_set_url`](Self::key_set_url), which must follow unless keys are static. The API's
    /// [`audience`](Self::audience) is that of the resource unless another is set.
    #[doc(alias("svid", "jwt_svid", "spire", "workload_identity"))]
    pub fn spiffe(trust_domain: impl Into<String>) -> Self {
        Self::new(IssuerKind::Spiffe {
            trust_domain: trust_domain.into(),
        })
        .algorithms([
            Algorithm::RS256,
            Algorithm::RS384,
            Algorithm::RS512,
            Algorithm::ES256,
            Algorithm::ES384,
            Algorithm::ES512,
            Algorithm::PS256,
            Algorithm::PS384,
            Algorithm::PS512,
        ])
        .preset()
    }
}

/// A SPIFFE trust domain: the same as [`Issuer::spiffe`].
///
/// ```
/// use portcullis::{ResourceServer, presets};
///
/// let workloads = presets::spiffe("example.org")
///     .key_set_url("https://bundles.example.org/example.org")
///     .client_id("spiffe://example.org/ns/default/sa/billing");
/// # let server = ResourceServer::builder("https://api.example.com").issuer(workloads);
/// # #[cfg(feature = "jwks")]
/// # assert!(server.build().is_ok());
/// ```
pub fn spiffe(trust_domain: impl Into<String>) -> Issuer {
    Issuer::spiffe(trust_domain)
}

/// The service accounts of the Kubernetes cluster that this program runs in, by the issuer that
/// `kubectl get --raw /.well-known/openid-configuration` shows. Discovery document and keys come from the API
/// server, `https://kubernetes.default.svc`, with the pod's own
/// [token](Issuer::bearer_token_file) and the [authority](Issuer::root_certificate_file) of the cluster, both
/// of which Kubernetes mounts; a `jwks_uri` that names another host is
/// [fetched there too](Issuer::key_set_origin). The pod's service account needs the role
/// `system:service-account-issuer-discovery`, which Kubernetes binds to every service account.
///
/// The service account is subject and client: `system:serviceaccount:<namespace>:<name>`. Name those that
/// are accepted by [`client_id`](Issuer::client_id), and the audience that their projected tokens are
/// requested for. Tokens of secrets, which have neither end nor audience, are refused.
///
/// ```
/// use portcullis::{ResourceServer, presets};
///
/// let cluster = presets::kubernetes("https://kubernetes.default.svc.cluster.local")
///     .audience("https://api.example.com")
///     .client_id("system:serviceaccount:shop:checkout");
/// # let server = ResourceServer::builder("https://api.example.com").issuer(cluster);
/// # #[cfg(feature = "jwks")]
/// # assert!(server.build().is_ok());
/// ```
#[doc(alias("service_account", "k8s", "projected_token"))]
pub fn kubernetes(issuer: impl Into<String>) -> Issuer {
    let cluster = managed_kubernetes(issuer);
    let access = KeyAccess {
        preset_discovery_url: Some(API_SERVER_DISCOVERY),
        ..KeyAccess::default()
    };
    Issuer { access, ..cluster }
        .key_set_origin(API_SERVER)
        .bearer_token_file(SERVICE_ACCOUNT_TOKEN)
        .root_certificate_file(CLUSTER_AUTHORITY)
        .preset()
}

/// The service accounts of a cluster whose issuer is public, such as those of EKS
/// (`https://oidc.eks.<region>.amazonaws.com/id/<id>`), GKE
/// (`https://container.googleapis.com/v1/projects/<project>/locations/<location>/clusters/<cluster>`) and AKS:
/// documents are fetched without a credential. Otherwise as [`kubernetes`].
///
/// ```
/// use portcullis::presets;
///
/// let cluster = presets::managed_kubernetes("https://oidc.eks.eu-west-1.amazonaws.com/id/EXAMPLE")
///     .audience("https://api.example.com")
///     .client_id("system:serviceaccount:shop:checkout");
/// # let _ = cluster;
/// ```
#[doc(alias("eks", "gke", "aks", "irsa"))]
pub fn managed_kubernetes(issuer: impl Into<String>) -> Issuer {
    Issuer::oidc(issuer)
        .algorithms([
            Algorithm::RS256,
            Algorithm::ES256,
            Algorithm::ES384,
            Algorithm::ES512,
        ])
        .client_id_claim("sub")
        .preset()
}

/// Jobs of GitHub Actions in repositories of one owner, an organization or a user: `repository_owner` must be
/// that name, in the case in which GitHub writes it. Any workflow of any repository gets a token of this
/// issuer for any audience, so the owner is no default that could be left out; demand more with
/// [`require_claim`](Issuer::require_claim): `repository`, `ref`, `environment`, or the ids that no rename
/// changes, `repository_owner_id` and `repository_id`. Set the audience that the workflows request. For GitHub
/// Enterprise Server see the chapter on [providers](crate::manual::providers#workloads).
///
/// ```
/// use portcullis::presets;
///
/// let deploys = presets::github_actions("octo-org")
///     .audience("https://api.example.com")
///     .require_claim("repository", "octo-org/shop")
///     .require_claim("ref", "refs/heads/main");
/// # let _ = deploys;
/// ```
#[doc(alias("github", "ci", "workload_identity"))]
pub fn github_actions(owner: impl Into<String>) -> Issuer {
    Issuer::oidc("https://token.actions.githubusercontent.com")
        .algorithms([Algorithm::RS256])
        .client_id_claim("sub")
        .require_claim("repository_owner", owner.into())
        .preset()
}

/// Jobs of GitLab CI/CD of one namespace: ID tokens (`id_tokens`) of the instance at this base URL, such as
/// `https://gitlab.com`, whose `namespace_path` must be this group or user; the path of a subgroup is another
/// one, `group/subgroup`. Any project of the instance gets a token for any audience, and the same issuer signs
/// users in, so the namespace is required. Demand more with [`require_claim`](Issuer::require_claim):
/// `project_path`, `ref`, `ref_protected` (a text, `"true"`), or the ids that no rename changes,
/// `namespace_id` and `project_id`. Set the audience that the jobs request.
///
/// ```
/// use portcullis::presets;
///
/// let deploys = presets::gitlab("https://gitlab.com", "acme")
///     .audience("https://api.example.com")
///     .require_claim("project_path", "acme/shop")
///     .require_claim("ref_protected", "true");
/// # let _ = deploys;
/// ```
#[doc(alias("ci", "id_tokens", "workload_identity"))]
pub fn gitlab(base_url: impl AsRef<str>, namespace_path: impl Into<String>) -> Issuer {
    Issuer::oidc(base_url.as_ref().trim_end_matches('/'))
        .algorithms([Algorithm::RS256])
        .client_id_claim("sub")
        .require_claim("namespace_path", namespace_path.into())
        .preset()
}

/// A service account of Google Cloud, by its unique id (a number, and not its address): ID tokens of the
/// metadata server and of `generateIdToken`, whose `azp` is that id. Any service account of any project gets a
/// token for any audience, and the same issuer signs users in, so the id is required; name further ones with
/// [`client_id`](Issuer::client_id). Set the audience that the workload requests.
///
/// ```
/// use portcullis::presets;
///
/// let workload = presets::google_workload("104857600000000000000")
///     .audience("https://api.example.com");
/// # let _ = workload;
/// ```
#[doc(alias("gcp", "service_account", "metadata_server"))]
pub fn google_workload(service_account_id: impl Into<String>) -> Issuer {
    Issuer::oidc("https://accounts.google.com")
        .algorithms([Algorithm::RS256])
        .client_id(service_account_id)
        .client_id_claim("azp")
        .preset()
}

/// The IAM principals of one AWS account that has outbound identity federation: tokens of
/// `sts:GetWebIdentityToken`, by the issuer of the account, such as
/// `https://abc123-def456-ghi789-jkl012.tokens.sts.global.api.aws`. The principal's ARN is subject and client:
/// name those that are accepted by [`client_id`](Issuer::client_id). Set the audience that they request. What
/// AWS adds is in the member `https://sts.amazonaws.com/`, such as
/// `require_claim(["https://sts.amazonaws.com/", "org_id"], "o-abc1234567")`. Service accounts of EKS are those
/// of [`managed_kubernetes`].
///
/// ```
/// use portcullis::presets;
///
/// let account = "https://abc123-def456-ghi789-jkl012.tokens.sts.global.api.aws";
/// let workload = presets::aws_workload(account)
///     .audience("https://api.example.com")
///     .client_id("arn:aws:iam::123456789012:role/DataProcessingRole");
/// # let _ = workload;
/// ```
#[doc(alias("sts", "iam", "web_identity"))]
pub fn aws_workload(issuer: impl Into<String>) -> Issuer {
    Issuer::oidc(issuer)
        .algorithms([Algorithm::RS256, Algorithm::ES384])
        .client_id_claim("sub")
        .preset()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn kubernetes_preset_names_the_mounted_files_and_settings_replace_them() {
        let cluster = || kubernetes("https://kubernetes.default.svc.cluster.local");
        let access = cluster().access;
        assert_eq!(
            access.bearer_token_file.as_deref(),
            Some(Path::new(SERVICE_ACCOUNT_TOKEN))
        );
        assert_eq!(access.root_files, [Path::new(CLUSTER_AUTHORITY)]);
        assert_eq!(access.key_set_origin.as_deref(), Some(API_SERVER));
        assert_eq!(access.preset_discovery_url, Some(API_SERVER_DISCOVERY));
        let moved = cluster()
            .bearer_token_file("/run/token")
            .key_set_origin("https://10.0.0.1");
        assert_eq!(moved.once.twice(), None);
        let access = moved.access;
        assert_eq!(
            access.bearer_token_file.as_deref(),
            Some(Path::new("/run/token"))
        );
        assert_eq!(access.key_set_origin.as_deref(), Some("https://10.0.0.1"));
    }
}
