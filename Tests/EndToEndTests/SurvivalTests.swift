import Foundation
import HearthFleet
import Support
import Testing

/// A file of requests that takes a node some seconds, and what comes of it.
private struct Batch {
    let folder: String
    let expected: [String]

    /// Answers it once by `hearth run`.
    init(_ fleet: Fleet, answers: Int) throws {
        folder = "\(fleet.folder)/batch"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let lines = (0..<answers).map { #"{"prompt":"Number \#($0):","max_tokens":48,"temperature":0}"# }
        try Data(lines.joined(separator: "\n").utf8).write(to: URL(fileURLWithPath: "\(folder)/in.jsonl"))
        folderSpec = try fleet.write("batch/expected.yaml", Self.spec("expected.jsonl", ""))
        let run = try Program.run(["run", folderSpec])
        #expect(run.status == 0, "\(run.error)")
        expected = try Self.texts("\(folder)/expected.jsonl")
        #expect(expected.count == answers)
    }

    private let folderSpec: String

    private static func spec(_ output: String, _ more: String) -> String {
        "kind: generate\nmodel: \(TestPaths.model ?? "")\ninput: in.jsonl\noutput: \(output)\ndevice: cpu\ncontext: 512\n\(more)"
    }

    func submit(_ output: String, _ more: String, _ fleet: Fleet) throws -> String {
        let file = try fleet.write("batch/job.yaml", Self.spec(output, more))
        return try fleet.hearth("submit", file).out.trimmingCharacters(in: .newlines)
    }

    /// What was answered, without ids and times.
    static func texts(_ path: String) throws -> [String] {
        try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n").map { line in
            let object = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
            let body = (object["response"] as? [String: Any])?["body"] as? [String: Any]
            return ((body?["choices"] as? [[String: Any]])?.first?["text"] as? String) ?? "?"
        }
    }

    /// Bytes that an attempt has staged; nil where it has nothing.
    func staged(_ output: String, _ attempt: String) -> Int? {
        let path = "\(folder)/.\(output).\(attempt)"
        return (try? FileManager.default.attributesOfItem(atPath: path)[.size]) as? Int
    }

    var hidden: [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).filter { $0.hasPrefix(".") }
    }
}

