import ArgumentParser
import Foundation
import HearthAgent
import HearthFleet
import HearthRoofline

/// How a command finds its coordinator.
struct CoordinatorOptions: ParsableArguments {
    @Option(help: "Coordinator's address; $HEARTH_COORDINATOR or http://127.0.0.1:7070 when left out.")
    var coordinator: String?
    @Option(help: "Its token file; $HEARTH_TOKEN_FILE or /var/lib/hearth/coordinator/token when left out.")
    var tokenFile: String?
    @Option(
        help:
            "Certificate of its authority (authority.pem), where it speaks TLS; $HEARTH_AUTHORITY when left out, else the system's."
    )
    var authority: String?

    func client() throws -> CoordinatorClient {
        let environment = ProcessInfo.processInfo.environment
        let url = coordinator ?? environment["HEARTH_COORDINATOR"] ?? "http://127.0.0.1:7070"
        let file = tokenFile ?? environment["HEARTH_TOKEN_FILE"] ?? "/var/lib/hearth/coordinator/token"
        let tls =
            CoordinatorClient.isSecure(url)
            ? try ClientTLS(
                authorityPEM: try (authority ?? environment["HEARTH_AUTHORITY"]).map { try ConfigError.text($0) })
            : nil
        return try CoordinatorClient(url: url, token: try TokenFile.read(file), tls: tls)
    }
}

struct Submit: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Queue a job with the coordinator.")

    @Argument(help: "Job spec (YAML).") var spec: String
    @OptionGroup var options: CoordinatorOptions
    @Flag(help: "Stream the log and end with the job's exit code.") var follow = false
    @Flag(help: "Print JSON.") var json = false

    func run() async throws {
        var job = try SpecFile.read(spec)
        if job.estimate == nil { job.estimate = try JobEstimator.estimate(job) }
        if job.estimate == nil, job.deadlineSeconds != nil {
            Terminal.error(
                "hearth: what the job computes cannot be told here, so nothing will be paid for its deadline")
        }
        let client = try options.client()
        // One key for every try of this submission: a lost answer cannot make two jobs.
        let key = UUID().uuidString
        let record = try await client.post("/v1/jobs", job, headers: ["Idempotency-Key": key], as: JobRecord.self)
        if json && !follow { return try Terminal.json(record) }
        follow ? Terminal.error("\(record.id) queued") : Terminal.out(record.id)
        if follow { try await LogFollower(client: client).follow(record.id, json: json) }
    }
}

struct Logs: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Print a job's log.")

    @Argument(help: "Job id.") var job: String
    @OptionGroup var options: CoordinatorOptions
    @Flag(help: "Stay until the job ends, and end with its exit code.") var follow = false

    func run() async throws {
        let follower = LogFollower(client: try options.client())
        follow ? try await follower.follow(job, json: false) : try await follower.print(job)
    }
}

/// Prints a job's log as it grows.
struct LogFollower {
    let client: CoordinatorClient

    func print(_ job: String) async throws {
        var offset = 0
        while true {
            let chunk = try await client.get("/v1/jobs/\(job)/log?offset=\(offset)", as: LogChunk.self)
            Terminal.out(chunk.text, terminator: "")
            if chunk.nextOffset == offset { return }
            offset = chunk.nextOffset
        }
    }

    /// - Throws: `CommandFailure` with the job's own exit code when it did not succeed.
    func follow(_ job: String, json: Bool) async throws {
        var offset = 0
        var waitingFor: String?
        while true {
            let chunk = try await client.get("/v1/jobs/\(job)/log?offset=\(offset)", as: LogChunk.self)
            if !json { Terminal.out(chunk.text, terminator: "") }
            offset = chunk.nextOffset
            if chunk.isComplete { break }
            if chunk.text.isEmpty {
                let record = try await client.get("/v1/jobs/\(job)", as: JobRecord.self)
                let hasWaited = Date().timeIntervalSince1970 - record.submittedAt > 2
                if hasWaited, let reason = record.waitingFor, reason != waitingFor {
                    Terminal.error("\(job) waits: \(reason)")
                    waitingFor = reason
                }
                try await Task.sleep(for: .milliseconds(150))
            }
        }
        let record = try await client.get("/v1/jobs/\(job)", as: JobRecord.self)
        if json { try Terminal.json(record) }
        guard record.state != .succeeded else { return }
        let code = record.outcome.flatMap { ExitStatus(rawValue: $0.exitCode) } ?? .software
        throw CommandFailure(
            code, "\(job) \(record.state.rawValue): \(record.outcome?.message ?? "no reason was given")")
    }
}

