import Foundation
import HearthFleet
import HearthIdentity
import Support
import Testing

@Suite struct IdentityTests {
    @Test(arguments: [
        "spiffe://fleet.example/node/gpu-1", "spiffe://a/coordinator/c_1",
    ])
    func identitiesAreRead(text: String) { #expect(SPIFFEID(text)?.description == text) }

    @Test(arguments: [
        "", "spiffe://", "https://fleet.example/node/a", "spiffe://fleet.example/node/",
        "spiffe://fleet.example/node/a/b",
        "spiffe://fleet.example/user/a", "spiffe://Fleet.example/node/a", "spiffe://fleet.example:1/node/a",
        "spiffe://fleet.example/node/..", "spiffe://fleet.example/node/a?x", "spiffe:///node/a",
        "spiffe://fleet.example/node/a%2f",
    ])
    func othersAreNone(text: String) { #expect(SPIFFEID(text) == nil) }

    @Test func tokensAreOnlyTokens() {
        let token = JoinToken.random(authority: String(repeating: "a", count: 64))
        #expect(JoinToken(" \(token)\n") == token && JoinToken.random(authority: token.authority) != token)
        for text in [
            "", "hearth-join-", "\(token)0", "\(token)".uppercased(), "\(token)".replacing("join", with: "leave"),
        ] {
            #expect(JoinToken(text) == nil)
        }
    }

    private func authority(_ folder: String, _ domain: String = "fleet.example") throws -> CertificateAuthority {
        try .readOrCreate(folder, trustDomain: domain)
    }

    @Test func nodesGetCertificatesOfTheirNameAndNothingElse() throws {
        let folder = try TestPaths.temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let authority = try authority(folder)
        let key = NodeCredentials.NewNodeKey()
        let pem = try authority.issue(node: "gpu-1", request: try key.request, lifetimeSeconds: 60)
        let credentials = try key.credentials(certificate: pem, authority: authority.pem)
        #expect("\(credentials.identity)" == "spiffe://fleet.example/node/gpu-1")
        #expect(credentials.certificate.isValid(at: Date()))
        #expect(!credentials.certificate.isValid(at: Date(timeIntervalSinceNow: 61)))
        #expect(abs(credentials.life(at: Date()).whole - 60) < 2 && abs(credentials.life(at: Date()).left - 60) < 2)
        // As OpenSSL sees it.
        for (name, text) in [("node.pem", pem), ("authority.pem", authority.pem)] {
            try Data(text.utf8).write(to: URL(fileURLWithPath: "\(folder)/\(name)"))
        }
        let verdict = try openssl(
            ["verify", "-purpose", "sslclient", "-CAfile", "\(folder)/authority.pem", "\(folder)/node.pem"])
        #expect(verdict == "\(folder)/node.pem: OK\n")
        #expect(
            try openssl(
                ["verify", "-purpose", "sslserver", "-CAfile", "\(folder)/authority.pem", "\(folder)/node.pem"]
            ).contains("unsuitable certificate purpose"))
        // A request that was changed after it was signed, one that is none, and a name that is none.
        var bytes = Data(base64Encoded: try key.request.split(separator: "\n").dropFirst().dropLast().joined())!
        bytes[bytes.count - 3] ^= 1
        let changed =
            "-----BEGIN CERTIFICATE REQUEST-----\n\(bytes.base64EncodedString())\n-----END CERTIFICATE REQUEST-----\n"
        for (node, request) in [
            ("gpu-1", changed), ("gpu-1", ""), ("gpu-1", pem), ("../x", try key.request),
            ("gpu-1", String(repeating: "A", count: 1 << 20)),
        ] {
            #expect(throws: CertificateAuthority.Problem.self) {
                try authority.issue(node: node, request: request, lifetimeSeconds: 60)
            }
        }
    }

    private func openssl(_ arguments: [String]) throws -> String {
        let process = Process()
        let pipe = Pipe()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/openssl")
        process.arguments = arguments
        (process.standardOutput, process.standardError) = (pipe, pipe)
        try process.run()
        let data = try pipe.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        return String(decoding: data, as: UTF8.self)
    }

    @Test func anAuthorityStaysWhatItIs() throws {
        let folder = try TestPaths.temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let digest = try authority(folder).sha256
        #expect(try authority(folder).sha256 == digest)
        #expect(try CertificateAuthority.sha256(ofPEM: try authority(folder).pem) == digest)
        #expect(throws: ConfigError.self) { try authority(folder, "other.example") }
        #expect(throws: ConfigError.self) { try authority(folder, "Not a domain") }
        let file = "\(folder)/authority.key"
        #expect(try FileManager.default.attributesOfItem(atPath: file)[.posixPermissions] as? Int == 0o600)
        chmod(file, 0o644)
        #expect(throws: ConfigError.self) { try authority(folder) }
        chmod(file, 0o600)
        // Half of it gone is damage, not a reason for a new one.
        try FileManager.default.removeItem(atPath: file)
        #expect(throws: ConfigError.self) { try authority(folder) }
    }

    @Test func credentialsAreKeptPrivately() throws {
        let folder = try TestPaths.temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let error = #expect(throws: ConfigError.self) { try NodeCredentials.read(folder) }
        #expect(error?.description.contains("has not joined") == true)
        let authority = try authority(folder)
        let key = NodeCredentials.NewNodeKey()
        func certificate(_ node: String) throws -> String {
            try authority.issue(node: node, request: try key.request, lifetimeSeconds: 60)
        }
        let made = try key.credentials(certificate: try certificate("a"), authority: authority.pem)
        try made.write(folder)
        let read = try NodeCredentials.read(folder)
        #expect(read.identity == made.identity && read.keyPEM == made.keyPEM)
        let renewed = try read.renewed(try authority.issue(node: "a", request: try read.request, lifetimeSeconds: 60))
        #expect(renewed.identity == made.identity)
        #expect(throws: ConfigError.self) { try read.renewed(authority.pem) }
        chmod("\(folder)/node.key", 0o640)
        #expect(throws: ConfigError.self) { try NodeCredentials.read(folder) }
    }
}
