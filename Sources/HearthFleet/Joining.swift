/// An operator's wish that a machine may join as `node`.
public struct InvitationRequest: Sendable, Codable {
    public let node: String
    public let validSeconds: Double

    public init(node: String, validSeconds: Double) { (self.node, self.validSeconds) = (node, validSeconds) }
}

/// Why an operator drains or bars a node.
public struct OperatorReason: Sendable, Codable {
    public let reason: String
    public init(reason: String) { self.reason = reason }
}

/// A token that lets one machine join, once.
public struct Invitation: Sendable, Codable {
    public let node: String
    public let token: String

    public init(node: String, token: String) { (self.node, self.token) = (node, token) }
}

/// What a machine sends to join: the token's secret, and a request for a certificate (PEM).
public struct JoinRequest: Sendable, Codable {
    public let secret: String
    public let request: String

    public init(secret: String, request: String) { (self.secret, self.request) = (secret, request) }
}

public struct RenewalRequest: Sendable, Codable {
    public let request: String
    public init(request: String) { self.request = request }
}

/// A node's certificate and the authority that signed it, PEM.
public struct CertificateAnswer: Sendable, Codable {
    public let certificate, authority: String

    public init(certificate: String, authority: String) {
        (self.certificate, self.authority) = (certificate, authority)
    }
}
