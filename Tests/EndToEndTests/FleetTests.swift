import Foundation
import GRDB
import HearthAgent
import HearthFleet
import Support
import Testing

/// Coordinator, agent and jobs as separate processes, and what they survive.
@Suite(.serialized, .enabled(if: TestPaths.model != nil, "the default model could not be fetched"))
struct FleetEndToEndTests {
    @Test func aJobRunsAndTheDashboardAndMetricsShowIt() throws {
        let fleet = try Fleet()
        try fleet.startCoordinator()
        try fleet.startAgent()
        let done = try fleet.hearth("submit", "--follow", try fleet.generateSpec(tokens: 16))
        #expect(done.status == 0 && done.out.contains("decode"), "\(done.error)")
        #expect(try fleet.hearth("logs", "job-1").out == done.out)
        // Loading, prefill and decoding were predicted from the model's header, and now are known of this device.
        let why = try fleet.hearth("explain", "job-1").out
        #expect(why.contains("4 of 4 kernels at their roof") && why.contains("is the first of one's own"), "\(why)")
        let again = try fleet.hearth("submit", "--follow", try fleet.generateSpec(tokens: 16))
        #expect(again.status == 0)
        #expect(try !fleet.hearth("explain", "job-2").out.contains("at their roof"))
        #expect(try fleet.hearth("explain", "job-9").status == 65)

        // Both metrics pages are what Prometheus reads.
        for url in [fleet.coordinatorURL, fleet.agentURL] {
            let page = try Program.tool("/usr/bin/curl", ["-fsS", url + "/metrics"]).out
            #expect(page.contains("hearth_device_read_bytes_per_second"))
            let verdict = try Program.tool("/usr/bin/promtool", ["check", "metrics"], input: page)
            #expect(verdict.status == 0 && verdict.error.isEmpty, "\(verdict.out)\(verdict.error)")
        }

        // The page shows the bandwidth that the node reported.
        let read = try #require(try fleet.nodes().first?.ceilings.first { $0.device == "cpu" }).readBytesPerSecond
            .median
        let token = try String(contentsOfFile: fleet.tokenFile, encoding: .utf8)
        let dom = try Program.tool(
            "/usr/bin/curl", ["-fsS", "-H", "Authorization: Bearer \(token)", fleet.coordinatorURL + "/"]
        ).out
        let cell = try #require(
            dom.range(of: #"data-device="cpu".*?data-figure="read">([0-9.]+)<"#, options: .regularExpression))
        let shown = try #require(Double(dom[cell].dropLast().split(separator: ">").last ?? ""))
        #expect(abs(shown - read / 1e9) <= 0.051)
        #expect(
            dom.contains("data-job=\"job-1\"") && dom.contains("succeeded") && dom.contains("Decode bandwidth reached"))
    }

    /// Whatever their specs ask for.
    @Test func theOperatorsLimitsHoldEveryJob() throws {
        let fleet = try Fleet()
        try fleet.startCoordinator()
        try fleet.startAgent(settings: "jobTimeoutSeconds: 2\n")
        try fleet.wait(60) { try fleet.healthyCount() == 1 }
        let spec = try fleet.write(
            "long.yaml", "kind: bench\nname: long\ndevice: cpu\ncases: [gemm 512x512x512 f32 x1000000]\n")
        #expect(try fleet.hearth("submit", "--follow", spec).status == 124)
        #expect(try fleet.job("job-1").outcome?.message == "did not end within its 2.0 s")
    }

    private static let mayLimit = (try? ControlGroup.check(JobLimits(memoryGibibytes: 1))) != nil

