import Foundation
import HearthFleet
import Support
import Testing

/// What daemons survive of the machine they are on.
@Suite(.serialized, .enabled(if: TestPaths.model != nil, "the default model could not be fetched"))
struct FaultTests {
    /// Tests/chaos/clock.c, compiled.
    private func clock(in folder: String) throws -> String {
        let library = folder + "/clock.so"
        let source = TestPaths.repository.appending(path: "Tests/chaos/clock.c").path
        let made = try Program.tool("/usr/bin/env", ["clang", "-shared", "-fPIC", "-O2", "-o", library, source])
        try #require(made.status == 0, "\(made.error)")
        return library
    }

    /// Somebody sets the clock by an hour, either way, while jobs run: nobody is lost, no lease ends, nothing is done twice.
    @Test func theClockJumps() throws {
        let fleet = try Fleet()
        let clock = fleet.folder + "/clock"
        func jump(_ seconds: Int) throws {
            try Data("\(seconds)\n".utf8).write(to: URL(fileURLWithPath: clock), options: .atomic)
        }
        try jump(0)
        fleet.environment = ["LD_PRELOAD": try self.clock(in: fleet.folder), "HEARTH_CLOCK": clock]
        try fleet.startCoordinator(settings: "leaseSeconds: 4\n")
        try fleet.startAgent()
        try fleet.wait(60) { try fleet.hearth("nodes").out.contains("healthy") }
        let spec = try fleet.write(
            "stop.yaml",
            String(contentsOfFile: try fleet.generateSpec(tokens: 300), encoding: .utf8) + "onPartition: stop\n")
        var ids: [String] = []
        for seconds in [3600, -3600] {
            let id = try fleet.hearth("submit", spec).out.trimmingCharacters(in: .newlines)
            ids.append(id)
            try fleet.wait(60) { try fleet.job(id).state == .running }
            try jump(seconds)
            #expect(try fleet.hearth("nodes").out.contains("healthy"))
            try fleet.wait(60) { try fleet.job(id).state.isFinal }
            let job = try fleet.job(id)
            #expect(job.state == .succeeded && job.attempt == 1, "\(job.outcome?.message ?? "-")")
            let elapsed = try #require(job.outcome?.actualSeconds)
            #expect(elapsed > 0 && elapsed < 60, "took \(elapsed) s")
            // It did jump.
            let finished = try #require(job.finishedAt) - Date().timeIntervalSince1970
            #expect(abs(finished - Double(seconds)) < 120)
        }
        #expect(fleet.stop("agent") == 0 && fleet.stop("coordinator") == 0)
        try fleet.checkReports(jobs: ids.count)
    }

    /// Root may mount a small disk; others skip.
    private static let mayMount = getuid() == 0 && FileManager.default.isExecutableFile(atPath: "/usr/bin/mount")

    /// A disk of 8 MiB at `folder`, while `body` runs.
    private func withSmallDisk(at folder: String, _ body: () throws -> Void) throws {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let mounted = try Program.tool("/usr/bin/mount", ["-t", "tmpfs", "-o", "size=8m,mode=700", "tmpfs", folder])
        try #require(mounted.status == 0, "\(mounted.error)")
        defer { _ = try? Program.tool("/usr/bin/umount", ["-l", folder]) }
        try body()
    }

    private func fill(_ folder: String) {
        let file = open("\(folder)/filler", O_WRONLY | O_CREAT, 0o600)
        defer { close(file) }
        for size in [1 << 16, 1 << 12, 1 << 8, 1] {
            let bytes = [UInt8](repeating: 1, count: size)
            while write(file, bytes, size) == size {}
        }
    }

    /// The coordinator's disk is full: it says so, takes nothing, and loses nothing; with room again all goes on by itself.
    @Test(.enabled(if: mayMount, "only root may mount a small disk"))
    func theCoordinatorsDiskIsFull() throws {
        let fleet = try Fleet()
        let disk = fleet.folder + "/coordinator"
        try withSmallDisk(at: disk) {
            try fleet.startCoordinator()
            try fleet.startAgent()
            try fleet.wait(60) { try fleet.hearth("nodes").out.contains("healthy") }
            let id = try fleet.hearth("submit", try fleet.generateSpec(tokens: 300)).out.trimmingCharacters(
                in: .newlines)
            try fleet.wait(60) { try fleet.job(id).state == .running }
            fill(disk)
            let refused = try fleet.hearth("submit", try fleet.generateSpec(tokens: 4))
            #expect(refused.status == 75 && refused.error.contains("cannot store this now"), "\(refused.error)")
            try fleet.wait(60) { fleet.log("agent").contains("does not take reports; they are kept") }
            try FileManager.default.removeItem(atPath: "\(disk)/filler")
            try fleet.wait(60) { try fleet.job(id).state.isFinal }
            #expect(try fleet.job(id).state == .succeeded)
            #expect(fleet.stop("agent") == 0 && fleet.stop("coordinator") == 0)
            try fleet.checkReports(jobs: 1)
        }
    }

