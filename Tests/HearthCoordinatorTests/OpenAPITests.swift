import Foundation
import HearthCoordinator
import HearthFleet
import HearthRoofline
import Hummingbird
import HummingbirdTesting
import Logging
import Support
import Testing
import Yams

/// A coordinator's routes over a fresh store.
struct TestService {
    let folder: String
    let store: CoordinatorStore
    let ledger: Ledger
    let token = String(repeating: "t", count: 64)

    init() throws {
        folder = try TestPaths.temporaryFolder()
        store = try CoordinatorStore(folder: folder)
        ledger = try Ledger(store: store, folder: folder, name: "test")
    }

    var application: some ApplicationProtocol { application(over: store) }

    func application(over store: CoordinatorStore) -> some ApplicationProtocol {
        Application(
            router: Coordinator.router(store: store, ledger: ledger, AccessSettings(token: token)),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    var auth: HTTPFields { [.authorization: "Bearer \(token)"] }

    static let device = DeviceSummary(
        selector: "cpu", kind: "cpu", name: "CPU", driver: "d", memoryByteCount: 1, unusable: nil)

    static func registration(_ node: String, boot: String = "b1") -> NodeRegistration {
        NodeRegistration(node: node, bootID: boot, version: "1", devices: [device])
    }

    /// A node that is there and was measured.
    static func join(_ registration: NodeRegistration, _ store: CoordinatorStore) async throws {
        _ = try await store.register(registration)
        let measured = Report(seq: 1, at: 1, body: .health(state: .healthy, evidence: nil))
        _ = try await store.store(ReportBatch(bootID: "probe", reports: [measured]), from: registration.node)
    }

    static var ceilings: Ceilings {
        let value = MeasuredValue(samples: [1e9, 2e9, 3e9])!
        return Ceilings(
            device: "cpu", deviceName: "CPU", driver: "d", measuredAt: 5, f32FlopsPerSecond: value,
            copyBytesPerSecond: value,
            readBytesPerSecond: value, triadBytesPerSecond: value, hostToDeviceBytesPerSecond: value,
            deviceToHostBytesPerSecond: value, emptySubmitSeconds: MeasuredValue(samples: [1e-5])!)
    }
}

/// The OpenAPI document against the running service: the same paths, and answers that fit the schemas.
/// `@unchecked Sendable`: the parsed document never changes.
@Suite struct OpenAPITests: @unchecked Sendable {
    private let document: [String: Any]
    private let paths: [String: [String: Any]]

    init() throws {
        document = try #require(try Yams.load(yaml: OpenAPI.document) as? [String: Any])
        paths = try #require(document["paths"] as? [String: [String: Any]])
    }

    @Test func pathsAreTheRoutes() throws {
        let service = try TestService()
        let routes = Coordinator.router(
            store: service.store, ledger: service.ledger, AccessSettings(token: "t")
        ).routes
        let served = Set(routes.map { "\($0.method) \($0.path)" })
        let methods: Set<String> = ["get", "post", "put", "delete"]
        let described = Set(
            paths.flatMap { path, item in item.keys.filter { methods.contains($0) }.map { "\($0.uppercased()) \(path)" }
            })
        #expect(served == described, "served \(served.sorted()), described \(described.sorted())")
    }

    private func check(_ response: TestResponse, _ method: String, _ path: String) throws {
        let operation = try #require(paths[path]?[method] as? [String: Any])
        let responses = try #require(operation["responses"] as? [String: [String: Any]])
        var described = try #require(responses["\(response.status.code)"], "\(method) \(path) gave \(response.status)")
        let schema = JSONSchema(document: document)
        if let reference = described["$ref"] as? String { described = schema.resolve(reference) }
        if response.status == .noContent { return #expect(described["content"] == nil) }
        let content = try #require(described["content"] as? [String: [String: Any]])
        let type = try #require(response.headers[.contentType]?.split(separator: ";").first.map(String.init))
        let media = try #require(content[type], "\(path) answered \(type)")
        guard type == "application/json" else { return }
        let body = try JSONSerialization.jsonObject(with: Data(response.body.readableBytesView))
        let problems = schema.problems(body, try #require(media["schema"] as? [String: Any]))
        #expect(problems.isEmpty, "\(method) \(path): \(problems)")
    }

    @Test func answersFitTheSchemas() async throws {
        let service = try TestService()
        var spec = JobSpec(kind: .generate, name: "n")
        (spec.model, spec.prompt) = ("/m.gguf", "p")
        var outcome = JobOutcome(exitCode: 0, actualSeconds: 2, figures: ["decode_tokens_per_second": 10])
        outcome.predictedSeconds = 1
        let job = spec
        let done = outcome
        try await service.application.test(.router) { client in
            func call(_ method: String, _ uri: String, _ path: String, _ body: (any Encodable)? = nil) async throws {
                let buffer = try body.map { ByteBuffer(data: try JSONEncoder().encode($0)) }
                let response = try await client.execute(
                    uri: uri, method: .init(method.uppercased())!, headers: service.auth, body: buffer)
                try check(response, method, path)
            }
            try await call("post", "/v1/nodes", "/v1/nodes", TestService.registration("n1"))
            try await call("post", "/v1/nodes", "/v1/nodes", TestService.registration("n2"))
            try await call("post", "/v1/jobs", "/v1/jobs", job)
            try await call("get", "/v1/jobs/job-1", "/v1/jobs/{job}")
            try await call(
                "post", "/v1/nodes/n1/poll", "/v1/nodes/{node}/poll",
                PollRequest(waitSeconds: 0, capacity: 1, spooledReports: 0))
            let reports = [
                Report(seq: 1, at: 1, body: .ceilings(value: TestService.ceilings)),
                Report(seq: 2, at: 1, body: .health(state: .healthy, evidence: nil)),
                Report(seq: 3, at: 1, body: .jobStarted(job: "job-1", attempt: 1)),
                Report(seq: 4, at: 1, body: .jobLog(job: "job-1", attempt: 1, offset: 0, text: "hello")),
                Report(seq: 5, at: 2, body: .jobFinished(job: "job-1", attempt: 1, outcome: done)),
            ]
            try await call(
                "post", "/v1/nodes/n1/reports", "/v1/nodes/{node}/reports", ReportBatch(bootID: "b1", reports: reports))
            let load = LoadSample(
                at: Date().timeIntervalSince1970, seconds: 15, values: ["cpu_busy_ratio": 0.5, "power_watts": 90.0])
            for node in ["n1", "nobody"] {
                try await call(
                    "post", "/v1/nodes/\(node)/loads", "/v1/nodes/{node}/loads", LoadBatch(samples: [load]))
                try await call("get", "/v1/nodes/\(node)/loads?hours=1", "/v1/nodes/{node}/loads")
            }
            try await call("get", "/v1/nodes/n1/loads?hours=x", "/v1/nodes/{node}/loads")
            try await call("get", "/nodes/n1?hours=x", "/nodes/{node}")
            for reason in ["stolen", ""] {
                try await call("post", "/v1/bars/n2", "/v1/bars/{node}", OperatorReason(reason: reason))
                try await call("post", "/v1/bars/nobody", "/v1/bars/{node}", OperatorReason(reason: reason))
            }
            for _ in 0..<2 { try await call("delete", "/v1/bars/n2", "/v1/bars/{node}") }
            for path in [
                "/v1/nodes", "/v1/jobs", "/", "/login", "/data", "/ledger", "/dashboard.js", "/metrics", "/healthz",
                "/openapi.yaml",
            ] {
                try await call("get", path, path)
            }
            for (uri, path) in [
                ("/nodes/n1", "/nodes/{node}"), ("/nodes/none", "/nodes/{node}"), ("/jobs/job-1", "/jobs/{job}"),
                ("/jobs/job-9", "/jobs/{job}"), ("/data/letters", "/data/{name}"),
                ("/v1/data/letters/places", "/v1/data/{name}/places"),
                ("/v1/jobs/job-1/placement", "/v1/jobs/{job}/placement"),
                ("/v1/jobs/job-9/placement", "/v1/jobs/{job}/placement"),
            ] {
                try await call("get", uri, path)
            }
            try await call("get", "/v1/jobs/job-1/log?offset=2", "/v1/jobs/{job}/log")
            try await call("get", "/v1/ledger/checkpoint", "/v1/ledger/checkpoint")
            for query in ["?from=1", "", "?from=x"] {
                try await call("get", "/v1/ledger/leaves\(query)", "/v1/ledger/leaves")
            }
            for query in ["?index=2", "", "?index=99", "?index=-1"] {
                try await call("get", "/v1/ledger/proof\(query)", "/v1/ledger/proof")
            }
            for query in ["?old=1", "", "?old=99", "?old=x"] {
                try await call("get", "/v1/ledger/consistency\(query)", "/v1/ledger/consistency")
            }
            try await call("post", "/v1/jobs/job-1/cancel", "/v1/jobs/{job}/cancel")
            // Refusals are described too.
            try await call("get", "/v1/jobs/none", "/v1/jobs/{job}")
            try await call("get", "/v1/jobs/job-1/log?offset=x", "/v1/jobs/{job}/log")
            try await call(
                "post", "/v1/nodes/nobody/poll", "/v1/nodes/{node}/poll",
                PollRequest(waitSeconds: 0, capacity: 1, spooledReports: 0))
            try await call("post", "/v1/nodes", "/v1/nodes", ["node": 1])
            try await call("post", "/v1/jobs", "/v1/jobs", ["kind": "generate"])
            var impossible = job
            impossible.maxTokens = -1
            try await call("post", "/v1/jobs", "/v1/jobs", impossible)
            let misspelt = String(decoding: try JSONEncoder().encode(job), as: UTF8.self).replacing(
                "\"name\"", with: "\"dataset\":[\"d\"],\"name\"")
            let response = try await client.execute(
                uri: "/v1/jobs", method: .post, headers: service.auth, body: ByteBuffer(string: misspelt))
            #expect(
                response.status == .unprocessableContent
                    && String(buffer: response.body).contains("dataset: unknown field"))
        }
    }

    @Test func everythingButFiguresNeedsTheToken() async throws {
        let service = try TestService()
        let concrete = paths.keys.map {
            $0.replacingOccurrences(of: "{node}", with: "n").replacingOccurrences(of: "{job}", with: "j")
                .replacingOccurrences(of: "{name}", with: "d")
        }
        try await service.application.test(.router) { client in
            for path in concrete {
                for headers: HTTPFields in [[:], [.authorization: "Bearer wrong"], [.cookie: "hearth=wrong"]] {
                    let status = try await client.execute(uri: path, method: .get, headers: headers).status
                    let open: [String: HTTPResponse.Status] = [
                        "/metrics": .ok, "/healthz": .ok, "/v1/authority": .notFound, "/login": .ok,
                        "/logout": .seeOther,
                    ]
                    #expect(status == open[path] ?? .unauthorized, "\(path)")
                }
            }
            let login = try await client.execute(uri: "/?token=\(service.token)", method: .get)
            let cookie = try #require(login.headers[.setCookie]?.split(separator: ";").first.map(String.init))
            #expect(try await client.execute(uri: "/", method: .get, headers: [.cookie: cookie]).status == .ok)
        }
    }

    @Test func hostileBodiesAreRefused() async throws {
        let service = try TestService()
        try await service.application.test(.router) { client in
            var random = TestRandom(11)
            for path in ["/v1/nodes", "/v1/jobs", "/v1/nodes/n/reports", "/v1/nodes/n/poll"] {
                for text in [
                    "", "null", "[]", "{", "{\"a\":", String(repeating: "[", count: 5000),
                    "{\"kind\":\"generate\",\"name\":5}",
                ] {
                    let status = try await client.execute(
                        uri: path, method: .post, headers: service.auth, body: ByteBuffer(string: text)
                    ).status
                    #expect((400..<500).contains(status.code), "\(path) \(text.prefix(20)) gave \(status)")
                }
                for _ in 0..<200 {
                    let bytes = (0..<Int.random(in: 1...60, using: &random)).map { _ in
                        UInt8.random(in: 0...255, using: &random)
                    }
                    let status = try await client.execute(
                        uri: path, method: .post, headers: service.auth, body: ByteBuffer(bytes: bytes)
                    ).status
                    #expect((400..<500).contains(status.code))
                }
            }
            let large = ByteBuffer(repeating: 32, count: 9 << 20)
            #expect(
                try await client.execute(uri: "/v1/jobs", method: .post, headers: service.auth, body: large).status
                    == .contentTooLarge)
        }
    }
}