/// What becomes of jobs where node and coordinator lose sight of each other.
@Suite(.serialized, .enabled(if: TestPaths.model != nil, "the default model could not be fetched"))
struct PartitionTests {
    /// Requests and answers are lost, late, doubled and repeated long after, and the network is gone twice for seconds.
    @Test func aBadNetworkLosesNothing() throws {
        let fleet = try Fleet()
        try fleet.startCoordinator()
        let network = try BadNetwork(in: fleet.folder, to: fleet.coordinatorURL)
        try fleet.startAgent(to: network.url)
        try fleet.wait(60) { try fleet.hearth("nodes").out.contains("healthy") }
        let spec = try fleet.generateSpec(tokens: 20)
        let text = try Program.run(["run", spec]).out.components(separatedBy: "\n\n").first ?? ""
        #expect(text.count > 20)
        try network.set(fleet.coordinatorURL, chaos: 0.15)
        var ids: [String] = []
        for round in 0..<12 {
            ids.append(try fleet.hearth("submit", spec).out.trimmingCharacters(in: .newlines))
            guard round % 6 == 5 else { continue }
            try network.set(fleet.coordinatorURL, isCut: true)
            usleep(3_000_000)
            try network.set(fleet.coordinatorURL, chaos: 0.15)
        }
        for id in ids { try fleet.wait(120) { try fleet.job(id).state.isFinal } }
        for job in try ids.map({ try fleet.job($0) }) {
            #expect(job.state == .succeeded && job.attempt == 1, "\(job.id): \(job.outcome?.message ?? "-")")
            let log = try fleet.hearth("logs", job.id).out
            #expect(
                log.hasPrefix(text) && log.components(separatedBy: "decode").count == 2, "\(job.id): \(log.prefix(80))")
        }
        #expect(
            try fleet.hearth("ledger", "export", fleet.folder + "/copy").out.hasPrefix("\(3 * ids.count) leaves of "))
        try network.set(fleet.coordinatorURL)
        #expect(fleet.stop("agent") == 0 && fleet.stop("coordinator") == 0)
        try fleet.checkReports(jobs: ids.count)
        print("partition: \(ids.count) jobs over a bad network, nothing lost or twice")
    }

    /// Two nodes with leases of 4 s, the first behind a bad network, and a batch that the first has begun and not ended.
    private struct Begun {
        let fleet: Fleet
        let network: BadNetwork
        let batch: Batch
        let id: String

        /// - Parameter policy: a line of the spec.
        init(answers: Int, _ policy: String = "") throws {
            fleet = try Fleet()
            try fleet.startCoordinator(settings: "leaseSeconds: 4\n")
            network = try BadNetwork(in: fleet.folder, to: fleet.coordinatorURL)
            try fleet.startAgent(to: network.url)
            try fleet.wait(60) { [fleet] in try fleet.hearth("nodes").out.contains("healthy") }
            try fleet.startAgent(2)
            try fleet.wait(60) { [fleet] in try fleet.healthyCount() == 2 }
            batch = try Batch(fleet, answers: answers)
            // It is the first's, whichever is measured to be the faster.
            #expect(try fleet.hearth("drain", "n2").status == 0)
            id = try batch.submit("out.jsonl", policy, fleet)
            try fleet.wait(60) { [batch, id] in batch.staged("out.jsonl", "\(id)-1") ?? 0 > 0 }
            #expect(try fleet.hearth("resume", "n2").status == 0)
        }

        var output: String { "\(batch.folder)/out.jsonl" }

        /// The job, which ended well on the second node.
        func doneElsewhere(_ seconds: Double) throws -> JobRecord {
            try fleet.wait(seconds) { try fleet.job(id).state.isFinal }
            let job = try fleet.job(id)
            #expect(job.state == .succeeded && job.node == "n2" && job.attempt == 2, "\(job.outcome?.message ?? "-")")
            return job
        }
    }

    /// The job on the far side ends itself before another node begins it, whose output is the one.
    @Test func aJobThatStopsRunsElsewhere() throws {
        let begun = try Begun(answers: 100, "onPartition: stop\n")
        let (fleet, network, batch, id) = (begun.fleet, begun.network, begun.batch, begun.id)
        #expect(try fleet.job(id).node == "n1")
        try network.set(fleet.coordinatorURL, isCut: true)
        try fleet.wait(30) { try fleet.activeJobs(of: 1) == 0 }
        // It was still n1's when n1 had ended it.
        #expect(try fleet.job(id).attempt == 1)
        #expect(batch.staged("out.jsonl", "\(id)-1") == nil)
        let job = try begun.doneElsewhere(60)
        #expect(try Batch.texts(begun.output) == batch.expected && batch.hidden.isEmpty)
        try network.set(fleet.coordinatorURL)
        try fleet.wait(30) { try fleet.healthyCount() == 2 }
        #expect(try fleet.job(id) == job)
    }

    /// A machine that stood still for longer than its lease wakes up, with its job, after the job was done elsewhere.
    @Test func aZombiePublishesNothing() throws {
        let begun = try Begun(answers: 100, "onPartition: stop\n")
        let (fleet, batch, id) = (begun.fleet, begun.batch, begun.id)
        let session = try #require(
            pid_t(try String(contentsOfFile: "\(fleet.folder)/agent/jobs/\(id)-1/pid", encoding: .utf8)))
        for pid in [fleet.pid("agent"), -session] { kill(pid, SIGSTOP) }
        let job = try begun.doneElsewhere(90)
        let path = begun.output
        let published = try FileManager.default.attributesOfItem(atPath: path)[.systemFileNumber] as? UInt64
        for pid in [-session, fleet.pid("agent")] { kill(pid, SIGCONT) }
        try fleet.wait(30) { try fleet.activeJobs(of: 1) == 0 && batch.hidden.isEmpty }
        #expect(try FileManager.default.attributesOfItem(atPath: path)[.systemFileNumber] as? UInt64 == published)
        #expect(try Batch.texts(path) == batch.expected)
        #expect(try fleet.job(id) == job)
    }

    /// One that keeps goes on, and shows its output when it may.
    @Test func aJobThatKeepsOutlivesThePartition() throws {
        let begun = try Begun(answers: 100)
        let (fleet, network, batch, id) = (begun.fleet, begun.network, begun.batch, begun.id)
        try network.set(fleet.coordinatorURL, isCut: true)
        let result = "\(fleet.folder)/agent/jobs/\(id)-1/work/result.json"
        try fleet.wait(60) { FileManager.default.fileExists(atPath: result) }
        usleep(7_000_000)
        #expect(!FileManager.default.fileExists(atPath: begun.output))
        #expect(try fleet.job(id).state == .running)
        try network.set(fleet.coordinatorURL)
        try fleet.wait(30) { try fleet.job(id).state.isFinal }
        let job = try fleet.job(id)
        #expect(job.state == .succeeded && job.node == "n1" && job.attempt == 1)
        #expect(job.outcome?.output?.path == begun.output)
        #expect(try Batch.texts(begun.output) == batch.expected && batch.hidden.isEmpty)
    }

    /// A copy of the coordinator takes over; the first is still there and is not obeyed, nor told anything.
    @Test func ofTwoCoordinatorsTheLaterCounts() throws {
        let fleet = try Fleet()
        try fleet.startCoordinator()
        let network = try BadNetwork(in: fleet.folder, to: fleet.coordinatorURL)
        try fleet.startAgent(to: network.url)
        try fleet.wait(60) { try fleet.hearth("nodes").out.contains("healthy") }
        let spec = try fleet.generateSpec(tokens: 4)
        #expect(try fleet.hearth("submit", "--follow", spec).status == 0)

        fleet.kill("coordinator")
        try fleet.copyCoordinator()
        try fleet.startCoordinator()
        let later = try fleet.startCopy()
        try network.set(later)
        func submit(_ coordinator: String, _ arguments: String...) throws -> Program.Result {
            try Program.run(
                ["submit"] + arguments + [spec],
                environment: ["HEARTH_COORDINATOR": coordinator, "HEARTH_TOKEN_FILE": fleet.tokenFile])
        }
        #expect(try submit(later, "--follow").status == 0)
        // Back to the first: it has work, and nobody does it.
        try network.set(fleet.coordinatorURL)
        let orphan = try submit(fleet.coordinatorURL).out.trimmingCharacters(in: .newlines)
        try fleet.wait(30) { fleet.log("coordinator").contains("another coordinator has taken over") }
        usleep(2_000_000)
        #expect(try fleet.job(orphan).state == .queued)
        try network.set(later)
        #expect(try submit(later, "--follow").status == 0)
        for name in ["agent", "coordinator", "coordinator2"] { #expect(fleet.stop(name) == 0) }
        try fleet.checkReports(jobs: 3, of: "coordinator2")
    }
}