    @Test(.enabled(if: mayLimit, "no control groups may be made here"))
    func theOperatorsLimitOfMemoryHoldsEveryJob() throws {
        let fleet = try Fleet()
        try fleet.startCoordinator()
        try fleet.startAgent(settings: "jobMemoryGibibytes: 0.0625\n")
        try fleet.wait(60) { try fleet.healthyCount() == 1 }
        // What says how much it needs does not even go there.
        let memory = try fleet.nodes().first?.devices.first { $0.selector == "cpu" }?.memoryByteCount
        #expect(memory == 64 << 20)
        func submit(_ megabytes: Int, follow: [String] = []) throws {
            let spec = try fleet.write(
                "\(megabytes).yaml", "kind: bench\nname: m\ndevice: cpu\ncases: [memory \(megabytes) triad x10]\n")
            _ = try Program.run(
                ["submit", spec] + follow,
                environment: ["HEARTH_COORDINATOR": fleet.coordinatorURL, "HEARTH_TOKEN_FILE": fleet.tokenFile])
        }
        try submit(64)
        #expect(try fleet.job("job-1").waitingFor?.contains("cpu has 0.1 GiB of memory") == true)
        try submit(20, follow: ["--follow"])
        let said = try fleet.job("job-2").outcome?.message ?? ""
        #expect(said.contains("needed more memory than its 0.0625 GiB"), "\(said)")
    }

    /// How busy a node is arrives at the coordinator, what was found while that was away, too, and its page draws it.
    @Test func loadsSurviveACoordinatorThatIsAway() throws {
        let fleet = try Fleet()
        try fleet.startCoordinator()
        try fleet.startAgent(settings: "sampleLoadSeconds: 1\n")
        func loads() throws -> [LoadSample] {
            let text = try fleet.get("/v1/nodes/n1/loads?hours=0.2")
            // Until it has registered nobody knows the node.
            return text.isEmpty ? [] : try JSONDecoder().decode([LoadSample].self, from: Data(text.utf8))
        }
        try fleet.wait(30) { try !loads().isEmpty }
        let before = try #require(try loads().last).at
        fleet.kill("coordinator")
        Thread.sleep(forTimeInterval: 9)
        try fleet.startCoordinator()
        try fleet.wait(60) { try (loads().last?.at ?? 0) > before + 12 }
        let all = try loads()
        let covered = all.filter { $0.at > before && $0.at <= before + 12 }.reduce(0) { $0 + $1.seconds }
        // Pieces of 2.4 s: the one that ends after it is not counted.
        #expect(covered > 8.5, "\(all)")
        #expect(all.allSatisfy { (0...1).contains($0.values["cpu_busy_ratio"]?.mean ?? -1) })
        #expect(all.allSatisfy { ($0.values["memory_used_bytes"]?.mean ?? 0) > 1e8 })
        let page = try fleet.get("/nodes/n1?hours=1")
        #expect(page.contains("Processors busy, %") && page.contains("Memory in use, GB"))
        #expect(page.contains("<strong>an hour</strong>") && page.contains("/nodes/n1?hours=168"))
    }

    @Test func refusedAndFailingJobsSayWhy() throws {
        let fleet = try Fleet()
        try fleet.startCoordinator()
        // The coordinator is there before any agent: a job waits and says for what.
        let spec = try fleet.write(
            "m.yaml", "kind: generate\nname: m\nmodel: /nonexistent.gguf\nprompt: p\ndevice: cpu\n")
        #expect(try fleet.hearth("submit", spec).out == "job-1\n")
        #expect(try fleet.hearth("jobs").out.contains("no node is connected"))
        try fleet.startAgent()
        let followed = try fleet.hearth("logs", "--follow", "job-1")
        #expect(followed.status == 65 && followed.error.contains("No such file"), "\(followed.error)")
        // Ports and folders in use are named.
        let port = String(fleet.coordinatorURL.dropFirst("http://".count))
        let second = try Program.run(
            ["coordinator", "--state", fleet.folder + "/other", "--listen", port], deadline: 20)
        #expect(second.status == 78 && second.error.contains("in use"), "\(second.error)")
        let third = try Program.run(
            ["coordinator", "--state", fleet.folder + "/coordinator", "--listen", "127.0.0.1:0"], deadline: 20)
        #expect(third.status == 78 && third.error.contains("another process uses"), "\(third.error)")
        #expect(fleet.stop("agent") == 0 && fleet.stop("coordinator") == 0)
    }

