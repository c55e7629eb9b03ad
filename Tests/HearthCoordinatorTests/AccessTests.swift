import Foundation
import HearthCoordinator
import HearthFleet
import HearthIdentity
import Hummingbird
import HummingbirdTesting
import Logging
import Support
import Testing

/// Who may ask what.
@Suite struct AccessTests {
    private let folder: String
    private let store: CoordinatorStore
    private let ledger: Ledger
    private var access: AccessSettings
    private var tokens: [String: String] = [:]

    init() throws {
        folder = try TestPaths.temporaryFolder()
        store = try CoordinatorStore(folder: folder)
        ledger = try Ledger(store: store, folder: folder, name: "test")
        access = AccessSettings(token: String(repeating: "t", count: 64))
        for role in ["auditor", "submitter", "operator"] {
            let (line, token) = try UserFile.line(name: "\(role)-1", role: role)
            try UserFile.append(line, to: "\(folder)/users")
            tokens[role] = token
        }
        tokens["local"] = access.token
        access.users = try UserList(path: "\(folder)/users")
    }

    private func application(_ access: AccessSettings) -> some ApplicationProtocol {
        Application(
            router: Coordinator.router(store: store, ledger: ledger, access),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    private func statuses(
        _ requests: [(HTTPRequest.Method, String, String?)], _ access: AccessSettings
    ) async throws -> [Int] {
        try await application(access).test(.router) { client in
            var statuses: [Int] = []
            for (method, path, who) in requests {
                let headers: HTTPFields = who.map { [.authorization: "Bearer \(tokens[$0] ?? $0)"] } ?? [:]
                let response = try await client.execute(
                    uri: path, method: method, headers: headers, body: ByteBuffer(string: "{}"))
                statuses.append(response.status.code)
            }
            return statuses
        }
    }

    /// 400 is of the empty body: the route was reached.
    @Test func rolesGrow() async throws {
        for (who, expected) in [
            (nil, [401, 401, 401, 401]), ("wrong", [401, 401, 401, 401]), ("auditor", [200, 403, 403, 403]),
            ("submitter", [200, 400, 403, 403]), ("operator", [200, 400, 400, 403]), ("local", [200, 400, 400, 400]),
        ] {
            let found = try await statuses(
                [
                    (.get, "/v1/jobs", who), (.post, "/v1/jobs", who), (.post, "/v1/invitations", who),
                    (.post, "/v1/nodes", who),
                ],
                access)
            #expect(found == expected, "\(who ?? "nobody")")
        }
        // What is open, and what nobody thought of.
        #expect(
            try await statuses(
                [(.get, "/healthz", nil), (.get, "/metrics", nil), (.get, "/v1/authority", nil)], access) == [
                    200, 200, 404,
                ])
        #expect(
            try await statuses([(.put, "/v1/jobs", "submitter"), (.delete, "/v1/nodes/a", "auditor")], access) == [
                403, 403,
            ])
    }

    /// With certificates no token makes a node, not even the coordinator's own.
    @Test func nodesNeedCertificates() async throws {
        var secured = access
        secured.authority = try .readOrCreate(folder, trustDomain: "fleet.example")
        let paths = ["/v1/nodes", "/v1/nodes/a/reports", "/v1/nodes/a/poll", "/v1/renew"]
        #expect(try await statuses(paths.map { (.post, $0, "local") }, secured) == [403, 403, 403, 403])
    }

    @Test func tokensJoinOnce() async throws {
        var secured = access
        let authority = try CertificateAuthority.readOrCreate(folder, trustDomain: "fleet.example")
        secured.authority = authority
        let operatorToken = tokens["operator"]!
        try await application(secured).test(.router) { client in
            func post<Answer: Decodable>(_ path: String, _ body: some Encodable, as type: Answer.Type) async throws -> (
                Int, Answer?
            ) {
                let response = try await client.execute(
                    uri: path, method: .post, headers: [.authorization: "Bearer \(operatorToken)"],
                    body: ByteBuffer(data: try JSONEncoder().encode(body)))
                let answer = try? JSONDecoder().decode(type, from: Data(response.body.readableBytesView))
                return (response.status.code, answer)
            }
            func invite(_ seconds: Double) async throws -> JoinToken {
                let (status, invitation) = try await post(
                    "/v1/invitations", InvitationRequest(node: "gpu-1", validSeconds: seconds), as: Invitation.self)
                #expect(status == 201)
                return try #require(invitation.flatMap { JoinToken($0.token) })
            }
            let token = try await invite(60)
            #expect(token.authority == authority.sha256)
            let key = NodeCredentials.NewNodeKey()
            func join(_ secret: String, _ request: String) async throws -> (Int, CertificateAnswer?) {
                try await post("/v1/join", JoinRequest(secret: secret, request: request), as: CertificateAnswer.self)
            }
            // A malformed request does not use the token up; the first good one does.
            #expect(try await join(token.secret, "no request").0 == 400)
            let (status, answer) = try await join(token.secret, try key.request)
            #expect(status == 200)
            let credentials = try key.credentials(
                certificate: try #require(answer).certificate, authority: authority.pem)
            #expect(credentials.identity.name == "gpu-1")
            #expect(try await join(token.secret, try key.request).0 == 403)
            #expect(try await join(String(repeating: "0", count: 64), try key.request).0 == 403)
            let brief = try await invite(1)
            try await Task.sleep(for: .seconds(1.1))
            #expect(try await join(brief.secret, try key.request).0 == 403)
            let refused = try await post(
                "/v1/invitations", InvitationRequest(node: "../x", validSeconds: 9), as: Invitation.self)
            #expect(refused.0 == 400)
        }
    }

    @Test(arguments: [
        ("a operator", "users:1: expected NAME ROLE HEX"),
        ("# none\na king \(String(repeating: "0", count: 64))", "users:2: expected"),
        ("a operator \(String(repeating: "0", count: 63))", "HEX of 64 digits"),
        (
            "a operator \(String(repeating: "0", count: 64))\nb auditor \(String(repeating: "0", count: 64))",
            "users:2: the name or the token occurs twice"
        ),
    ])
    func malformedUsersAreNamed(text: String, problem: String) throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: "\(folder)/users"))
        let error = #expect(throws: ConfigError.self) { try UserList(path: "\(folder)/users") }
        #expect(error?.description.contains(problem) == true, "\(error?.description ?? "")")
        #expect(throws: ConfigError.self) { try UserFile.append("x operator", to: "\(folder)/users") }
    }
}