struct Cancel: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "End a job.")

    @Argument(help: "Job id.") var job: String
    @OptionGroup var options: CoordinatorOptions

    func run() async throws {
        let record = try await options.client().post("/v1/jobs/\(job)/cancel", [String: String](), as: JobRecord.self)
        Terminal.out("\(record.id) \(record.state.rawValue)")
    }
}

struct Jobs: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "List jobs, newest first.")

    @OptionGroup var options: CoordinatorOptions
    @Flag(help: "Print JSON.") var json = false

    func run() async throws {
        let jobs = try await options.client().get("/v1/jobs", as: [JobRecord].self)
        if json { return try Terminal.json(jobs) }
        var table = TextTable("JOB", "NAME", "KIND", "STATE", "NODE", "DEVICE", "PREDICTED", "ACTUAL", "NOTE")
        for job in jobs {
            table.add(
                job.id, job.spec.name, job.spec.kind.rawValue, job.state.rawValue, job.node ?? "-",
                job.outcome?.device ?? job.spec.device,
                (job.predictedSeconds ?? job.outcome?.predictedSeconds).map(Figure.seconds) ?? "-",
                job.outcome.map { Figure.seconds($0.actualSeconds) } ?? "-",
                job.waitingFor ?? job.outcome?.message ?? "")
        }
        Terminal.out(table.text)
    }
}

struct Nodes: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "List nodes with their measured ceilings.")

    @OptionGroup var options: CoordinatorOptions
    @Flag(help: "Print JSON.") var json = false
    @Flag(help: "Wait up to five minutes until a node is connected and measured.") var wait = false

    func run() async throws {
        let client = try options.client()
        var nodes = try await client.get("/v1/nodes", as: [NodeRecord].self)
        let start = ContinuousClock.now
        let deadline = start + .seconds(300)
        while wait, !nodes.contains(where: { $0.isConnected && $0.health != .starting }) {
            guard ContinuousClock.now < deadline else {
                throw CommandFailure(.timeout, "no node was ready within 300 s")
            }
            if Terminal.errorIsTerminal {
                let known = nodes.map { "\($0.node) is \($0.state)" }
                let waited = Int((ContinuousClock.now - start).components.seconds)
                let seen = known.isEmpty ? "no node yet" : known.joined(separator: ", ")
                Terminal.progress("waiting \(waited) s: \(seen)")
            }
            try await Task.sleep(for: .milliseconds(250))
            nodes = try await client.get("/v1/nodes", as: [NodeRecord].self)
        }
        Terminal.endProgress()
        if json { return try Terminal.json(nodes) }
        var table = TextTable("NODE", "HEALTH", "DEVICE", "NAME", "F32", "READ", "COPY", "TRIAD", "SUBMIT")
        for node in nodes {
            for device in node.devices {
                let measured = node.ceilings.first { $0.device == device.selector }
                func rate(_ value: MeasuredValue?) -> String {
                    value.map { Figure.gigabytesPerSecond($0.median) } ?? "-"
                }
                table.add(
                    node.node, node.state, device.selector, device.name,
                    measured.map { Figure.gigaflopsPerSecond($0.f32FlopsPerSecond.median) } ?? "-",
                    rate(measured?.readBytesPerSecond), rate(measured?.copyBytesPerSecond),
                    rate(measured?.triadBytesPerSecond),
                    measured.map { Figure.seconds($0.emptySubmitSeconds.median) } ?? "-")
            }
            if let reason = node.barred { Terminal.error("\(node.node) is barred: \(reason)") }
            if let reason = node.drained { Terminal.error("\(node.node) is drained: \(reason)") }
            if let evidence = node.evidence { Terminal.error("\(node.node): \(evidence)") }
        }
        Terminal.out(table.text)
    }
}
