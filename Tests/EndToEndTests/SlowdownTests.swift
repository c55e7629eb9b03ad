import Foundation
import Testing

/// Makes the machine's processors 10 % slower for one agent and its children: a quota where control groups can be made, else by
/// stopping every child for 10 ms of each 100.
private final class Brake {
    private let group: URL?
    private var pace: Process?

    init(_ pid: Int32) throws {
        let cores = ProcessInfo.processInfo.activeProcessorCount
        let name = "hearth-test-\(UUID().uuidString)"
        func write(_ text: String, _ file: URL) -> Bool { (try? Data(text.utf8).write(to: file)) != nil }
        let first = URL(fileURLWithPath: "/sys/fs/cgroup/cpu/\(name)")
        let second = URL(fileURLWithPath: "/sys/fs/cgroup/\(name)")
        for (folder, limits) in [
            (first, [("cpu.cfs_period_us", "100000"), ("cpu.cfs_quota_us", "\(cores * 90_000)")]),
            (second, [("cpu.max", "\(cores * 90_000) 100000")]),
        ] {
            guard (try? FileManager.default.createDirectory(at: folder, withIntermediateDirectories: false)) != nil
            else {
                continue
            }
            if limits.allSatisfy({ write($1, folder.appending(path: $0)) }),
                write("\(pid)", folder.appending(path: "cgroup.procs"))
            {
                group = folder
                return
            }
            rmdir(folder.path)
        }
        group = nil
        let pace = Process()
        pace.executableURL = URL(fileURLWithPath: "/bin/bash")
        pace.arguments = [
            "-c",
            // Nothing but what the shell does itself: a program started ten times a second would take time of the processors, too.
            """
            exec 9<> <(:)
            trap 'kill -CONT $p; exit' TERM
            while [ -d /proc/\(pid) ]; do
                read -t 0.09 -u 9
                p=
                for t in /proc/\(pid)/task/*/children; do read -r c < $t; p="$p $c"; done
                kill -STOP $p; read -t 0.01 -u 9; kill -CONT $p
            done 2> /dev/null
            """,
        ]
        try pace.run()
        self.pace = pace
    }

    func release() {
        if let group {
            // Its processes go back to where they were; then it is empty.
            let root = group.deletingLastPathComponent().appending(path: "cgroup.procs")
            let members = (try? String(contentsOf: group.appending(path: "cgroup.procs"), encoding: .utf8)) ?? ""
            for pid in members.split(separator: "\n") { try? Data(pid.utf8).write(to: root) }
            rmdir(group.path)
        }
        pace?.terminate()
    }

    var how: String { group == nil ? "stopping" : "quota" }
}

@Suite(.serialized) struct SlowdownTests {
    /// Checks of an agent that count, and what its metrics say of speeds.
    private func checks(_ fleet: Fleet) throws -> (counted: Int, said: [Substring]) {
        let said = try Program.tool("/usr/bin/curl", ["-s", "\(fleet.agentURL)/metrics"]).out.split(separator: "\n")
            .filter { !$0.hasPrefix("#") && ($0.contains("speed") || $0.contains("slow")) }
        let line = said.first { $0.hasPrefix("hearth_speed_checks_total{outcome=\"counted\"}") }
        return (line.flatMap { $0.split(separator: " ").last }.flatMap { Double($0) }.map { Int($0) } ?? 0, said)
    }

    /// Whether what a quota lowers is said to be slow, or to be not. A virtual machine's memory bandwidth may change with its neighbours at any time,
    /// which is slow, too.
    private func given(isSlow: Bool, _ said: [Substring]) -> Bool {
        said.contains {
            $0.hasPrefix("hearth_device_slow{device=\"cpu\",figure=\"processor time given\"} \(isSlow ? 1 : 0)")
        }
    }

    private func wait(_ seconds: Double, _ fleet: Fleet, for condition: ((counted: Int, said: [Substring])) -> Bool)
        throws
    {
        let end = Date().addingTimeInterval(seconds)
        while Date() < end {
            if condition(try checks(fleet)) { return }
            // Asking takes time of the processors, too.
            usleep(700_000)
        }
        Issue.record("waited \(seconds) s in vain: \(try checks(fleet).said)")
    }

    /// A device that becomes 10 % slower is suspect after three checks, with evidence, and well again after three more.
    @Test func aTenthLessIsFlaggedInThreeWindows() throws {
        let fleet = try Fleet()
        try fleet.startCoordinator()
        try fleet.startAgent(settings: "probeAgainSeconds: 0.2\ncheckSpeedSeconds: 0.2\n")
        try wait(200, fleet) { $0.counted >= 12 }
        let steady = try checks(fleet)
        #expect(given(isSlow: false, steady.said), "\(steady.said)")

        let brake = try Brake(fleet.pid("agent"))
        defer { brake.release() }
        let before = try checks(fleet).counted
        try wait(120, fleet) { given(isSlow: true, $0.said) }
        // One may have been under way when it began.
        let needed = try checks(fleet).counted - before
        #expect(needed <= 4, "\(needed) windows")
        // The report of it is on its way.
        let evidence = "processor time given at "
        try fleet.wait(10) { try fleet.hearth("nodes").error.contains(evidence) }
        let nodes = try fleet.hearth("nodes")
        #expect(nodes.out.contains("suspect"), "\(nodes.out)")
        print("slowdown: 10 % by \(brake.how), flagged after \(needed) windows; \(nodes.error.prefix(160))")

        brake.release()
        try wait(120, fleet) { given(isSlow: false, $0.said) }
        try fleet.wait(10) {
            let nodes = try fleet.hearth("nodes")
            return nodes.status == 0 && !nodes.error.contains(evidence)
        }
    }
}
