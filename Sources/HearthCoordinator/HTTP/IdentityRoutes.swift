import HearthFleet
import HearthIdentity
import HearthPolicy
import Hummingbird

/// How a machine becomes a node of the fleet, and stays one.
struct IdentityRoutes {
    let store: CoordinatorStore
    /// nil: this coordinator has no certificates.
    let authority: CertificateAuthority?
    let certificateSeconds: Double

    func add(to router: Router<CoordinatorContext>) {
        router.get("/v1/authority") { _, _ in
            SiteRoutes.text(try known().pem, type: "application/x-pem-file")
        }
        router.post("/v1/invitations") { request, context in
            let wanted = try await JSONBody.decode(InvitationRequest.self, from: request)
            guard FleetName.isValid(wanted.node) else {
                throw HTTPError(.badRequest, message: "node: 1 to 128 letters, digits, '.', '_' or '-'")
            }
            guard wanted.validSeconds >= 1, wanted.validSeconds <= 30 * 86400 else {
                throw HTTPError(.badRequest, message: "validSeconds: 1 to 2592000")
            }
            let token = JoinToken.random(authority: try known().sha256)
            let who = context.principal?.description ?? ""
            try await store.invite(
                wanted.node, digest: Secret.digest(token.secret), validSeconds: wanted.validSeconds,
                by: who)
            return try JSONBody.response(Invitation(node: wanted.node, token: "\(token)"), status: .created)
        }
        router.post("/v1/join") { request, context in
            let joining = try await JSONBody.decode(JoinRequest.self, from: request)
            let authority = try known()
            // What is wrong with the request does not use up the token.
            let invited = try await store.accept(digest: Secret.digest(joining.secret)) { node in
                try issue(authority, node, joining.request)
            }
            guard let invited else {
                context.logger.warning(
                    "refused",
                    metadata: [
                        "audit": "join", "from": "\(context.channel.remoteAddress?.description ?? "?")",
                        "why": "the token is not one, was used, or has expired",
                    ])
                throw HTTPError(.forbidden, message: "the join token is not one, was used, or has expired")
            }
            context.logger.info("joined", metadata: ["audit": "join", "node": "\(invited.node)"])
            return try JSONBody.response(
                CertificateAnswer(certificate: invited.certificate, authority: authority.pem))
        }
        router.post("/v1/renew") { request, context in
            let renewal = try await JSONBody.decode(RenewalRequest.self, from: request)
            guard case .node(let name) = context.principal else {
                throw HTTPError(.forbidden, message: "only a node with a certificate has one to renew")
            }
            let authority = try known()
            context.logger.info("renewed", metadata: ["audit": "renew", "node": "\(name)"])
            return try JSONBody.response(
                CertificateAnswer(certificate: try issue(authority, name, renewal.request), authority: authority.pem))
        }
    }

    private func known() throws -> CertificateAuthority {
        guard let authority else {
            throw HTTPError(.notFound, message: "this coordinator has no authority: its settings name no trustDomain")
        }
        return authority
    }

    private func issue(_ authority: CertificateAuthority, _ node: String, _ request: String) throws -> String {
        do { return try authority.issue(node: node, request: request, lifetimeSeconds: certificateSeconds) } catch {
            throw HTTPError(.badRequest, message: "request: \(error)")
        }
    }
}
