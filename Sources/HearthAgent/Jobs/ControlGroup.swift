import Foundation
import HearthFleet

/// A control group of one job: what its processes may take together of memory, processors and process numbers. Made beside the agent's own
/// group, in version 2 of the interface or in version 1, whichever the machine has.
///
/// - Source: the kernel's documentation of cgroup-v2 (memory.max, memory.swap.max, cpu.max, pids.max, memory.events) and of
///   cgroup-v1 (memory.limit_in_bytes, cpu.cfs_quota_us, pids.max, memory.oom_control).
package struct ControlGroup: Sendable, Codable {
    /// Each a folder that the job's processes go into; one in version 2, one a controller in version 1.
    package let folders: [String]
    private let isUnified: Bool

    /// A job that forks without end is stopped by this.
    private static let processes = 4096
    private static let period = 100_000
    private static let leaf = "/hearth-agent"

    /// - Parameters:
    ///   - name: of the job's attempt.
    ///   - root: what /sys and /proc are under; a test lays out its own.
    /// - Throws: `ChildError` where limits are asked for and cannot be had.
    package init(_ name: String, _ spec: JobSpec, root: String = "") throws {
        let own = Self.ownGroups(root)
        isUnified = FileManager.default.fileExists(atPath: root + "/sys/fs/cgroup/cgroup.controllers")
        let memory = spec.memoryGibibytes.map { Int($0 * Double(1 << 30)) }
        let quota = spec.cpus.map { Int($0 * Double(Self.period)) }
        var folders: [String] = []
        func limit(_ folder: String, _ limits: [(file: String, value: String?)]) throws {
            try? FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
            folders.append(folder)
            for (file, value) in limits {
                guard let value else { continue }
                try Self.write(value, "\(folder)/\(file)")
            }
        }
        do {
            if isUnified {
                // Below its own group is where it went itself for the first job.
                let group = own[""] ?? ""
                let parent =
                    root + "/sys/fs/cgroup"
                    + (group.hasSuffix(Self.leaf) ? group.dropLast(Self.leaf.count) : group[...])
                try Self.delegate(parent)
                try limit(
                    "\(parent)/hearth-\(name)",
                    [
                        ("memory.max", memory.map(String.init)), ("memory.swap.max", memory.map { _ in "0" }),
                        ("cpu.max", quota.map { "\($0) \(Self.period)" }), ("pids.max", "\(Self.processes)"),
                    ])
            } else {
                for (controller, limits) in [
                    ("memory", [("memory.limit_in_bytes", memory.map(String.init))]),
                    (
                        "cpu",
                        [
                            ("cpu.cfs_period_us", quota.map { _ in "\(Self.period)" }),
                            ("cpu.cfs_quota_us", quota.map(String.init)),
                        ]
                    ),
                    ("pids", [("pids.max", "\(Self.processes)")]),
                ] where limits.contains(where: { $0.1 != nil }) {
                    try limit("\(root)/sys/fs/cgroup/\(controller)\(own[controller] ?? "")/hearth-\(name)", limits)
                }
            }
        } catch let error as ChildError {
            for folder in folders { rmdir(folder) }
            // Nobody asked: then it goes without.
            guard spec.memoryGibibytes != nil || spec.cpus != nil else {
                self.folders = []
                return
            }
            throw ChildError(
                "limits of memory and processors: this machine has no control groups for the agent: \(error)")
        }
        self.folders = folders
    }

    /// - Throws: `ConfigError` where jobs cannot be held to `limits` on this machine.
    package static func check(_ limits: JobLimits, root: String = "") throws(ConfigError) {
        guard limits.needsGroups else { return }
        let spec = limits.holding(JobSpec(kind: .probe, name: "trial"))
        do { try ControlGroup("trial-\(UUID().uuidString)", spec, root: root).remove() } catch {
            throw ConfigError("jobMemoryGibibytes, jobCpus: \(error)")
        }
    }

    /// Groups of this process by controller; under "" that of version 2.
    private static func ownGroups(_ root: String) -> [String: String] {
        let text = (try? String(contentsOfFile: root + "/proc/self/cgroup", encoding: .utf8)) ?? ""
        var groups: [String: String] = [:]
        for line in text.split(separator: "\n") {
            let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard parts.count == 3 else { continue }
            let path = parts[2] == "/" ? "" : String(parts[2])
            for controller in parts[1].split(separator: ",", omittingEmptySubsequences: false) {
                groups[String(controller)] = path
            }
        }
        return groups
    }

    /// Gives controllers to groups below `parent`: in version 2 only one without processes may, so the agent goes into one below.
    private static func delegate(_ parent: String) throws {
        let needed = ["memory", "cpu", "pids"]
        func enabled() -> Set<Substring> {
            let text = try? String(contentsOfFile: "\(parent)/cgroup.subtree_control", encoding: .utf8)
            return Set((text ?? "").split { $0 == " " || $0 == "\n" })
        }
        if needed.allSatisfy({ enabled().contains(Substring($0)) }) { return }
        // A unit's group is the agent's to arrange; everyone's is not.
        if !parent.hasSuffix("/sys/fs/cgroup") {
            let leaf = parent + Self.leaf
            try? FileManager.default.createDirectory(atPath: leaf, withIntermediateDirectories: false)
            let members = (try? String(contentsOfFile: "\(parent)/cgroup.procs", encoding: .utf8)) ?? ""
            for pid in members.split(separator: "\n") { try write(String(pid), "\(leaf)/cgroup.procs") }
        }
        try write(needed.map { "+\($0)" }.joined(separator: " "), "\(parent)/cgroup.subtree_control")
    }

    private static func write(_ value: String, _ path: String) throws {
        let descriptor = open(path, O_WRONLY | O_CLOEXEC)
        defer { if descriptor >= 0 { close(descriptor) } }
        guard descriptor >= 0, Glibc.write(descriptor, value, value.utf8.count) == value.utf8.count else {
            throw ChildError("\(path): \(String(cString: strerror(errno)))")
        }
    }

    /// `command`, begun in the group: nothing of it runs outside.
    package func enter(_ command: [String]) -> [String] {
        if folders.isEmpty { return command }
        let joins = folders.map { "echo $$ > '\($0)/cgroup.procs' || exit 69" }.joined(separator: "; ")
        return ["/bin/sh", "-c", "\(joins); exec \"$@\"", "sh"] + command
    }

    /// Whether the kernel ended processes for want of memory.
    package var ranOutOfMemory: Bool {
        folders.contains { folder in
            let text = try? String(
                contentsOfFile: "\(folder)/\(isUnified ? "memory.events" : "memory.oom_control")", encoding: .utf8)
            return (text ?? "").split(separator: "\n").contains { $0.hasPrefix("oom_kill ") && !$0.hasSuffix(" 0") }
        }
    }

    /// Ends what is left in it and takes it away.
    package func remove() {
        for folder in folders {
            let members = (try? String(contentsOfFile: "\(folder)/cgroup.procs", encoding: .utf8)) ?? ""
            for pid in members.split(separator: "\n").compactMap({ pid_t($0) }) { kill(pid, SIGKILL) }
            for _ in 0..<100 where rmdir(folder) != 0 && errno == EBUSY { usleep(10_000) }
        }
    }
}