    /// A device whose probes fail is quarantined after three, with the reason; jobs go on elsewhere.
    @Test func failingDevicesAreQuarantined() throws {
        let fleet = try Fleet()
        try fleet.startCoordinator()
        try fleet.startAgent(devices: "cpu,vulkan:63", settings: "probeAgainSeconds: 0.2\n")
        try fleet.wait(90) { try fleet.hearth("nodes").out.contains("quarantined") }
        let nodes = try fleet.hearth("nodes")
        #expect(
            nodes.error.contains("vulkan:63 is quarantined: ") && nodes.error.contains("vulkan:63"), "\(nodes.error)")
        #expect(try fleet.hearth("submit", "--follow", try fleet.generateSpec(tokens: 4)).status == 0)
    }

    @Test func cancelEndsARunningJob() throws {
        let fleet = try Fleet()
        try fleet.startCoordinator()
        try fleet.startAgent()
        let id = try fleet.hearth("submit", try fleet.generateSpec(tokens: 4000)).out.trimmingCharacters(in: .newlines)
        try fleet.wait(60) { try fleet.job(id).state == .running }
        #expect(try fleet.hearth("cancel", id).status == 0)
        try fleet.wait(30) { try fleet.job(id).state.isFinal }
        let ended = try fleet.job(id)
        #expect(ended.state == .cancelled && ended.outcome?.exitCode == 75)
    }

    /// $HEARTH_KILLS for a soak.
    private static let kills = ProcessInfo.processInfo.environment["HEARTH_KILLS"].flatMap { Int($0) } ?? 50

    /// Fifty times: the agent killed in the middle of a job, the coordinator in the middle of reports, or both, and every
    /// tenth time the job itself. Afterwards every job has one truthful end, its whole log, and no report is missing.
    @Test func killsLoseNothing() throws {
        let fleet = try Fleet()
        try fleet.startCoordinator()
        try fleet.startAgent()
        try fleet.wait(60) { try fleet.hearth("nodes").out.contains("healthy") }
        let spec = try fleet.generateSpec(tokens: 40)
        let expected = try Program.run(["run", spec])
        #expect(expected.status == 0)
        let text = expected.out.components(separatedBy: "\n\n").first ?? ""
        #expect(text.count > 40)

        var random = TestRandom(50)
        var killedJobs: Set<String> = []
        var ids: [String] = []
        for round in 0..<Self.kills {
            let id = try fleet.hearth("submit", spec).out.trimmingCharacters(in: .newlines)
            ids.append(id)
            usleep(UInt32.random(in: 0..<700_000, using: &random))
            if round % 10 == 9 {
                // The job's own process, whichever state it is in.
                let pid = try? String(contentsOfFile: "\(fleet.folder)/agent/jobs/\(id)-1/pid", encoding: .utf8)
                if let pid = pid.flatMap({ pid_t($0) }), kill(pid, SIGKILL) == 0 { killedJobs.insert(id) }
            }
            // A soak kills both each time.
            let which = Self.kills < 1000 ? round % 3 : 2
            if which != 1 { fleet.kill("agent") }
            if which != 0 { fleet.kill("coordinator") }
            usleep(UInt32.random(in: 0..<100_000, using: &random))
            if which != 0 { try fleet.startCoordinator() }
            if which != 1 { try fleet.startAgent() }
            try fleet.wait(60) { try fleet.job(id).state.isFinal }
        }

        let jobs = try ids.map { try fleet.job($0) }
        #expect(Set(ids).count == Self.kills)
        for job in jobs {
            if killedJobs.contains(job.id), job.state == .failed {
                #expect(job.outcome?.message?.contains("process") == true)
                continue
            }
            #expect(job.state == .succeeded, "\(job.id): \(job.outcome?.message ?? "-")")
            let log = try fleet.hearth("logs", job.id).out
            #expect(log.hasPrefix(text) && log.contains("decode"), "\(job.id): \(log.prefix(80))")
        }
        // The ledger has every job's steps once, as they were signed.
        let copy = fleet.folder + "/copy"
        #expect(try fleet.hearth("ledger", "export", copy).out.hasPrefix("\(3 * Self.kills) leaves of "))
        let verdict = try Program.run(["ledger", "verify", copy, "--key", fleet.folder + "/coordinator/ledger.pub"])
        #expect(verdict.status == 0, "\(verdict.error)")
        _ = fleet.stop("agent")
        _ = fleet.stop("coordinator")
        try fleet.checkReports(jobs: jobs.count)
        print("kills: \(Self.kills) rounds, nothing lost or twice")
    }
}