    /// The agent's disk is full while a job runs: how it ended is said when there is room again, and until then nothing else begins.
    @Test(.enabled(if: mayMount, "only root may mount a small disk"))
    func theAgentsDiskIsFull() throws {
        let fleet = try Fleet()
        let disk = fleet.folder + "/agent"
        try withSmallDisk(at: disk) {
            try fleet.startCoordinator()
            try fleet.startAgent()
            try fleet.wait(60) { try fleet.hearth("nodes").out.contains("healthy") }
            let spec = try fleet.generateSpec(tokens: 200)
            let id = try fleet.hearth("submit", spec).out.trimmingCharacters(in: .newlines)
            try fleet.wait(60) { try fleet.job(id).state == .running }
            fill(disk)
            let next = try fleet.hearth("submit", spec).out.trimmingCharacters(in: .newlines)
            try fleet.wait(60) { fleet.log("agent").contains("database or disk is full") }
            usleep(2_000_000)
            #expect(try !fleet.job(id).state.isFinal && fleet.job(next).startedAt == nil)
            try FileManager.default.removeItem(atPath: "\(disk)/filler")
            for job in [id, next] { try fleet.wait(60) { try fleet.job(job).state.isFinal } }
            // What it could not write down itself is said as that.
            let first = try fleet.job(id)
            #expect(
                first.state == .succeeded || first.outcome?.message?.contains("without a result") == true,
                "\(first.outcome?.message ?? "-")")
            #expect(try fleet.job(next).state == .succeeded)
            #expect(fleet.stop("agent") == 0 && fleet.stop("coordinator") == 0)
            try fleet.checkReports(jobs: 2)
        }
    }

    /// A power cut tears the last writes, or a bit turns: the coordinator begins with everything it acknowledged, or says what is wrong and does not
    /// begin.
    @Test func tornAndTurnedBytesFailClosed() throws {
        let fleet = try Fleet()
        try fleet.startCoordinator()
        let spec = try fleet.write("probe.yaml", "kind: probe\nname: p\ndevice: vulkan:60\n")
        for _ in 0..<20 { _ = try fleet.hearth("submit", spec) }
        #expect(try fleet.hearth("ledger", "export", fleet.folder + "/copy").out.hasPrefix("20 leaves of "))
        fleet.kill("coordinator")
        let state = "\(fleet.folder)/coordinator"
        let saved = "\(fleet.folder)/saved"
        try FileManager.default.copyItem(atPath: state, toPath: saved)
        var random = TestRandom(4)
        var verdicts: [String: Int] = [:]
        for round in 0..<24 {
            try FileManager.default.removeItem(atPath: state)
            try FileManager.default.copyItem(atPath: saved, toPath: state)
            let log = "\(state)/coordinator.sqlite-wal"
            let file = round % 2 == 0 || round % 4 == 1 ? log : "\(state)/coordinator.sqlite"
            var bytes = try Data(contentsOf: URL(fileURLWithPath: file))
            if round % 2 == 0 {
                bytes.removeLast(Int.random(in: 1..<bytes.count, using: &random))
            } else {
                bytes[Int.random(in: 0..<bytes.count, using: &random)] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            }
            try bytes.write(to: URL(fileURLWithPath: file))
            do {
                try fleet.startCoordinator()
                let verify = try fleet.hearth("ledger", "export", "\(fleet.folder)/copy-\(round)")
                #expect(verify.out.hasPrefix("20 leaves of "), "round \(round): \(verify.out)\(verify.error)")
                verdicts["whole", default: 0] += 1
                fleet.kill("coordinator")
            } catch let failure as Fleet.StartFailure {
                let last = failure.log.split(separator: "\n").last.map(String.init) ?? ""
                #expect(
                    ["damaged", "was changed or set back", "is missing", "cannot be opened"].contains {
                        last.contains($0)
                    },
                    "round \(round): \(last)")
                verdicts["refused", default: 0] += 1
            }
        }
        #expect(verdicts["refused"] ?? 0 > 0, "\(verdicts)")
        print("torn: \(verdicts)")
    }

    /// A probe that hangs costs its device a note, not the agent its life; it is seen within its deadline and a second.
    @Test func aHangingProbeIsSeenInTime() throws {
        let fleet = try Fleet()
        try fleet.startCoordinator()
        let deadline = 4.0
        try fleet.startAgent(settings: "probeDeadlineSeconds: \(deadline)\nprobeAgainSeconds: 60\n")
        // The probe, as soon as it is there, hangs as if in a driver.
        var probe: Int32?
        try fleet.wait(30) {
            let found = try Program.tool("/usr/bin/pgrep", ["-P", "\(fleet.pid("agent"))", "-f", "hearth probe"]).out
            probe = found.split(separator: "\n").first.flatMap { Int32($0) }
            return probe != nil
        }
        let began = Date()
        kill(try #require(probe), SIGSTOP)
        var slowest = 0.0
        while !fleet.log("agent").contains("was killed"), -began.timeIntervalSinceNow < 30 {
            let asked = Date()
            #expect(try Program.tool("/usr/bin/curl", ["-sS", "-m", "5", "\(fleet.agentURL)/healthz"]).out == "ok\n")
            slowest = max(slowest, -asked.timeIntervalSinceNow)
            usleep(50_000)
        }
        let seen = -began.timeIntervalSinceNow
        #expect(seen <= deadline + 1, "seen after \(seen) s")
        try fleet.wait(10) { try fleet.hearth("nodes").out.contains("suspect") }
        print("probe: a hanging one was seen after \(seen) s, the agent answered within \(slowest) s")
    }
}
