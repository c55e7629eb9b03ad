import HearthFleet
import HearthIdentity

/// How a machine becomes a node: its new key, the token, and a coordinator that shows the authority the token speaks of.
public enum Joining {
    /// Joins and keeps the credentials in `folder`.
    ///
    /// - Throws: `CoordinatorClient.Failure` where it is refused; `ConfigError` where the coordinator is not the one that invited, or the
    ///   folder cannot be used.
    public static func join(_ token: JoinToken, coordinator url: String, folder: String) async throws -> SPIFFEID {
        guard CoordinatorClient.isSecure(url) else {
            throw ConfigError("coordinator: '\(url)' is not https://HOST:PORT")
        }
        try StateFolder.prepare(folder)
        try StateFolder.lock(folder)
        let authority = try await CoordinatorClient(url: url, tls: .unverified).text("/v1/authority")
        let found: String
        do { found = try CertificateAuthority.sha256(ofPEM: authority) } catch {
            throw ConfigError("coordinator: \(url) shows no authority: \(error)")
        }
        guard found == token.authority else {
            throw ConfigError("coordinator: \(url) is not the one that made this token: its authority is another")
        }
        let key = NodeCredentials.NewNodeKey()
        let client = try CoordinatorClient(url: url, tls: ClientTLS(authorityPEM: authority))
        let answer = try await client.post(
            "/v1/join", JoinRequest(secret: token.secret, request: try key.request), as: CertificateAnswer.self)
        let credentials = try key.credentials(certificate: answer.certificate, authority: authority)
        try credentials.write(folder)
        return credentials.identity
    }
}
