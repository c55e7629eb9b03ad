import Foundation
import HearthAgent
import HearthFleet
import Support
import Testing

@Suite struct ControlGroupTests {
    private func job(memory: Double? = nil, cpus: Double? = nil) -> JobSpec {
        var spec = JobSpec(kind: .probe, name: "p")
        (spec.memoryGibibytes, spec.cpus) = (memory, cpus)
        return spec
    }

    /// This machine's own, where the tests may make groups.
    private static let mayLimit: Bool = {
        var spec = JobSpec(kind: .probe, name: "p")
        spec.memoryGibibytes = 1
        guard let group = try? ControlGroup("trial-\(UUID().uuidString)", spec) else { return false }
        group.remove()
        return true
    }()

    private func run(_ script: String, in group: ControlGroup) throws -> Int32 {
        let command = group.enter(["/bin/sh", "-c", script])
        let process = Process()
        process.executableURL = URL(fileURLWithPath: command[0])
        process.arguments = Array(command.dropFirst())
        (process.standardOutput, process.standardError) = (FileHandle.nullDevice, FileHandle.nullDevice)
        try process.run()
        process.waitUntilExit()
        return process.terminationStatus
    }

    @Test(.enabled(if: mayLimit, "no control groups may be made here"))
    func memoryIsHeldToItsLimit() throws {
        let greedy = "python3 -c 'b = bytearray(400 << 20)'"
        let small = try ControlGroup("test-\(UUID().uuidString)", job(memory: 0.25))
        #expect(try run(greedy, in: small) != 0 && small.ranOutOfMemory)
        small.remove()
        #expect(small.folders.allSatisfy { !FileManager.default.fileExists(atPath: $0) })
        let large = try ControlGroup("test-\(UUID().uuidString)", job(memory: 1))
        #expect(try run(greedy, in: large) == 0 && !large.ranOutOfMemory)
        large.remove()
    }

    @Test(.enabled(if: mayLimit, "no control groups may be made here"))
    func processorsAreHeldToTheirLimit() throws {
        let group = try ControlGroup("test-\(UUID().uuidString)", job(cpus: 0.2))
        defer { group.remove() }
        // Half a second of work takes at least two.
        let script = "python3 -c 'import time\nwhile time.process_time() < 0.5: pass'"
        let began = ContinuousClock.now
        #expect(try run(script, in: group) == 0)
        #expect(ContinuousClock.now - began > .seconds(1.5))
    }

    @Test(.enabled(if: mayLimit, "no control groups may be made here"))
    func whatIsLeftIsEnded() throws {
        let group = try ControlGroup("test-\(UUID().uuidString)", job())
        let script = "python3 -c 'import subprocess; subprocess.Popen([\"sleep\", \"1000\"], start_new_session=True)'"
        #expect(try run(script, in: group) == 0)
        group.remove()
        #expect(!group.folders.isEmpty && group.folders.allSatisfy { !FileManager.default.fileExists(atPath: $0) })
    }

    /// Where nothing can be held to limits an agent that should does not start; one that need not, does.
    @Test func limitsThatCannotBeHeldAreRefused() throws {
        let root = try TestPaths.temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: root) }
        let error = #expect(throws: ConfigError.self) {
            try ControlGroup.check(JobLimits(memoryGibibytes: 1), root: root)
        }
        #expect(error?.description.contains("jobMemoryGibibytes, jobCpus: limits of memory") == true)
        try ControlGroup.check(JobLimits(timeoutSeconds: 1), root: root)
    }

    /// As systemd lays out version 2 for a unit with Delegate=yes; files are files here, not the kernel's.
    @Test func versionTwoIsWrittenAsTheKernelReadsIt() throws {
        let root = try TestPaths.temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: root) }
        let unit = "/system.slice/hearth-agent.service"
        let parent = "\(root)/sys/fs/cgroup\(unit)"
        func lay(_ text: String, _ path: String) throws {
            let url = URL(fileURLWithPath: path)
            try FileManager.default.createDirectory(
                at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data(text.utf8).write(to: url)
        }
        func read(_ path: String) throws -> String { try String(contentsOfFile: path, encoding: .utf8) }
        try lay("cpu memory pids\n", "\(root)/sys/fs/cgroup/cgroup.controllers")
        try lay("0::\(unit)\n", "\(root)/proc/self/cgroup")
        try lay("", "\(parent)/cgroup.subtree_control")
        try lay("77\n", "\(parent)/cgroup.procs")
        for file in ["cgroup.procs"] { try lay("", "\(parent)/hearth-agent/\(file)") }
        let files = ["memory.max", "memory.swap.max", "cpu.max", "pids.max", "cgroup.procs"]
        for file in files { try lay("", "\(parent)/hearth-job-1-1/\(file)") }
        let group = try ControlGroup("job-1-1", job(memory: 2, cpus: 1.5), root: root)
        #expect(group.folders == ["\(parent)/hearth-job-1-1"])
        let written = try files.map { try read("\(parent)/hearth-job-1-1/\($0)") }
        #expect(written == ["2147483648", "0", "150000 100000", "4096", ""])
        #expect(try read("\(parent)/hearth-agent/cgroup.procs") == "77")
        #expect(try read("\(parent)/cgroup.subtree_control") == "+memory +cpu +pids")
        try lay("low 0\noom 3\noom_kill 1\n", "\(parent)/hearth-job-1-1/memory.events")
        #expect(group.ranOutOfMemory)

        // The next one goes beside it, from where the agent is now.
        try lay("0::\(unit)/hearth-agent\n", "\(root)/proc/self/cgroup")
        try lay("cpu memory pids\n", "\(parent)/cgroup.subtree_control")
        try lay("", "\(parent)/hearth-job-3-1/pids.max")
        #expect(try ControlGroup("job-3-1", job(), root: root).folders == ["\(parent)/hearth-job-3-1"])
        try lay("", "\(parent)/cgroup.subtree_control")

        // Where it may not, a job without limits goes without, and one with limits does not begin.
        try FileManager.default.removeItem(atPath: "\(parent)/hearth-job-1-1")
        try FileManager.default.removeItem(atPath: "\(parent)/cgroup.subtree_control")
        #expect(try ControlGroup("job-2-1", job(), root: root).folders.isEmpty)
        #expect(throws: (any Error).self) { try ControlGroup("job-2-1", job(cpus: 1), root: root) }
    }
}
